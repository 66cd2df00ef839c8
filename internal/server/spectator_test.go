package server

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A spectator plays a stream and keeps all that it is sent.
type spectator struct {
	*rtmp.Client
	rig  *rig
	done chan struct{}
	err  error // why it ended; after done

	mu  sync.Mutex
	all []rtmp.Message
}

// spectate connects to an application and asks to play; what the server makes
// of it is to be seen.
func (r *rig) spectate(app, name string, o dialling) *spectator {
	r.Helper()
	s := r.seated(app, name, o)
	s.read()
	return s
}

// seated is a spectator that does not read yet.
func (r *rig) seated(app, name string, o dialling) *spectator {
	r.Helper()
	return r.playing(r.mustDial(app, o).Client, name)
}

// playing asks to play on a connection.
func (r *rig) playing(c *rtmp.Client, name string) *spectator {
	r.Helper()
	for _, err := range []error{
		c.WriteCommand(0, "createStream", 2, nil),
		c.WriteCommand(1, "play", 3, nil, name, -2.0),
		c.Flush(),
	} {
		if err != nil {
			r.Fatal(err)
		}
	}
	return &spectator{Client: c, rig: r, done: make(chan struct{})}
}

func (s *spectator) read() {
	go func() {
		defer close(s.done)
		for {
			m, err := s.ReadMessage()
			if err != nil {
				s.err = err
				return
			}
			s.mu.Lock()
			s.all = append(s.all, m)
			s.mu.Unlock()
		}
	}()
	s.rig.Cleanup(func() { s.Close(); <-s.done })
}

// fanOf waits until the fan of a live stream has so many players.
func (r *rig) fanOf(app, name string, players int) *fanout.Fan {
	r.Helper()
	var fan *fanout.Fan
	r.eventually("the fan has its players", func() bool {
		if st := r.stream(app, name); st != nil {
			fan = st.Fan()
		}
		return fan != nil && fan.Players() == players
	})
	return fan
}

// frames are the media it got, headers left out.
func (s *spectator) frames() []rtmp.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(m rtmp.Message) bool {
		return m.Type != rtmp.TypeAudio && m.Type != rtmp.TypeVideo || m.Payload[1] == 0
	})
}

// first waits for the first frame.
func (s *spectator) first() rtmp.Message {
	s.rig.Helper()
	s.rig.eventually("a first frame", func() bool { return len(s.frames()) > 0 })
	return s.frames()[0]
}

// codes are the codes of the statuses it got, in order.
func (s *spectator) codes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.all {
		if m.Type == rtmp.TypeCommandAMF0 {
			if st, ok := statusIn(m); ok {
				out = append(out, st.Code)
			}
		}
	}
	return out
}

// told waits for a status that ends the connection.
func (s *spectator) told() rtmp.StatusError {
	s.rig.Helper()
	s.rig.eventually("the player is shown out", func() bool {
		select {
		case <-s.done:
			return true
		default:
			return false
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Backward(s.all) {
		if st, ok := statusIn(m); ok && m.Type == rtmp.TypeCommandAMF0 {
			return st
		}
	}
	return rtmp.StatusError{}
}

// metadata are the onMetaData messages it got.
func (s *spectator) metadata() []amf.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []amf.Object
	for _, m := range s.all {
		if m.Type != rtmp.TypeDataAMF0 {
			continue
		}
		if name, rest, err := amf.Decode(m.Payload); err == nil && name == "onMetaData" {
			v, _, err := amf.Decode(rest)
			if o, ok := amf.AsObject(v); ok && err == nil {
				out = append(out, o)
			}
		}
	}
	return out
}

func isKeyframe(m rtmp.Message) bool { return m.Type == rtmp.TypeVideo && m.Payload[0]>>4 == 1 }

// same says whether got ends with the frames that were sent last, byte for byte.
func sameFrames(t *testing.T, got, sent []rtmp.Message) {
	t.Helper()
	if len(got) == 0 || len(got) > len(sent) {
		t.Fatalf("%d frames of %d", len(got), len(sent))
	}
	for i, m := range sent[len(sent)-len(got):] {
		if g := got[i]; g.Type != m.Type || g.Timestamp != m.Timestamp || !slices.Equal(g.Payload, m.Payload) {
			t.Fatalf("frame %d of %d is %d at %d, want %d at %d", i, len(got), g.Type, g.Timestamp, m.Type, m.Timestamp)
		}
	}
}

// dialURL connects to a URL of the server.
func (r *rig) dialURL(url string, o rtmp.ClientOptions) (*rtmp.Client, error) {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	o.HandshakeTimeout = patience
	if o.DialTCP == nil {
		o.DialTCP = (&net.Dialer{}).DialContext
	}
	c, err := rtmp.Dial(ctx, url, o)
	if err == nil {
		r.Cleanup(func() { c.Close() })
	}
	return c, err
}
