package server

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A keepOut is the publishers that an operator has kicked for a while.
type keepOut struct {
	mu    sync.Mutex
	until map[keptOut]time.Time
}

// keptOut is a publisher: who has a key is known by it, anyone else by the address
// and the name published.
type keptOut struct {
	app    string
	key    keyID
	addr   netip.Addr
	stream string
}

func keptOutBy(app string, o owner, stream string) keptOut {
	if o.key != (keyID{}) {
		return keptOut{app: app, key: o.key}
	}
	return keptOut{app: app, addr: o.addr, stream: stream}
}

func (k *keepOut) add(who keptOut, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until == nil {
		k.until = make(map[keptOut]time.Time)
	}
	for other, t := range k.until {
		if !time.Now().Before(t) {
			delete(k.until, other)
		}
	}
	k.until[who] = until
}

// why says why a publisher is kept out; empty if it is not.
func (k *keepOut) why(who keptOut) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if left := time.Until(k.until[who]); left > 0 {
		return fmt.Sprintf("kept out by an operator for another %s", max(left.Round(time.Second), time.Second))
	}
	return ""
}

const whyKicked = "kicked by an operator"

// Kick ends the publisher of a stream, or the wait for it to come back, and keeps it
// out for d. It says how many there were: an application may be in several rtmp blocks.
func (s *Server) Kick(app, name string, d time.Duration) (n int) {
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	for _, v := range services {
		for _, a := range v.all() {
			if a.name == app && a.kick(name, d) {
				n++
			}
		}
	}
	if n > 0 {
		s.log.Info("kick", zap.String("app", app), zap.String("stream", name), zap.Duration("for", d))
	}
	return n
}

func (a *application) kick(name string, d time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.streams[name]
	if st == nil {
		return false
	}
	if d > 0 {
		a.srv.keptOut.add(keptOutBy(a.name, st.owner, name), time.Now().Add(d))
	}
	if st.publisher == nil {
		a.endLocked(st, whyKicked)
		return true
	}
	st.publisher.condemned.Store(true) // its name is not kept for it
	st.publisher.kick(rtmp.StatusUnpublishNotify, whyKicked)
	return true
}
