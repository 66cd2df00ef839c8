package server

import (
	"net/url"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A move is an operator's word: publish or play under another name from now on,
// on the same connection. It is void once the session has left what it names.
type move struct {
	stream  *stream  // that it publishes; or
	playing *playing // what it plays
	name    string
	query   string // its arguments, as the hooks see them
}

// command is what a client would have sent that wants the same.
func (m *move) command(name string, arg amf.Value) rtmp.Command {
	typed := m.name
	if m.query != "" {
		typed += "?" + m.query
	}
	return rtmp.Command{Name: name, Args: []amf.Value{typed, arg}}
}

// begin has the session obey m as soon as it looks up from its reading.
func (s *session) begin(m *move) {
	s.moving.Store(m)
	if conn := s.conn.Load(); conn != nil {
		conn.Interrupt()
	}
}

// movePublisher ends a publisher's stream, and says how it goes on. An encoder
// sends its headers once: they are taken along.
func (s *session) movePublisher(streamID uint32, st *stream, in *ingest, to *move) (*petition, error) {
	s.log.Info("publisher redirected", zap.String("stream", st.name), zap.String("to", to.name))
	p := &petition{cmd: to.command("publish", "live"), typed: to.name, name: to.name, in: in}
	if m := st.live.Metadata(); m != nil {
		p.metadata = m.Raw
	}
	p.args, _ = url.ParseQuery(to.query) // what can be read of it; the hooks get it as it is
	s.leave(true)
	s.visits(true, to.query)
	return p, s.conn.Load().WriteStatus(streamID, "status", rtmp.StatusUnpublishSuccess, "Stop publishing")
}
