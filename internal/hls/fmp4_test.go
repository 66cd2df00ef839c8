package hls

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

func fragmentedConfig(dir string) config.HLS {
	cfg := testConfig(dir)
	cfg.Format, cfg.AudioOnly = "fmp4", true
	return cfg
}

// A fragment is a file of fragmented MP4 as another implementation reads it.
type fragment struct {
	init    string // URI
	scale   int64
	start   int64 // tfdt
	end     int64
	lasts   time.Duration // EXTINF
	date    time.Time
	disc    bool
	samples []sample
}

type sample struct {
	data     string
	dts, pts time.Duration
	sync     bool
}

// fragments reads what a media playlist names. All of it is consistent in itself.
func (b *bench) fragments(list string) (out []fragment) {
	b.Helper()
	m := b.playlist(list)
	dir := list[:strings.LastIndex(list, "/")+1]
	inits := mapsOf(string(b.read(list)))
	for i, s := range m.Segments {
		if s.Gap {
			continue
		}
		f := readFragment(b, b.read(dir+inits[i]), b.read(dir+s.URI))
		f.init, f.lasts, f.disc = inits[i], s.Duration, s.Discontinuity
		if s.DateTime != nil {
			f.date = *s.DateTime
		}
		out = append(out, f)
	}
	return out
}

// readFragment reads a file, with the initialisation section that it needs.
func readFragment(t testing.TB, head, file []byte) fragment {
	t.Helper()
	var init fmp4.Init
	if err := init.Unmarshal(bytes.NewReader(head)); err != nil || len(init.Tracks) != 1 {
		t.Fatalf("init: %v, %d tracks", err, len(init.Tracks))
	}
	var parts fmp4.Parts
	if err := parts.Unmarshal(file); err != nil || len(parts) == 0 {
		t.Fatalf("fragment: %v, %d parts", err, len(parts))
	}
	f := fragment{scale: int64(init.Tracks[0].TimeScale)}
	for i, p := range parts {
		tr := p.Tracks[0]
		if i == 0 {
			f.start, f.end = int64(tr.BaseTime), int64(tr.BaseTime)
		}
		if len(p.Tracks) != 1 || int64(tr.BaseTime) != f.end {
			t.Fatalf("part %d begins at %d, the one before ends at %d", i, tr.BaseTime, f.end)
		}
		for _, x := range tr.Samples {
			f.samples = append(f.samples, sample{string(x.Payload), f.time(f.end), f.time(f.end + int64(x.PTSOffset)), !x.IsNonSyncSample})
			f.end += int64(x.Duration)
		}
	}
	return f
}

func (f *fragment) time(tick int64) time.Duration {
	return time.Duration(tick/f.scale)*time.Second + time.Duration(tick%f.scale)*time.Second/time.Duration(f.scale)
}

// mapsOf are the EXT-X-MAP in force at each segment.
func mapsOf(text string) (uris []string) {
	uri := ""
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, `#EXT-X-MAP:URI="`); ok {
			uri, _, _ = strings.Cut(rest, `"`)
		}
		if line[0] != '#' {
			uris = append(uris, uri)
		}
	}
	return uris
}

// all checks that fragments go on where the one before ended, and that EXTINF and dates
// say so, and returns their samples.
func (b *bench) all(list string) (out []sample) {
	b.Helper()
	var before *fragment
	var ended time.Duration // by EXTINF
	for i, f := range b.fragments(list) {
		if before != nil && before.lasts == limitFor(int(b.playlist(list).TargetDuration)) {
			ended = f.time(f.start) // the one before is longer than TARGETDURATION allows
		} else if before != nil && !f.disc {
			if f.start != before.end {
				b.Errorf("%s: fragment %d begins at %v, the one before ends at %v", list, i, f.time(f.start), f.time(before.end))
			}
			if d := f.date.Sub(before.date.Add(before.lasts)); d.Abs() > time.Millisecond {
				b.Errorf("%s: the date of fragment %d is %v off", list, i, d)
			}
		} else {
			ended = f.time(f.start)
		}
		if ended += f.lasts; (ended-f.time(f.end)).Abs() > 2*time.Millisecond && f.lasts != limitFor(int(b.playlist(list).TargetDuration)) {
			b.Errorf("%s: fragment %d ends at %v, by EXTINF at %v", list, i, f.time(f.end), ended)
		}
		out = append(out, f.samples...)
		before = &f
	}
	return out
}

// sent are the samples of a kind that a publisher sent.
func sent(packets []*media.Packet, kind media.Kind) (out []sample) {
	for _, p := range packets {
		if p.Track.Kind == kind {
			out = append(out, sample{string(p.Data), p.DTS, p.DTS + p.CTS, p.Keyframe || kind == media.Audio})
		}
	}
	return out
}

