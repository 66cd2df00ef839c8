package origin

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

var (
	errWrongWord = errors.New("wrong passphrase")
	errOldWord   = errors.New("the token was given for another passphrase")
	errManyWords = errors.New("too many wrong passphrases from this address: try again in a minute")
)

// wordOf returns what a passphrase is compared by; zero: there is none. Blanks around it and
// the way in which its letters are put together do not count: people type it.
func wordOf(passphrase string) keyID {
	return idOf(strings.TrimSpace(value.NormalName(passphrase)))
}

// mark is what a token says about the passphrase that it was given for.
func (t *tokenRules) mark() string {
	again := idOf(string(t.word[:])) // the token is in everybody's hands
	return hex.EncodeToString(again[:6])
}

// maxWord bounds a passphrase that somebody types.
const maxWord = 512

// wordFrom returns the passphrase in the query of a URL; empty: there is none.
func wordFrom(query string) string {
	if !strings.Contains(query, "passphrase=") {
		return ""
	}
	args, _ := url.ParseQuery(query) // what can be read of it
	if words := args["passphrase"]; len(words) == 1 && len(words[0]) <= maxWord {
		return words[0]
	}
	return ""
}

// opens decides on a passphrase. An address has as many guesses as at stream keys.
func (og *Origin) opens(t *tokenRules, app, stream string, s credential, now time.Time) (*viewtoken.Claims, error) {
	p := presented{typed: wordOf(s.word)}
	if !og.words.admits(s.addr, p, now) {
		return nil, errManyWords
	}
	if subtle.ConstantTimeCompare(p.typed[:], t.word[:]) != 1 {
		og.words.miss(s.addr, now)
		return nil, errWrongWord
	}
	og.words.hit(s.addr, p.typed)
	return &viewtoken.Claims{
		ID: viewtoken.NewID(), App: app, Streams: []string{stream}, Expires: now.Add(t.cfg.PassphraseFor), Word: t.mark(),
		Issuer: t.cfg.Issuer, Audience: t.cfg.Audience,
	}, nil
}

// Unlock implements pages.Streams.
func (p Pages) Unlock(app, name, passphrase string, from netip.Addr) (token string, err error) {
	for _, v := range *p.origin.services.Load() {
		rules := v.rules.Load().find(app)
		if rules == nil {
			continue
		}
		t := rules.tokensFor(name)
		if t == nil || t.word == (keyID{}) {
			continue
		}
		if len(passphrase) > maxWord {
			return "", pages.ErrLocked
		}
		claims, err := p.origin.opens(t, app, name, credential{addr: from, word: passphrase}, time.Now())
		switch {
		case errors.Is(err, errManyWords):
			return "", pages.ErrTooMany
		case err != nil:
			return "", pages.ErrLocked
		}
		return viewtoken.Sign(t.signer, *claims, t.cfg.Claim)
	}
	return "", pages.ErrLocked
}

// Opens implements pages.Streams.
func (p Pages) Opens(app, name, query string) bool {
	token, err := viewtoken.FromQuery(query)
	if err != nil || token == "" {
		return false
	}
	for _, v := range *p.origin.services.Load() {
		rules := v.rules.Load().find(app)
		if rules == nil {
			continue
		}
		t := rules.tokensFor(name)
		if t == nil {
			return true
		}
		claims, err := t.checker.Check(token)
		if err == nil && claims.At(time.Now(), 0) == nil && isFor(claims, rules.cfg, app, name) && (claims.Word == "" || claims.Word == t.mark()) {
			return true
		}
	}
	return false
}
