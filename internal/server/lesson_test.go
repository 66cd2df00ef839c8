package server

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A lesson is one message of a publisher, and what becomes of it.
type lesson struct {
	typ    rtmp.MessageType
	ts     uint32
	body   []byte // as published, and as players with Multitrack get it
	zero   []byte // as players without Multitrack get it; nil: they don't
	header bool   // sequence header or metadata
}

// lessons reads a file of internal/flv. Ends of sequence, which nobody is sent,
// and script tags are left out.
func lessons(t testing.TB, name string) (out []lesson) {
	t.Helper()
	b, err := os.ReadFile("../flv/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := flv.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if tag.Type == flv.TagScript {
			continue
		}
		l := lesson{typ: rtmp.MessageType(tag.Type), ts: tag.Timestamp, body: tag.Body, zero: tag.Body}
		first := tag.Body[0]
		video := tag.Type == flv.TagVideo
		kind := first & 0xf // of packet, where the body is Enhanced RTMP
		switch {
		case video && first&0x80 == 0 || !video && first>>4 != 9: // legacy
			kind = tag.Body[1]
		case video && kind == 6, !video && kind == 5: // another track, alone: so ffmpeg does it
			l.zero, kind = nil, tag.Body[1]&0xf
			if tag.Body[1]>>4 != 0 || tag.Body[6] == 0 {
				t.Fatalf("%s: multitrack body %x", name, tag.Body[:7])
			}
		}
		l.header = kind == 0 || kind == 4
		if kind != 2 {
			out = append(out, l)
		}
	}
}

// doubled wraps every Enhanced RTMP body into one of two tracks, 1 before 0.
func doubled(ls []lesson) (out []lesson) {
	for _, l := range ls {
		b, ex, multi := l.body, l.body[0]>>4 == 9, byte(5)
		if l.typ == rtmp.TypeVideo {
			ex, multi = l.body[0]&0x80 != 0, 6
		}
		if ex {
			size := func(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }
			data := b[5:]
			l.zero = b
			l.body = slices.Concat([]byte{b[0]&0xf0 | multi, 0x10 | b[0]&0xf}, b[1:5],
				[]byte{1}, size(len(data)+1), data, []byte{0xee}, []byte{0}, size(len(data)), data)
		}
		out = append(out, l)
	}
	return out
}

// repeating sends all headers and the metadata again before every keyframe, as
// many encoders do.
func repeating(ls []lesson) (out []lesson) {
	var headers []lesson
	for _, l := range ls {
		if l.header {
			headers = append(headers, l)
		}
		if l.typ == rtmp.TypeVideo && !l.header && l.zero != nil && l.zero[0]>>4&7 == 1 {
			for _, h := range headers {
				h.ts = l.ts
				out = append(out, h)
			}
			out = append(out, lesson{typ: rtmp.TypeDataAMF0, ts: l.ts, body: metadataBody, header: true})
		}
		out = append(out, l)
	}
	return out
}

var metadataBody = amf.Append(amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData"), amf.ECMAArray{{Name: "encoder", Value: "test"}})

// teach publishes.
func (c *client) teach(ls []lesson) {
	c.rig.Helper()
	for _, l := range ls {
		csid := uint32(4)
		if l.typ == rtmp.TypeVideo {
			csid = 6
		}
		if err := c.WriteMessage(rtmp.Message{Type: l.typ, ChunkStreamID: csid, StreamID: 1, Timestamp: l.ts, Payload: l.body}); err != nil {
			c.rig.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		c.rig.Fatal(err)
	}
}

func head(b []byte) []byte { return b[:min(len(b), 16)] }

// media are the audio and video messages it got.
func (s *spectator) media() []rtmp.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(m rtmp.Message) bool {
		return m.Type != rtmp.TypeAudio && m.Type != rtmp.TypeVideo
	})
}

func (s *spectator) statuses() (out []rtmp.StatusError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all {
		if st, ok := statusIn(m); ok && m.Type == rtmp.TypeCommandAMF0 {
			out = append(out, st)
		}
	}
	return out
}

// only keeps the messages of one type.
func only(ls []lesson, typ rtmp.MessageType) []lesson {
	return slices.DeleteFunc(slices.Clone(ls), func(l lesson) bool { return l.typ != typ })
}
