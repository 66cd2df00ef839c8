// Package mediatest makes streams for tests, and reads MPEG-TS in them.
package mediatest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Decoder configurations as encoders send them.
const (
	AVCHigh1080 = "01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c65801000668ebe3cb22c0fdf8f800"
	AVCBaseline = "0142c00dffe100176742c00dda05067e7c0440000003004000000f03c50aa801000468ce3c80"
	AACLC44     = "1210"
	AACLC48     = "1190"
)

// Track makes a track of a decoder configuration in hex.
func Track(t testing.TB, c media.Codec, config string) *media.Track {
	t.Helper()
	b, err := hex.DecodeString(config)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := media.ParseConfig(c, b)
	if err != nil {
		t.Fatal(err)
	}
	return &tr
}

// A Script makes a stream's packets, each with a marker in its payload by which
// it is found again in a fragment.
type Script struct {
	Video, Audio *media.Track
	Frame        time.Duration // 40 ms
	GOP          time.Duration
	Epoch        uint32
	Size         int // payload of a video frame, at least a marker

	At      time.Duration // where the next packets begin
	Serial  int
	Packets []*media.Packet
}

// NewScript makes a script of H.264 and AAC, 25 pictures a second, a keyframe every 2 s.
func NewScript(t testing.TB) *Script {
	return &Script{
		Video: Track(t, media.CodecH264, AVCHigh1080), Audio: Track(t, media.CodecAAC, AACLC44),
		Frame: 40 * time.Millisecond, GOP: 2 * time.Second,
	}
}

func (s *Script) payload(kind media.Kind, key bool) []byte {
	mark := fmt.Sprintf("<%c%07d>", "VA"[kind], s.Serial)
	s.Serial++
	if kind == media.Audio {
		return []byte(mark + "aac")
	}
	nal := append([]byte{0x41}, mark...)
	if key {
		nal[0] = 0x65
	}
	nal = append(nal, bytes.Repeat([]byte{0x5a}, max(s.Size-len(nal), 0))...)
	return append([]byte{0, 0, byte(len(nal) >> 8), byte(len(nal))}, nal...)
}

// Put adds one packet at dts.
func (s *Script) Put(tr *media.Track, dts time.Duration, key bool) {
	data := s.payload(tr.Kind, key)
	s.Packets = append(s.Packets, &media.Packet{
		Track: tr, DTS: dts, Epoch: s.Epoch, Timestamp: uint32(dts.Milliseconds()), Keyframe: key, Tag: data, Data: data,
	})
}

// Play adds d of both tracks (those that are set), interleaved by time, with a
// keyframe at its start and every gop.
func (s *Script) Play(d time.Duration) *Script {
	end := s.At + d
	key := s.At
	v, a := s.At, s.At
	for n := int64(0); v < end || a < end && s.Audio != nil; {
		switch {
		case s.Audio != nil && a < end && (a < v || s.Video == nil || v >= end):
			s.Put(s.Audio, a, false)
			n++
			a = s.At + (time.Duration(n*1024) * time.Second / 44100).Truncate(time.Millisecond)
		case s.Video != nil && v < end:
			s.Put(s.Video, v, v >= key)
			if v >= key {
				key += s.GOP
			}
			v += s.Frame
		default:
			v = end
		}
	}
	s.At = end
	return s
}

// Pictures adds video packets from one millisecond up to, not including, another; a
// keyframe is every gop.
func (s *Script) Pictures(from, to, step, gop int) *Script {
	for at := from; at < to; at += step {
		s.Put(s.Video, time.Duration(at)*time.Millisecond, (at-from)%gop == 0)
	}
	return s
}

// Sounds adds audio packets every 20 ms, from one millisecond up to, not including, another.
func (s *Script) Sounds(from, to int) *Script {
	for at := from; at < to; at += 20 {
		s.Put(s.Audio, time.Duration(at)*time.Millisecond, false)
	}
	return s
}

// Both adds pictures and sound, interleaved, 40 and 20 ms apart.
func (s *Script) Both(from, to, gop int) *Script {
	for at := from; at < to; at += 20 {
		if (at-from)%40 == 0 {
			s.Put(s.Video, time.Duration(at)*time.Millisecond, (at-from)%gop == 0)
		}
		s.Put(s.Audio, time.Duration(at)*time.Millisecond, false)
	}
	return s
}

// Reordered gives pictures the composition times of two B pictures in a row.
func Reordered(packets []*media.Packet) {
	n := 0
	for i, p := range packets {
		if p.Track.Kind != media.Video {
			continue
		}
		if p.Keyframe {
			n = 0
		}
		q := *p
		q.CTS = [...]time.Duration{80, 160, 40, 40}[min(n, 1+(n+2)%3)] * time.Millisecond
		packets[i] = &q
		n++
	}
}

// Stills is motion for 8 s, then a picture now and then.
func Stills(s *Script, every time.Duration, times int) {
	s.Audio = nil
	s.Play(8 * time.Second)
	for i := range times {
		s.At = 8*time.Second + time.Duration(i+1)*every
		s.Put(s.Video, s.At, false)
	}
	s.At += every
	s.Play(4 * time.Second)
}
