package web

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func hashed(t *testing.T, password string) value.Secret {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return value.Secret(h)
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

const token = "0123456789abcdef"

func TestCredentials(t *testing.T) {
	t.Parallel()
	users := map[string]value.Secret{"eva": hashed(t, "pässword"), "tim": hashed(t, "other")}
	s := site(t, Deps{}, locations(
		config.Location{Path: "/token", Health: true, Token: token},
		config.Location{Path: "/basic", Health: true, BasicAuth: users},
		config.Location{Path: "/both", Health: true, BasicAuth: users, Token: token},
		config.Location{Path: "/far", Health: true, Token: token, Access: rules("10.0.0.0/8")},
	))
	bearer := "Authorization: Bearer " + token
	for i, c := range []struct {
		name, path, header string
		status             int
	}{
		{"token", "/token", bearer, 200},
		{"lower-case scheme", "/token", "Authorization: bearer " + token, 200},
		{"no token", "/token", "", 401},
		{"wrong token", "/token", bearer + "x", 401},
		{"the beginning of the token", "/token", bearer[:len(bearer)-1], 401},
		{"an empty token", "/token", "Authorization: Bearer ", 401},
		{"a password where a token is needed", "/token", basic("eva", "pässword"), 401},
		{"a token in the query", "/token?token=" + token, "", 401},
		{"password", "/basic", basic("eva", "pässword"), 200},
		{"wrong password", "/basic", basic("eva", "other"), 401},
		{"empty password", "/basic", basic("eva", ""), 401},
		{"unknown user", "/basic", basic("bob", "pässword"), 401},
		{"no base64", "/basic", "Authorization: Basic !", 401},
		{"password longer than bcrypt takes", "/basic", basic("eva", string(make([]byte, 80))), 401},
		{"either: token", "/both", bearer, 200},
		{"either: password", "/both", basic("tim", "other"), 200},
		{"either: none", "/both", "", 401},
		{"right token from the wrong address", "/far", bearer, 403},
	} {
		h := []string{fmt.Sprintf("peer: 198.51.100.%d", i)}
		if c.header != "" {
			h = append(h, c.header)
		}
		differs(t, c.name, ask(t, s, "GET "+c.path, h...).StatusCode, c.status)
	}
	differs(t, "challenge", fmt.Sprint(ask(t, s, "GET /both").Header["Www-Authenticate"]), `[Bearer Basic realm="rtmpd", charset="UTF-8"]`)
}

func TestCompileRefusesWhatIsNoBcryptHash(t *testing.T) {
	t.Parallel()
	if _, err := Compile(locations(config.Location{Path: "/", Health: true, BasicAuth: map[string]value.Secret{"a": "plain"}}), Deps{}); err == nil {
		t.Error("a password in the clear is taken")
	}
}

func TestAPasswordIsHashedOnceNotPerFragment(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := site(t, Deps{Now: func() time.Time { return now }}, locations(config.Location{Path: "/", Health: true, BasicAuth: map[string]value.Secret{"eva": hashed(t, "right")}}))
	differs(t, "first", ask(t, s, "GET /", basic("eva", "right")).StatusCode, 200)
	// With every place taken a bcrypt could not run: what is answered now comes from memory.
	for range cap(s.guard.busy) {
		s.guard.busy <- struct{}{}
	}
	for range 100 {
		differs(t, "again", ask(t, s, "GET /", basic("eva", "right")).StatusCode, 200)
	}
	for range cap(s.guard.busy) {
		<-s.guard.busy
	}
	differs(t, "remembered", len(s.guard.verified), 1)
	for i := range maxVerified + 10 {
		s.guard.remember(s.guard.id("u", itoa(i), nil))
	}
	differs(t, "remembered at most", len(s.guard.verified), maxVerified)
	now = now.Add(verifiedFor)
	if s.guard.recent(s.guard.id("eva", "right", nil)) {
		t.Error("remembered for ever")
	}
}

func TestGuessingIsSlowedPerAddress(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := site(t, Deps{Now: func() time.Time { return now }}, locations(
		config.Location{Path: "/t", Health: true, Token: token},
		config.Location{Path: "/b", Health: true, BasicAuth: map[string]value.Secret{"eva": hashed(t, "right")}},
	))
	bearer := "Authorization: Bearer " + token
	for _, a := range []struct{ guesser, neighbour, other string }{
		{"198.51.100.7", "198.51.100.7", "198.51.100.8"},
		{"2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"}, // a /64 is one customer
	} {
		peer, near, far := "peer: "+a.guesser, "peer: "+a.neighbour, "peer: "+a.other
		differs(t, "known before", ask(t, s, "GET /b", near, basic("eva", "right")).StatusCode, 200)
		for i := range maxFails {
			path, cred := "/t", "Authorization: Bearer guess"
			if i%2 == 0 {
				path, cred = "/b", basic("eva", itoa(i))
			}
			differs(t, "guess", ask(t, s, "GET "+path, peer, cred).StatusCode, 401)
		}
		r := ask(t, s, "GET /t", near, bearer)
		differs(t, "after ten guesses", r.StatusCode, 429)
		differs(t, "Retry-After", r.Header.Get("Retry-After"), "60")
		differs(t, "without credentials nothing is guessed", ask(t, s, "GET /t", near).StatusCode, 401)
		differs(t, "who was known stays", ask(t, s, "GET /b", near, basic("eva", "right")).StatusCode, 200)
		differs(t, "another address", ask(t, s, "GET /t", far, bearer).StatusCode, 200)
		now = now.Add(failWindow)
		differs(t, "a minute later", ask(t, s, "GET /t", near, bearer).StatusCode, 200)
	}
	for i := range maxFailing + 100 {
		s.guard.failed(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if n := len(s.guard.failing); n > maxFailing {
		t.Errorf("%d addresses are remembered, want at most %d", n, maxFailing)
	}
}

func TestALoginWaitsItsTurnAndNotForEver(t *testing.T) {
	t.Parallel()
	s := site(t, Deps{}, locations(config.Location{Path: "/", Health: true, BasicAuth: map[string]value.Secret{"eva": hashed(t, "right")}}))
	for range cap(s.guard.busy) {
		s.guard.busy <- struct{}{}
	}
	var wg sync.WaitGroup
	codes := make([]int, 20)
	for i := range codes {
		wg.Go(func() { codes[i] = ask(t, s, "GET /", basic("eva", "right")).StatusCode })
	}
	for range cap(s.guard.busy) {
		<-s.guard.busy
	}
	wg.Wait()
	for _, c := range codes {
		differs(t, "after the queue", c, 200)
	}
	for range cap(s.guard.busy) {
		s.guard.busy <- struct{}{}
	}
	r, _ := http.NewRequestWithContext(expired(), "GET", "/", nil)
	r.SetBasicAuth("eva", "unknown")
	if _, err := s.guard.check(expired(), s.table.match("/"), r, netip.MustParseAddr("10.0.0.1")); err != errBusy {
		t.Errorf("got %v, want %v", err, errBusy)
	}
	for range cap(s.guard.busy) {
		<-s.guard.busy
	}
}
