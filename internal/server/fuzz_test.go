package server

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A recited is a connection whose client has sent all it will, and hears nothing.
type recited struct {
	*bytes.Reader
	from *net.TCPAddr
}

func (recited) Write(b []byte) (int, error)      { return len(b), nil }
func (recited) Close() error                     { return nil }
func (recited) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c recited) RemoteAddr() net.Addr           { return c.from }
func (recited) SetDeadline(time.Time) error      { return nil }
func (recited) SetReadDeadline(time.Time) error  { return nil }
func (recited) SetWriteDeadline(time.Time) error { return nil }

// A script is a client made of bytes: what it sends, in which order, and what
// that may lead to at most.
type script struct {
	b         []byte
	wire      []byte
	chunkSize int
	live      bool // it has asked for the application with keys
	keyed     bool // and, since then, to publish with the secret
	media     int  // messages since then that may be media
}

const fuzzSecret = "a-secret-no-fuzzer-guesses"

var (
	fuzzApps  = []string{"live", "open", "denied", "nowhere", "live/", ""}
	fuzzNames = []string{fuzzSecret, "cam?key=" + fuzzSecret, "wrong-secret-of-that-length", "cam", "free", "../x", "", "other?key=" + fuzzSecret}
	fuzzWords = []string{
		"createStream", "releaseStream", "FCPublish", "FCUnpublish", "deleteStream", "closeStream", "FCSubscribe", "getStreamLength",
		"seek", "pause", "receiveAudio", "receiveVideo", "_checkbw", "onStatus", "_result", "nonsense",
	}
)

func (s *script) take() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

func (s *script) send(t rtmp.MessageType, payload []byte) {
	s.wire = append(s.wire, rtmp.AppendMessage(nil, rtmp.Message{Type: t, ChunkStreamID: 3 + uint32(t)%8, StreamID: 1, Payload: payload}, s.chunkSize)...)
}

func (s *script) command(name string, args ...amf.Value) {
	b := amf.Append(amf.Append(nil, name), float64(s.take()))
	for _, a := range args {
		b = amf.Append(b, a)
	}
	s.send(rtmp.TypeCommandAMF0, b)
}

// step adds what the next bytes stand for.
func (s *script) step() {
	op, arg := s.take()%12, s.take()
	if s.keyed {
		s.media++
	}
	switch op {
	case 0:
		app := fuzzApps[int(arg)%len(fuzzApps)]
		s.live = s.live || app == "live" || app == "live/"
		s.command("connect", amf.Object{{Name: "app", Value: app}, {Name: "tcUrl", Value: "rtmp://x/" + app}})
	case 1, 2:
		name := fuzzNames[int(arg)%len(fuzzNames)]
		s.keyed = s.keyed || s.live && (name == fuzzNames[0] || name == fuzzNames[1] || name == fuzzNames[7])
		s.command("publish", nil, name, "live")
	case 3:
		s.command([]string{"play", "play2"}[arg>>7], nil, fuzzNames[int(arg)%len(fuzzNames)], -2.0)
	case 4, 5:
		clip := card()
		all := clip.headers
		if arg >= 8 {
			all = clip.frames
		}
		m := all[int(arg)%min(len(all), 40)]
		s.send(m.Type, m.Payload)
	case 6, 7:
		s.command(fuzzWords[int(arg)%len(fuzzWords)], nil, arg < 128)
	case 8:
		n := []uint32{128, 1, 60000, 4096, 1 << 24}[int(arg)%5]
		s.send(rtmp.TypeSetChunkSize, binary.BigEndian.AppendUint32(nil, n))
		s.chunkSize = int(min(n, 1<<24-1))
	case 9:
		s.send(rtmp.TypeUserControl, []byte{0, arg % 34, 0, 0, 0, s.take(), 0, 0, 0, arg})
	case 10: // bytes as they come, between messages or as one
		raw := s.b[:min(int(arg)%64, len(s.b))]
		s.b = s.b[len(raw):]
		if s.keyed {
			s.media += len(raw)
		}
		if arg >= 128 {
			s.wire = append(s.wire, raw...)
		} else {
			s.send(rtmp.MessageType(s.take()), raw)
		}
	default:
		s.send(rtmp.TypeAbort, binary.BigEndian.AppendUint32(nil, uint32(arg)%12))
	}
}

