package mpegts

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/asticode/go-astits"

	"github.com/rtmpd/rtmpd/internal/media"
)

// readFLV takes an FLV file of H.264, AAC and MP3 apart: as much of FLV as the
// fixtures have.
func readFLV(t testing.TB, name string) (packets []*media.Packet) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var video, audio *media.Track
	must := func(track media.Track, err error) *media.Track {
		if err != nil {
			t.Fatal(err)
		}
		return &track
	}
	for b = b[13:]; len(b) > 15; {
		kind, size := b[0], int(b[1])<<16|int(b[2])<<8|int(b[3])
		dts := time.Duration(binary.BigEndian.Uint32([]byte{b[7], b[4], b[5], b[6]})) * time.Millisecond
		body := b[11 : 11+size]
		b = b[11+size+4:]
		switch {
		case kind == 9 && body[1] == 0:
			video = must(media.ParseAVCConfig(body[5:]))
		case kind == 9 && body[1] == 1:
			cts := int32(body[2])<<24 | int32(body[3])<<16 | int32(body[4])<<8
			packets = append(packets, &media.Packet{
				Track: video, DTS: dts, CTS: time.Duration(cts>>8) * time.Millisecond,
				Keyframe: body[0]>>4 == 1, Tag: body, Data: body[5:],
			})
		case kind == 8 && body[0]>>4 == 10 && body[1] == 0:
			audio = must(media.ParseAACConfig(body[2:]))
		case kind == 8 && body[0]>>4 == 10:
			packets = append(packets, &media.Packet{Track: audio, DTS: dts, Tag: body, Data: body[2:]})
		case kind == 8 && body[0]>>4 == 2:
			if audio == nil {
				audio = &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100, Channels: 1, FrameSamples: 1152}
			}
			packets = append(packets, &media.Packet{Track: audio, DTS: dts, Tag: body, Data: body[1:]})
		}
	}
	return packets
}

// readHEVC takes an Annex B file with delimiters apart: 25 frames a second.
func readHEVC(t testing.TB) (packets []*media.Packet) {
	t.Helper()
	b, err := os.ReadFile("testdata/hevc.h265")
	if err != nil {
		t.Fatal(err)
	}
	track := &media.Track{Kind: media.Video, Codec: media.CodecHEVC, NALULength: 4}
	var p *media.Packet
	for _, unit := range annexB(b) {
		switch kind := unit[0] >> 1 & 0x3f; kind {
		case 35:
			p = &media.Packet{Track: track, DTS: time.Duration(len(packets)) * 40 * time.Millisecond}
			packets = append(packets, p)
			continue
		case 32:
			track.VPS = [][]byte{unit}
			continue
		case 33:
			track.SPS = [][]byte{unit}
			continue
		case 34:
			track.PPS = [][]byte{unit}
			continue
		default:
			p.Keyframe = p.Keyframe || kind >= 16 && kind <= 23
		}
		p.Data = append(p.Data, avcc(4, unit)...)
	}
	return packets
}

// readSync cuts a file of AC-3 frames, all of one length and 32 ms.
func readSync(t testing.TB, name string, codec media.Codec) (packets []*media.Packet) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	track := &media.Track{Kind: media.Audio, Codec: codec, SampleRate: 48000, Channels: 1, FrameSamples: 1536}
	size := 2 + bytes.Index(b[2:], []byte{0x0b, 0x77})
	for i := 0; i+size <= len(b); i += size {
		packets = append(packets, &media.Packet{
			Track: track, Data: b[i : i+size],
			DTS: time.Duration(len(packets)) * 32 * time.Millisecond,
		})
	}
	return packets
}

// avcc joins units with length prefixes of n bytes.
func avcc(n int, units ...[]byte) (b []byte) {
	for _, unit := range units {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(unit)))
		b = append(b, length[4-n:]...)
		b = append(b, unit...)
	}
	return b
}

// annexB splits at start codes.
func annexB(b []byte) (units [][]byte) {
	for _, unit := range bytes.Split(b, []byte{0, 0, 1}) {
		if unit = bytes.TrimRight(unit, "\x00"); len(unit) > 0 {
			units = append(units, unit)
		}
	}
	return units
}

func only(packets []*media.Packet, kind media.Kind) (out []*media.Packet) {
	for _, p := range packets {
		if p.Track.Kind == kind {
			out = append(out, p)
		}
	}
	return out
}

// fragment muxes packets in order, tables first, audio in PES packets of up to
// batch frames.
func fragment(m *Muxer, dst []byte, packets []*media.Packet, batch int) []byte {
	dst = m.AppendTables(dst)
	audio := make([]*media.Packet, 0, batch)
	flush := func() {
		if len(audio) > 0 {
			dst = m.AppendAudio(dst, audio, audio[0].DTS)
			audio = audio[:0]
		}
	}
	for _, p := range packets {
		if p.Track.Kind == media.Video {
			dst = m.AppendVideo(dst, p)
			continue
		}
		if audio = append(audio, p); len(audio) == batch {
			flush()
		}
	}
	flush()
	return dst
}

