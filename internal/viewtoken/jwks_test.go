package viewtoken

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

var b64 = base64.RawURLEncoding.EncodeToString

// keySet makes a key of each kind, and the set of their public halves.
func keySet(t testing.TB) (set []byte, signers map[string]crypto.PrivateKey) {
	t.Helper()
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := es.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set, err = json.Marshal(map[string]any{"keys": []map[string]string{
		{"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": b64(rs.N.Bytes()), "e": b64(big.NewInt(int64(rs.E)).Bytes())},
		{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": b64(pub)},
		{"kty": "oct", "kid": "s", "k": b64(secret)},
		{"kty": "RSA", "kid": "encryption", "use": "enc", "n": "AQAB", "e": "AQAB"},
		{"kty": "EC", "kid": "other curve", "crv": "P-384", "x": "", "y": ""},
		{"kty": "post-quantum", "kid": "of the future"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return set, map[string]crypto.PrivateKey{"RS256": rs, "ES256": es, "EdDSA": ed, "HS256": secret}
}

func TestTokensOfAKeySet(t *testing.T) {
	t.Parallel()
	set, signers := keySet(t)
	keys, err := ParseKeySet(set)
	if err != nil || len(keys) != 4 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	c := NewChecker(keys, Options{})
	claims := jwt.MapClaims{"stream": []string{"a", "b"}, "exp": later.Unix()}
	for alg, kid := range map[string]string{"RS256": "r", "ES256": "e", "EdDSA": "o", "HS256": "s"} {
		for _, named := range []string{kid, ""} {
			token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
			if named != "" {
				token.Header["kid"] = named
			}
			text, err := token.SignedString(signers[alg])
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Check(text); err != nil || len(got.Streams) != 2 {
				t.Errorf("%s, kid %q: %+v, %v", alg, named, got, err)
			}
			if _, err := c.Check(text[:len(text)-4] + "AAAA"); !errors.Is(err, ErrKey) {
				t.Errorf("%s with another signature: %v", alg, err)
			}
		}
	}
}

// TestAPublicKeyIsNoSecret: with what everybody may know, nobody signs.
func TestAPublicKeyIsNoSecret(t *testing.T) {
	t.Parallel()
	set, signers := keySet(t)
	keys, err := ParseKeySet(set)
	if err != nil {
		t.Fatal(err)
	}
	c := NewChecker(keys[:3], Options{}) // without the secret
	public := signers["RS256"].(*rsa.PrivateKey).PublicKey
	var parsed struct{ Keys []map[string]string }
	if err := json.Unmarshal(set, &parsed); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{
		"modulus": public.N.Bytes(), "its text": []byte(parsed.Keys[0]["n"]), "the set": set, "x of EdDSA": []byte(parsed.Keys[2]["x"]), "empty": {},
	} {
		for _, kid := range []string{"r", "e", "o", "s", ""} {
			token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"stream": "a", "exp": later.Unix()})
			token.Header["kid"] = kid
			text, err := token.SignedString(secret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Check(text); !errors.Is(err, ErrKey) {
				t.Errorf("HS256 with the %s, kid %q: %v", name, kid, err)
			}
		}
	}
	// The kid of one type of key with the algorithm of another.
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"stream": "a", "exp": later.Unix()})
	token.Header["kid"] = "r"
	text, err := token.SignedString(signers["ES256"])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(text); !errors.Is(err, ErrKey) {
		t.Errorf("ES256 that names the RSA key: %v", err)
	}
}

func TestKeySetsThatAreRefused(t *testing.T) {
	t.Parallel()
	long := b64([]byte(strings.Repeat("\xff", 1100)))
	for text, want := range map[string]string{
		``:                                       "no JSON Web Key Set",
		`[]`:                                     "no JSON Web Key Set",
		`{}`:                                     "no key for",
		`{"keys":[]}`:                            "no key for",
		`{"keys":[{}]}`:                          "no key for",
		`{"keys":["a"]}`:                         "no JSON Web Key Set",
		`{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}`: "32 bytes or more",
		`{"keys":[{"kty":"oct","k":"!"}]}`:       "no base64url",
		`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`:                                                                "no modulus",
		`{"keys":[{"kty":"RSA","n":"` + long + `","e":"AQAB"}]}`:                                                        "no modulus",
		`{"keys":[{"kty":"RSA","n":"` + b64([]byte(strings.Repeat("\xff", 256))) + `","e":"AQ"}]}`:                      "no exponent",
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`:                                                       "no coordinates",
		`{"keys":[{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}]}`: "no point",
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`:                                                             "Ed25519",
		`{"keys":[{"kty":"oct","alg":"HS512","k":"` + b64(secret) + `"}]}`:                                              "no key for",
		`{"keys":[` + strings.Repeat(`{},`, maxKeys) + `{}]}`:                                                           "more than",
	} {
		if keys, err := ParseKeySet([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || keys != nil {
			t.Errorf("%.80s: %v, want an error with %q", text, err, want)
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	set, _ := keySet(f)
	f.Add(set)
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"` + b64(secret) + `"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		fuzztime.Bound(t)
		keys, err := ParseKeySet(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		if err == nil {
			_, err := NewChecker(keys, Options{}).Check(fmt.Sprintf("%s.%s.AAAA", b64([]byte(`{"alg":"RS256"}`)), b64([]byte(`{}`))))
			if err == nil {
				t.Error("a token that nobody signed is accepted")
			}
		}
	})
}
