package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config/value"
)

// keysFile reads a stream_keys_file: a line for each key,
//
//	HOLDER SECRET|sha256:HEX [stream=NAME] [not_after=RFC 3339] [max_bitrate=8M]
//
// and comments from # on. Errors name the line, never its content. A file
// that can't be read is an error, unless the running configuration has its
// content: then that stays. It stays for a file without any key, too: somebody may
// be writing it anew, or the disk was full.
func (c *checker) keysFile(path string, at hcl.Range, seen map[string]string) []StreamKey {
	data, err := c.reading.file(path)
	kept, running := c.keptKeys(path)
	if err != nil {
		if running {
			return c.keepKeys(path, at, pathCause(err), kept)
		}
		c.secretFile(at, fmt.Sprintf("stream_keys_file: %v", pathError(path, err)))
		return nil
	}
	var keys []StreamKey
	offset, lines := 0, 0
	for i, line := range strings.Split(string(bytes.TrimSuffix(data, []byte("\n"))), "\n") {
		rng := hcl.Range{
			Filename: path,
			Start:    hcl.Pos{Line: i + 1, Column: 1, Byte: offset},
			End:      hcl.Pos{Line: i + 1, Column: 1 + len(line), Byte: offset + len(line)},
		}
		offset += len(line) + 1
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		lines++
		k, err := parseKeyLine(words)
		if err != nil {
			c.errorAt(rng, err.Error(), "a line is: HOLDER SECRET|sha256:HEX [stream=NAME] [not_after=2031-12-24T18:00:00Z] [max_bitrate=8M]")
			continue
		}
		k.Range = rng
		if first, taken := claimSecret(seen, &k, place(rng)); taken {
			c.errorAt(rng, "this secret is taken", "every key of an application has its own; the same one stands at "+first)
			continue
		}
		keys = append(keys, k)
	}
	if lines == 0 && len(kept) > 0 {
		return c.keepKeys(path, at, errors.New("there is no key in it"), kept)
	}
	return keys
}

// keepKeys notes that a keys file can't be used, and returns the keys that stay.
func (c *checker) keepKeys(path string, at hcl.Range, err error, kept []StreamKey) []StreamKey {
	if c.cfg.KeysFailing == nil {
		c.cfg.KeysFailing = make(map[string]string)
	}
	c.cfg.KeysFailing[path] = err.Error()
	c.warnAt(at, fmt.Sprintf("stream_keys_file: %s: %v", path, err), keysStay)
	return kept
}

const keysStay = "the keys that were read before stay"

// KeepsKeys reports whether a diagnostic is about a keys file in Config.KeysFailing.
func KeepsKeys(d *hcl.Diagnostic) bool { return d.Detail == keysStay }

func parseKeyLine(words []string) (StreamKey, error) {
	if len(words) < 2 {
		return StreamKey{}, fmt.Errorf("a holder without a secret")
	}
	k := StreamKey{Holder: words[0], Stream: value.NormalName(words[0])}
	if hash, ok := strings.CutPrefix(words[1], "sha256:"); ok {
		sum, err := value.ParseSHA256(hash)
		if err != nil {
			return k, err
		}
		k.SHA256 = sum
	} else {
		if err := value.ValidSecret(words[1]); err != nil {
			return k, err
		}
		k.Secret = value.Secret(words[1])
	}
	for _, w := range words[2:] {
		name, text, _ := strings.Cut(w, "=")
		switch name {
		case "stream":
			k.Stream = value.NormalName(text)
		case "not_after":
			t, err := value.ParseTime(text)
			if err != nil {
				return k, err
			}
			k.NotAfter = t
		case "max_bitrate":
			if err := k.MaxBitrate.Decode(cty.StringVal(text), value.Context{}); err != nil {
				return k, fmt.Errorf("max_bitrate=%s: %w", text, err)
			}
		default:
			return k, fmt.Errorf("only stream=, not_after= and max_bitrate= may follow the secret")
		}
	}
	if err := value.ValidStreamName(k.Stream); err != nil {
		return k, err
	}
	return k, nil
}

// keptKeys finds what the running configuration read from the file.
func (c *checker) keptKeys(path string) ([]StreamKey, bool) {
	if c.o.Previous == nil {
		return nil, false
	}
	for _, r := range c.o.Previous.RTMP {
		for _, app := range r.Applications {
			if string(app.StreamKeysFile) == path {
				return app.FileKeys, true
			}
		}
	}
	return nil, false
}
