package viewtoken

import (
	"errors"
	"fmt"
	"time"
)

// Claims are what a token says.
type Claims struct {
	ID        string   // of the token; empty: it has none
	App       string   // empty: any application that has the key
	Streams   []string // names and patterns
	Expires   time.Time
	NotBefore time.Time // zero: none
	Once      bool      // one viewer can use it; the token has an ID
	Word      string    // mark of the passphrase that it was given for; empty: for none

	Issuer, Audience string // for Sign
}

// Why a token is refused. Strangers get one answer for all of them.
var (
	ErrNone    = errors.New("no token")
	ErrSeveral = errors.New("several different tokens")
	ErrForm    = errors.New("the token is malformed")
	ErrKey     = errors.New("no key fits the token's signature")
	ErrEarly   = errors.New("the token is not valid yet")
	ErrExpired = errors.New("the token has expired")
	ErrStream  = errors.New("the token is for another stream")
	ErrIssuer  = errors.New("the token is of another issuer, or for another audience")
	ErrUsed    = errors.New("another viewer has used the token, which is for one")
)

// At reports why a token is not valid at a time. One that has expired is valid for
// overtime more.
func (c *Claims) At(now time.Time, overtime time.Duration) error {
	switch {
	case now.Before(c.NotBefore):
		return fmt.Errorf("%w: it is from %s on", ErrEarly, c.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(c.Expires.Add(overtime)):
		return fmt.Errorf("%w: it was valid until %s", ErrExpired, c.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}
