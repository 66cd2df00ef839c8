package hls

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

// A key encrypts fragments (RFC 8216 §4.3.2.4, METHOD=AES-128).
type key struct {
	uri, iv string        // as in EXT-X-KEY
	store   *segstore.Dir // where its file is; nil when it is not ours
	name    string

	block cipher.Block // nil for a key of an earlier run
	ivRaw [aes.BlockSize]byte
}

// same says whether two keys, either of which may be nil, have the same tag.
func (k *key) same(l *key) bool {
	if k == nil || l == nil {
		return k == l
	}
	return k.uri == l.uri && k.iv == l.iv
}

func (k *key) appendTag(b []byte) []byte {
	if k == nil {
		return append(b, "#EXT-X-KEY:METHOD=NONE\n"...)
	}
	b = append(b, `#EXT-X-KEY:METHOD=AES-128,URI="`...)
	b = append(b, k.uri...)
	b = append(b, `",IV=`...)
	b = append(b, k.iv...)
	return append(b, '\n')
}

// encrypt turns b into AES-128-CBC with PKCS7 padding, in place but for the
// padding.
func (k *key) encrypt(b []byte) []byte {
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
	every   int    // fragments per key; 0: one for the whole run
	current *key
	used    int // fragments encrypted with current
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

// next returns the key for the fragment of that ID. A new key is written to its file: 16
// random bytes, readable for other users (0644, like nginx's) because another server may
// serve keys.url. As in nginx the key's number, which is the ID of its first fragment, is
// the IV of all its fragments.
func (r *keyring) next(n *names, id uint64, rec segstore.Entry, now time.Time) (*key, error) {
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
	k := &key{
		uri: n.keyURI + strconv.FormatUint(id, 10) + ".key", iv: fmt.Sprintf("0x%032x", id),
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

// adopt finds the files of the keys in a resumed playlist, and cancels their removal.
func (r *keyring) adopt(n *names, entries []entry) {
	for i := range entries {
		k := entries[i].key
		if k == nil || k.store != nil {
			continue
		}
		name := localName(n.playlist, k.uri)
		if name == "" {
			continue
		}
		if name = r.prefix + name; r.store.Ours(name) {
			r.store.Keep(name)
			k.store, k.name = r.store, name
		}
	}
}

// unused returns the keys of gone that no entry still listed needs.
func unused(gone, listed []entry, current *key) []*key {
	var keys []*key
	for i := range gone {
		k := gone[i].key
		if k == nil || k.store == nil || k == current || slices.Contains(keys, k) {
			continue
		}
		if !slices.ContainsFunc(listed, func(e entry) bool { return e.key == k }) {
			keys = append(keys, k)
		}
	}
	return keys
}
