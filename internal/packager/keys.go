package packager

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Key encrypts segments (RFC 8216 §4.3.2.4, METHOD=AES-128).
type Key struct {
	URI, IV string // as in EXT-X-KEY

	// Local is, for a key that a manifest on disk names, the file that URI may stand
	// for; empty: it can't be ours.
	Local string
	store *segstore.Dir // where its file is; nil when it is not ours
	name  string

	block cipher.Block // nil for a key of an earlier run
	ivRaw [aes.BlockSize]byte
}

// encrypt turns b into AES-128-CBC with PKCS7 padding, in place but for the
// padding.
func (k *Key) encrypt(b []byte) []byte {
	pad := aes.BlockSize - len(b)%aes.BlockSize
	for range pad {
		b = append(b, byte(pad))
	}
	cipher.NewCBCEncrypter(k.block, k.ivRaw[:]).CryptBlocks(b, b)
	return b
}

// A keyring makes the keys of one stream.
type keyring struct {
	store   *segstore.Dir
	prefix  string // of key files' names in the store, before the stream's own
	every   int    // segments per key; 0: one for the whole run
	current *Key
	used    int // segments encrypted with current
}

// openKeyring is nil without a keys block.
func openKeyring(d *Directory, cfg *config.Keys) (*keyring, error) {
	if cfg == nil {
		return nil, nil
	}
	if cfg.Method != "" && cfg.Method != "AES-128" {
		return nil, fmt.Errorf("hls keys: method %s is not supported; use AES-128", cfg.Method)
	}
	s, prefix, err := d.keyStore(string(cfg.Path))
	if err != nil {
		return nil, err
	}
	return &keyring{store: s, prefix: prefix, every: cfg.FragmentsPerKey}, nil
}

// next returns the key for the segment of that ID. A new key is written to its file: 16
// random bytes, readable for other users (0644, like nginx's) because another server may
// serve keys.url. As in nginx the key's number, which is the ID of its first segment, is
// the IV of all its segments.
func (r *keyring) next(n *names, id uint64, rec segstore.Entry, now time.Time) (*Key, error) {
	if r.current != nil && (r.every <= 0 || r.used < r.every) && r.store.Whole(r.current.name) {
		r.used++
		return r.current, nil
	}
	var secret [aes.BlockSize]byte
	_, _ = rand.Read(secret[:]) // never fails (crypto/rand)
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		return nil, fmt.Errorf("hls key: %w", err)
	}
	name := func() string { return r.prefix + n.prefix + strconv.FormatUint(id, 10) + ".key" }
	for r.store.Taken(name()) {
		id++
	}
	k := &Key{
		URI: n.keyURI + strconv.FormatUint(id, 10) + ".key", IV: fmt.Sprintf("0x%032x", id),
		store: r.store, name: name(), block: block,
	}
	binary.BigEndian.PutUint64(k.ivRaw[8:], id)
	rec.Name, rec.Kind = k.name, kindKey
	live := liveFile(rec, int64(len(secret)), now, 0)
	if err := r.store.Write(rec, secret[:], live); err != nil {
		return nil, err
	}
	r.current, r.used = k, 1
	return k, nil
}

// adopt finds the files of the keys in a resumed window, and cancels their removal.
func (r *keyring) adopt(segments []Segment) {
	for i := range segments {
		k := segments[i].Key
		if k == nil || k.store != nil || k.Local == "" {
			continue
		}
		if name := r.prefix + k.Local; r.store.Ours(name) {
			r.store.Keep(name)
			k.store, k.name = r.store, name
		}
	}
}

// unused returns the keys of gone that no segment still listed needs.
func unused(gone, listed []Segment, current *Key) []*Key {
	var keys []*Key
	for i := range gone {
		k := gone[i].Key
		if k == nil || k.store == nil || k == current || slices.Contains(keys, k) {
			continue
		}
		if !slices.ContainsFunc(listed, func(s Segment) bool { return s.Key == k }) {
			keys = append(keys, k)
		}
	}
	return keys
}
