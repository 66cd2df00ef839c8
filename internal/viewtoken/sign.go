package viewtoken

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"

	"github.com/golang-jwt/jwt/v5"
)

// Sign makes a token whose streams are named by a claim, that of Options. The key is of
// NewSecret.
func Sign(key Key, c Claims, claim string) (string, error) {
	said := jwt.MapClaims{"exp": c.Expires.Unix()}
	if c.App != "" {
		said["app"] = c.App
	}
	switch len(c.Streams) {
	case 0:
		return "", errors.New("a token names a stream")
	case 1:
		said[cmp.Or(claim, streamClaim)] = c.Streams[0]
	default:
		said[cmp.Or(claim, streamClaim)] = c.Streams
	}
	if c.ID != "" {
		said["jti"] = c.ID
	}
	if !c.NotBefore.IsZero() {
		said["nbf"] = c.NotBefore.Unix()
	}
	if c.Once {
		said["once"] = true
	}
	for claim, text := range map[string]string{"word": c.Word, "iss": c.Issuer, "aud": c.Audience} {
		if text != "" {
			said[claim] = text
		}
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, said)
	delete(t.Header, "typ")
	if key.ID != "" {
		t.Header["kid"] = key.ID
	}
	return t.SignedString(key.material)
}

// NewID makes an ID for a token: 16 letters, digits, - and _.
func NewID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
