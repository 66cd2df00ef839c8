package origin

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// invalidGrace is how long after an invalidation who was let in before still gets fragments:
// meanwhile every viewer is asked about again.
const invalidGrace = 2 * time.Second

// timeoutOf returns how long a viewer of a file may make no request.
func timeoutOf(cfg *config.Application, f segstore.File) time.Duration {
	if cfg.Sessions != nil {
		return cfg.Sessions.Timeout
	}
	return silenceOf(f)
}

// passLife returns how long who was let in by a token gets fragments without another request
// for the playlist: as long as on_play's word counts, or the session lasts.
func (h *viewerSet) passLife(cfg *config.Application, timeout time.Duration) time.Duration {
	if cfg.Sessions != nil {
		return timeout
	}
	return h.app.origin.audience.VerdictLife + timeout
}

// denyFor returns how long a refusal holds.
func (au *Audience) denyFor(cfg *config.Application) time.Duration {
	if cfg.Sessions != nil {
		return cfg.Sessions.DenyFor
	}
	return au.VerdictLife
}

// tokenFrom returns where a viewer's token is looked for, in this order.
func tokenFrom(cfg *config.Application) []string {
	if cfg.Sessions != nil {
		return cfg.Sessions.TokenFrom
	}
	return anywhere
}

var anywhere = []string{"query", "cookie", "bearer"}

// epoch numbers the verdicts on the viewers of h that count.
func (h *viewerSet) epoch(rules *appRules) uint64 {
	return max(rules.asked.epoch, h.invalidated.Load())
}

// sessionID identifies a viewer by what a sessions block says.
func (au *Audience) sessionID(s *config.Sessions, v *viewers.Visit, token string) viewers.ID {
	var h maphash.Hash
	h.SetSeed(au.seed)
	for _, part := range s.Identify {
		switch part { // stream: the set of viewers is that of one stream
		case "address":
			b := v.Addr.Unmap().As16()
			_, _ = h.Write(b[:])
		case "token":
			_, _ = h.WriteString(token)
		case "agent":
			_, _ = h.WriteString(v.Agent)
		case "protocol":
			_ = h.WriteByte(byte(protocolOf(v)))
		}
		_ = h.WriteByte(0xff) // in no text of UTF-8: the parts stay apart
	}
	return viewers.ID(h.Sum64())
}

func protocolOf(v *viewers.Visit) viewers.Protocol {
	return viewers.ProtocolNamed(connectorOf(v.Path))
}

// A watching is what is kept of a viewer, to ask about it again and to stop it.
type watching struct {
	id    viewers.ID
	pass  viewers.Key
	visit viewers.Visit
}

// savedRequest is a viewers.Request that is over.
type savedRequest struct{ referer, url string }

func (r savedRequest) Bearer() string          { return "" }
func (r savedRequest) Password() string        { return "" }
func (r savedRequest) Cookie(string) string    { return "" }
func (r savedRequest) Referer() string         { return r.referer }
func (r savedRequest) PublicURL(string) string { return r.url }

// watchingOf copies what is needed of a visit.
func (h *viewerSet) watchingOf(id viewers.ID, v *viewers.Visit) *watching {
	f := v.File
	return &watching{id: id, pass: h.pass(v.Addr, v.Agent), visit: viewers.Visit{
		File: segstore.File{Dir: f.Dir, App: f.App, Stream: f.Stream, Kind: f.Kind, Target: f.Target},
		Addr: v.Addr, Agent: clip(v.Agent), Query: strings.Clone(v.Query), Token: strings.Clone(v.Token), Poll: v.Poll, Now: v.Now, Path: clip(v.Path),
		Request: savedRequest{clip(v.Request.Referer()), clip(v.Request.PublicURL(v.Path))},
	}}
}

// logSession writes the one line about a session that has ended.
func (h *viewerSet) logSession(v *viewers.Viewer, f *doneCall) {
	addr := netip.Addr{}
	if f.watching != nil {
		addr = f.watching.visit.Addr
	}
	h.app.log.Info("viewer session ended", zap.String("stream", h.name), zap.Stringer("remote", addr), zap.Uint64("session", v.Serial),
		zap.Int64("dur_ms", v.Sums.Last.Sub(v.Sums.Began).Milliseconds()), zap.Uint64("bytes", v.Sums.Sent),
		zap.Strings("protocols", v.Sums.Protocols.Names()), zap.Strings("tags", v.Tags))
}

// A Session is somebody who watches.
type Session struct {
	ID          uint64
	App, Stream string
	Address     netip.Addr
	Protocols   []string // RTMP, HLS, DASH, FLV …
	Began       time.Time
	Sent        uint64 // bytes; of RTMP not known here
	Tags        []string

	viewers *viewerSet // with
	watches *watching  // or
	playing *Playing
}

// A SessionFilter selects sessions; what is zero selects all.
type SessionFilter struct {
	App, Stream string
	Protocol    string // in any case
	ID          uint64
	Tag         string
}

func (f *SessionFilter) selects(s *Session) bool {
	return (f.ID == 0 || s.ID == f.ID) && (f.Tag == "" || slices.Contains(s.Tags, f.Tag)) &&
		(f.Protocol == "" || slices.ContainsFunc(s.Protocols, func(p string) bool { return strings.EqualFold(p, f.Protocol) }))
}

