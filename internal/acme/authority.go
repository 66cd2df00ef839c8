package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// maxOrders is how many certificates are ordered at a time: a configuration with
// a hundred domains shall not look like an attack.
const maxOrders = 4

// authority orders certificates. It is a certmagic.Issuer.
type authority struct {
	ctx      context.Context // of the keeper: what certmagic asks for ends with it
	settings Settings
	store    *store
	client   *http.Client
	solvers  map[string]acmez.Solver
	log      *slog.Logger
	slots    chan struct{} // one for each order under way
}

func newAuthority(ctx context.Context, s Settings, st *store, client *http.Client, c *challenges, log *zap.Logger) *authority {
	a := &authority{
		ctx: ctx, settings: s, store: st, client: client, solvers: make(map[string]acmez.Solver),
		log:   slog.New(zapslog.NewHandler(log.Core(), zapslog.WithName("acmez"))),
		slots: make(chan struct{}, maxOrders),
	}
	if s.HTTP {
		a.solvers[acme.ChallengeTypeHTTP01] = (*httpSolver)(c)
	}
	if s.TLS {
		a.solvers[acme.ChallengeTypeTLSALPN01] = (*tlsSolver)(c)
	}
	return a
}

// IssuerKey implements certmagic.Issuer: certificates of two authorities lie in
// two directories.
func (a *authority) IssuerKey() string { return keyOf(a.settings.Directory) }

func keyOf(directory string) string {
	_, rest, _ := strings.Cut(directory, "://")
	return strings.NewReplacer("/", "-", ":", "-").Replace(strings.Trim(rest, "/"))
}

// Issue implements certmagic.Issuer: it orders the certificate that csr
// describes and answers the authority's challenges.
func (a *authority) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	ctx, cancel := a.bound(ctx)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-a.slots }()
	if n, ok := ctx.Value(certmagic.AttemptsCtxKey).(*int); ok && *n > 0 && a.settings.Directory == LetsEncrypt {
		// Five failures an hour and Let's Encrypt listens no more. So a retry goes
		// to its test system first, which is more patient.
		if _, err := a.order(ctx, certmagic.LetsEncryptStagingCA, csr); err != nil {
			return nil, err
		}
	}
	chain, err := a.order(ctx, a.settings.Directory, csr)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: chain.ChainPEM, Metadata: chain}, nil
}

func (a *authority) order(ctx context.Context, directory string, csr *x509.CertificateRequest) (acme.Certificate, error) {
	client := a.dial(directory)
	for last := false; ; last = true {
		account, err := a.account(ctx, client.Client)
		if err != nil {
			return acme.Certificate{}, err
		}
		params, err := acmez.OrderParametersFromCSR(account, csr)
		if err != nil {
			return acme.Certificate{}, err
		}
		chains, err := client.ObtainCertificate(ctx, params)
		var problem acme.Problem
		switch {
		case err == nil && len(chains) > 0:
			return chains[0], nil
		case err == nil:
			return acme.Certificate{}, errors.New("the authority sent no certificate")
		case !last && errors.As(err, &problem) && problem.Type == acme.ProblemTypeAccountDoesNotExist:
			// The authority has forgotten its accounts: a private one set up anew.
			if err := a.forgetAccount(ctx, directory); err != nil {
				return acme.Certificate{}, err
			}
		default:
			return acme.Certificate{}, err
		}
	}
}

// bound is ctx that ends with the keeper, too: the cache's maintenance does not
// look up from its work when it is told to stop.
func (a *authority) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (a *authority) dial(directory string) *acmez.Client {
	return &acmez.Client{
		Client:           &acme.Client{Directory: directory, HTTPClient: a.client, UserAgent: "rtmpd", Logger: a.log},
		ChallengeSolvers: a.solvers,
	}
}

// GetRenewalInfo implements certmagic.RenewalInfoGetter: when the authority wants
// the certificate renewed (RFC 9773).
func (a *authority) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (acme.RenewalInfo, error) {
	ctx, cancel := a.bound(ctx)
	defer cancel()
	return a.dial(a.settings.Directory).GetRenewalInfo(ctx, cert.Leaf)
}

var (
	_ certmagic.Issuer            = (*authority)(nil)
	_ certmagic.RenewalInfoGetter = (*authority)(nil)
)
