package flv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

// unhex decodes hexadecimal digits; spaces are for the reader.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err) // a typing error in a vector
	}
	return b
}

// Bodies as encoders send them.
const (
	avcRecord = "0142c00dffe10017 6742c00dda05067e7c0440000003004000000f03c50aa8 01000468ce3c80"
	avcOther  = "0142c00bffe10018 6742c00bda0a11f97011000003000100000300320f142aa0 01000468ce0fc8"
	avcStart  = "17 00 000000" + avcRecord
	avcKey    = "17 01 000000 00000002 6588"
	avcInter  = "27 01 000000 00000002 41e0"
	aacStart  = "af 00 1210"
	aacFrame  = "af 01 2100"
	opusHead  = "4f70757348656164 01 02 3801 80bb0000 0000 00"
	fourAVC   = "61766331"
	fourAV1   = "61763031"
	fourVP9   = "76703039"
	fourOpus  = "4f707573"
	fourAAC   = "6d703461"
	fourMP3   = "2e6d7033"
	fourAC3   = "61632d33"
	fourX     = "78787878"
	av1Record = "81010c00 0a0b0000000cc4ff6736be4010"
)

// readFile returns the tags of a file in testdata.
func readFile(t testing.TB, name string) []FileTag {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var tags []FileTag
	for {
		tag, err := r.Next()
		if err == io.EOF {
			return tags
		}
		if err != nil {
			t.Fatalf("%s: tag %d: %v", name, len(tags), err)
		}
		tags = append(tags, tag)
	}
}

// feed hands a tag to the demuxer.
func feed(d *Demuxer, tag FileTag) (*media.Packet, error) {
	switch tag.Type {
	case TagVideo:
		return d.Video(tag.Timestamp, tag.Body)
	case TagAudio:
		return d.Audio(tag.Timestamp, tag.Body)
	}
	return nil, nil
}

// checkPacket is what every packet must satisfy.
func checkPacket(t testing.TB, p *media.Packet, body []byte) {
	t.Helper()
	if &p.Tag[0] != &body[0] || len(p.Tag) != len(body) || cap(p.Tag) != len(p.Tag) {
		t.Errorf("Tag is not the whole body: len %d cap %d of %d", len(p.Tag), cap(p.Tag), len(body))
	}
	if p.Track != nil && p.Track.ID != 0 {
		if p.Data != nil || p.Keyframe || p.Extra == nil || !p.Extra.Multitrack {
			t.Errorf("packet of track %d: %+v", p.Track.ID, p)
		}
	} else if len(p.Data) == 0 || cap(p.Data) != len(p.Data) || len(p.Data) >= len(body) && !bytes.Contains(body, []byte{0, 0, 1}) || len(p.Data) > 2*len(body) {
		t.Errorf("Data of %d bytes, cap %d, in a body of %d", len(p.Data), cap(p.Data), len(body))
	}
	if p.Track == nil || p.Track.Kind == media.Audio && (p.Keyframe || p.CTS != 0) {
		t.Errorf("track %+v, keyframe %v, CTS %v", p.Track, p.Keyframe, p.CTS)
	}
	if p.DTS < 0 {
		t.Errorf("DTS %v", p.DTS)
	}
}

func TestSequenceHeaders(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	header := func(body string) *media.Track {
		t.Helper()
		p, err := d.Video(0, unhex(body))
		if p != nil || err != nil {
			t.Fatalf("%s: got %v, %v, want neither packet nor error", body, p, err)
		}
		v, _ := d.Tracks()
		return v
	}
	first := header(avcStart)
	if first == nil || hex.EncodeToString(first.Tag) != strings.ReplaceAll(avcStart, " ", "") || hex.EncodeToString(first.Config) != strings.ReplaceAll(avcRecord, " ", "") {
		t.Fatalf("track %+v: Tag or Config are not what was sent", first)
	}
	if again := header(avcStart); again != first {
		t.Errorf("the same header again made a new track")
	}
	p, err := d.Video(40, unhex(avcKey))
	if err != nil || p.Track != first {
		t.Errorf("frame: got %+v, %v, want one of the first track", p, err)
	}
	second := header("17 00 000000" + avcOther)
	if second == first || second.Width != 160 {
		t.Errorf("a changed header: got %+v, want a new track", second)
	}
	if p.Track != first || first.Width != 320 {
		t.Errorf("the packet before changed its track: %+v", p.Track)
	}
	if _, err := d.Video(80, unhex("17 00 000000 0142c0")); !errors.Is(err, ErrMalformed) {
		t.Errorf("broken header: got %v, want ErrMalformed", err)
	}
	if v, _ := d.Tracks(); v != second {
		t.Errorf("a broken header replaced the track")
	}
	if ex := header("90" + fourAVC + avcOther); ex == second || ex.FourCC != FourCCAVC || ex.LegacyID != LegacyNone {
		t.Errorf("the same codec by FourCC: got %+v", ex)
	}
	if _, err := d.Video(120, unhex(avcKey)); err != ErrNoHeader {
		t.Errorf("a legacy frame after a FourCC header: got %v, want ErrNoHeader", err)
	}
}