// Sessions returns the sessions that a filter selects: RTMP players, and the HTTP viewers of
// applications with a sessions block.
func (og *Origin) Sessions(f SessionFilter) (out []Session) {
	now := time.Now()
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			if f.App != "" && a.name != f.App {
				continue
			}
			a.mu.Lock()
			var sets []*viewerSet
			for name, h := range a.viewers {
				if f.Stream == "" || name == f.Stream {
					sets = append(sets, h)
				}
			}
			var players []*Playing
			for _, by := range []map[string]*playerSet{a.players, a.files} {
				for _, set := range by {
					for p := range set.members {
						if f.Stream == "" || p.name == f.Stream {
							players = append(players, p)
						}
					}
				}
			}
			a.mu.Unlock()
			for _, p := range players {
				d := p.player.Describe()
				s := Session{ID: d.ID, App: a.name, Stream: p.name, Address: p.addr, Protocols: []string{"RTMP"}, Began: d.Since, Tags: p.tagList(), playing: p}
				if !d.Leaving && f.selects(&s) {
					out = append(out, s)
				}
			}
			for _, h := range sets {
				for _, w := range h.counter.Viewers(now) {
					info, ok := w.Info.(*doneCall)
					if !ok || info.watching == nil {
						continue
					}
					s := Session{
						ID: w.Serial, App: a.name, Stream: h.name, Address: info.watching.visit.Addr, Protocols: w.Sums.Protocols.Names(),
						Began: w.Sums.Began, Sent: w.Sums.Sent, Tags: w.Tags, viewers: h, watches: info.watching,
					}
					if f.selects(&s) {
						out = append(out, s)
					}
				}
			}
		}
	}
	slices.SortFunc(out, func(x, y Session) int { return int(min(max(int64(x.ID)-int64(y.ID), -1), 1)) })
	return out
}

const whySessionStopped = "stopped by an operator"

// StopSessions ends sessions: RTMP players are disconnected, and HTTP viewers get nothing
// until they ask for the playlist anew, as somebody who has just come.
func (og *Origin) StopSessions(f SessionFilter) int {
	all := og.Sessions(f)
	for i := range all {
		all[i].stop(whySessionStopped)
	}
	if len(all) > 0 {
		og.Log.Info("sessions stopped", zap.String("app", f.App), zap.String("stream", f.Stream), zap.Int("sessions", len(all)))
	}
	return len(all)
}

func (s *Session) stop(why string) {
	if s.playing != nil {
		s.playing.player.Kick(Reason{RuleDenied, why})
		return
	}
	s.viewers.remove(s.watches)
}

// remove ends the session of a viewer.
func (h *viewerSet) remove(w *watching) {
	h.app.origin.audience.verdicts.Revoke(w.pass)
	if h.counter.Remove(w.id) {
		h.sayGone(h.counter.Expire(time.Now()))
	}
}

// TagSessions gives sessions a tag, and returns how many have it now.
func (og *Origin) TagSessions(f SessionFilter, tag string) (n int) {
	for _, s := range og.Sessions(f) {
		if s.playing != nil && s.playing.tag(tag) || s.playing == nil && s.viewers.counter.Tag(s.watches.id, tag) {
			n++
		}
	}
	return n
}

// InvalidateSessions has every viewer of a stream decided upon again, at once: who was let
// in and who was refused. stream may be empty: all. It returns how many sessions there are.
func (og *Origin) InvalidateSessions(app, stream string) int {
	all := og.Sessions(SessionFilter{App: app, Stream: stream})
	now := time.Now()
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			if app != "" && a.name != app {
				continue
			}
			a.mu.Lock()
			for name, h := range a.viewers {
				if stream == "" || name == stream {
					h.invalidatedAt.Store(now.UnixNano())
					h.invalidated.Store(og.epochs.Add(1))
				}
			}
			a.mu.Unlock()
		}
	}
	places := make(chan struct{}, maxReviews)
	for i := range all {
		s := &all[i]
		og.goes.Go(func() {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-og.ctx.Done():
				return
			}
			s.review()
		})
	}
	if len(all) > 0 {
		og.Log.Info("sessions invalidated", zap.String("app", app), zap.String("stream", stream), zap.Int("sessions", len(all)))
	}
	return len(all)
}

// maxReviews bounds the concurrent questions about viewers of one invalidation.
const maxReviews = 64

// review decides on a session again.
func (s *Session) review() {
	if s.playing != nil {
		s.playing.review()
		return
	}
	h, w := s.viewers, s.watches
	rules := h.app.rules.Load()
	v := w.visit
	v.Now = time.Now()
	epoch := h.epoch(rules)
	if rules.asksHTTP(h.name) {
		if err := h.ask(h.app.origin.ctx, rules, w.id, v, timeoutOf(rules.cfg, v.File)); err != nil {
			h.remove(w)
			return
		}
	}
	if h.counter.Confirm(w.id, epoch) {
		h.app.origin.audience.verdicts.LetPass(w.pass, v.Now.Add(timeoutOf(rules.cfg, v.File)), epoch)
	}
}
