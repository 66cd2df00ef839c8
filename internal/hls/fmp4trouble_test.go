package hls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A process that is stopped or killed goes on with the numbers, in both playlists.
func TestFragmentedMP4GoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	for i := range rounds() / 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 29))
			b := newBench(t)
			cfg := fragmentedConfig(b.dir)
			cfg.Continuous = r.IntN(4) > 0
			cfg.Nested = r.IntN(3) == 0
			cfg.PlaylistLength = 6 * time.Second
			v := newFragmentViewer(t, b.dir, "test", cfg.Nested)
			s := mediatest.NewScript(t)
			s.Size = 100
			for range 4 {
				s.Packets = nil
				s.Epoch++
				s.Play(time.Duration(r.IntN(20000)) * time.Millisecond)
				calls, dead := 0, 1+r.IntN(60)
				killed := r.IntN(2) == 0
				b.fault = func(string, string) error {
					if calls++; killed && calls > dead {
						return fmt.Errorf("the process is dead")
					}
					return nil
				}
				b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) {
					b.clean0()
					v.poll()
				}})
				b.fault = nil
				v.poll()
				if killed || r.IntN(2) == 0 {
					b.reopen()
				}
				b.clock.advance(time.Duration(r.IntN(5)) * time.Second)
				b.clean()
				v.poll()
			}
			b.clock.advance(time.Hour)
			b.clean()
			b.clock.advance(time.Hour)
			b.clean()
			if got := b.files(); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

// clean0 is clean of a process that may be dead.
func (b *bench) clean0() { _, _ = b.d.Clean(b.Context()) }

// Both playlists name the same segments after a crash between the two.
func TestACrashBetweenTwoPlaylists(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"test-video.m3u8", "test-audio.m3u8", "test.m3u8"} {
		b := newBench(t)
		cfg := fragmentedConfig(b.dir)
		s := mediatest.NewScript(t)
		dead := false
		b.fault = func(op, name string) error {
			if op == "rename" && name == list && b.clock.Now().Sub(testStart) > 5*time.Second {
				dead = true
			}
			if dead {
				return fmt.Errorf("the process is dead")
			}
			return nil
		}
		b.run(b.packager("test", cfg), s.Play(7*time.Second).Packets, nil)
		b.fault = nil
		b.reopen()
		s.Packets, s.Epoch = nil, 1
		b.run(b.packager("test", cfg), s.Play(4*time.Second).Packets, nil)
		video, audio := b.playlist("test-video.m3u8"), b.playlist("test-audio.m3u8")
		if video.MediaSequence != audio.MediaSequence || len(video.Segments) != len(audio.Segments) || len(video.Segments) < 4 {
			t.Fatalf("%s: %s\n%s", list, b.read("test-video.m3u8"), b.read("test-audio.m3u8"))
		}
		for i := range video.Segments {
			v, a := video.Segments[i], audio.Segments[i]
			if strings.Replace(v.URI, "video", "audio", 1) != a.URI || v.Discontinuity != a.Discontinuity || v.Gap || a.Gap {
				t.Errorf("%s: segment %d is %s and %s, discontinuity %t and %t", list, i, v.URI, a.URI, v.Discontinuity, a.Discontinuity)
			}
		}
		b.all("test-video.m3u8")
		b.all("test-audio.m3u8")
	}
}

// The same initialisation section is not written again after a restart.
func TestInitialisationSectionsAreKept(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := fragmentedConfig(b.dir)
	s := mediatest.NewScript(t)
	b.run(b.packager("test", cfg), s.Play(4*time.Second).Packets, nil)
	b.reopen()
	s.Packets, s.Epoch = nil, 1
	b.run(b.packager("test", cfg), s.Play(4*time.Second).Packets, nil)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	s.Packets, s.Epoch = nil, 2
	b.run(b.packager("test", cfg), s.Play(8*time.Second).Packets, nil)
	inits := slices.DeleteFunc(b.files(), func(name string) bool { return !strings.Contains(name, "init") })
	if want := []string{"test-audio-init-0.mp4", "test-video-init-0.mp4", "test-video-init-4.mp4"}; !slices.Equal(inits, want) {
		t.Errorf("%v, want %v", inits, want)
	}
	text := string(b.read("test-video.m3u8"))
	if n := strings.Count(text, "#EXT-X-MAP"); n != 2 || !strings.Contains(text, "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"test-video-init-4.mp4\"\n") {
		t.Errorf("%s", text)
	}
	if n := strings.Count(string(b.read("test-audio.m3u8")), "#EXT-X-MAP"); n != 1 {
		t.Errorf("%s", b.read("test-audio.m3u8"))
	}
	// The old one goes with the last segment that needs it.
	s.Packets = nil
	s.Play(40 * time.Second)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) { b.clean() }})
	if files := b.files(); slices.Contains(files, "test-video-init-0.mp4") || !slices.Contains(files, "test-audio-init-0.mp4") || !slices.Contains(files, "test-video-init-4.mp4") {
		t.Errorf("%v", files)
	}
}

