package rtmp

import (
	"crypto/hmac"
	"crypto/sha256"
)

// The digest handshake is no part of RTMP 1.0 but of Flash Player 9 and later:
// C1 and S1 carry an HMAC-SHA256 over their other bytes at an offset that they
// say themselves, C2 and S2 end in one that answers the peer's.
//
//	C1, S1: | time 4 | version 4 | two blocks of 764: one keys, one digest |
//	scheme 1: digest block at 772   scheme 0: digest block at 8
//	digest block: | offset 4 | … digest 32 at (sum of offset bytes) % 728 … |
const (
	digestSize  = 32
	digestRange = 728 // 764 - 4 - 32
)

// digestBlocks are where the schemes keep the digest block, in the order in
// which they are tried: 1 is the commoner one today.
var digestBlocks = [2]int{772, 8}

const (
	clientKeyText = "Genuine Adobe Flash Player 001"
	serverKeyText = "Genuine Adobe Flash Media Server 001"
	// keyTail follows both texts in the keys of C2 and S2.
	keyTail = "\xf0\xee\xc2\x4a\x80\x68\xbe\xe8\x2e\x00\xd0\xd1\x02\x9e\x7e\x57" +
		"\x6e\xec\x5d\x2d\x29\x80\x6f\xab\x93\xb8\xe6\x36\xcf\xeb\x31\xae"
)

func hmacSHA256(key string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// digestAt is the offset of the digest in a C1 or S1 whose digest block is at
// block.
func digestAt(p []byte, block int) int {
	sum := int(p[block]) + int(p[block+1]) + int(p[block+2]) + int(p[block+3])
	return block + 4 + sum%digestRange
}

// findDigest looks for a valid digest of p, a C1 or S1, in both schemes. It
// returns the digest, aliasing p, and its block; nil when there is none.
func findDigest(p []byte, keyText string) (digest []byte, block int) {
	for _, block := range digestBlocks {
		at := digestAt(p, block)
		want := hmacSHA256(keyText, p[:at], p[at+digestSize:])
		if hmac.Equal(want, p[at:at+digestSize]) {
			return p[at : at+digestSize], block
		}
	}
	return nil, 0
}

// putDigest computes p's digest and writes it to where block says.
func putDigest(p []byte, keyText string, block int) {
	at := digestAt(p, block)
	copy(p[at:], hmacSHA256(keyText, p[:at], p[at+digestSize:]))
}

// signAnswer makes p, a C2 or S2 of random bytes, the answer to the digest of
// the peer's C1 or S1.
func signAnswer(p []byte, keyText string, digest []byte) {
	key := hmacSHA256(keyText+keyTail, digest)
	at := len(p) - digestSize
	copy(p[at:], hmacSHA256(string(key), p[:at]))
}
