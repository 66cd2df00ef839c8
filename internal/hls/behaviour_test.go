package hls

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

func TestACodecThatCannotGoIntoTheFormatIsSaidOnce(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Video = &media.Track{Kind: media.Video, Codec: media.CodecAV1, Config: []byte{0x81}}
	s.Play(3 * time.Second)
	again := *s.Video
	s.Video = &again
	s.Play(3 * time.Second)
	b.run(b.packager("test", testConfig(b.dir)), s.Packets, eof)
	if got := b.logged("HLS viewers see nothing: MPEG-TS fragments can't carry AV1; send H.264"); got != 1 {
		t.Errorf("said %d times: %v", got, b.logs.All())
	}
	video, audio := mediatest.Markers(t, b.read("test-0.ts"))
	if len(video) != 0 || len(audio) < 80 {
		t.Errorf("%d video and %d audio frames", len(video), len(audio))
	}

	s = mediatest.NewScript(t)
	s.Video, s.Audio = &again, &media.Track{Kind: media.Audio, Codec: media.CodecOpus, Config: []byte("OpusHead")}
	b.run(b.packager("nothing", testConfig(b.dir)), s.Play(6*time.Second).Packets, eof)
	if _, ok := b.d.Lookup("nothing.m3u8"); ok || b.logged("HLS viewers hear nothing: MPEG-TS fragments can't carry Opus; send AAC") != 1 {
		t.Errorf("files of a stream that can't be carried: %v", b.files())
	}
}

func TestOtherTracksAndDataAreLeftOut(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t).Play(4 * time.Second)
	second, data := *s.Video, media.Track{Kind: media.Data}
	second.ID = 1
	for _, tr := range []*media.Track{&second, &data} {
		p := *s.Packets[50]
		p.Track = tr
		s.Packets = append(s.Packets[:51], append([]*media.Packet{&p}, s.Packets[51:]...)...)
	}
	b.run(b.packager("test", testConfig(b.dir)), s.Packets, eof)
	if strings.Contains(string(b.read("test.m3u8")), "DISCONTINUITY\n") || b.logs.FilterLevelExact(zap.WarnLevel).Len() > 0 {
		t.Errorf("%s %v", b.read("test.m3u8"), b.logs.All())
	}
}

func TestAForcedCutTellsTheKeyframeIntervalOnce(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.GOP = 30 * time.Second
	b.run(b.packager("test", testConfig(b.dir)), s.Play(60*time.Second).Packets, eof)
	logs := b.logs.FilterMessageSnippet("set the keyframe interval").All()
	if len(logs) != 1 || logs[0].ContextMap()["keyframe_interval"] != 2*time.Second {
		t.Errorf("%v", logs)
	}
}

func TestAudioIsBatchedUpToMaxAudioDelay(t *testing.T) {
	count := func(delay time.Duration, video bool) int {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.MaxAudioDelay = delay
		s := mediatest.NewScript(t)
		if !video {
			s.Video = nil
		}
		b.run(b.packager("test", cfg), s.Play(4*time.Second).Packets, eof)
		return len(mediatest.DecodeTimes(b.read("test-0.ts"))[0x101])
	}
	// 86 frames of 23 ms: driven by audio a PES is half the delay long.
	if got := count(300*time.Millisecond, true); got < 12 || got > 15 {
		t.Errorf("%d audio PES packets of 150 ms in 2 s", got)
	}
	if got := count(0, true); got < 85 {
		t.Errorf("%d audio PES packets without batching", got)
	}
}

func TestASlowPackagerSaysWhatItPassedOver(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t).Play(10 * time.Second)
	p := b.packager("test", testConfig(b.dir))
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, skip: map[int]uint64{200: 33}})
	if st := p.Snapshot(); st.Dropped < 33 || b.logged("passed over") != 1 {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(string(b.read("test.m3u8")), "DISCONTINUITY\n"); n != 1 {
		t.Errorf("%s", b.read("test.m3u8"))
	}
}

func TestContinuousOffStartsAPlaylistThatGoesOnCounting(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Continuous = false
	v := newViewer(t, b.dir, "test.m3u8")
	s := mediatest.NewScript(t).Play(10 * time.Second)
	b.run(b.packager("test", cfg), s.Packets, nil)
	v.poll()
	s.Packets, s.Epoch = nil, 1
	s.Play(4 * time.Second)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) { b.clean(); v.poll() }})
	m := b.playlist("test.m3u8")
	if m.MediaSequence != 5 || len(m.Segments) != 2 || m.Segments[0].URI != "test-5.ts" || !m.Segments[0].Discontinuity {
		t.Errorf("%s", b.read("test.m3u8"))
	}
	b.read("test-4.ts") // a viewer may be at it
	b.clock.advance(18 * time.Second)
	b.clean()
	for _, f := range b.files() {
		if f == "test-4.ts" {
			t.Error("the old run's fragments stay for ever")
		}
	}
}

func TestNamesCollideWithNothing(t *testing.T) {
	for _, naming := range []string{"sequential", "timestamp", "system"} {
		t.Run(naming, func(t *testing.T) {
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.FragmentNaming, cfg.FragmentNamingGranularity = naming, 5000000
			cfg.Cleanup = false
			for _, f := range []string{"test-0.ts", "test-1.ts", "test-1777636800000.ts"} {
				b.foreign(f)
			}
			s := mediatest.NewScript(t)
			v := newViewer(t, b.dir, "test.m3u8")
			for range 2 {
				s.Packets, s.At = nil, 0
				s.Play(12 * time.Second)
				s.Epoch++
				b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) { v.poll() }})
				v.poll()
			}
			for _, f := range []string{"test-0.ts", "test-1.ts"} {
				if string(b.read(f)) != "someone else's" {
					t.Errorf("%s was written over", f)
				}
			}
			if len(v.order) != 12 {
				t.Errorf("%v", v.order)
			}
		})
	}
}