func TestTracksThatFramesDescribe(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	audio := func(body string) *media.Track {
		t.Helper()
		p, err := d.Audio(0, unhex(body))
		if err != nil {
			t.Fatal(err)
		}
		return p.Track
	}
	first := audio("2f fffb9064")
	if first.SampleRate != 44100 || first.Channels != 2 || first.FrameSamples != 1152 {
		t.Errorf("MP3 track %+v", first)
	}
	if audio("2f fffb5000") != first {
		t.Errorf("another bit rate made a new track")
	}
	if audio("2f aabbccdd") != first {
		t.Errorf("a frame that cannot be read made a new track")
	}
	if mono := audio("2f fffb90c4"); mono == first || mono.Channels != 1 {
		t.Errorf("mono after stereo: got %+v, want a new track", mono)
	}

	video := func(body string) *media.Track {
		t.Helper()
		p, err := d.Video(0, unhex(body))
		if err != nil {
			t.Fatal(err)
		}
		return p.Track
	}
	if _, err := d.Video(0, unhex("90"+fourVP9+"001582020202 0000")); err != nil {
		t.Fatal(err)
	}
	key := "91" + fourVP9 + "824983420027f016760438241c184a1007a07fdd"
	vp9 := video(key)
	if vp9.Width != 640 || vp9.Height != 360 || vp9.CodecString != "vp09.00.21.08" {
		t.Errorf("VP9 track of the first keyframe: %+v, want 640 by 360", vp9)
	}
	if video(key) != vp9 {
		t.Errorf("the second keyframe made a new track")
	}
	if _, err := d.Video(0, unhex("90"+fourVP9+"001582020202 0000")); err != nil {
		t.Fatal(err)
	}
	if video("a1"+fourVP9+"86") != vp9 {
		t.Errorf("the repeated header forgot the picture size")
	}
}

func TestEveryPacketIsOneAllocation(t *testing.T) {
	d := NewDemuxer(0, 0)
	for _, h := range []string{avcStart} {
		if _, err := d.Video(0, unhex(h)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Audio(0, unhex(aacStart)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		in   []byte
		take func(uint32, []byte) (*media.Packet, error)
		want float64
	}{
		{"AVC", unhex(avcInter), d.Video, 1},
		{"AAC", unhex(aacFrame), d.Audio, 1},
		{"repeated header", unhex(avcStart), d.Video, 0},
		{"MP3", unhex("2f fffb9064"), NewDemuxer(0, 0).Audio, 1},
		{"AC-3", unhex("91" + fourAC3 + "0b7738900c4043e106f0010c"), NewDemuxer(0, 0).Audio, 1},
		{"frame without header", unhex(avcInter), NewDemuxer(0, 0).Video, 1},
		{"ADTS frame", unhex("af 01 fff150800120 fc 2100"), NewDemuxer(0, 0).Audio, 1},
		{"multitrack", unhex("96 13" + fourVP9 + "01 000002 aabb 00 000001 86"), NewDemuxer(0, 0).Video, 1},
		{"another track", unhex("96 03" + fourVP9 + "01 86"), NewDemuxer(0, 0).Video, 1},
	} {
		ts := uint32(0)
		var p *media.Packet
		got := testing.AllocsPerRun(1000, func() {
			p, _ = c.take(ts, c.in)
			ts += 20
		})
		if got != c.want || p == nil && c.want > 0 {
			t.Errorf("%s: got %v allocations, want %v", c.name, got, c.want)
		}
	}
}

func BenchmarkVideo(b *testing.B) {
	d := NewDemuxer(0, 0)
	_, _ = d.Video(0, unhex(avcStart))
	body := append(unhex("27 01 000000 00002710 41"), make([]byte, 9999)...)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := d.Video(0, body); err != nil {
			b.Fatal(err)
		}
	}
}
