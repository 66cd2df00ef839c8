package viewtoken

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MaxLength bounds a token, in bytes. One of a large identity provider, signed with
	// an RSA key of 4096 bits, has some 2000.
	MaxLength = 4096
	// maxStreams bounds the streams that a token names.
	maxStreams = 64
	// maxRemembered bounds the tokens whose signature need not be checked again. Only
	// who has a key makes more of them.
	maxRemembered = 1 << 15
	// lastYear is the latest time that a token may name: the end of the year 9999.
	lastYear = 253402300799
)

// A Checker checks tokens against keys. Its methods may be called by any goroutine.
type Checker struct {
	keys             []Key
	issuer, audience string
	claim            string
	parser           *jwt.Parser

	mu         sync.Mutex
	remembered map[[sha256.Size]byte]*Claims // by the token's hash: of right signatures only
}

// Options say what else a token must say. Empty: anything.
type Options struct {
	Issuer, Audience string
	Claim            string // the claim that names the streams; empty: stream
}

// NewChecker returns a Checker that takes tokens signed with one of the keys.
func NewChecker(keys []Key, o Options) *Checker {
	c := &Checker{keys: keys, issuer: o.Issuer, audience: o.Audience, claim: o.Claim, remembered: make(map[[sha256.Size]byte]*Claims)}
	if c.claim == "" {
		c.claim = streamClaim
	}
	// What the claims say is looked at in claimsOf. Which keys an algorithm may have is
	// decided in keysFor.
	c.parser = jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	return c
}

// Check returns what a token says whose signature, issuer and audience are right. It says
// nothing about the time and the stream. For a token that was right before it allocates
// nothing.
func (c *Checker) Check(token string) (*Claims, error) {
	switch {
	case token == "":
		return nil, ErrNone
	case len(token) > MaxLength:
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrForm, MaxLength)
	}
	id := hashOf(token)
	c.mu.Lock()
	known := c.remembered[id]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	claims, err := c.verify(token)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.remembered) >= maxRemembered {
		c.shrink(time.Now())
	}
	c.remembered[id] = claims
	return claims, nil
}

// shrink forgets tokens that have expired, or else a quarter of all. mu is held.
func (c *Checker) shrink(now time.Time) {
	for id, claims := range c.remembered {
		if now.After(claims.Expires) {
			delete(c.remembered, id)
		}
	}
	for id := range c.remembered {
		if len(c.remembered) <= maxRemembered*3/4 {
			return
		}
		delete(c.remembered, id)
	}
}

// hashOf is what a token is remembered by. How long a look-up takes tells nothing about
// the tokens that are there.
func hashOf(token string) [sha256.Size]byte {
	var room [1024]byte // enough for most
	return sha256.Sum256(append(room[:0], token...))
}

// verify checks a token of which nothing is known.
func (c *Checker) verify(token string) (*Claims, error) {
	// The decoder of package base64 passes over line ends: one token would be many.
	if strings.ContainsAny(token, "\r\n") {
		return nil, ErrForm
	}
	said := jwt.MapClaims{}
	if _, err := c.parser.ParseWithClaims(token, said, c.keysFor); err != nil {
		return nil, refusal(err)
	}
	return c.claimsOf(said)
}

// claimsOf reads what a token says.
func (c *Checker) claimsOf(said jwt.MapClaims) (*Claims, error) {
	var out Claims
	var err error
	if out.Expires, err = timeOf(said, "exp"); err != nil {
		return nil, err
	}
	if out.Expires.IsZero() {
		return nil, fmt.Errorf("%w: it has no exp, and would be valid for ever", ErrForm)
	}
	if out.NotBefore, err = timeOf(said, "nbf"); err != nil {
		return nil, err
	}
	if out.Streams, err = textsOf(said, c.claim); err != nil {
		return nil, err
	}
	if len(out.Streams) == 0 || len(out.Streams) > maxStreams {
		return nil, fmt.Errorf("%w: its claim %q names no stream, or more than %d", ErrForm, c.claim, maxStreams)
	}
	for claim, to := range map[string]*string{"jti": &out.ID, "app": &out.App, "word": &out.Word} {
		if v, there := said[claim]; there {
			text, ok := v.(string)
			if !ok || text == "" {
				return nil, fmt.Errorf("%w: its %s is no text", ErrForm, claim)
			}
			*to = text
		}
	}
	if v, there := said["once"]; there {
		once, ok := v.(bool)
		if !ok || once && out.ID == "" {
			return nil, fmt.Errorf("%w: once is true or false, and needs a jti", ErrForm)
		}
		out.Once = once
	}
	if c.issuer != "" && said["iss"] != c.issuer {
		return nil, ErrIssuer
	}
	if c.audience != "" {
		audience, err := textsOf(said, "aud")
		if err != nil || !slices.Contains(audience, c.audience) {
			return nil, ErrIssuer
		}
	}
	return &out, nil
}

// timeOf returns a time of a token (RFC 7519 §2, NumericDate); zero: it is not there.
func timeOf(said jwt.MapClaims, claim string) (time.Time, error) {
	v, there := said[claim]
	if !there {
		return time.Time{}, nil
	}
	seconds, ok := v.(float64)
	if !ok || !(seconds > 0 && seconds <= lastYear) {
		return time.Time{}, fmt.Errorf("%w: its %s is no time", ErrForm, claim)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), nil
}

// textsOf returns a claim that is a text or a list of texts.
func textsOf(said jwt.MapClaims, claim string) ([]string, error) {
	switch v := said[claim].(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				break
			}
			out = append(out, s)
		}
		if len(out) == len(v) {
			return out, nil
		}
	}
	return nil, fmt.Errorf("%w: its claim %q is no text and no list of texts", ErrForm, claim)
}
