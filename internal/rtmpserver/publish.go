package rtmpserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/ingest"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// publish has the origin decide, and moves media until the publisher ends.
func (s *session) publish(ctx context.Context, streamID uint32, cmd rtmp.Command) error {
	if err := s.enliven(statusDenied); err != nil {
		return err
	}
	s.visits(true, rawArgs(cmd))
	typed, args := splitName(cmd)
	req := &origin.PublishRequest{
		Log: s.log, Address: s.addr, Typed: typed, Args: args, RawArgs: rawArgs(cmd), Type: textArg(cmd, 1), Away: s.away, Via: s.connect.Via,
	}
	in := &ingest.Ingest{Log: s.log}
	for req != nil {
		next, err := s.publishAs(ctx, streamID, req, in)
		if err != nil {
			return err
		}
		req = next
	}
	return nil
}

// publishAs has s publish what req says until it ends, or is redirected to next.
func (s *session) publishAs(ctx context.Context, streamID uint32, req *origin.PublishRequest, in *ingest.Ingest) (next *origin.PublishRequest, err error) {
	pub, err := s.app.Publish(ctx, req, s)
	s.visit.name = req.Public
	if err != nil {
		return nil, refused(err, publisherCode)
	}
	s.mu.Lock()
	s.publication = pub
	s.mu.Unlock()
	s.published = true
	s.settled.Store(true)

	conn := s.conn.Load()
	conn.Authorise()
	streamID = max(streamID, 1)
	if err := conn.WriteUserControl(rtmp.StreamBegin, streamID); err != nil {
		return nil, err
	}
	if err := conn.WriteStatus(streamID, "status", rtmp.StatusPublishStart, "Start publishing"); err != nil {
		return nil, err
	}
	if err := conn.Flush(); err != nil {
		return nil, err
	}
	in.Begin(pub)
	return s.readMedia(ctx, streamID, in, pub, req)
}

// splitName takes the stream name and its arguments out of a publish or play.
// Slashes and blanks at the ends of the name, blanks at those of key=, and Flash's
// prefixes mp4: and flv: are taken off. No stream name and no stream key holds
// any of them.
func splitName(cmd rtmp.Command) (name string, args url.Values) {
	if len(cmd.Args) > 0 {
		name, _ = cmd.Args[0].(string)
	}
	name, query, _ := strings.Cut(name, "?")
	args, err := url.ParseQuery(query)
	if err != nil {
		args = url.Values{}
	}
	if key := args.Get("key"); key != "" {
		args.Set("key", strings.TrimSpace(key))
	}
	name = value.NormalName(rtmp.TrimName(name))
	return rtmp.TrimName(name[prefixLen(name):]), args
}

// prefixLen is the length of the mp4: or flv: in front of a name.
func prefixLen(name string) int {
	for _, prefix := range []string{"mp4:", "flv:"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return len(prefix)
		}
	}
	return 0
}

// namePrefix is the mp4 or flv that stands before a colon in front of the name that a
// play asks for.
func namePrefix(cmd rtmp.Command) string {
	name := rtmp.TrimName(textArg(cmd, 0))
	return strings.ToLower(strings.TrimSuffix(name[:prefixLen(name)], ":"))
}

// readMedia moves the publisher's messages into the stream until it ends. Without
// an error the publisher unpublished and may publish again, or goes on as next.
func (s *session) readMedia(ctx context.Context, streamID uint32, in *ingest.Ingest, pub *origin.Publication, req *origin.PublishRequest) (next *origin.PublishRequest, err error) {
	conn := s.conn.Load()
	wait, done := s.srv.readTicks.reader(pub.Stream())
	defer done()
	conn.Pace(wait, &s.srv.readTicks.buffers)
	defer conn.Pace(nil, nil)
	defer pub.Stream().Live().Unbatched()
	for {
		m, err := conn.ReadMessage()
		switch {
		case s.kicked.Load() != nil:
			return nil, errBye
		case errors.Is(err, rtmp.ErrInterrupted):
			if to := s.redirecting.Swap(nil); to != nil && to.publication == pub {
				return s.redirected(streamID, pub, req, to)
			}
			continue
		case err != nil:
			return nil, err
		}
		switch m.Type {
		case rtmp.TypeVideo, rtmp.TypeAudio, rtmp.TypeDataAMF0, rtmp.TypeDataAMF3:
			switch err := in.Message(m); {
			case errors.Is(err, ingest.ErrTaken): // of which kick has told the client
				return nil, errBye
			case err != nil:
				return nil, &refusal{statusDenied, err.Error()}
			}
		case rtmp.TypeCommandAMF0, rtmp.TypeCommandAMF3:
			cmd, err := rtmp.ParseCommand(m)
			if err != nil {
				return nil, fmt.Errorf("command: %w", err)
			}
			done, err := s.mediaCommand(ctx, streamID, cmd)
			if err != nil {
				return nil, err
			}
			if err := conn.Flush(); err != nil && !done { // a client that unpublished need not listen
				return nil, err
			}
			if done {
				return nil, nil
			}
		}
	}
}

// mediaCommand answers a command that comes while publishing; done says that
// it ended the publishing.
func (s *session) mediaCommand(ctx context.Context, streamID uint32, cmd rtmp.Command) (done bool, err error) {
	switch name := strings.ToLower(cmd.Name); name {
	case "publish":
		if unpublishes(cmd) {
			s.leave(true)
			return true, s.answerUnpublish(streamID, "closestream", cmd)
		}
		return false, &refusal{statusBadName, "this connection publishes already"}
	case "play", "play2":
		return false, &refusal{rtmp.StatusPlayFailed, "this connection publishes: play on another one"}
	case "fcunpublish", "deletestream", "closestream":
		s.leave(true)
		return true, s.answerUnpublish(streamID, name, cmd)
	}
	return false, s.command(ctx, streamID, cmd)
}

// unpublishes reports whether a publish command names no stream: an empty string,
// false, null or nothing. That is how Wirecast, and Flash's NetStream.publish(false),
// stop.
func unpublishes(cmd rtmp.Command) bool {
	if len(cmd.Args) == 0 {
		return true
	}
	switch name := cmd.Args[0].(type) {
	case nil, amf.Undefined:
		return true
	case bool:
		return !name
	case string:
		return rtmp.TrimName(name) == ""
	}
	return false
}

// leave detaches the publisher from its stream, if it has one.
func (s *session) leave(clean bool) {
	s.mu.Lock()
	p := s.publication
	s.publication = nil
	s.mu.Unlock()
	if p != nil {
		p.Leave(clean)
	}
}
