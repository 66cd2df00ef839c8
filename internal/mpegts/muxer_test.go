package mpegts

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/asticode/go-astits"

	"github.com/rtmpd/rtmpd/internal/media"
)

// at is d as a 33-bit timestamp of the transport stream.
func at(d time.Duration) int64 { return (ticks(d) + ticks(StartOffset)) & (1<<33 - 1) }

func TestFragmentsReadBack(t *testing.T) {
	t.Parallel()
	both := readFLV(t, "h264_aac.flv")
	for _, c := range []struct {
		name    string
		packets []*media.Packet
		batch   int
		codecs  []string
		types   []astits.StreamType
		id      uint8 // of audio PES packets
	}{
		{"H.264 with B-frames and AAC, 8 frames a PES", both, 8, []string{"h264", "aac"}, []astits.StreamType{0x1b, 0x0f}, 0xc0},
		{"H.264 and AAC, a frame a PES", both, 1, []string{"h264", "aac"}, []astits.StreamType{0x1b, 0x0f}, 0xc0},
		{"video only", only(both, media.Video), 1, []string{"h264"}, []astits.StreamType{0x1b}, 0},
		{"audio only, 14 frames (300 ms) a PES", only(both, media.Audio), 14, []string{"aac"}, []astits.StreamType{0x0f}, 0xc0},
		{"audio only, a frame a PES", only(both, media.Audio), 1, []string{"aac"}, []astits.StreamType{0x0f}, 0xc0},
		{"MP3", readFLV(t, "mp3.flv"), 6, []string{"mp3"}, []astits.StreamType{0x03}, 0xc0},
		{"AC-3", readSync(t, "tone.ac3", media.CodecAC3), 5, []string{"ac3"}, []astits.StreamType{0x81}, 0xbd},
		{"E-AC-3", readSync(t, "tone.eac3", media.CodecEAC3), 5, []string{"eac3"}, []astits.StreamType{0x87}, 0xbd},
		{"HEVC", readHEVC(t), 1, []string{"hevc"}, []astits.StreamType{0x24}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ts := muxAll(c.packets, c.batch)
			got := parse(t, ts)

			var types []astits.StreamType
			for _, s := range got.pmts[0].ElementaryStreams {
				types = append(types, s.StreamType)
			}
			if !slices.Equal(types, c.types) {
				t.Errorf("PMT lists stream types %x, want %x", types, c.types)
			}
			if want := got.pmts[0].ElementaryStreams[0].ElementaryPID; got.pmts[0].PCRPID != want {
				t.Errorf("PCR PID %#x, want the first stream's, %#x", got.pmts[0].PCRPID, want)
			}
			for _, s := range got.pmts[0].ElementaryStreams {
				want := map[astits.StreamType]uint32{0x81: 0x41432d33, 0x87: 0x45414333}[s.StreamType] // AC-3, EAC3
				var id uint32
				for _, d := range s.ElementaryStreamDescriptors {
					id = d.Registration.FormatIdentifier
				}
				if id != want {
					t.Errorf("stream type %#x is registered as %#x, want %#x", s.StreamType, id, want)
				}
			}
			for _, p := range got.packets {
				h := p.Header
				if len(only(c.packets, media.Video)) == 0 && h.PID == pidAudio && h.PayloadUnitStartIndicator &&
					!(h.HasAdaptationField && p.AdaptationField.RandomAccessIndicator && p.AdaptationField.HasPCR) {
					t.Fatal("a PES packet of audio alone without random_access_indicator or clock reference")
				}
			}
			if len(got.pmts) != len(cut(c.packets)) {
				t.Errorf("%d PMTs in %d fragments", len(got.pmts), len(cut(c.packets)))
			}

			video := only(c.packets, media.Video)
			units := got.of(pidVideo)
			if len(units) != len(video) {
				t.Fatalf("%d video PES packets, want %d", len(units), len(video))
			}
			for i, p := range video {
				u := units[i]
				if u.dts != at(p.DTS) || u.pts != at(p.DTS+p.CTS) {
					t.Errorf("video frame %d: DTS %d PTS %d, want %d %d", i, u.dts, u.pts, at(p.DTS), at(p.DTS+p.CTS))
				}
				if u.length == 0 {
					t.Errorf("video frame %d of %d bytes has PES_packet_length 0", i, len(p.Data))
				}
			}
			for _, u := range got.of(pidAudio) {
				if u.id != c.id || u.length == 0 {
					t.Errorf("audio PES with stream_id %#x, length %d; want %#x and a length", u.id, u.length, c.id)
				}
			}
			var data []byte
			for _, u := range got.of(pidAudio) {
				data = append(data, u.data...)
			}
			if want := elementary(t, only(c.packets, media.Audio)); !bytes.Equal(data, want) {
				t.Errorf("audio stream of %d bytes differs from the %d that went in", len(data), len(want))
			}

			seen := probe(t, ts)
			for i, s := range seen.Streams {
				want := len(video)
				if c.packets[0].Track.Kind == media.Audio && len(video) == 0 || i == 1 {
					want = len(only(c.packets, media.Audio))
				}
				if s.Codec != c.codecs[i] || s.Frames != want {
					t.Errorf("ffprobe reads %d frames of %s, want %d of %s", s.Frames, s.Codec, want, c.codecs[i])
				}
			}
			if len(seen.Streams) != len(c.codecs) {
				t.Errorf("ffprobe finds %d streams, want %d", len(seen.Streams), len(c.codecs))
			}
		})
	}
}

