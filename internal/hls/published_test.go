package hls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A tag is one audio or video message of a publisher.
type tag = flv.FileTag

// flvTags are the audio and video messages of a file.
func flvTags(t testing.TB, path string) (out []tag) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := flv.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		x, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if x.Type != flv.TagScript {
			x.Body = bytes.Clone(x.Body)
			out = append(out, x)
		}
	}
}

// splitAnnexB are the NAL units between start codes.
func splitAnnexB(b []byte) (units [][]byte) {
	for _, u := range bytes.Split(b, []byte{0, 0, 1}) {
		if u = bytes.TrimRight(u, "\x00"); len(u) > 0 {
			units = append(units, u)
		}
	}
	return units
}

// lengths are units behind 4-byte lengths.
func lengths(units ...[]byte) (out []byte) {
	for _, u := range units {
		out = binary.BigEndian.AppendUint32(out, uint32(len(u)))
		out = append(out, u...)
	}
	return out
}

// hevcTags are the messages of testdata/slices.h265: see hevcFileTags.
func hevcTags(t testing.TB, legacy bool) []tag {
	return hevcFileTags(t, "testdata/slices.h265", legacy)
}

// hevcFileTags are the messages of a file: Enhanced RTMP, or with the codec id 12
// of older encoders.
func hevcFileTags(t testing.TB, path string, legacy bool) (out []tag) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sets, picture [][]byte
	header := func(typ byte, key bool) []byte {
		frame := byte(0x20)
		if key {
			frame = 0x10
		}
		if legacy {
			return []byte{frame | 12, typ, 0, 0, 0}
		}
		h := append([]byte{0x80 | frame | typ}, "hvc1"...)
		if typ == 1 {
			h = append(h, 0, 0, 0)
		}
		return h
	}
	var ms uint32
	flush := func() {
		if picture == nil {
			return
		}
		key := picture[0][0]>>1&0x3f >= 16
		out = append(out, tag{Type: flv.TagVideo, Timestamp: ms, Body: append(header(1, key), lengths(picture...)...)})
		ms += 40
		picture = nil
	}
	for _, u := range splitAnnexB(b) {
		switch typ := u[0] >> 1 & 0x3f; {
		case typ >= 32 && typ <= 34:
			flush()
			sets = append(sets, u)
		case typ < 32:
			if u[2]&0x80 != 0 {
				flush()
			}
			picture = append(picture, u)
		}
	}
	flush()
	config := make([]byte, 23)
	sps := sets[1]
	copy(config, []byte{1})
	copy(config[1:], sps[3:15])
	config[13], config[15], config[16], config[17], config[18], config[21], config[22] = 0xf0, 0xfc, 0xfd, 0xf8, 0xf8, 0x0f, 3
	for _, s := range sets[:3] {
		config = append(config, 0x80|s[0]>>1&0x3f, 0, 1, byte(len(s)>>8), byte(len(s)))
		config = append(config, s...)
	}
	return append([]tag{{Type: flv.TagVideo, Body: append(header(0, true), config...)}}, out...)
}

// demuxed are the packets that the messages become.
func demuxed(t testing.TB, tags []tag) (out []*media.Packet) {
	t.Helper()
	d := flv.NewDemuxer(0, 1)
	for _, x := range tags {
		var p *media.Packet
		if x.Type == flv.TagVideo {
			p, _ = d.Video(x.Timestamp, x.Body)
		} else {
			p, _ = d.Audio(x.Timestamp, x.Body)
		}
		if p != nil {
			out = append(out, p)
		}
	}
	return out
}

// published is the HLS output of a publisher that sends tags: the playlist, and
// all fragments one behind the other.
func published(t testing.TB, tags []tag) (playlist string, ts []byte) {
	t.Helper()
	b := newBench(t)
	b.run(b.packager("test", testConfig(b.dir)), demuxed(t, tags), eof)
	for _, name := range b.files() {
		if body := b.read(name); name == "test.m3u8" {
			playlist = string(body)
		} else {
			ts = append(ts, body...)
		}
	}
	return playlist, ts
}

// samePublished demands that tags come out as want does, byte by byte.
func samePublished(t *testing.T, tags, want []tag) {
	t.Helper()
	wantList, wantTS := published(t, want)
	list, ts := published(t, tags)
	if len(wantTS) == 0 {
		t.Fatal("nothing comes of what is compared with")
	}
	if list != wantList {
		t.Errorf("got\n%s\nwant\n%s", list, wantList)
	}
	if !bytes.Equal(ts, wantTS) {
		t.Errorf("other fragments: %d bytes, want %d\ngot  %v\nwant %v", len(ts), len(wantTS), countPES(ts), countPES(wantTS))
	}
}

// countPES counts a stream's PES packets by PID.
func countPES(ts []byte) map[int]int {
	n := make(map[int]int)
	for pid, times := range mediatest.DecodeTimes(ts) {
		n[pid] = len(times)
	}
	return n
}

// elementary is what the PES packets of a PID carry.
func elementary(ts []byte, pid int) (out []byte) {
	for ; len(ts) >= 188; ts = ts[188:] {
		if int(ts[1]&0x1f)<<8|int(ts[2]) != pid {
			continue
		}
		b := ts[4:188]
		if ts[3]&0x20 != 0 {
			b = b[1+int(b[0]):]
		}
		if ts[1]&0x40 != 0 {
			b = b[9+int(b[8]):]
		}
		out = append(out, b...)
	}
	return out
}

// A splitter takes frames of video apart.
type splitter struct {
	codec media.Codec
	head  int // bytes before the NAL units
}

var splitters = map[string]splitter{
	"H.264":       {media.CodecH264, 5},
	"HEVC":        {media.CodecHEVC, 8},
	"legacy HEVC": {media.CodecHEVC, 5},
}

func splitterTags(t *testing.T, name string) []tag {
	switch name {
	case "HEVC":
		return hevcTags(t, false)
	case "legacy HEVC":
		return hevcTags(t, true)
	}
	return flvTags(t, "testdata/slices.flv")
}

// frame takes a coded frame apart; units is nil for what is none.
func (s splitter) frame(x tag) (head []byte, units [][]byte) {
	if x.Type != flv.TagVideo {
		return nil, nil
	}
	if s.head == 8 && x.Body[0]&0xf != 1 || s.head == 5 && x.Body[1] != 1 {
		return nil, nil
	}
	for u, err := range media.NALUs(x.Body[s.head:], 4) {
		if err == nil {
			units = append(units, u)
		}
	}
	return x.Body[:s.head:s.head], units
}

// each makes other messages of every frame of video.
func (s splitter) each(tags []tag, f func(head []byte, units [][]byte) [][]byte) (out []tag) {
	for _, x := range tags {
		head, units := s.frame(x)
		if units == nil {
			out = append(out, x)
			continue
		}
		for _, body := range f(head, units) {
			out = append(out, tag{Type: x.Type, Timestamp: x.Timestamp, Body: body})
		}
	}
	return out
}

func (s splitter) inter(head []byte) []byte {
	head = bytes.Clone(head)
	head[0] = head[0]&0x8f | 0x20
	return head
}
