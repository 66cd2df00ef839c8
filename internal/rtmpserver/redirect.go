package rtmpserver

import (
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A redirection is an operator's word: publish or play under another name from now
// on, on the same connection. It is void once the session has left what it names.
type redirection struct {
	publication *origin.Publication // that it publishes; or
	player      *player             // what it plays
	name        string
	query       string // its arguments, as the hooks see them
}

// playCommand is what a client would have sent that wants the same.
func (r *redirection) playCommand() rtmp.Command {
	typed := r.name
	if r.query != "" {
		typed += "?" + r.query
	}
	return rtmp.Command{Name: "play", Args: []amf.Value{typed, float64(-2)}}
}

// Redirect implements origin.Publisher.
func (s *session) Redirect(name, query string) {
	s.mu.Lock()
	r := &redirection{publication: s.publication, name: name, query: query}
	s.mu.Unlock()
	s.redirect(r)
}

// redirect interrupts the reading of the session, which carries r out.
func (s *session) redirect(r *redirection) {
	s.redirecting.Store(r)
	if conn := s.conn.Load(); conn != nil {
		conn.Interrupt()
	}
}

// redirected ends a publisher's stream, and says how it goes on. An encoder
// sends its headers once: in takes them along, and the request the metadata.
func (s *session) redirected(streamID uint32, pub *origin.Publication, req *origin.PublishRequest, to *redirection) (*origin.PublishRequest, error) {
	s.log.Info("publisher redirected", zap.String("stream", pub.Name()), zap.String("to", to.name))
	var metadata []byte
	if m := pub.Stream().Live().Metadata(); m != nil {
		metadata = m.Raw
	}
	next := req.Redirected(to.name, to.query, metadata)
	s.leave(true)
	s.visits(true, to.query)
	return next, s.conn.Load().WriteStatus(streamID, "status", rtmp.StatusUnpublishSuccess, "Stop publishing")
}