// elementary is the audio stream that frames make.
func elementary(t *testing.T, frames []*media.Packet) (b []byte) {
	for _, p := range frames {
		if p.Track.Codec == media.CodecAAC {
			h, err := media.ADTSHeader(p.Track, len(p.Data))
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, h[:]...)
		}
		b = append(b, p.Data...)
	}
	return b
}

func TestPMTVersionChangesOnlyWithWhatItSays(t *testing.T) {
	t.Parallel()
	packets := readFLV(t, "h264_aac.flv")
	video, audio := only(packets, media.Video)[0].Track, only(packets, media.Audio)[0].Track
	other := *video // another sequence header, say another size
	mp3 := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100}
	m := NewMuxer(video, audio)
	for i, c := range []struct {
		video, audio *media.Track
		version      uint8
	}{
		{video, audio, 0},
		{&other, audio, 0},
		{video, nil, 1},
		{nil, audio, 2},
		{nil, mp3, 3},
		{nil, mp3, 3},
		{video, &media.Track{Kind: media.Audio, Codec: media.CodecOpus}, 4}, // not supported: absent
		{video, nil, 4},
	} {
		m.SetTracks(c.video, c.audio)
		ts := m.AppendTables(nil)
		parse(t, ts) // astits checks the CRC
		if got := ts[packetSize+10] >> 1 & 0x1f; got != c.version {
			t.Errorf("step %d: version_number %d, want %d", i, got, c.version)
		}
		for pid, packet := range [][]byte{ts[:packetSize], ts[packetSize:]} {
			if got := packet[3] & 0xf; got != byte(i) {
				t.Errorf("step %d, table %d: continuity counter %d, want %d", i, pid, got, i)
			}
		}
	}
	for range 40 {
		m.SetTracks(nil, audio)
		m.SetTracks(video, audio)
	}
	if ts := m.AppendTables(nil); ts[packetSize+10] != 0xc1|20<<1 { // 4 + 80 modulo 32
		t.Errorf("version_number %d does not wrap at 32", ts[packetSize+10]>>1&0x1f)
	}
}

