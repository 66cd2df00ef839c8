package mpegts

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

func TestAnnexB(t *testing.T) {
	t.Parallel()
	sps, pps := []byte{0x67, 1, 2}, []byte{0x68, 3}
	sps2, pps2 := []byte{0x67, 9, 9}, []byte{0x68, 9}
	idr, slice, sei, aud := []byte{0x65, 7}, []byte{0x41, 8}, []byte{0x06, 5}, []byte{0x09, 0x10}
	h264 := &media.Track{Codec: media.CodecH264, NALULength: 4, SPS: [][]byte{sps}, PPS: [][]byte{pps}}
	short := *h264
	short.NALULength = 2
	tiny := *h264
	tiny.NALULength = 1

	vps5, sps5, pps5 := []byte{0x40, 1, 1}, []byte{0x42, 1, 2}, []byte{0x44, 1, 3}
	cra, trail, aud5 := []byte{0x2a, 1, 4}, []byte{0x02, 1, 5}, []byte{0x46, 1, 0x10}
	hevc := &media.Track{Codec: media.CodecHEVC, NALULength: 4, VPS: [][]byte{vps5}, SPS: [][]byte{sps5}, PPS: [][]byte{pps5}}

	d4, d5 := []byte{0x09, 0xf0}, []byte{0x46, 1, 0x50} // our delimiters
	for _, c := range []struct {
		name      string
		track     *media.Track
		keyframe  bool
		data      []byte
		want      [][]byte
		malformed uint64
	}{
		{"IDR gets the track's parameter sets", h264, true, avcc(4, idr), [][]byte{d4, sps, pps, idr}, 0},
		{"IDR without the publisher's keyframe flag, too", h264, false, avcc(4, sei, idr), [][]byte{d4, sps, pps, sei, idr}, 0},
		{"a keyframe that is no IDR (recovery point), too", h264, true, avcc(4, sei, slice), [][]byte{d4, sps, pps, sei, slice}, 0},
		{"other frames get a delimiter", h264, false, avcc(4, slice), [][]byte{d4, slice}, 0},
		{"2-byte lengths", &short, true, avcc(2, idr, slice), [][]byte{d4, sps, pps, idr, slice}, 0},
		{"1-byte lengths", &tiny, false, avcc(1, slice, slice), [][]byte{d4, slice, slice}, 0},
		{"an incoming delimiter is replaced", h264, false, avcc(4, aud, slice), [][]byte{d4, slice}, 0},
		{"incoming parameter sets are not doubled", h264, true, avcc(4, aud, sps, pps, sei, idr), [][]byte{d4, sps, pps, sei, idr}, 0},
		{"one that repeats the track's is not doubled", h264, true, avcc(4, pps, idr), [][]byte{d4, sps, pps, idr}, 0},
		{"one that repeats the track's is not needed between", h264, false, avcc(4, pps, slice), [][]byte{d4, slice}, 0},
		{"others than the track's stand alone", h264, true, avcc(4, sps2, pps2, idr), [][]byte{d4, sps2, pps2, idr}, 0},
		{"another PPS follows the track's", h264, true, avcc(4, pps2, idr), [][]byte{d4, sps, pps, pps2, idr}, 0},
		{"another PPS between is kept", h264, false, avcc(4, pps2, slice), [][]byte{d4, pps2, slice}, 0},
		{"units of no bytes are passed over", h264, false, avcc(4, nil, slice, nil), [][]byte{d4, slice}, 0},
		{"no frame from no bytes", h264, true, nil, nil, 0},
		{"no frame from a delimiter alone", h264, false, avcc(4, aud), nil, 0},
		{"a length past the end: what comes before is kept", h264, false, append(avcc(4, slice), 0, 0, 1, 0, 0x41), [][]byte{d4, slice}, 1},
		{"half a length: what comes before is kept", h264, true, append(avcc(4, idr), 0, 0), [][]byte{d4, sps, pps, idr}, 1},
		{"a length past the end alone makes no frame", h264, true, []byte{0xff, 0xff, 0xff, 0xff, 0x65}, nil, 1},
		{"HEVC IRAP", hevc, true, avcc(4, aud5, cra), [][]byte{d5, vps5, sps5, pps5, cra}, 0},
		{"HEVC IRAP without the publisher's keyframe flag", hevc, false, avcc(4, cra), [][]byte{d5, vps5, sps5, pps5, cra}, 0},
		{"HEVC trailing picture", hevc, false, avcc(4, trail), [][]byte{d5, trail}, 0},
		{"HEVC with its own sets", hevc, true, avcc(4, vps5, sps5, pps5, cra), [][]byte{d5, vps5, sps5, pps5, cra}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := NewMuxer(c.track, nil)
			ts := m.AppendVideo(m.AppendTables(nil), &media.Packet{Track: c.track, Keyframe: c.keyframe, Data: c.data})
			var got [][]byte
			for _, p := range parse(t, ts).of(pidVideo) {
				got = append(got, split4(t, p.data)...)
			}
			if !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("got %x, want %x", got, c.want)
			}
			if m.Malformed != c.malformed {
				t.Errorf("%d malformed, want %d", m.Malformed, c.malformed)
			}
			for _, p := range parse(t, ts).packets {
				if p.Header.PID == pidVideo && p.AdaptationField.RandomAccessIndicator != (c.keyframe || bytes.Contains(c.data, idr) || bytes.Contains(c.data, cra)) {
					t.Errorf("random_access_indicator is %v", p.AdaptationField.RandomAccessIndicator)
				}
			}
		})
	}
}

// split4 takes our output apart, which has start codes of four bytes only.
func split4(t *testing.T, b []byte) (units [][]byte) {
	t.Helper()
	code := []byte{0, 0, 0, 1}
	if !bytes.HasPrefix(b, code) {
		t.Fatalf("PES payload starts with %s", hex.EncodeToString(b[:min(8, len(b))]))
	}
	return bytes.Split(b[len(code):], code)
}

func TestStuffingAtEveryLength(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	m := NewMuxer(track, nil)
	ts := m.AppendTables(nil)
	var want [][]byte
	for n := range 3*packetSize + 2 {
		unit := append([]byte{0x41}, bytes.Repeat([]byte{0xa5}, n)...)
		want = append(want, unit)
		p := &media.Packet{Track: track, DTS: time.Duration(n) * 33 * time.Millisecond, Data: avcc(4, unit)}
		if n%2 == 1 {
			p.CTS = 40 * time.Millisecond
		}
		ts = m.AppendVideo(ts, p)
	}
	got := parse(t, ts).of(pidVideo)
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i, p := range got {
		if units := split4(t, p.data); !bytes.Equal(units[1], want[i]) {
			t.Errorf("unit of %d bytes came back with %d", len(want[i]), len(units[1]))
		}
	}
}

func TestOnlyAFrameThatDoesNotFitHasNoLength(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	// PES_packet_length counts 8 bytes of header, 6 of delimiter, 4 of start code.
	for size, want := range map[int]uint16{0xffff - 18: 0xffff, 0xffff - 17: 0, 1 << 20: 0} {
		unit := bytes.Repeat([]byte{0x41}, size)
		m := NewMuxer(track, nil)
		got := parse(t, m.AppendVideo(m.AppendTables(nil), &media.Packet{Track: track, Data: avcc(4, unit)})).of(pidVideo)
		if len(got) != 1 || got[0].length != want || !bytes.HasSuffix(got[0].data, unit) {
			t.Errorf("unit of %d bytes: PES_packet_length %d, want %d", size, got[0].length, want)
		}
	}
}
