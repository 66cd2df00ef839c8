package mpegts

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
)

// For any frame the output is whole packets, bounded by the input, with continuous
// counters.
func FuzzVideo(f *testing.F) {
	for i, p := range append(readFLV(f, "h264_aac.flv")[:12], readHEVC(f)[:3]...) {
		f.Add(p.Data, int64(p.DTS), int64(p.CTS), byte(4), p.Track.Codec == media.CodecHEVC, i%2 == 0)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x65}, int64(-1), int64(1)<<62, byte(1), false, true)
	f.Add([]byte{1, 0x41, 1, 0x42, 1, 0x67, 1, 0x68, 0}, int64(time.Hour), int64(0), byte(1), false, true)
	sps, pps := []byte{0x67, 1}, []byte{0x68, 2}
	f.Fuzz(func(t *testing.T, data []byte, dts, cts int64, length byte, hevc, keyframe bool) {
		fuzztime.Bound(t)
		track := &media.Track{
			Codec: media.CodecH264, NALULength: int(length % 6),
			SPS: [][]byte{sps}, PPS: [][]byte{pps},
		}
		if hevc {
			track.Codec = media.CodecHEVC
		}
		m := NewMuxer(track, nil)
		p := &media.Packet{Track: track, DTS: time.Duration(dts), CTS: time.Duration(cts), Keyframe: keyframe, Data: data}
		first := &media.Packet{Track: track, Data: avcc(4, []byte{0x41})}
		ts := m.AppendVideo(nil, first)
		before := len(ts)
		ts = m.AppendVideo(ts, p)
		// 1-byte lengths and 1-byte units grow from 2 to 5 bytes, 4 bytes in
		// 184 are headers; 111 packets of clock fill a gap of 10 s.
		if limit := len(data)*3 + 600 + 112*packetSize; len(ts)-before > limit {
			t.Errorf("%d bytes from %d, the limit is %d", len(ts)-before, len(data), limit)
		}
		ts = m.AppendVideo(ts, p)
		if len(ts)%packetSize != 0 {
			t.Fatalf("%d bytes are no whole packets", len(ts))
		}
		last := byte(0xff)
		for i := 0; i < len(ts); i += packetSize {
			if ts[i] != 0x47 {
				t.Fatalf("no sync byte at %d", i)
			}
			if ts[i+3]&0x10 != 0 {
				last++
			}
			if ts[i+3]&0xf != last&0xf {
				t.Fatalf("continuity counter %d at %d, want %d", ts[i+3]&0xf, i, last&0xf)
			}
		}
	})
}