// FuzzSession has a client send commands, media and rubbish in any order. Nothing
// reaches a stream before its publisher has shown the secret, nothing at all where
// nobody may publish, and the session ends with its connection.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0, 0, 1, 6, 0, 2, 1, 0, 3, 4, 0, 4, 1, 4, 2, 4, 20, 4, 9, 6, 3, 0, 6, 4, 0})
	f.Add([]byte{0, 1, 1, 6, 0, 2, 1, 4, 3, 4, 0, 4, 1, 4, 2, 4, 20, 3, 4, 0, 1, 0, 0})
	f.Add([]byte{0, 0, 1, 4, 0, 4, 20, 1, 0, 2})
	f.Add([]byte{0, 2, 1, 1, 0, 2, 4, 0, 4, 20, 0, 0, 3, 1, 0, 2, 4, 20})
	f.Add([]byte{1, 0, 1, 0, 0, 1, 4, 0, 4, 20, 3, 3, 9})
	f.Add([]byte{0, 0, 1, 3, 3, 2, 6, 9, 1, 6, 10, 2, 1, 0, 3, 4, 20, 3, 3, 1, 6, 5, 1, 1, 1, 4, 4, 0, 4, 1, 4, 2, 4, 9})
	f.Add([]byte{0, 0, 1, 1, 2, 1, 1, 0, 1, 4, 20, 10, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 5, 8, 1, 0, 4, 20})
	f.Add([]byte{8, 1, 0, 1, 1, 9, 6, 7, 8, 2, 1, 4, 1, 11, 4, 10, 60, 2, 0, 7, 'p', 'u', 'b', 'l', 'i', 's', 'h'})
	f.Add([]byte{0, 0, 1, 1, 2, 3, 4, 0, 4, 1, 4, 2, 4, 8, 4, 9, 4, 10}) // a wrong secret
	r := start(f, `
rtmp {
  listen = "127.0.0.1:0"
  defaults {
    reconnect_grace = "1h"
    handover_grace  = "1h"
  }
  application "live" {
    stream_key "cam" {
      secret = "`+fuzzSecret+`"
    }
  }
  application "open" {
  }
  application "denied" {
    access {
      publish = ["deny all"]
    }
  }
}`)
	next := uint32(1)
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		r := &rig{TB: t, srv: r.srv, cfg: r.cfg, logs: r.logs}
		s := &script{b: b[:min(len(b), 400)], chunkSize: 128}
		for n := 0; len(s.b) > 0 && n < 100; n++ {
			s.step()
		}
		next++ // an address of its own: ten wrong keys shut one out
		from := &net.TCPAddr{IP: binary.BigEndian.AppendUint32(nil, 10<<24|next%(1<<24)), Port: 1}
		whole := append(append([]byte{3}, make([]byte, 2*1536)...), s.wire...)
		r.srv.running()[0].Accept(recited{bytes.NewReader(whole), from}, nil)
		r.eventually("the session ends", func() bool { return r.connections() == 0 })
		for _, app := range []string{"live", "denied", "open"} {
			for _, name := range r.streams(app) {
				packets := r.packets(app, name)
				switch {
				case app == "denied", app == "live" && (!s.keyed || name != "cam"):
					t.Errorf("a stream %s/%s with %d packets came into being", app, name, packets)
				case app == "live" && packets > s.media:
					t.Errorf("%d packets of at most %d messages", packets, s.media)
				}
				r.srv.Kick(app, name, 0) // it waits for its publisher
			}
			r.eventually("nobody is left in "+app, r.app(app).Idle)
		}
		r.logs.TakeAll()
	})
}
