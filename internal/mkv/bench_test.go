package mkv

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

type nullFile struct{}

func (nullFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nullFile) Truncate(int64) error                   { return nil }

// minute is 60 s of 2.5 Mb/s: 30 pictures and 47 sounds a second.
func minute() (out []*media.Packet) {
	video := &media.Track{Kind: media.Video, Codec: media.CodecH264, NALULength: 4, Config: make([]byte, 40), Width: 1280, Height: 720}
	audio := &media.Track{Kind: media.Audio, Codec: media.CodecAAC, Config: make([]byte, 2), SampleRate: 48000, FrameSamples: 1024, Channels: 2}
	v, a := make([]byte, 10400), make([]byte, 340)
	for i, j := 0, 0; i < 1800; {
		vt, at := time.Duration(i)*time.Second/30, time.Duration(j)*1024*time.Second/48000
		if at < vt {
			out = append(out, &media.Packet{Track: audio, DTS: at, Data: a})
			j++
		} else {
			out = append(out, &media.Packet{Track: video, DTS: vt, Keyframe: i%60 == 0, Data: v})
			i++
		}
	}
	return out
}

func BenchmarkRecording(b *testing.B) {
	packets := minute()
	b.ReportAllocs()
	for b.Loop() {
		r := NewRecording(nullFile{}, time.Now(), packets[0].Track, packets[1].Track, nil)
		for _, p := range packets {
			if err := r.Write(p, p.DTS); err != nil {
				b.Fatal(err)
			}
		}
		if err := r.Finish(); err != nil {
			b.Fatal(err)
		}
	}
}