// A change of the codec begins a segment with an initialisation section of its own, of
// video at once, of sound at the next keyframe.
func TestCodecChangesOfFragmentedMP4(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*mediatest.Script){
		"video":       func(s *mediatest.Script) { s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline) },
		"audio codec": func(s *mediatest.Script) { s.Audio = mp3() },
		"audio rate":  func(s *mediatest.Script) { s.Audio = mediatest.Track(t, media.CodecAAC, mediatest.AACLC48) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := fragmentedConfig(b.dir)
			cfg.PlaylistLength = time.Minute
			s := mediatest.NewScript(t)
			s.GOP = time.Minute
			for i := range 12 { // a keyframe each second
				if i == 7 {
					change(s)
				}
				s.Play(time.Second)
			}
			p := b.packager("test", cfg)
			b.run(p, s.Packets, eof)
			if st := p.Snapshot(); st.Dropped != 0 {
				t.Errorf("%+v", st)
			}
			for kind, list := range []string{"test-video.m3u8", "test-audio.m3u8"} {
				var got, want []string
				for _, x := range b.all(list) {
					got = append(got, x.data)
				}
				for _, x := range sent(s.Packets, media.Kind(kind)) {
					want = append(want, x.data)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %d samples, want %d", list, len(got), len(want))
				}
				if n := strings.Count(string(b.read(list)), "#EXT-X-DISCONTINUITY\n"); n != 1 {
					t.Errorf("%s", b.read(list))
				}
			}
			text := string(b.read("test-" + strings.Fields(name)[0] + ".m3u8"))
			if n := strings.Count(text, "#EXT-X-MAP"); n != 2 {
				t.Errorf("%s", text)
			}
		})
	}
}

// A reload from one format to the other and back.
func TestAReloadChangesTheFormat(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ts, mp4 := testConfig(b.dir), fragmentedConfig(b.dir)
	s := mediatest.NewScript(t).Play(40 * time.Second)
	p := b.packager("test", ts)
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
		b.clean()
		if s.Packets[i].Track != s.Video {
			return
		}
		switch s.Packets[i].DTS {
		case 9 * sec:
			p.Reconfigure(b.d.Settings(mp4), b.d.Directory)
		case 19 * sec:
			m := b.playlist("test-video.m3u8")
			if m.MediaSequence+len(m.Segments) != 9 || !strings.Contains(string(b.read("test.m3u8")), "test-video.m3u8") {
				t.Errorf("%s\n%s", b.read("test.m3u8"), b.read("test-video.m3u8"))
			}
			p.Reconfigure(b.d.Settings(ts), b.d.Directory)
		}
	}})
	if m := b.playlist("test.m3u8"); m.MediaSequence+len(m.Segments) != 20 || !m.Endlist {
		t.Errorf("%s", b.read("test.m3u8"))
	}
	if st := p.Snapshot(); st.Dropped+st.Lost > 0 || st.Segments != 20 {
		t.Errorf("%+v", st)
	}
	b.consistent("test.m3u8")
	b.clock.advance(5 * time.Second)
	b.clean()
	if files := b.files(); slices.ContainsFunc(files, func(name string) bool { return strings.HasSuffix(name, ".m4s") }) {
		t.Errorf("the files of the format before stay: %v", files)
	}
}

// AES-128 of fragmented MP4 (RFC 8216 §4.3.2.4): segments are encrypted, initialisation
// sections are not, and the playlist says so.
func TestEncryptedFragmentedMP4(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := fragmentedConfig(b.dir)
	cfg.PlaylistLength = time.Minute
	cfg.Keys = &config.Keys{Path: value.Path(filepath.Join(b.dir, "keys")), URL: "/keys/", FragmentsPerKey: 2}
	s := mediatest.NewScript(t).Play(7 * time.Second)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	b.run(b.packager("test", cfg), s.Play(6*time.Second).Packets, eof)
	for kind, list := range []string{"test-video.m3u8", "test-audio.m3u8"} {
		text := string(b.read(list))
		key := ""
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#EXT-X-KEY:") {
				key = line
			}
			if strings.HasPrefix(line, "#EXT-X-MAP:") && key != "" && !strings.Contains(key, "METHOD=NONE") {
				t.Errorf("%s: a key is in force for an initialisation section:\n%s", list, text)
			}
		}
		var got, want []string
		for i, x := range b.playlist(list).Segments {
			secret := b.read("keys/" + strings.TrimPrefix(x.Key.URI, "/keys/"))
			iv, err := hex.DecodeString(strings.TrimPrefix(x.Key.IV, "0x"))
			if err != nil {
				t.Fatal(err)
			}
			block, err := aes.NewCipher(secret)
			if err != nil {
				t.Fatal(err)
			}
			data := b.read(x.URI)
			cipher.NewCBCDecrypter(block, iv).CryptBlocks(data, data)
			data = data[:len(data)-int(data[len(data)-1])]
			f := readFragment(t, b.read(mapsOf(text)[i]), data)
			for _, x := range f.samples {
				got = append(got, x.data)
			}
		}
		for _, x := range sent(s.Packets, media.Kind(kind)) {
			want = append(want, x.data)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d samples, want %d", list, len(got), len(want))
		}
	}
}
