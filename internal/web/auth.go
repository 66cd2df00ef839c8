package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/listen"
)

const (
	verifiedFor = 5 * time.Minute // one bcrypt per viewer and five minutes, not one per fragment
	maxVerified = 4096
	failWindow  = time.Minute
	maxFails    = 10 // per address and failWindow, as with stream keys
	maxFailing  = 4096
	maxPassword = 72 // bytes; bcrypt takes no more
	bcryptWait  = 5 * time.Second
)

// guard checks credentials. Its use of memory and of the processor is bounded, however
// many clients ask and however often.
type guard struct {
	now  func() time.Time
	salt [32]byte
	busy chan struct{} // a place for each bcrypt under way

	mu       sync.Mutex
	verified map[[sha256.Size]byte]time.Time // credentials that were right, and until when that is remembered
	failing  map[netip.Prefix]failures
}

type failures struct {
	count int
	until time.Time
}

func newGuard(now func() time.Time) *guard {
	g := &guard{
		now:      now,
		busy:     make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		verified: make(map[[sha256.Size]byte]time.Time),
		failing:  make(map[netip.Prefix]failures),
	}
	_, _ = rand.Read(g.salt[:]) // crypto/rand.Read never fails
	return g
}

func (l *location) setAuth(c config.Location) error {
	if c.Token != "" {
		sum := sha256.Sum256([]byte(c.Token.Reveal()))
		l.token = &sum
	}
	if c.API != nil {
		l.scoped = scopedTokens(c.API.Tokens)
	}
	for user, hash := range c.BasicAuth {
		if _, err := bcrypt.Cost([]byte(hash.Reveal())); err != nil {
			return fmt.Errorf("basic_auth: the value of %q is not a bcrypt hash (htpasswd -nB %s makes one)", user, user)
		}
		if l.users == nil {
			l.users = make(map[string][]byte, len(c.BasicAuth))
		}
		l.users[user] = []byte(hash.Reveal())
	}
	return nil
}

// guarded reports whether credentials are needed.
func (l *location) guarded() bool { return l.bearer() || len(l.users) > 0 }

// bearer reports whether a bearer token lets somebody in.
func (l *location) bearer() bool { return l.token != nil || len(l.scoped) > 0 }

var (
	errMissing = errors.New("credentials are needed")
	errWrong   = errors.New("wrong credentials")
	errTooMany = errors.New("too many wrong credentials from this address: wait a minute")
	errBusy    = errors.New("too many logins at once: try again")
)

// authorize checks the credentials of a request. If they are wrong it answers and
// returns false. Where token and basic_auth are both set, either is enough.
func (x *exchange) authorize(l *location) bool {
	who, err := x.site.guard.check(x.r.Context(), l, x.r, x.client)
	status := http.StatusUnauthorized
	switch {
	case err == nil:
		x.user, x.token = who.user, who.token
		return true
	case errors.Is(err, errTooMany):
		status = http.StatusTooManyRequests
		x.Header().Set("Retry-After", "60")
	case errors.Is(err, errMissing), errors.Is(err, errWrong):
		h := x.Header()
		if l.bearer() {
			h.Add("Www-Authenticate", "Bearer")
		}
		if len(l.users) > 0 {
			h.Add("Www-Authenticate", `Basic realm="rtmpd", charset="UTF-8"`)
		}
	default:
		status = http.StatusServiceUnavailable
		x.Header().Set("Retry-After", "5")
	}
	x.fail(l, status, err.Error())
	return false
}

// identity is who was let in: a user, or by which token of an api block.
type identity struct {
	user  string
	token *scopedToken // nil: by another way, which may do all
}

func (g *guard) check(ctx context.Context, l *location, r *http.Request, addr netip.Addr) (identity, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case l.bearer() && strings.EqualFold(scheme, "Bearer"):
		if g.blocked(addr) {
			return identity{}, errTooMany
		}
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if l.token != nil && subtle.ConstantTimeCompare(sum[:], l.token[:]) == 1 {
			return identity{}, nil
		}
		if t := findToken(l.scoped, sum); t != nil {
			return identity{token: t}, nil
		}
		g.failed(addr)
		return identity{}, errWrong
	case len(l.users) > 0 && strings.EqualFold(scheme, "Basic"):
		user, password, ok := r.BasicAuth()
		if !ok {
			return identity{}, errMissing
		}
		return identity{user: user}, g.password(ctx, l, user, password, addr)
	}
	return identity{}, errMissing
}

func (g *guard) password(ctx context.Context, l *location, user, password string, addr netip.Addr) error {
	hash, known := l.users[user]
	if !known { // takes as long as for a known user
		for _, hash = range l.users {
			break
		}
	}
	id := g.id(user, password, hash)
	if known && g.recent(id) {
		return nil
	}
	if g.blocked(addr) {
		return errTooMany
	}
	if len(password) > maxPassword {
		g.failed(addr)
		return errWrong
	}
	ctx, cancel := context.WithTimeout(ctx, bcryptWait)
	defer cancel()
	select {
	case g.busy <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	}
	defer func() { <-g.busy }()
	if known && g.recent(id) { // another request with the same credentials was checked meanwhile
		return nil
	}
	if g.blocked(addr) {
		return errTooMany
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known {
		g.failed(addr)
		return errWrong
	}
	g.remember(id)
	return nil
}

// id returns a hash that stands for a credential.
func (g *guard) id(user, password string, hash []byte) [sha256.Size]byte {
	b := make([]byte, 0, len(g.salt)+len(user)+len(password)+len(hash)+2)
	b = append(append(b, g.salt[:]...), user...)
	b = append(append(b, 0), password...) // a user name has no NUL: the hash of another would differ
	b = append(append(b, 0), hash...)
	return sha256.Sum256(b)
}

func (g *guard) recent(id [sha256.Size]byte) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, ok := g.verified[id]
	return ok && g.now().Before(until)
}

func (g *guard) remember(id [sha256.Size]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if len(g.verified) >= maxVerified {
		evict(g.verified, func(t time.Time) bool { return !now.Before(t) })
	}
	g.verified[id] = now.Add(verifiedFor)
}

func (g *guard) blocked(a netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, ok := g.failing[listen.SourceOf(a)]
	return ok && f.count >= maxFails && g.now().Before(f.until)
}

func (g *guard) failed(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, n := g.now(), listen.SourceOf(a)
	f, ok := g.failing[n]
	if !ok && len(g.failing) >= maxFailing {
		evict(g.failing, func(f failures) bool { return !now.Before(f.until) })
	}
	if !now.Before(f.until) {
		f = failures{until: now.Add(failWindow)}
	}
	if f.count < math.MaxInt32 {
		f.count++
	}
	g.failing[n] = f
}

// evict removes expired entries or, if there are none, any one entry.
func evict[K comparable, V any](m map[K]V, over func(V) bool) {
	before := len(m)
	for k, v := range m {
		if over(v) {
			delete(m, k)
		}
	}
	if len(m) < before {
		return
	}
	for k := range m {
		delete(m, k)
		return
	}
}
