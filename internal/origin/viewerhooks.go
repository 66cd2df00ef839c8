package origin

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

const (
	// verdictLife is how long on_play's word about a viewer counts, and
	// noAnswerLife how long that it could not be asked.
	verdictLife  = time.Minute
	noAnswerLife = 5 * time.Second
	// verdictKept is how long a yes holds beyond that while the hook is silent:
	// the default of sessions.deny_for.
	verdictKept = 10 * time.Minute
	// maxSaid bounds what is kept of each thing a viewer says of itself.
	maxSaid = 512
)

// asksHTTP says whether on_play or a trigger is asked about the HTTP viewers of a stream.
func (r *appRules) asksHTTP(stream string) bool {
	return asksOnPlay(r.cfg) || r.asksTriggers() && slices.ContainsFunc(viewerTriggers, func(h hooks.Hook) bool { return len(r.triggers.For(h, stream)) > 0 })
}

func asksOnPlay(cfg *config.Application) bool { return cfg.Hooks.OnPlay != "" && cfg.Hooks.OnPlayHTTP }

// viewerTriggers are asked about HTTP viewers, in this order.
var viewerTriggers = []hooks.Hook{hooks.ConnOpen, hooks.PlayRewrite, hooks.ConnPlay, hooks.UserNew}

// asksTriggers says whether a trigger is asked about the HTTP viewers of some stream.
func (r *appRules) asksTriggers() bool { return slices.ContainsFunc(viewerTriggers, r.triggers.Has) }

// guards says whether HTTP viewers of some stream of an application are asked for anything:
// a hook about them, or for a token.
func (r *appRules) guards() bool {
	return asksOnPlay(r.cfg) || r.asksTriggers() || slices.ContainsFunc(r.cfg.WithStreams(), func(a *config.Application) bool { return a.Tokens != nil })
}

// meters says whether it is counted what each viewer is sent: for its session, for USER_END
// or STREAM_END.
func (r *appRules) meters() bool {
	return r.cfg.Sessions != nil || r.triggers.Has(hooks.UserEnd) || r.triggers.Has(hooks.StreamEnd)
}

// sameTokens says whether two configurations ask viewers for the same tokens.
func sameTokens(a, b *config.Application) bool {
	x, y := a.WithStreams(), b.WithStreams()
	return slices.EqualFunc(x, y, func(a, b *config.Application) bool { return config.Equal(a.Tokens, b.Tokens) })
}

// guardsStream says whether the viewers of one of its streams are.
func (r *appRules) guardsStream(name string) bool {
	return r.asksHTTP(name) || r.tokensFor(name) != nil
}

// asked is since when an application's on_play is the one it is.
type asked struct {
	epoch uint64 // of the verdicts that count
	since time.Time
	open  bool // before that everybody was let in
}

// pass names what a yes to a viewer of h lets through.
func (h *viewerSet) pass(addr netip.Addr, agent string) viewers.Key {
	return viewers.KeyOf(h.app.id, 0, addr, h.name, agent)
}

// ask asks on_play about a viewer, unless its answer is remembered.
func (h *viewerSet) ask(ctx context.Context, rules *appRules, id viewers.ID, v viewers.Visit, grace time.Duration) error {
	cfg := rules.cfg
	serial := h.counter.Serial(id, v.Now)
	query := v.Query
	if v.Token != "" {
		query += "&" + v.Token // the whole query
	}
	epoch := h.epoch(rules)
	q := viewers.Question{
		// A viewer that was gone is another one, with a number of its own.
		Yes:  viewers.KeyOf(epoch, serial, v.Addr, h.name, v.Agent, query),
		No:   viewers.KeyOf(epoch, 0, v.Addr, h.name, v.Agent, query),
		Pass: h.pass(v.Addr, v.Agent), Grace: grace, Epoch: epoch,
		Keep: verdictKept, NoAnswer: gaveNoAnswer,
	}
	if cfg.Sessions != nil { // a session is one question, whatever its requests look like
		q.Yes = viewers.KeyOf(epoch, serial, netip.Addr{}, h.name, "session")
		q.No = viewers.KeyOf(epoch, uint64(id), netip.Addr{}, h.name, "refused")
		q.Keep = 0
	}
	if err, ok := h.app.origin.audience.verdicts.Remembered(&q, v.Now); ok {
		return err
	}
	return h.askAnew(ctx, rules, q, serial, v)
}

