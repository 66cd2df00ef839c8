package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A petition is a name that a publisher is to have.
type petition struct {
	cmd   rtmp.Command
	typed string // the name as it was written; may be a secret
	args  url.Values
	name  string // public

	// Of a publisher that an operator moves; nil for one that begins.
	in       *ingest // goes on with the new stream
	metadata []byte
}

// publish decides in the one order there is (docs/architecture.md): access,
// limits, key, busy?, hooks, name taken, Publish.Start, outputs. Nothing with an
// effect happens before all have agreed.
func (s *session) publish(ctx context.Context, streamID uint32, cmd rtmp.Command) error {
	if err := s.enliven(statusDenied); err != nil {
		return err
	}
	rules := s.app.rules.Load() // one snapshot for the whole decision
	p, err := s.identify(rules, cmd)
	for p != nil && err == nil {
		p, err = s.publishAs(ctx, streamID, rules, p)
		rules = s.app.rules.Load() // a move is a decision of its own
	}
	return err
}

// identify judges who publishes and makes a public name of what was typed.
func (s *session) identify(rules *appRules, cmd rtmp.Command) (*petition, error) {
	typed, args := splitName(cmd)
	s.visits(true, rawArgs(cmd))
	// With keys or a hook it may be a secret, or nearly one.
	if !rules.keys.inForce && rules.cfg.Hooks.OnPublish == "" && value.ValidStreamName(typed) == nil {
		s.visit.name = typed
	}
	switch { // 1. local and cheap first
	case !rules.cfg.Live:
		return nil, &refusal{statusDenied, "live = false for this application"}
	case !rules.cfg.Access.Publish.Allows(s.addr):
		return nil, &refusal{statusDenied, "access denied: publishing from this address is not allowed"}
	}
	seen := presented{typed: idOf(typed), arg: idOf(args.Get("key")), name: typed}
	guesses := s.svc.guessLimit(s.app.name)
	if !guesses.admits(s.addr, seen, time.Now()) { // 2. limits
		s.hideGuess(typed, args.Get("key"))
		return nil, &refusal{statusDenied, "too many wrong stream keys: try again in a minute"}
	}
	name, who, err := rules.identify(seen, s.addr, time.Now()) // 3. secret → public name; the secret ends here
	if err != nil {
		s.hideGuess(typed, args.Get("key"))
		return nil, s.refuseName(rules, err, typed, args.Get("key"))
	}
	guesses.hit(s.addr, who.key)
	if rules.keys.inForce && who.holder != "" && name != typed {
		seen.name = ""
	}
	s.mu.Lock()
	s.seen, s.owner, s.keyName = seen, who, name
	s.mu.Unlock()
	return &petition{cmd: cmd, typed: typed, args: args, name: name}, nil
}

// publishAs has s publish what p says until it ends, or is moved to next.
func (s *session) publishAs(ctx context.Context, streamID uint32, rules *appRules, p *petition) (next *petition, err error) {
	name, cfg := p.name, rules.cfg
	told := s.newNotice(p.cmd, name, p.typed, p.args)
	if cfg.Hooks.OnPublish == "" || s.owner.holder != "" {
		s.visit.name = name
	}
	if err := s.app.mayClaim(name, s); err != nil { // 4. busy? nothing is taken yet
		return nil, &refusal{statusBadName, err.Error()}
	}
	verdict, err := told.ask(ctx, cfg) // 5. the client waits, TCP holds its bytes
	if err != nil {
		return nil, err
	}
	if verdict.Name != "" && verdict.Name != p.typed {
		s.hide(p.typed)
	}
	name = verdict.NameOr(name)
	s.visit.name = name
	st, err := s.app.claim(name, s) // 6. take it; looked at again, for others ask too
	if err != nil {
		told.end() // the hook had agreed
		return nil, &refusal{statusBadName, err.Error()}
	}
	s.notice = told
	st.notice.Store(told)
	s.mu.Lock()
	s.stream = st
	s.mu.Unlock()
	s.published = true
	s.settled.Store(true)
	if now := s.app.rules.Load(); now != rules { // reloaded while the hook was asked
		if why := s.verdict(now, name); why != "" {
			s.condemned.Store(true)
			return nil, &refusal{statusDenied, why}
		}
	}
	told.watch()
	s.srv.counters.published.Add(1)
	s.announce(name, p.metadata)
	s.watchIdle(cfg.For(name).DropIdlePublisher)

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
	if p.metadata != nil {
		st.describe(s, p.metadata)
	}
	return s.readMedia(ctx, streamID, st, p.in) // 7.
}

// refuseName turns a failed identification into what the client hears. A
// secret that was close is not told from one that was not. Who types a stream's
// public name in its place knows that already.
func (s *session) refuseName(rules *appRules, err error, typed, key string) error {
	if !rules.keys.inForce {
		return &refusal{statusBadName, "bad stream name: " + err.Error()}
	}
	s.svc.guessLimit(s.app.name).miss(s.addr, time.Now())
	switch {
	case errors.Is(err, errKeyTime), errors.Is(err, errKeyName):
		return &refusal{statusDenied, err.Error()}
	case key == "" && rules.keys.names(typed):
		return &refusal{statusDenied, "this is the name that viewers see, not its stream key: the key is the secret that goes with it (in OBS: Settings, Stream, Stream Key)"}
	}
	return &refusal{statusDenied, "wrong stream key: this application wants one (in OBS: Settings, Stream, Stream Key)"}
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
	for _, prefix := range []string{"mp4:", "flv:"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return rtmp.TrimName(name[len(prefix):]), args
		}
	}
	return name, args
}