// same compares what fragments hold with what was sent: times by presentation, which are
// at most so far off.
func (b *bench) same(got, want []sample, off time.Duration) {
	b.Helper()
	if len(got) != len(want) {
		b.Errorf("%d samples, want %d", len(got), len(want))
		return
	}
	for i := range got {
		if got[i].data != want[i].data || got[i].sync != want[i].sync || (got[i].pts-want[i].pts).Abs() > off {
			b.Errorf("sample %d: %q at %v, sync %t; want %q at %v, sync %t", i, got[i].data, got[i].pts, got[i].sync, want[i].data, want[i].pts, want[i].sync)
			return
		}
	}
}

func TestFragmentedMP4HasWhatWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reordered bool
		late      int // ms of sound before the first picture
	}{
		"without B pictures": {false, 0},
		"with B pictures":    {true, 0},
		"sound first":        {false, 20},
		"both":               {true, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := mediatest.NewScript(t).Sounds(0, c.late)
			s.At = time.Duration(c.late) * time.Millisecond
			s.Play(10 * time.Second)
			if c.reordered {
				mediatest.Reordered(s.Packets)
			}
			b.run(b.packager("test", fragmentedConfig(b.dir)), s.Packets, eof)
			b.same(b.all("test-video.m3u8"), sent(s.Packets, media.Video), 0)
			b.same(b.all("test-audio.m3u8"), sent(s.Packets, media.Audio), 10*time.Millisecond)
			video, audio := b.fragments("test-video.m3u8"), b.fragments("test-audio.m3u8")
			if len(video) != 5 || len(audio) != 5 {
				t.Fatalf("%d and %d fragments", len(video), len(audio))
			}
			for i := range video {
				v, a := &video[i], &audio[i]
				if first := v.samples[0]; !first.sync || first.pts != v.time(v.start) {
					t.Errorf("fragment %d begins with %+v at %v", i, first, v.time(v.start))
				}
				// The sound of a segment is that of its pictures, when they are decoded.
				if apart := a.time(a.start) - time.Duration(i)*2*time.Second - time.Duration(c.late)*time.Millisecond; i > 0 && (apart < -10*time.Millisecond || apart > 24*time.Millisecond) {
					t.Errorf("fragment %d: the sound begins %v later than the pictures", i, apart)
				}
				if d := a.date.Sub(v.date) - (a.time(a.start) - v.time(v.start)); d.Abs() > time.Millisecond {
					t.Errorf("fragment %d: dates are %v apart", i, d)
				}
			}
		})
	}
}

func TestTheMultivariantPlaylistOfFragmentedMP4(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Size = 2000
	b.run(b.packager("test", fragmentedConfig(b.dir)), s.Play(6*time.Second).Packets, nil)
	const want = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="test-audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=412260,AVERAGE-BANDWIDTH=412255,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
test-video.m3u8
`
	const only = `#EXT-X-STREAM-INF:BANDWIDTH=7748,AVERAGE-BANDWIDTH=7743,CODECS="mp4a.40.2",AUDIO="audio",CLOSED-CAPTIONS=NONE
test-audio.m3u8
`
	if got := string(b.read("test.m3u8")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if f, _ := b.d.Lookup("test.m3u8"); string(f.Full) != want+only || string(f.Body) != want {
		t.Errorf("HTTP has\n%s\nwant\n%s", f.Full, want+only)
	}
	var m m3u8.Multivariant
	if err := m.Unmarshal(b.read("test.m3u8")); err != nil {
		t.Error(err)
	}
}

// Captions in the pictures are in the multivariant playlist from their first appearance on.
func TestCaptionsAreDeclared(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t).Play(4 * time.Second)
	text := "\x06\x04\x0d\xb5\x00\x31GA94\x03\x41\xff\xfc\x94\x20\xff\x80"
	captions := append([]byte{0, 0, 0, byte(len(text))}, text...)
	n := len(s.Packets)
	for _, p := range s.Play(4 * time.Second).Packets[n:] {
		if p.Track == s.Video {
			p.Data = append(slices.Clone(captions), p.Data...)
		}
	}
	b.runFeed(b.packager("test", fragmentedConfig(b.dir)), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
		if text := ",CLOSED-CAPTIONS=NONE\n"; i == n && !strings.Contains(string(b.read("test.m3u8")), text) {
			t.Errorf("%s", b.read("test.m3u8"))
		}
	}})
	for _, text := range []string{
		"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC1\",AUTOSELECT=YES,INSTREAM-ID=\"CC1\"\n", ",CLOSED-CAPTIONS=\"cc\"\n",
	} {
		if !strings.Contains(string(b.read("test.m3u8")), text) {
			t.Errorf("no %s in\n%s", text, b.read("test.m3u8"))
		}
	}
}
