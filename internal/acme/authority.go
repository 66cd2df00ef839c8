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

// maxOrders is how many certificates are ordered at a time, so that a configuration with
// a hundred domains does not look like an attack.
const maxOrders = 4

// authority orders certificates. It is a certmagic.Issuer.
type authority struct {
	ctx      context.Context // of the keeper: orders end with it
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

// IssuerKey implements certmagic.Issuer: each authority has a directory for its
// certificates.
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
		// Let's Encrypt refuses orders after five failures an hour. A retry goes to
		// its test system first, which allows more.
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
			// The authority does not know the account: a private one was set up again.
			if err := a.forgetAccount(ctx, directory); err != nil {
				return acme.Certificate{}, err
			}
		default:
			return acme.Certificate{}, err
		}
	}
}

// bound returns a context that also ends with the keeper: the maintenance of certmagic's
// cache does not cancel its work when it is stopped.
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

// GetRenewalInfo implements certmagic.RenewalInfoGetter: it asks the authority when to
// renew the certificate (RFC 9773).
func (a *authority) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (acme.RenewalInfo, error) {
	ctx, cancel := a.bound(ctx)
	defer cancel()
	return a.dial(a.settings.Directory).GetRenewalInfo(ctx, cert.Leaf)
}

var (
	_ certmagic.Issuer            = (*authority)(nil)
	_ certmagic.RenewalInfoGetter = (*authority)(nil)
)
