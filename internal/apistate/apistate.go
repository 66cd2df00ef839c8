// Package apistate is what the API has changed: pushes, stream keys and settings. A file
// in the state directory keeps them; With adds them to a configuration, where the
// configuration leaves room for them.
package apistate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

const (
	maxPushes = 1000
	maxKeys   = 10000
	// maxInhibit bounds the patterns that a push leaves out.
	maxInhibit = 32
	// MaxWait is the longest pause between two attempts of a push.
	MaxWait = time.Minute
)

// A State is all of it.
type State struct {
	Pushes []Push `json:"pushes"`
	Keys   []Key  `json:"keys"`
	// Wait is how many seconds a push of the API waits after its first failure; 0: as a
	// push block.
	Wait int `json:"wait,omitempty"`
}

// A Push sends streams to another server, as a push block does.
type Push struct {
	ID      string        `json:"id"`
	App     string        `json:"application"`
	Streams string        `json:"streams"` // NAME, that stream alone; NAME+, its wildcard streams
	Inhibit []string      `json:"inhibit,omitempty"`
	Target  value.RTMPURL `json:"-"`
	Kept    string        `json:"target"` // Target; only in the file
	// NotBefore and NotAfter are Unix seconds between which it runs; 0: always.
	NotBefore int64 `json:"not_before,omitempty"`
	NotAfter  int64 `json:"not_after,omitempty"`
}

// A Key lets somebody publish a stream, as a stream_key block does.
type Key struct {
	SHA256 string `json:"sha256"` // of the secret, in hex
	App    string `json:"application"`
	Stream string `json:"stream"`
}

// NewPush makes the push of an application's streams to a target, with the id that follows
// from them.
func NewPush(app, streams, target string, inhibit []string) (Push, error) {
	p := Push{App: app, Streams: streams, Inhibit: slices.Clone(inhibit)}
	var err error
	if p.Target, err = ParseTarget(target); err != nil {
		return p, err
	}
	if len(inhibit) > maxInhibit {
		return p, fmt.Errorf("inhibit has at most %d patterns", maxInhibit)
	}
	for _, s := range append([]string{streams}, inhibit...) {
		if err := value.ValidStreamName(strings.TrimSuffix(s, "+")); err != nil {
			return p, err
		}
	}
	slices.Sort(p.Inhibit)
	p.name()
	return p, nil
}

// name gives the push its id.
func (p *Push) name() {
	words := append([]string{p.App, p.Streams, p.Target.Reveal()}, p.Inhibit...)
	if p.NotBefore != 0 || p.NotAfter != 0 {
		words = append(words, "", strconv.FormatInt(p.NotBefore, 10), strconv.FormatInt(p.NotAfter, 10))
	}
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	p.ID = hex.EncodeToString(sum[:8])
}

// maxTime is the end of the year 9999.
const maxTime = 253402300799

// Between has the push run between two times only, in Unix seconds; 0: no bound.
func (p *Push) Between(notBefore, notAfter int64) error {
	switch {
	case notBefore < 0 || notAfter < 0 || notBefore > maxTime || notAfter > maxTime:
		return errors.New("a time is in Unix seconds")
	case notAfter != 0 && notAfter <= notBefore:
		return errors.New("the end of a push is before its beginning")
	}
	p.NotBefore, p.NotAfter = notBefore, notAfter
	p.name()
	return nil
}

// ParseTarget reads where a push goes.
func ParseTarget(target string) (url value.RTMPURL, err error) {
	const most = 4096
	switch scheme, _, _ := strings.Cut(target, "://"); {
	case len(target) > most:
		return "", fmt.Errorf("a target has at most %d bytes", most)
	case strings.HasPrefix(target, "/") || !strings.Contains(target, "://"):
		return "", fmt.Errorf("a target is rtmp:// or rtmps://: files are written by record blocks of the configuration, which say where")
	case !strings.EqualFold(scheme, "rtmp") && !strings.EqualFold(scheme, "rtmps"):
		return "", fmt.Errorf("a target is rtmp:// or rtmps://: rtmpd does not send %.16q", scheme)
	}
	err = url.Decode(cty.StringVal(target), value.Context{})
	return url, err
}

// Matches reports whether the push is for a stream.
func (p *Push) Matches(app, stream string) bool {
	return p.App == app && p.patterns().Match(stream)
}

func (p *Push) patterns() value.Patterns {
	patterns := alone(p.Streams)
	for _, s := range p.Inhibit {
		if base, ok := strings.CutSuffix(s, "+"); ok {
			patterns = append(patterns, "!"+base+"+*")
			continue
		}
		patterns = append(patterns, "!"+s)
	}
	return patterns
}