func TestSupports(t *testing.T) {
	t.Parallel()
	aac := func(config ...byte) *media.Track {
		track, err := media.ParseAACConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		return &track
	}
	for _, c := range []struct {
		name  string
		track *media.Track
		want  bool
	}{
		{"no track", nil, false},
		{"H.264", &media.Track{Codec: media.CodecH264, NALULength: 4}, true},
		{"H.264 before its sequence header", &media.Track{Codec: media.CodecH264}, false},
		{"HEVC", &media.Track{Codec: media.CodecHEVC, NALULength: 4}, true},
		{"AV1", &media.Track{Codec: media.CodecAV1}, false},
		{"AAC Main", aac(0x0a, 0x10), true},
		{"AAC-LC", aac(0x12, 0x10), true},
		{"AAC SSR", aac(0x1a, 0x10), true},
		{"AAC LTP", aac(0x22, 0x10), true},
		{"HE-AAC, which ADTS calls LC", aac(0x2b, 0x92, 0x08, 0x00), true},
		{"AAC-LD, which ADTS can't say", aac(0xbb, 0x90), false},
		{"AAC-LC of 960 samples", aac(0x12, 0x14), false},
		{"AAC-LC with rate index 15 and 44100 Hz", aac(0x17, 0x80, 0x56, 0x22, 0x10), true},
		{"AAC before its sequence header", &media.Track{Kind: media.Audio, Codec: media.CodecAAC}, false},
		{"MP3", &media.Track{Kind: media.Audio, Codec: media.CodecMP3}, true},
		{"Opus", &media.Track{Kind: media.Audio, Codec: media.CodecOpus}, false},
	} {
		if got := Supports(c.track); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMP3OfHalfRateIsMPEG2(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int]byte{0: 3, 44100: 3, 32000: 3, 24000: 4, 11025: 4} {
		m := NewMuxer(nil, &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: rate})
		if got := parse(t, append(m.AppendTables(nil), m.AppendTables(nil)...)).pmts[0].ElementaryStreams[0].StreamType; byte(got) != want {
			t.Errorf("%d Hz: stream type %#x, want %#x", rate, got, want)
		}
	}
}

func TestAudioThatExceedsAPESPacketIsSplit(t *testing.T) {
	t.Parallel()
	track := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000, FrameSamples: 1152}
	var frames []*media.Packet
	for i := range 100 {
		frames = append(frames, &media.Packet{Track: track, DTS: time.Duration(i) * 24 * time.Millisecond, Data: bytes.Repeat([]byte{byte(i)}, 1500)})
	}
	m := NewMuxer(nil, track)
	got := parse(t, m.AppendAudio(m.AppendTables(nil), frames, frames[0].DTS)).of(pidAudio)
	if len(got) != 3 { // 43 frames of 1500 bytes in each
		t.Fatalf("%d PES packets, want 3", len(got))
	}
	for i, p := range got {
		if want := at(time.Duration(i) * 43 * 24 * time.Millisecond); p.pts != want || p.data[0] != byte(i*43) {
			t.Errorf("PES packet %d begins with frame %d at %d, want %d at %d", i, p.data[0], p.pts, i*43, want)
		}
	}
}

func TestFramesThatCannotBeMuxedAreCounted(t *testing.T) {
	t.Parallel()
	packets := readFLV(t, "h264_aac.flv")
	video, audio := only(packets, media.Video)[0], only(packets, media.Audio)[0]
	huge := &media.Packet{Track: audio.Track, Data: make([]byte, maxADTS)}
	alien := &media.Packet{Track: &media.Track{Kind: media.Audio, Codec: media.CodecOpus}, Data: []byte{1}}
	vp9 := &media.Packet{Track: &media.Track{Codec: media.CodecVP9}, Data: []byte{1}}

	m := NewMuxer(video.Track, audio.Track)
	ts := m.AppendAudio(nil, []*media.Packet{huge, audio, alien, {Track: audio.Track}}, 0)
	if got := parse(t, ts).of(pidAudio); len(got) != 1 || len(got[0].data) != media.ADTSHeaderSize+len(audio.Data) {
		t.Errorf("the one good frame did not come through alone: %d PES packets", len(got))
	}
	if m.Malformed != 2 {
		t.Errorf("%d frames counted, want 2: an empty one is not malformed", m.Malformed)
	}
	if ts := m.AppendVideo(nil, vp9); len(ts) != 0 || m.Malformed != 3 {
		t.Errorf("a VP9 frame made %d bytes, %d counted", len(ts), m.Malformed)
	}
	if ts := NewMuxer(nil, nil).AppendAudio(nil, []*media.Packet{audio}, 0); len(ts) != 0 {
		t.Errorf("a muxer without tracks wrote %d bytes", len(ts))
	}
}
