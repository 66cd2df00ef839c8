package viewtoken

import (
	"crypto/hmac"
	"crypto/sha256"
)

func hmacOf(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(text))
	return m.Sum(nil)
}