// alone are the patterns of a name: without a + at its end its wildcard streams, which a
// pattern of the configuration takes in, are others.
func alone(streams string) value.Patterns {
	if base, ok := strings.CutSuffix(streams, "+"); ok {
		return value.Patterns{base + "+*"}
	}
	return value.Patterns{streams, "!" + streams + "+*"}
}

// Block is the push as a block of the configuration.
func (p *Push) Block(wait int) config.Push {
	b := config.Push{Name: Label(p.ID)}
	b.Remote = Remote(p.Target, wait)
	b.Remote.Streams = p.patterns()
	if p.NotBefore != 0 {
		b.When.NotBefore = time.Unix(p.NotBefore, 0)
	}
	if p.NotAfter != 0 {
		b.When.NotAfter = time.Unix(p.NotAfter, 0)
	}
	return b
}

// Remote is the target of a push with the defaults of a push block. wait is that of the
// State.
func Remote(target value.RTMPURL, wait int) config.Remote {
	r := config.Remote{URL: target, Reconnect: 3 * time.Second, Queue: 10 * time.Second}
	if wait > 0 {
		r.Reconnect = time.Duration(wait) * time.Second
	}
	return r
}

// Label is what the push of an id is called among the pushes of a stream.
func Label(id string) string { return "api " + id }

// NewKey makes the key of a secret.
func NewKey(app, stream, secret string) (Key, error) {
	if err := value.ValidSecret(secret); err != nil {
		return Key{}, err
	}
	if err := value.ValidStreamName(stream); err != nil {
		return Key{}, err
	}
	return Key{SHA256: HashOf(secret), App: app, Stream: stream}, nil
}

// HashOf is the SHA-256 of a secret, in hex.
func HashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// AddPush adds a push, or puts it in the place of the one with its id. It returns whether
// it is new.
func (s *State) AddPush(p Push) (fresh bool, err error) {
	if i := slices.IndexFunc(s.Pushes, func(o Push) bool { return o.ID == p.ID }); i >= 0 {
		return false, nil
	}
	if len(s.Pushes) >= maxPushes {
		return false, fmt.Errorf("there are %d pushes of the API already: remove one", maxPushes)
	}
	s.Pushes = append(s.Pushes, p)
	return true, nil
}

// AddKey adds a key; one of the same secret in the application goes.
func (s *State) AddKey(k Key) error {
	s.Keys = slices.DeleteFunc(s.Keys, func(o Key) bool { return o.SHA256 == k.SHA256 && o.App == k.App })
	if len(s.Keys) >= maxKeys {
		return fmt.Errorf("there are %d stream keys of the API already: delete one", maxKeys)
	}
	s.Keys = append(s.Keys, k)
	return nil
}

// Clone returns a copy that shares nothing.
func (s *State) Clone() *State {
	out := *s
	out.Pushes, out.Keys = slices.Clone(s.Pushes), slices.Clone(s.Keys)
	return &out
}

// Empty reports that nothing was changed.
func (s *State) Empty() bool { return len(s.Pushes) == 0 && len(s.Keys) == 0 && s.Wait == 0 }

// parse reads the file.
func parse(b []byte) (*State, error) {
	s := &State{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, err
	}
	if len(s.Pushes) > maxPushes || len(s.Keys) > maxKeys || s.Wait < 0 || s.Wait > int(MaxWait/time.Second) {
		return nil, fmt.Errorf("it has more than %d pushes or %d keys, or wait is out of its bounds", maxPushes, maxKeys)
	}
	for i := range s.Pushes {
		p, err := NewPush(s.Pushes[i].App, s.Pushes[i].Streams, s.Pushes[i].Kept, s.Pushes[i].Inhibit)
		if err == nil {
			err = p.Between(s.Pushes[i].NotBefore, s.Pushes[i].NotAfter)
		}
		if err != nil {
			return nil, fmt.Errorf("push %d: %w", i+1, err)
		}
		s.Pushes[i] = p
	}
	for i, k := range s.Keys {
		if sum, err := hex.DecodeString(k.SHA256); err != nil || len(sum) != sha256.Size || value.ValidStreamName(k.Stream) != nil {
			return nil, fmt.Errorf("key %d is none", i+1)
		}
	}
	return s, nil
}

// text is the file.
func (s *State) text() ([]byte, error) {
	out := s.Clone()
	for i := range out.Pushes {
		out.Pushes[i].Kept = out.Pushes[i].Target.Reveal()
	}
	if out.Pushes == nil {
		out.Pushes = []Push{}
	}
	if out.Keys == nil {
		out.Keys = []Key{}
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return append(b, '\n'), err
}
