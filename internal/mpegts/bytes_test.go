package mpegts

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// The tables byte for byte. The first two are those of ffmpeg's muxer for the
// same streams on the same PIDs, CRC_32 included; the others have other stream
// types, or a registration_descriptor as ATSC A/52 annex A4.1 draws it.
func TestTablesByteForByte(t *testing.T) {
	t.Parallel()
	h264 := &media.Track{Codec: media.CodecH264, NALULength: 4}
	hevc := &media.Track{Codec: media.CodecHEVC, NALULength: 4}
	audio := func(c media.Codec, rate int) *media.Track {
		return &media.Track{Kind: media.Audio, Codec: c, SampleRate: rate, Channels: 2}
	}
	aac, err := media.ParseAACConfig([]byte{0x12, 0x10})
	if err != nil {
		t.Fatal(err)
	}
	const pat = "474000 10 00 00b00d 0001 c1 00 00 0001f000 2ab104b2"
	const head = "475000 10 00 "
	for _, c := range []struct {
		name         string
		video, audio *media.Track
		pmt          string // to before CRC_32; with it where another muxer made it
		crc          string
	}{
		{"H.264 and AAC", h264, &aac, "02b017 0001 c1 00 00 e100 f000 1b e100 f000 0f e101 f000", "2f44b99b"},
		{"H.264", h264, nil, "02b012 0001 c1 00 00 e100 f000 1b e100 f000", "15bd4d56"},
		{"AAC", nil, &aac, "02b012 0001 c1 00 00 e101 f000 0f e101 f000", ""},
		{"HEVC and MP3", hevc, audio(media.CodecMP3, 44100), "02b017 0001 c1 00 00 e100 f000 24 e100 f000 03 e101 f000", ""},
		{"MP3 of half the rate", nil, audio(media.CodecMP3, 22050), "02b012 0001 c1 00 00 e101 f000 04 e101 f000", ""},
		{"AC-3", nil, audio(media.CodecAC3, 48000), "02b018 0001 c1 00 00 e101 f000 81 e101 f006 0504 41432d33", ""},
		{"H.264 and E-AC-3", h264, audio(media.CodecEAC3, 48000), "02b01d 0001 c1 00 00 e100 f000 1b e100 f000 87 e101 f006 0504 45414333", ""},
		{"nothing", nil, nil, "02b00d 0001 c1 00 00 ffff f000", ""},
	} {
		got := NewMuxer(c.video, c.audio).AppendTables(nil)
		if want := packet(t, pat); !bytes.Equal(got[:packetSize], want) {
			t.Errorf("%s: PAT\n% x, want\n% x", c.name, got[:40], want[:40])
		}
		if c.crc == "" {
			c.crc = hex.EncodeToString(sumOf(unhex(t, c.pmt)))
		}
		if want := packet(t, head+c.pmt+c.crc); !bytes.Equal(got[packetSize:], want) {
			t.Errorf("%s: PMT\n% x, want\n% x", c.name, got[packetSize:packetSize+50], want[:50])
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packet is hexadecimal filled up with stuffing.
func packet(t *testing.T, s string) []byte {
	b := unhex(t, s)
	return append(b, bytes.Repeat([]byte{0xff}, 188-len(b))...)
}

// sumOf is CRC_32 as the decoder of ISO 13818-1 annex A does it: a division bit
// by bit.
func sumOf(b []byte) []byte {
	register := [32]bool{}
	for i := range register {
		register[i] = true
	}
	for _, c := range b {
		for bit := 7; bit >= 0; bit-- {
			carry := register[31] != (c>>bit&1 == 1)
			copy(register[1:], register[:31])
			register[0] = false
			if carry {
				for _, tap := range []int{0, 1, 2, 4, 5, 7, 8, 10, 11, 12, 16, 22, 23, 26} {
					register[tap] = !register[tap]
				}
			}
		}
	}
	sum := make([]byte, 4)
	for i := range 32 {
		if register[31-i] {
			sum[i/8] |= 0x80 >> (i % 8)
		}
	}
	return sum
}

// A frame of every size comes out whole, in as few packets as hold it, and what
// fills the last one up is stuffing.
func TestFramesOfEverySize(t *testing.T) {
	t.Parallel()
	mp3 := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000, FrameSamples: 1152}
	h264 := &media.Track{Codec: media.CodecH264, NALULength: 4}
	for _, c := range []struct {
		name  string
		muxer func() *Muxer
		clock int // bytes of the first adaptation field
	}{
		{"with the clock", func() *Muxer { return NewMuxer(nil, mp3) }, 8},
		{"beside video", func() *Muxer { return NewMuxer(h264, mp3) }, 0},
	} {
		for size := 1; size < 600; size++ {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(i)
			}
			ts := c.muxer().AppendAudio(nil, []*media.Packet{{Track: mp3, Data: data}}, 0)
			if want := (c.clock + 14 + size + 183) / 184 * 188; len(ts) != want {
				t.Fatalf("%s: %d bytes make %d, want %d", c.name, size, len(ts), want)
			}
			var got []byte
			for i := 0; i < len(ts); i += 188 {
				p := ts[i : i+188]
				payload := p[4:]
				if p[3]&0x20 != 0 { // §2.4.3.4
					field := p[5 : 5+p[4]]
					payload = p[5+p[4]:]
					rest := 1
					if len(field) > 0 && field[0]&0x10 != 0 {
						rest = 7
					}
					if len(field) > rest && bytes.Trim(field[rest:], "\xff") != nil {
						t.Fatalf("%s: %d bytes: stuffed with % x", c.name, size, field[rest:])
					}
				}
				got = append(got, payload...)
			}
			if len(got) != 14+size || !bytes.Equal(got[14:], data) {
				t.Fatalf("%s: %d bytes come out as %d", c.name, size, len(got)-14)
			}
			// §2.4.3.7: prefix, stream_id, length, flags, a PTS of 1.7 s.
			want := []byte{0, 0, 1, 0xc0, byte((8 + size) >> 8), byte(8 + size), 0x84, 0x80, 5, 0x21, 0, 5, 0xab, 0x21}
			if putPTS(want[9:], 0x21, 153000); !bytes.Equal(got[:14], want) {
				t.Fatalf("%s: %d bytes: header % x, want % x", c.name, size, got[:14], want)
			}
		}
	}
}

// putPTS writes §2.4.3.7's 33 bits with their marker bits, from the top.
func putPTS(b []byte, first byte, ts int64) {
	b[0] = first | byte(ts>>30&7)<<1
	b[1], b[2] = byte(ts>>22), byte(ts>>15&0x7f)<<1|1
	b[3], b[4] = byte(ts>>7), byte(ts&0x7f)<<1|1
}

// §2.4.3.7: a length of 0 is allowed for video that does not fit in 16 bits.
func TestPESLengthOfLargeFrames(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	// Of 65535 bytes behind the length: 3 and 5 of header (10 with a DTS), 6 of
	// the delimiter, 4 of the start code.
	for _, c := range []struct {
		unit int
		cts  time.Duration
		want uint16
	}{
		{65535 - 8 - 10, 0, 65535},
		{65535 - 8 - 9, 0, 0},
		{65535 - 13 - 10, 40 * time.Millisecond, 65535},
		{65535 - 13 - 9, 40 * time.Millisecond, 0},
	} {
		unit := bytes.Repeat([]byte{0x41}, c.unit)
		m := NewMuxer(track, nil)
		ts := m.AppendVideo(m.AppendTables(nil), &media.Packet{Track: track, CTS: c.cts, Data: avcc(4, unit)})
		got := parse(t, ts).of(0x100)
		if len(got) != 1 || got[0].length != c.want || !bytes.HasSuffix(got[0].data, unit) || len(got[0].data) != 10+len(unit) {
			t.Errorf("a unit of %d bytes, CTS %v: length %d, want %d", c.unit, c.cts, got[0].length, c.want)
		}
	}
}

// For audio a length of 0 is not allowed: PES packets end at 65535 bytes, and a frame
// that fits in none is left out.
func TestAudioPESPacketsAreFullToTheByte(t *testing.T) {
	t.Parallel()
	mp3 := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000, FrameSamples: 1152}
	aac, err := media.ParseAACConfig([]byte{0x12, 0x10})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		track     *media.Track
		sizes     []int
		want      []int // payload of each PES packet
		malformed uint64
	}{
		{"one of a byte", mp3, []int{1}, []int{1}, 0},
		{"one that fills a PES packet", mp3, []int{65527}, []int{65527}, 0},
		{"one that does not fit", mp3, []int{65528, 10}, []int{10}, 1},
		{"two that fit", mp3, []int{60000, 5527, 1}, []int{65527, 1}, 0},
		{"two that do not", mp3, []int{60000, 5528}, []int{60000, 5528}, 0},
		{"the largest of ADTS", &aac, []int{8184, 1}, []int{8191 + 8}, 0},
		{"one larger than ADTS's 13 bits", &aac, []int{8185, 1}, []int{8}, 1},
	} {
		var frames []*media.Packet
		for i, size := range c.sizes {
			frames = append(frames, &media.Packet{Track: c.track, DTS: time.Duration(i) * 24 * time.Millisecond, Data: make([]byte, size)})
		}
		m := NewMuxer(nil, c.track)
		var got []int
		for _, p := range parse(t, m.AppendAudio(m.AppendTables(nil), frames, 0)).of(0x101) {
			if got = append(got, len(p.data)); int(p.length) != len(p.data)+8 {
				t.Errorf("%s: PES_packet_length %d of %d bytes", c.name, p.length, len(p.data))
			}
		}
		if !slices.Equal(got, c.want) || m.Malformed != c.malformed {
			t.Errorf("%s: PES packets of %d, %d left out; want %d, %d", c.name, got, m.Malformed, c.want, c.malformed)
		}
	}
}