// readMedia moves the publisher's messages into the stream until it ends; in is
// what it did before, in another. Without an error the publisher said good-bye
// and may publish again, or goes on as next.
func (s *session) readMedia(ctx context.Context, streamID uint32, st *stream, in *ingest) (next *petition, err error) {
	conn := s.conn.Load()
	conn.Pace(s.srv.beats.reader(st))
	defer conn.Pace(nil)
	base, epoch := st.begin(s)
	if in == nil {
		in = &ingest{session: s, demuxer: flv.NewDemuxer(base, epoch)}
	} else {
		in.demuxer.Restart(base, epoch)
	}
	in.stream = st
	for {
		m, err := conn.ReadMessage()
		switch {
		case s.kicked.Load() != nil:
			return nil, errBye
		case errors.Is(err, rtmp.ErrInterrupted):
			if to := s.moving.Swap(nil); to != nil && to.stream == st {
				return s.movePublisher(streamID, st, in, to)
			}
			continue
		case err != nil:
			return nil, err
		}
		switch m.Type {
		case rtmp.TypeVideo, rtmp.TypeAudio:
			in.now = time.Now()
			s.sawMedia(in.now)
			s.timestamp.Store(m.Timestamp)
			if !in.media(m) {
				return nil, in.over()
			}
		case rtmp.TypeDataAMF0, rtmp.TypeDataAMF3:
			in.now = time.Now()
			if !in.script(m) {
				return nil, in.over()
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
			if err := conn.Flush(); err != nil && !done { // who said good-bye need not listen
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
	st := s.stream
	s.stream = nil
	s.mu.Unlock()
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	if st == nil {
		return
	}
	s.app.detach(st, s, clean)
	s.notice.end() // at once: a grace is no business of the hooks
	s.notice = nil
	if s.announced != nil { // else it was refused by new rules before
		s.announced.end()
		s.announced = nil
	}
	s.log.Info("publish stopped", zap.String("stream", st.name), zap.Bool("clean", clean), s.age())
}

// watchIdle arms drop_idle_publisher: from now on, and again at each message.
func (s *session) watchIdle(limit time.Duration) {
	s.sawMedia(time.Now())
	if limit <= 0 {
		return
	}
	last := func() time.Time { return s.srv.started.Add(time.Duration(s.lastMedia.Load())) }
	s.idle = s.srv.awake.Watch(limit, last, func() {
		s.kick(statusDenied, fmt.Sprintf("no media for %s (drop_idle_publisher)", limit))
	})
}

func (s *session) sinceMedia() time.Duration {
	return time.Since(s.srv.started) - time.Duration(s.lastMedia.Load())
}

func (s *session) sawMedia(now time.Time) { s.lastMedia.Store(int64(now.Sub(s.srv.started))) }

// ingest is one run of a publisher's messages into a stream.
type ingest struct {
	session *session
	stream  *stream
	demuxer *flv.Demuxer
	now     time.Time     // when the present message arrived
	repairs flv.Repairs   // told already
	defects media.Defects // said already
	warned  bool          // of a data message

	headers headers
	told    ration // changes of metadata
	refused error  // ends the session
}

// over is why nothing more is taken: what is wrong, else that another publisher
// has the stream now, of which kick has told the client.
func (in *ingest) over() error {
	if in.refused != nil {
		return in.refused
	}
	return errBye
}

// media takes one audio or video message; false means that it was the last: see
// over.
func (in *ingest) media(m rtmp.Message) bool {
	in.demuxer.Arrived(in.now)
	var p *media.Packet
	var err error
	if m.Type == rtmp.TypeVideo {
		p, err = in.demuxer.Video(m.Timestamp, m.Payload)
	} else {
		p, err = in.demuxer.Audio(m.Timestamp, m.Payload)
	}
	if r := in.demuxer.Repairs(); r != in.repairs {
		in.repairs = r
		in.stream.repaired(in.session, r)
	}
	return in.put(p, err)
}

// script takes a data message: metadata describes the stream, others
// (onTextData, onCuePoint, onFI) go to its players.
func (in *ingest) script(m rtmp.Message) bool {
	body := m.Payload
	if m.Type == rtmp.TypeDataAMF3 && len(body) > 0 {
		body = body[1:] // the format, which is AMF0 with AMF3 values in it
	}
	meta, ok, err := flv.ParseMetadata(body)
	switch {
	case errors.Is(err, flv.ErrUnsupported):
		return in.passOver(err)
	case ok:
		in.session.announced.say(meta.Encoder)
		if known := in.stream.live.Metadata(); known != nil && bytes.Equal(known.Raw, meta.Raw) {
			return true
		}
		if !in.told.take(in.now) {
			return in.passOver(errors.New("onMetaData changes too often: not passed on"))
		}
		in.stream.describe(in.session, meta.Raw)
		return true
	}
	p, _ := in.demuxer.Data(m.Timestamp, body) // one without a name is passed over, and counted
	return in.put(p, nil)
}

// passOver leaves out a data message that can't be taken.
func (in *ingest) passOver(err error) bool {
	if !in.warned {
		in.warned = true // once per publisher: a broken encoder repeats itself
		in.session.log.Warn("bad data message", zap.String("stream", in.stream.name), zap.Error(err))
	}
	return true
}

// put appends what the demuxer made of a message.
func (in *ingest) put(p *media.Packet, err error) bool {
	if now := in.demuxer.Defects(); now != in.defects {
		in.defects = now
		in.stream.complain(in.session, now, in.now, err)
	}
	if p == nil {
		return true
	}
	if !in.headers.allow(p, in.now) {
		in.refused = errHeaders
		return false
	}
	return in.stream.put(in.session, p, in.now)
}
