package origin

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A keyID is the SHA-256 of a stream key's secret. It stands for the key
// wherever the server must remember which one was used; the zero keyID is none.
type keyID [sha256.Size]byte

func idOf(secret string) keyID {
	if secret == "" {
		return keyID{}
	}
	return sha256.Sum256([]byte(secret))
}

// A keyring is an application's stream keys, resolved: generated secrets have
// been read, the keys file too. An application without any is open to all.
type keyring struct {
	inForce bool
	limited bool // a key has limits
	keys    []ringKey
}

type ringKey struct {
	id                  keyID
	holder, stream      string
	notBefore, notAfter time.Time
	priority            int
	bitrate             value.Bitrate // in; 0: the application's
	room                room          // what is zero is the application's
}

// newKeyring resolves an application's keys. generated gives the kept secret of
// a stream_key block that states none.
func newKeyring(app *config.Application, generated func(app, holder string) (string, error)) (*keyring, error) {
	k := &keyring{inForce: len(app.StreamKeys) > 0 || app.StreamKeysFile != ""}
	for _, list := range [][]config.StreamKey{app.StreamKeys, app.FileKeys} {
		for _, key := range list {
			r := ringKey{
				holder: key.Holder, stream: key.Stream,
				notBefore: key.NotBefore, notAfter: key.NotAfter, priority: int(key.Priority),
				bitrate: key.MaxBitrate, room: room{players: key.MaxPlayers, bandwidth: key.MaxBandwidth},
			}
			switch {
			case key.Generated:
				secret, err := generated(app.Name, key.Holder)
				if err != nil {
					return nil, err
				}
				r.id = idOf(secret)
			case key.SHA256 != nil:
				copy(r.id[:], key.SHA256)
			default:
				r.id = idOf(key.Secret.Reveal())
			}
			k.keys = append(k.keys, r)
			k.limited = k.limited || r.bitrate > 0 || r.room != (room{})
		}
	}
	return k, nil
}

// presented is what a publisher typed, kept as hashes so that a reload can
// check a live session again without the secret in memory.
type presented struct {
	typed keyID  // of the stream name as typed
	arg   keyID  // of key= in its arguments
	name  string // the typed name if it could be a public name and no key is in force; else with key=
}

var (
	errNoKey    = errors.New("stream key required")
	errWrongKey = errors.New("wrong stream key")
	errKeyTime  = errors.New("stream key is not valid now")
	errKeyName  = errors.New("the stream key belongs to another stream name")
)

// match finds who p is. The error is errNoKey or errWrongKey for a
// publisher that only access.keyless can admit. Every key is compared, in constant time.
func (k *keyring) match(p presented, now time.Time) (ringKey, error) {
	var hit *ringKey
	for i := range k.keys {
		r := &k.keys[i]
		eq := subtle.ConstantTimeCompare(r.id[:], p.typed[:]) | subtle.ConstantTimeCompare(r.id[:], p.arg[:])
		if eq == 1 && r.id != (keyID{}) {
			hit = r
		}
	}
	switch {
	case hit == nil && p.arg != (keyID{}):
		return ringKey{}, errWrongKey
	case hit == nil:
		return ringKey{}, errNoKey
	case now.Before(hit.notBefore), !hit.notAfter.IsZero() && !now.Before(hit.notAfter):
		return ringKey{}, errKeyTime
	case hit.id == p.arg && p.name != hit.stream:
		return ringKey{}, errKeyName
	}
	return *hit, nil
}

// of returns the key that p publishes with; nil: none that has limits.
func (k *keyring) of(p *Publication) *ringKey {
	if k == nil || !k.limited || p == nil || p.owner.key == (keyID{}) {
		return nil
	}
	i := slices.IndexFunc(k.keys, func(r ringKey) bool { return r.id == p.owner.key })
	if i < 0 {
		return nil
	}
	return &k.keys[i]
}

// roomOf is how many may watch what p publishes: the key's limits, else most.
func (k *keyring) roomOf(p *Publication, most room) room {
	if key := k.of(p); key != nil {
		most.players = cmp.Or(key.room.players, most.players)
		most.bandwidth = cmp.Or(key.room.bandwidth, most.bandwidth)
	}
	return most
}

// bitrateOf is what p may send: the key's max_bitrate, else the application's.
func (k *keyring) bitrateOf(p *Publication, most value.Bitrate) value.Bitrate {
	if key := k.of(p); key != nil {
		most = cmp.Or(key.bitrate, most)
	}
	return most
}

// holds says whether typed is one of the keys, in its time or out of it.
func (k *keyring) holds(typed string) bool {
	if k == nil || !k.inForce {
		return false
	}
	_, err := k.match(presented{typed: idOf(typed)}, time.Now())
	return err == nil || errors.Is(err, errKeyTime)
}

// names says whether a key publishes under this public name.
func (k *keyring) names(name string) bool {
	return slices.ContainsFunc(k.keys, func(r ringKey) bool { return r.stream == name })
}

// identify turns what a publisher typed into the public name and its owner:
// from here on nobody sees the secret again.
func (r *appRules) identify(p presented, addr netip.Addr, now time.Time) (name string, o owner, err error) {
	if !r.keys.inForce {
		return p.name, owner{addr: addr}, value.ValidStreamName(p.name)
	}
	key, err := r.keys.match(p, now)
	if err == nil {
		return key.stream, owner{holder: key.holder, key: key.id, addr: addr, priority: key.priority}, nil
	}
	// A key out of its time never becomes a name: everybody could read it.
	unknown := errors.Is(err, errNoKey) || errors.Is(err, errWrongKey)
	if unknown && r.cfg.Access.AllowsKeyless(addr) && value.ValidStreamName(p.name) == nil {
		return p.name, owner{addr: addr}, nil
	}
	return "", owner{}, err
}
