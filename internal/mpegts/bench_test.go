package mpegts

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// minute is 60 s of 2.65 Mb/s: 30 pictures a second of 10.4 kB, a keyframe
// every 2 s, 47 AAC frames a second of 340 bytes.
func minute() (fragments [][]*media.Packet, bytes int64) {
	video := &media.Track{
		Codec: media.CodecH264, NALULength: 4,
		SPS: [][]byte{make([]byte, 30)}, PPS: [][]byte{make([]byte, 6)},
	}
	audio := &media.Track{
		Kind: media.Audio, Codec: media.CodecAAC, AudioObjectType: 2,
		SampleRate: 48000, Channels: 2, FrameSamples: 1024,
	}
	video.SPS[0][0], video.PPS[0][0] = 0x67, 0x68
	unit := func(first byte, n int) []byte {
		u := make([]byte, n)
		u[0] = first
		return u
	}
	var next time.Duration
	for i := range 60 * 30 {
		p := &media.Packet{Track: video, DTS: time.Duration(i) * time.Second / 30}
		if p.Keyframe = i%60 == 0; p.Keyframe {
			fragments = append(fragments, nil)
			p.Data = avcc(4, unit(0x06, 600), unit(0x65, 60000))
		} else {
			p.Data = avcc(4, unit(0x41, 9560))
		}
		last := len(fragments) - 1
		fragments[last] = append(fragments[last], p)
		bytes += int64(len(p.Data))
		for ; next < p.DTS+time.Second/30; next += 1024 * time.Second / 48000 {
			fragments[last] = append(fragments[last], &media.Packet{Track: audio, DTS: next, Data: make([]byte, 340)})
			bytes += 340
		}
	}
	return fragments, bytes
}

func BenchmarkMinuteOfVideo(b *testing.B) {
	fragments, bytes := minute()
	b.SetBytes(bytes)
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		m := NewMuxer(fragments[0][0].Track, fragments[0][1].Track)
		for _, f := range fragments {
			dst = fragment(m, dst[:0], f, 8)
		}
	}
}

func TestAMinuteOfVideoTakesFewAllocations(t *testing.T) {
	fragments, _ := minute()
	var dst []byte
	got := testing.AllocsPerRun(3, func() {
		m := NewMuxer(fragments[0][0].Track, fragments[0][1].Track)
		for _, f := range fragments {
			dst = fragment(m, dst[:0], f, 8)
		}
	})
	if got >= 100 {
		t.Errorf("%v allocations, want less than 100", got)
	}
	frames := make([]*media.Packet, 0, 8)
	for _, p := range fragments[0] {
		if p.Track.Kind == media.Audio && len(frames) < 8 {
			frames = append(frames, p)
		}
	}
	m := NewMuxer(fragments[0][0].Track, fragments[0][1].Track)
	video := fragments[0][0]
	for name, f := range map[string]func(){
		"AppendTables": func() { dst = m.AppendTables(dst[:0]) },
		"AppendVideo":  func() { dst = m.AppendVideo(dst[:0], video) },
		"AppendAudio":  func() { dst = m.AppendAudio(dst[:0], frames, 0) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}