// askAnew asks on_play about a viewer for which no answer is remembered.
func (h *viewerSet) askAnew(ctx context.Context, rules *appRules, q viewers.Question, serial uint64, v viewers.Visit) error {
	og, life, cfg := h.app.origin, h.app.origin.audience.VerdictLife, rules.cfg
	denied := og.audience.denyFor(cfg)
	return og.audience.verdicts.Ask(ctx, &q, v.Now, func() (time.Duration, error) {
		from, stream := h.session(serial, v)
		// The request that asked may end: others wait for the same answer.
		onPlay := cfg.Hooks.OnPlay
		if !cfg.Hooks.OnPlayHTTP {
			onPlay = ""
		}
		verdict, err := h.app.hooks.Ask(og.ctx, onPlay, &cfg.Notify, hooks.Play(from, stream, -2, 0, false))
		var no *hooks.Refusal
		switch {
		case errors.As(err, &no):
			if no.Status == 0 {
				return noAnswerLife, silent{&viewers.Denial{Status: 403, Reason: no.Reason}} // the caller has logged it
			}
			return denied, h.refuse(v, no.Reason)
		case err != nil:
			return 0, err
		case verdict.Name != "" && verdict.Name != h.name:
			// The player would go on asking for this URL, and the other name
			// may be nobody's to know.
			return denied, h.refuse(v, "on_play names another stream, which is for RTMP players: a URL stays what it is")
		case verdict.Relay != "":
			h.app.demand(h.name, verdict.Relay)
		}
		if !rules.asksTriggers() {
			return life, nil
		}
		return h.askTriggers(og.ctx, rules, serial, v)
	})
}

// gaveNoAnswer says that a refusal is for want of an answer.
func gaveNoAnswer(err error) bool { return errors.As(err, new(silent)) }

// silent is a refusal because on_play gave no answer. Whom it let in before stays.
type silent struct{ error }

// Unwrap is for errors.As.
func (s silent) Unwrap() error { return s.error }

// refuse logs a viewer that on_play does not let in.
func (h *viewerSet) refuse(v viewers.Visit, reason string) error {
	h.app.log.Info("viewer refused", zap.String("stream", h.name), zap.Stringer("remote", v.Addr), zap.String("reason", reason))
	return &viewers.Denial{Status: 403, Reason: reason}
}

// session describes a viewer for the hooks.
func (h *viewerSet) session(serial uint64, v viewers.Visit) (hooks.Session, hooks.Stream) {
	return hooks.Session{
		App: h.app.name, FlashVer: clip(v.Agent), PageURL: clip(v.Request.Referer()), TCURL: clip(v.Request.PublicURL(v.Path)),
		Addr: v.Addr.String(), ClientID: serial,
	}, hooks.Stream{Name: h.name, Args: strings.Clone(v.Query)}
}

// clip copies: the rest of the request is not to be kept with it.
func clip(s string) string { return strings.Clone(s[:min(len(s), maxSaid)]) }

// A doneCall is what on_play_done and on_done get for a viewer that is gone.
type doneCall struct {
	watching *watching // nil: the application has no sessions block
	from     hooks.Session
	stream   hooks.Stream
	size     int64

	visit *hooks.Visit // for CONN_CLOSE and USER_END
	came  time.Time
}

// maxDoneBytes bounds the bytes that doneCalls hold: no hook hears of viewers beyond.
const maxDoneBytes = 32 << 20

// doneCall is nil where no hook is to be called.
func (h *viewerSet) doneCall(rules *appRules, id viewers.ID, v viewers.Visit) *doneCall {
	cfg := rules.cfg
	told := cfg.Hooks.OnPlayHTTP && (cfg.Hooks.OnPlayDone != "" || cfg.Hooks.OnDone != "")
	visited := rules.triggers.Has(hooks.UserEnd) || rules.triggers.Has(hooks.ConnClose)
	if !told && !visited && cfg.Sessions == nil {
		return nil
	}
	f := &doneCall{came: v.Now}
	if visited {
		f.visit = &hooks.Visit{Conn: h.conn(v), Token: visitToken(v)}
		f.size += int64(256 + len(f.visit.URL) + len(f.visit.Token))
	}
	if cfg.Sessions != nil {
		f.watching = h.watchingOf(id, &v)
	}
	f.from, f.stream = h.session(0, v)
	f.size += int64(256 + len(f.from.FlashVer) + len(f.from.PageURL) + len(f.from.TCURL) + len(f.stream.Args))
	if said := &h.app.origin.audience.said; said.Add(f.size) > maxDoneBytes {
		said.Add(-f.size)
		return nil
	}
	return f
}

// drop gives up a doneCall.
func (h *viewerSet) drop(f *doneCall) {
	if f != nil {
		h.app.origin.audience.said.Add(-f.size)
	}
}

// sayGone tells on_play_done and on_done, as of RTMP players.
func (h *viewerSet) sayGone(gone []viewers.Viewer) {
	if len(gone) == 0 {
		return
	}
	rules := h.app.rules.Load()
	cfg := rules.cfg
	for _, g := range gone {
		f, ok := g.Info.(*doneCall)
		if !ok {
			continue
		}
		h.drop(f)
		if f.visit != nil {
			f.visit.Sent, f.visit.Tags = g.Sums.Sent, g.Tags
			h.sayVisitEnd(rules, f, g.Serial)
		}
		if cfg.Sessions != nil {
			h.logSession(&g, f)
		}
		if !cfg.Hooks.OnPlayHTTP {
			continue
		}
		f.from.ClientID = g.Serial
		h.app.hooks.Tell(&cfg.Notify, hooks.Subject{Session: g.Serial},
			hooks.Call{Target: cfg.Hooks.OnPlayDone, Event: hooks.PlayDone(f.from, f.stream)},
			hooks.Call{Target: cfg.Hooks.OnDone, Event: hooks.Done(f.from, f.stream)})
	}
}
