package origin

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A keepOut is the publishers that an operator has kicked for a while.
type keepOut struct {
	mu    sync.Mutex
	until map[keptOut]time.Time
}

// keptOut identifies a publisher: by its key, or without one by its address and the
// name published.
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
func (og *Origin) Kick(app, name string, d time.Duration) (n int) {
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			if a.name == app && a.kick(name, d) {
				n++
			}
		}
	}
	if n > 0 {
		og.Log.Info("kick", zap.String("app", app), zap.String("stream", name), zap.Duration("for", d))
	}
	return n
}

func (a *Application) kick(name string, d time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.streams[name]
	if st == nil {
		return false
	}
	if d > 0 {
		a.origin.keptOut.add(keptOutBy(a.name, st.owner, name), time.Now().Add(d))
	}
	why := Reason{RuleEnded, whyKicked}
	switch p := st.publication; {
	case p == nil:
		a.endOrGoOnLocked(st, whyKicked)
	case p.slate:
		p.publisher.Kick(why)
		for _, back := range st.waiting { // for their first keyframe
			if d > 0 {
				a.origin.keptOut.add(keptOutBy(a.name, back.owner, name), time.Now().Add(d))
			}
			back.evict(why)
		}
		st.detachLocked()
		a.endLocked(st, whyKicked)
	default:
		p.evict(why)
	}
	return true
}