// videoAt muxes frames with these DTS and returns the clock references and which
// of them are announced as discontinuous.
func videoAt(t *testing.T, dts ...time.Duration) (refs []int64, jumps []int) {
	t.Helper()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	m := NewMuxer(track, nil)
	ts := m.AppendTables(nil)
	for _, d := range dts {
		ts = m.AppendVideo(ts, &media.Packet{Track: track, DTS: d, Data: avcc(4, []byte{0x41, 1})})
	}
	return references(parse(t, ts))
}

// References that are put between frames are 90 ms apart: less than the 100 ms
// of §2.7.2.
func TestClockReferencesInAGap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		gap  time.Duration
		want []int64 // after the first
	}{
		{100 * time.Millisecond, []int64{9000}},
		{100*time.Millisecond + 12*time.Microsecond, []int64{8100, 9001}},
		{280 * time.Millisecond, []int64{8100, 16200, 25200}},
		{281 * time.Millisecond, []int64{8100, 16200, 24300, 25290}},
	} {
		refs, jumps := videoAt(t, 0, c.gap)
		for i := range refs {
			refs[i] -= 90000
		}
		if !slices.Equal(refs[1:], c.want) || len(jumps) > 0 {
			t.Errorf("a gap of %v: references %d, %d jumps; want %d", c.gap, refs, len(jumps), c.want)
		}
	}
}

