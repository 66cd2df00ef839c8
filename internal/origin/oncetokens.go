package origin

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// onceTokens are the tokens for one viewer that have been used, and by whom. They are
// remembered until they have expired, beyond a restart, too.
type onceTokens struct {
	mu   sync.Mutex
	used map[viewers.Key]usedToken
	// recent is who has shown which of them lately: it asks again every few seconds.
	recent map[onceName]onceUser
	kept   onceFile
}

type onceName struct{ app, id string }

type onceUser struct {
	source netip.Addr
	agent  string
}

// maxOnceAgent and maxOnceID bound what recent has.
const maxOnceAgent, maxOnceID = 256, 64

type usedToken struct {
	by    viewers.Key
	until time.Time
}

// maxOnceTokens bounds them: some 5 MB. When so many are in use, no other one is taken.
const maxOnceTokens = 1 << 15

// take reports whether who shows a token may use it: the first to do so, and no other.
func (o *onceTokens) take(c *viewtoken.Claims, app string, s credential, now time.Time, overtime time.Duration) bool {
	name, user := onceName{app, c.ID}, onceUser{listen.SourceOf(s.addr.Unmap()).Addr(), s.agent}
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, there := o.recent[name]; there && known == user {
		return true
	}
	if !o.takeAnew(c, app, s, now, overtime) {
		return false
	}
	if len(s.agent) <= maxOnceAgent && len(c.ID) <= maxOnceID {
		if len(o.recent) >= maxOnceTokens || o.recent == nil {
			o.recent = make(map[onceName]onceUser)
		}
		// Clones, because a request's strings keep the whole of it.
		o.recent[onceName{app, strings.Clone(c.ID)}] = onceUser{user.source, strings.Clone(user.agent)}
	}
	return true
}

// takeAnew is take for who is not in recent. mu is held.
func (o *onceTokens) takeAnew(c *viewtoken.Claims, app string, s credential, now time.Time, overtime time.Duration) bool {
	id := viewers.KeyOf(0, 0, netip.Addr{}, app, c.ID)
	by := whoShows(s)
	if o.used == nil {
		o.used = o.kept.read(now)
	}
	if u, there := o.used[id]; there {
		return u.by == by
	}
	if len(o.used) >= maxOnceTokens {
		for other, u := range o.used {
			if now.After(u.until) {
				delete(o.used, other)
			}
		}
		if len(o.used) >= maxOnceTokens {
			return false
		}
	}
	u := usedToken{by, c.Expires.Add(overtime)}
	o.used[id] = u
	o.kept.add(id, u, o.used)
	return true
}

// keepIn says which directory remembers the tokens, until they are needed.
func (o *onceTokens) keepIn(stateDir string, log *zap.Logger) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.used == nil {
		o.kept = onceFile{dir: stateDir, log: log}
	}
}

// recently remembers for a while what has been said.
type recently struct {
	mu   sync.Mutex
	said map[viewers.Key]time.Time
}

const (
	maxRecently = 4096
	saidFor     = time.Minute
)

// first reports whether a thing was not said within saidFor, or there are too many things
// to say.
func (r *recently) first(what viewers.Key, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, there := r.said[what]; there && now.Sub(t) < saidFor {
		return false
	}
	if len(r.said) >= maxRecently {
		for k, t := range r.said {
			if now.Sub(t) >= saidFor {
				delete(r.said, k)
			}
		}
		if len(r.said) >= maxRecently {
			return false
		}
	}
	if r.said == nil {
		r.said = make(map[viewers.Key]time.Time)
	}
	r.said[what] = now
	return true
}
