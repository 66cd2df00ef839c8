package hls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// decrypt undoes a fragment with the key file and IV that the playlist names.
func decrypt(t *testing.T, data, key []byte, iv string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(iv, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if len(data)%aes.BlockSize != 0 {
		t.Fatalf("%d bytes are no whole blocks", len(data))
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, raw).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad < 1 || pad > aes.BlockSize || !bytes.Equal(out[len(out)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		t.Fatalf("bad padding %x", out[len(out)-aes.BlockSize:])
	}
	return out[:len(out)-pad]
}

func TestEncryptedFragmentsDecryptToWhatWasSent(t *testing.T) {
	for _, tt := range []struct {
		name   string
		every  int
		keys   []string // the key of each fragment
		nested bool
		url    string
	}{
		{name: "one key", keys: []string{"test-0.key", "test-0.key", "test-0.key", "test-0.key"}},
		{name: "a key for two", every: 2, keys: []string{"test-0.key", "test-0.key", "test-2.key", "test-2.key"}},
		{name: "nested", every: 1, nested: true, keys: []string{"0.key", "1.key", "2.key", "3.key"}},
		{name: "nested with a URL", every: 3, nested: true, url: "https://keys.example/k/", keys: []string{
			"https://keys.example/k/test/0.key", "https://keys.example/k/test/0.key", "https://keys.example/k/test/0.key", "https://keys.example/k/test/3.key",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			outside := filepath.Join(t.TempDir(), "keys")
			cfg := testConfig(b.dir)
			cfg.Nested = tt.nested
			cfg.Keys = &config.Keys{Path: value.Path(outside), URL: value.Base(tt.url), FragmentsPerKey: tt.every, Method: "AES-128"}
			s := mediatest.NewScript(t).Play(8 * time.Second)
			b.run(b.packager("test", cfg), s.Packets, eof)
			dir, file := "", "test.m3u8"
			if tt.nested {
				dir, file = "test", "test/index.m3u8"
			}
			seen := 0
			for i, e := range b.playlist(file).Segments {
				if e.Key == nil || e.Key.URI != tt.keys[i] {
					t.Fatalf("fragment %d has key %+v, want %s", i, e.Key, tt.keys[i])
				}
				name := filepath.Base(e.Key.URI)
				key, err := os.ReadFile(filepath.Join(outside, dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if len(key) != 16 {
					t.Fatalf("key of %d bytes", len(key))
				}
				video, audio := mediatest.Markers(t, decrypt(t, b.read(filepath.Join(dir, e.URI)), key, e.Key.IV))
				seen += len(video) + len(audio)
			}
			if seen != len(s.Packets) {
				t.Errorf("%d packets of %d", seen, len(s.Packets))
			}
			b.clock.advance(time.Hour)
			b.clean()
			b.clock.advance(time.Hour)
			b.clean()
			left, _ := filepath.Glob(filepath.Join(outside, "*"))
			if len(left) != 0 || !b.d.Empty() {
				t.Errorf("keys left: %v", left)
			}
		})
	}
}

func TestKeysBelowTheDirectoryAreKnownAsKeys(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Keys = &config.Keys{Path: value.Path(filepath.Join(b.dir, "keys")), URL: "/keys/"}
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
	f, ok := b.d.Lookup("keys/test-0.key")
	if !ok || f.Kind != segstore.Key || f.Stream != "test" {
		t.Errorf("%+v %t", f, ok)
	}
}

func TestKeysStayAsLongAsFragmentsNeedThem(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = 4 * time.Second
	cfg.Keys = &config.Keys{Path: value.Path(b.dir), FragmentsPerKey: 1}
	check := func() {
		b.clean()
		for _, f := range b.files() {
			if id, ok := strings.CutSuffix(f, ".ts"); ok {
				if _, err := os.Stat(filepath.Join(b.dir, id+".key")); err != nil {
					t.Errorf("%s has no key any more", f)
				}
			}
		}
	}
	s := mediatest.NewScript(t).Play(30 * time.Second)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) { check() }})
	if n := len(b.files()); n > 2*10+1 {
		t.Errorf("%d files: old keys are not removed", n)
	}
	// After a restart the old keys are still referred to, and go with their fragments.
	b.reopen()
	s.Packets, s.Epoch = nil, 1
	s.Play(30 * time.Second)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { check() }})
	b.clock.advance(time.Minute)
	b.clean()
	b.clock.advance(time.Minute)
	b.clean()
	if got := b.files(); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestEncryptionThatEndsIsSaid(t *testing.T) {
	l := playlist{target: 2, Window: packager.Window{Segments: []packager.Segment{
		{Files: file("a.ts", time.Second, time.Time{}), Duration: time.Second, Key: &packager.Key{URI: "k", IV: "0x01"}},
		{Files: file("b.ts", time.Second, time.Time{}), Duration: time.Second},
	}}}
	if text := string(l.text()); !strings.Contains(text, "#EXT-X-KEY:METHOD=NONE\n#EXTINF:1.000,\nb.ts\n") {
		t.Errorf("%s", text)
	}
}
