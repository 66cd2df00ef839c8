package viewtoken

import (
	"errors"

	"github.com/golang-jwt/jwt/v5"
)

// algorithms are the signatures that are taken (RFC 7518 §3, RFC 8037 §3.1).
var algorithms = []string{"HS256", "RS256", "ES256", "EdDSA"}

// streamClaim is the claim that names the streams, unless the operator chooses another.
const streamClaim = "stream"

// A Key checks the signature of one algorithm. It is never used for another one.
type Key struct {
	ID        string // the kid of tokens that name their key; empty: it has none
	Algorithm string
	material  any // what package jwt takes for the algorithm
}

// NewSecret returns a key for HS256. The secret has at least MinSecret bytes.
func NewSecret(id string, secret []byte) Key {
	return Key{ID: id, Algorithm: "HS256", material: secret}
}

// MinSecret is the length of the shortest secret of HS256 in bytes (RFC 7518 §3.2).
const MinSecret = 32

// errNoKey says that there is no key for a token.
var errNoKey = errors.New("no key")

// keysFor returns the keys that may have signed a token: those of its algorithm, and of
// its kid where both have one.
func (c *Checker) keysFor(t *jwt.Token) (any, error) {
	if _, there := t.Header["crit"]; there { // RFC 7515 §4.1.11: what must be understood, and is not
		return nil, errNoKey
	}
	algorithm, _ := t.Header["alg"].(string)
	kid, _ := t.Header["kid"].(string)
	var set jwt.VerificationKeySet
	for i := range c.keys {
		k := &c.keys[i]
		if k.Algorithm == algorithm && (kid == "" || k.ID == "" || k.ID == kid) {
			set.Keys = append(set.Keys, k.material)
		}
	}
	if len(set.Keys) == 0 {
		return nil, errNoKey
	}
	return set, nil
}

// refusal puts an error of package jwt in our words. It holds nothing of the token.
func refusal(err error) error {
	if errors.Is(err, errNoKey) || errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return ErrKey
	}
	return ErrForm
}
