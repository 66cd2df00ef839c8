package viewtoken

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

const (
	// maxKeySet and maxKeys bound a key set.
	maxKeySet = 1 << 20
	maxKeys   = 256
	// minRSA and maxRSA are how many bits a modulus may have: fewer are no protection,
	// and more take a processor for a while.
	minRSA, maxRSA = 2048, 8192
)

// jwk is a JSON Web Key (RFC 7517 §4, RFC 7518 §6).
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	K         string `json:"k"`
	N         string `json:"n"`
	E         string `json:"e"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// ParseKeySet reads a JSON Web Key Set (RFC 7517 §5). It leaves out keys that are for other
// purposes or algorithms, as identity providers have them; without any that is left it is
// an error, as is a key that is wrong. An error shows nothing of a key.
func ParseKeySet(text []byte) ([]Key, error) {
	if len(text) > maxKeySet {
		return nil, fmt.Errorf("it is larger than %d bytes", maxKeySet)
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("it is no JSON Web Key Set: an object with keys, a list")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has more than %d keys", maxKeys)
	}
	var out []Key
	for i := range set.Keys {
		k := &set.Keys[i]
		if k.Use != "" && k.Use != "sig" {
			continue
		}
		key, err := k.key()
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if key.Algorithm != "" && (k.Algorithm == "" || k.Algorithm == key.Algorithm) {
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it has no key for HS256, RS256, ES256 or EdDSA")
	}
	return out, nil
}

// key returns the key for the one algorithm of its type; without an algorithm: the type is
// not known.
func (k *jwk) key() (Key, error) {
	out := Key{ID: k.ID}
	switch k.Type {
	case "oct":
		secret, err := base64.RawURLEncoding.DecodeString(k.K)
		if err != nil || len(secret) < MinSecret {
			return out, fmt.Errorf("k is no base64url of %d bytes or more", MinSecret)
		}
		out.Algorithm, out.material = "HS256", secret
	case "RSA":
		n, err := number(k.N)
		if err != nil || n.BitLen() < minRSA || n.BitLen() > maxRSA || n.Bit(0) == 0 {
			return out, fmt.Errorf("n is no modulus of %d to %d bits", minRSA, maxRSA)
		}
		e, err := number(k.E)
		if err != nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || e.Bit(0) == 0 {
			return out, errors.New("e is no exponent")
		}
		out.Algorithm, out.material = "RS256", &rsa.PublicKey{N: n, E: int(e.Int64())}
	case "EC":
		if k.Curve != "P-256" {
			return out, nil
		}
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
		if err != nil || err2 != nil || len(x) != 32 || len(y) != 32 {
			return out, errors.New("x and y are no coordinates of P-256")
		}
		pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return out, errors.New("x and y are no point of P-256")
		}
		out.Algorithm, out.material = "ES256", pub
	case "OKP":
		if k.Curve != "Ed25519" {
			return out, nil
		}
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return out, errors.New("x is no key of Ed25519")
		}
		out.Algorithm, out.material = "EdDSA", ed25519.PublicKey(x)
	}
	return out, nil
}

// number reads an unsigned number (RFC 7518 §2, Base64urlUInt).
func number(text string) (*big.Int, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, errors.New("no number")
	}
	return new(big.Int).SetBytes(b), nil
}
