package viewers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"net/netip"
	"sync/atomic"

	"github.com/rtmpd/rtmpd/internal/awake"
)

const (
	maxViewers     = 1 << 16 // of one Counter: some 13 MB
	maxPoolViewers = 1 << 17 // of all Counters of a Pool
	maxWaiting     = 1 << 12 // of one Counter: those that have not joined
)

// An ID identifies a viewer: a hash with a key of this process, so that nobody can make
// two viewers collide on purpose.
type ID uint64

// A Pool holds what Counters share.
type Pool struct {
	Awake *awake.Clock // measures the viewers' silence; nil: the time of the system. Set it before the first Counter

	serial func() uint64
	seed   maphash.Seed
	secret [sha256.Size]byte // signs tokens
	held   atomic.Int64      // viewers of all Counters
}

// NewPool makes a Pool. serial numbers the viewers; no number comes twice.
func NewPool(serial func() uint64) *Pool {
	p := &Pool{serial: serial, seed: maphash.MakeSeed()}
	_, _ = rand.Read(p.secret[:]) // crypto/rand.Read never fails
	return p
}

// hold counts one more viewer, unless there are maxPoolViewers.
func (p *Pool) hold() bool {
	if p.held.Add(1) <= maxPoolViewers {
		return true
	}
	p.held.Add(-1)
	return false
}

// ID returns the ID of the viewer with that address and user agent.
func (p *Pool) ID(addr netip.Addr, agent string) ID {
	var h maphash.Hash
	h.SetSeed(p.seed)
	b := addr.As16()
	_, _ = h.Write(b[:])
	_, _ = h.WriteString(agent)
	return ID(h.Sum64())
}

// TokenID returns the ID of the viewer with that token.
func (p *Pool) TokenID(token string) ID {
	var h maphash.Hash
	h.SetSeed(p.seed)
	_, _ = h.WriteString("token") // shorter than an address: no agent makes the same bytes
	_, _ = h.WriteString(token)
	return ID(h.Sum64())
}

// A token is half random and half a signature. Nobody can forge one, so there are no more
// viewers with tokens than playlists were served, and nothing has to be stored.
const (
	tokenHalf   = 12 // bytes
	tokenLength = 2 * tokenHalf * 4 / 3
)

// NewToken makes a token: 32 letters, digits, - and _.
func (p *Pool) NewToken() string {
	b := make([]byte, tokenHalf, tokenHalf+sha256.Size)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(p.sign(b)[:2*tokenHalf])
}

// Valid reports whether NewToken of this Pool made the token.
func (p *Pool) Valid(token string) bool {
	if len(token) != tokenLength {
		return false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return false
	}
	want := p.sign(append(make([]byte, 0, tokenHalf+sha256.Size), b[:tokenHalf]...))
	return hmac.Equal(b, want[:2*tokenHalf])
}

func (p *Pool) sign(b []byte) []byte {
	m := hmac.New(sha256.New, p.secret[:])
	_, _ = m.Write(b)
	return m.Sum(b)
}
