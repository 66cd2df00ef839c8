package flv

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
)

// seedBodies adds the first bodies of each shape in testdata.
func seedBodies(f *testing.F, kind uint8) {
	names, err := filepath.Glob("testdata/*.flv")
	if err != nil || len(names) == 0 {
		f.Fatalf("no files in testdata: %v", err)
	}
	for _, name := range names {
		seen := map[string]bool{}
		var header []byte
		for _, tag := range readFile(f, filepath.Base(name)) {
			if tag.Type != kind || len(tag.Body) < 2 {
				continue
			}
			shape := string(tag.Body[:2])
			if seen[shape] || len(tag.Body) > 4096 {
				continue
			}
			seen[shape] = true
			if header == nil {
				header = tag.Body
			}
			f.Add(header, tag.Body, tag.Timestamp)
		}
	}
}

// fuzzBodies feeds two bodies, the first of which may be a header.
func fuzzBodies(f *testing.F, take func(*Demuxer, uint32, []byte) (*media.Packet, error)) {
	f.Fuzz(func(t *testing.T, first, second []byte, ts uint32) {
		fuzztime.Bound(t)
		d := NewDemuxer(0, 0)
		for i, b := range [][]byte{first, second, second} {
			p, err := take(d, ts+uint32(i), b)
			if err != nil && p != nil {
				t.Errorf("a packet beside error %v", err)
			}
			if p != nil {
				checkPacket(t, p, b)
				checkExtra(t, p.Extra)
			}
		}
		video, audio := d.Tracks()
		for _, tr := range []*media.Track{video, audio} {
			if tr != nil && !tr.HasHeader() && tr.Tag == nil && d.Defects()&(media.NoHeader(tr.Kind)|media.BadHeader(tr.Kind)) == 0 {
				t.Errorf("track without its header: %+v, defects %b", tr, d.Defects())
			}
		}
	})
}

func FuzzVideo(f *testing.F) {
	seedBodies(f, TagVideo)
	f.Add(unhex(avcStart), unhex("9702 00000f 01"+fourAVC+"000000 00000002 6588"), uint32(0))
	f.Add(unhex("90"+fourAVC+avcRecord), unhex("96 23"+fourAV1+"01 000002 aabb"+fourAVC+"00 000006 00000002 6588"), uint32(1<<31))
	f.Add(unhex("95"+fourAV1+"80 04 81010c00"), unhex("91"+fourVP9+"824983420027f016760438241c184a1007a07fdd"), uint32(1<<24))
	fuzzBodies(f, (*Demuxer).Video)
}

func FuzzAudio(f *testing.F) {
	seedBodies(f, TagAudio)
	f.Add(unhex("90"+fourOpus+opusHead), unhex("94"+fourOpus+"02 02 0001"), uint32(0))
	f.Add(unhex("95 10"+fourAAC+"00 000002 1210 01 000002 1188"), unhex("97 00 aa 01"+fourAAC+"2100"), uint32(0))
	f.Add(unhex("2f fffb9064"), unhex("91"+fourAC3+"0b7738900c4043e106f0010c"), uint32(0))
	fuzzBodies(f, (*Demuxer).Audio)
}

func FuzzReader(f *testing.F) {
	for _, name := range []string{"h264aac.flv", "speex.flv", "multi.flv"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:3000])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		for total := 0; ; {
			tag, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				if tag.Body != nil {
					t.Errorf("a tag beside error %v", err)
				}
				return
			}
			if total += len(tag.Body); total > len(b) {
				t.Fatalf("%d bytes of bodies in %d", total, len(b))
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	for _, name := range []string{"h264aac.flv", "multi.flv"} {
		f.Add(readFile(f, name)[0].Body)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		m, ok, err := ParseMetadata(b)
		if ok && (err != nil || len(m.Raw) > len(b) || m.Width < 0 || m.Height < 0 || len(m.Encoder) > maxEncoder || !(m.FrameRate >= 0) || !(m.VideoDataRate >= 0) || !(m.AudioDataRate >= 0)) {
			t.Errorf("%+v, %v", m, err)
		}
		again, ok, err := ParseMetadata(RebuildMetadata(m.Raw))
		if !ok || err != nil || again.Width != m.Width || again.Height != m.Height {
			t.Errorf("rebuilt: %+v, %t, %v; was %+v", again, ok, err, m)
		}
	})
}