// cut splits before every keyframe; audio alone every second.
func cut(packets []*media.Packet) (fragments [][]*media.Packet) {
	hasVideo := len(only(packets, media.Video)) > 0
	var start time.Duration
	for _, p := range packets {
		if len(fragments) == 0 || p.Keyframe || !hasVideo && p.DTS-start >= time.Second {
			fragments = append(fragments, nil)
			start = p.DTS
		}
		last := len(fragments) - 1
		fragments[last] = append(fragments[last], p)
	}
	return fragments
}

// muxAll writes all of packets as one run of fragments.
func muxAll(packets []*media.Packet, batch int) []byte {
	var video, audio *media.Track
	if v := only(packets, media.Video); len(v) > 0 {
		video = v[0].Track
	}
	if a := only(packets, media.Audio); len(a) > 0 {
		audio = a[0].Track
	}
	m := NewMuxer(video, audio)
	var ts []byte
	for _, f := range cut(packets) {
		ts = fragment(m, ts, f, batch)
	}
	return ts
}

// A pes is one PES packet as astits reads it.
type pes struct {
	pid      uint16
	pts, dts int64
	length   uint16
	id       uint8
	data     []byte
}

// A parsed transport stream.
type parsed struct {
	packets []*astits.Packet
	pes     []pes
	pmts    []*astits.PMTData
}

// parse reads ts with astits and checks what holds for every transport stream:
// whole packets, counters that run on, clock references that are at most 100 ms
// apart and never go back unless announced.
func parse(t testing.TB, ts []byte) (out parsed) {
	t.Helper()
	if len(ts) == 0 || len(ts)%packetSize != 0 {
		t.Fatalf("%d bytes are no whole packets", len(ts))
	}
	for i := 0; i < len(ts); i += packetSize {
		if ts[i] != 0x47 {
			t.Fatalf("byte %d: %#x is no sync byte", i, ts[i])
		}
	}
	dmx := astits.NewDemuxer(context.Background(), bytes.NewReader(ts), astits.DemuxerOptPacketSize(packetSize))
	last := map[uint16]uint8{}
	clock := int64(-1)
	for {
		p, err := dmx.NextPacket()
		if errors.Is(err, astits.ErrNoMorePackets) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out.packets = append(out.packets, p)
		h := p.Header
		want, seen := last[h.PID]
		if h.HasPayload {
			want = (want + 1) & 0xf
		}
		if seen && h.ContinuityCounter != want {
			t.Fatalf("packet %d of PID %#x: continuity counter %d, want %d", len(out.packets)-1, h.PID, h.ContinuityCounter, want)
		}
		last[h.PID] = h.ContinuityCounter
		if a := p.AdaptationField; h.HasAdaptationField && a.HasPCR {
			step := a.PCR.Base - clock
			if clock >= 0 && !a.DiscontinuityIndicator && (step < 0 || step > 9000) {
				t.Fatalf("packet %d: clock reference %d after %d", len(out.packets)-1, a.PCR.Base, clock)
			}
			clock = a.PCR.Base
		}
	}
	dmx = astits.NewDemuxer(context.Background(), bytes.NewReader(ts), astits.DemuxerOptPacketSize(packetSize))
	for {
		d, err := dmx.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.PMT != nil {
			out.pmts = append(out.pmts, d.PMT)
		}
		if d.PES != nil {
			h := d.PES.Header
			p := pes{pid: d.PID, id: h.StreamID, length: h.PacketLength, data: d.PES.Data, pts: h.OptionalHeader.PTS.Base}
			p.dts = p.pts
			if h.OptionalHeader.DTS != nil {
				p.dts = h.OptionalHeader.DTS.Base
			}
			out.pes = append(out.pes, p)
		}
	}
}

func (p parsed) of(pid uint16) (out []pes) {
	for _, one := range p.pes {
		if one.pid == pid {
			out = append(out, one)
		}
	}
	return out
}

// tool runs a program of ffmpeg's. Any complaint of it fails the test.
func tool(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is missing: apt-get install -y ffmpeg", name)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%s %v: %v\n%s", name, args, err, &stderr)
	}
	return stdout.Bytes()
}

type probed struct {
	Streams []struct {
		Codec  string `json:"codec_name"`
		Frames int    `json:"nb_read_frames,string"`
	}
	Packets []struct {
		Index int   `json:"stream_index"`
		PTS   int64 `json:"pts"`
		DTS   int64 `json:"dts"`
	}
}

// probe has ffmpeg decode ts without an error and ffprobe read it.
func probe(t testing.TB, ts []byte) (out probed) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.ts")
	if err := os.WriteFile(path, ts, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "ffmpeg", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-")
	b := tool(t, "ffprobe", "-v", "warning", "-count_frames", "-show_packets",
		"-show_entries", "stream=codec_name,nb_read_frames:packet=stream_index,pts,dts", "-of", "json", path)
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