func TestWhichStepsOfTheClockAreAnnounced(t *testing.T) {
	t.Parallel()
	const tick = 12 * time.Microsecond // a little more than one of 90 kHz
	const from = time.Minute
	for _, c := range []struct {
		step time.Duration
		jump bool
	}{
		{10 * time.Second, false},
		{10*time.Second + tick, true},
		{-700 * time.Millisecond, false},
		{-700*time.Millisecond - tick, true},
		{-tick, false},
		{0, false},
	} {
		refs, jumps := videoAt(t, from, from+c.step)
		if (len(jumps) == 1) != c.jump || len(jumps) > 1 {
			t.Errorf("a step of %v: announced at %d of %d references, want %v", c.step, jumps, len(refs), c.jump)
		}
		want := at(from+c.step) - 63000 // 0.7 s before decoding
		if !c.jump && c.step < 0 {
			want = at(from) - 63000 // the clock waits
		}
		if last := refs[len(refs)-1]; last != want {
			t.Errorf("a step of %v: the last reference is %d, want %d", c.step, last, want)
		}
		if c.jump && len(refs) != 2 {
			t.Errorf("a step of %v is filled with %d references", c.step, len(refs)-2)
		}
	}
}

// In an audio-only stream clock references follow each other within a PES packet,
// unless the timestamps of its frames make no sense.
func TestClockWithinLongAudioPackets(t *testing.T) {
	t.Parallel()
	track := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000, FrameSamples: 1152}
	const tick = 12 * time.Microsecond
	for _, c := range []struct {
		span   time.Duration
		inside bool
	}{{2 * time.Second, true}, {2*time.Second + tick, false}, {-tick, false}, {0, false}, {24 * time.Millisecond, false}} {
		m := NewMuxer(nil, track)
		var frames []*media.Packet
		for i := range 100 {
			frames = append(frames, &media.Packet{Track: track, DTS: c.span * time.Duration(i) / 99, Data: make([]byte, 400)})
		}
		ts := m.AppendAudio(nil, frames, 0)
		got, last := 0, int64(0)
		for _, p := range parseLoose(ts) {
			if got++; got > 1 && (p-last < 3600 || p-last > 3600+900) { // every 40 ms, and a packet
				t.Errorf("a span of %v: a reference %d ticks after the last", c.span, p-last)
			}
			last = p
		}
		if c.inside != (got > 1) || c.inside && (got < 40 || got > 51) {
			t.Errorf("a span of %v: %d references", c.span, got)
		}
	}
}

// parseLoose reads the clock references and nothing else.
func parseLoose(ts []byte) (refs []int64) {
	for i := 0; i < len(ts); i += packetSize {
		if p := ts[i:]; p[3]&0x20 != 0 && p[4] > 0 && p[5]&0x10 != 0 {
			refs = append(refs, int64(p[6])<<25|int64(p[7])<<17|int64(p[8])<<9|int64(p[9])<<1|int64(p[10])>>7)
		}
	}
	return refs
}
