package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// errSeated is no error: the session has become a player.
var errSeated = errors.New("playing")

// A seat is what a session that plays has taken and must give back.
type seat struct {
	streamID uint32
	playing  *playing
	told     *notice
}

// play makes the session a player of a stream, live or to come. It returns
// errSeated, or why not.
func (s *session) play(ctx context.Context, streamID uint32, cmd rtmp.Command) error {
	name, args := splitName(cmd)
	s.visits(false, rawArgs(cmd))
	if err := value.ValidStreamName(name); err != nil {
		return &refusal{rtmp.StatusPlayFailed, "bad stream name: " + err.Error()}
	}
	if err := s.enliven(rtmp.StatusPlayFailed); err != nil {
		return err
	}
	rules := s.app.rules.Load()
	name, err := s.playable(ctx, rules, name)
	if err != nil {
		return err
	}
	if rules.cfg.Hooks.OnPlay == "" && name != secretName {
		s.visit.name = name // else the hook may replace it
	}
	cfg := rules.cfg.For(name)
	if err := s.mayPlay(cfg); err != nil {
		return err
	}
	told := s.newNotice(cmd, name, name, args)
	verdict, err := told.ask(ctx, rules.cfg) // before anything is sent
	if err != nil {
		return err
	}
	taken := seat{streamID: streamID, told: told}
	if err := s.sit(&taken, rules, verdict, name); err != nil {
		if pl := taken.playing; pl != nil { // it was said to have started
			s.log.Info("play stopped", zap.String("stream", pl.name), zap.Uint64("bytes", 0), zap.Uint64("lapped", 0), s.age())
		}
		taken.giveBack()
		return err
	}
	s.seated = taken
	return errSeated
}

// secretName stands for every stream key that is asked for in the place of a name:
// as a name it would be there for all to read. No publisher can have it.
const secretName = "(hidden)"

// playable is the name that a player of name waits for, or sits at. With keys in
// force a name may be a guess at one: whoever asks for names that nobody knows is
// refused after a while, and a key is answered like any of them.
func (s *session) playable(ctx context.Context, rules *appRules, name string) (string, error) {
	ordered := s.ordered
	s.ordered = false
	if !rules.keys.inForce {
		return name, nil
	}
	key := rules.keys.holds(name)
	if known := !key && (ordered || rules.keys.names(name) || s.app.publishing(name)); known {
		return name, nil
	}
	s.hideGuess(name)
	guesses, now := s.svc.guessLimit(s.app.name), time.Now()
	if guesses.refused(s.addr, now) {
		brake(ctx)
		return "", &refusal{rtmp.StatusPlayStreamNotFound, "too many unknown stream names: try again in a minute"}
	}
	guesses.miss(s.addr, now)
	if key {
		name = secretName
	}
	return name, nil
}

// sit takes the seat that every check and hook has granted.
func (s *session) sit(taken *seat, rules *appRules, verdict hooks.Verdict, name string) error {
	cfg := rules.cfg.For(name)
	if verdict.Name != "" {
		if verdict.Name != name {
			s.hide(name)
		}
		name = verdict.Name
		cfg = rules.cfg.For(name)
		if err := s.mayPlay(cfg); err != nil {
			return err
		}
	}
	if name != secretName {
		s.visit.name = name
	}
	pl, err := s.app.seat(name, s, cfg)
	if err != nil {
		return err
	}
	taken.playing = pl
	s.srv.counters.played.Add(1)
	s.log.Info("play started", zap.String("stream", name), zap.String("player", s.connect.FlashVer))
	if now := s.app.rules.Load(); now != rules { // reloaded while the hook was asked
		if why := s.playVerdict(now, name); why != "" {
			return &refusal{rtmp.StatusPlayFailed, why}
		}
	}
	taken.told.watch()
	return s.startPlaying(taken.streamID, pl, cfg)
}

// giveBack gives up what was taken so far.
func (t *seat) giveBack() {
	if t.playing != nil {
		t.playing.session.app.unseat(t.playing)
	}
	t.told.end()
}

// stay obeys a player until it ends or plays something else, and goes on as
// commands does when it stopped playing and may play or publish again.
func (s *session) stay(ctx context.Context) error {
	taken := s.seated
	s.seated = seat{}
	pl := taken.playing
	next, err := s.playCommands(taken.streamID, pl)
	switch {
	case err == nil:
	case peersFault(err):
		s.leaveFan(0) // for who tells it so
	default:
		pl.fan.Close() // the fan would find out with the next frame, which may never come
	}
	s.visit.sent += pl.fan.Sent()
	s.log.Info("play stopped", zap.String("stream", pl.name), zap.Uint64("bytes", pl.fan.Sent()), zap.Uint64("lapped", pl.fan.Lapped()), s.age())
	taken.giveBack()
	if err == nil && next != nil { // a second play replaces the first
		err = s.play(ctx, taken.streamID, *next)
	}
	if err == nil {
		err = s.conn.Load().Flush()
	}
	if err != nil {
		return err
	}
	return s.commands(ctx)
}

// mayPlay is what is decided here, before any hook is asked.
func (s *session) mayPlay(cfg *config.Application) error {
	switch {
	case !cfg.Live:
		return &refusal{rtmp.StatusPlayFailed, "live = false for this application"}
	case !cfg.Access.Play.Allows(s.addr):
		return &refusal{rtmp.StatusPlayFailed, "access denied: playing from this address is not allowed"}
	}
	return nil
}

// A playing is a session's seat at a stream's fan.
type playing struct {
	session *session
	name    string
	house   *house
	noAudio bool // the session's goroutine's
	noVideo bool
	fan     *fanout.Player // nil until the replies are out; session.mu
	leaving atomic.Bool    // nobody tells it anything any more
}

// receive obeys receiveAudio and receiveVideo.
func (pl *playing) receive(cmd rtmp.Command) {
	on := len(cmd.Args) == 0 || cmd.Args[0] != false
	if strings.EqualFold(cmd.Name, "receiveAudio") {
		pl.noAudio = !on
	} else {
		pl.noVideo = !on
	}
	pl.fan.Receive(!pl.noAudio, !pl.noVideo)
}

// startPlaying sends the replies, in the order and words of nginx-rtmp and then
// some, and hands the socket to the fan.
func (s *session) startPlaying(streamID uint32, pl *playing, cfg *config.Application) error {
	conn := s.conn.Load()
	streamID = max(streamID, 1)
	active := s.app.publishing(pl.name)
	if err := conn.SetChunkSize(pl.house.chunkSize); err != nil {
		return err
	}
	if active {
		if err := conn.WriteUserControl(rtmp.StreamBegin, streamID); err != nil {
			return err
		}
	}
	statuses := [][2]string{{rtmp.StatusPlayReset, "Playing and resetting"}}
	if !cfg.PlayRestart || active {
		statuses = append(statuses, [2]string{rtmp.StatusPlayStart, "Start live"})
	}
	if active && cfg.PublishNotify {
		statuses = append(statuses, [2]string{rtmp.StatusPlayPublishNotify, "Start publishing"})
	}
	for _, st := range statuses {
		if err := conn.WriteStatus(streamID, "status", st[0], st[1]); err != nil {
			return err
		}
	}
	if err := conn.WriteData(streamID, "|RtmpSampleAccess", true, true); err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kicked.Load() != nil { // who shows it out found no fan to take the socket from
		return errBye
	}
	return conn.Divert(func() func([]byte) error {
		pl.fan = pl.house.fan.Join(s.nc, fanout.PlayerOptions{
			Queue: cfg.PlayerQueue, Timeout: s.svc.rules.Load().cfg.Timeout,
			WaitKey: cfg.WaitKey, WaitVideo: cfg.WaitVideo, GOPCache: cfg.GOPCache,
			Connect: &s.connect,
			Refused: func(why string) { s.kick(rtmp.StatusPlayNoSupportedTrack, why) },
			Lagged: func() { // once: how often it was in the end is in the line about its stop
				log := s.log
				s.srv.goes.Go(func() {
					log.Warn("player lags and was moved on to the newest keyframe: its connection is slower than the stream", zap.String("stream", pl.name))
				})
			},
		})
		return pl.fan.Control
	})
}

// regain takes the socket back from the fan: what completes the message under way
// goes out first, within wait.
func (s *session) regain(pl *playing, wait time.Duration, leave func() (rest []byte, ok bool)) error {
	pl.leaving.Store(true)
	rest, ok := leave()
	if !ok {
		return cmp.Or(pl.fan.Err(), fanout.ErrStuck)
	}
	if len(rest) > 0 {
		_ = s.nc.SetWriteDeadline(time.Now().Add(wait))
		if _, err := s.nc.Write(rest); err != nil {
			return err
		}
	}
	s.conn.Load().Regain(pl.fan.Unsent)
	return nil
}

// playCommands obeys a player until it stops; next is a second play.
func (s *session) playCommands(streamID uint32, pl *playing) (next *rtmp.Command, err error) {
	conn := s.conn.Load()
	leave := func() error {
		wait := cmp.Or(s.svc.rules.Load().cfg.Timeout, time.Minute)
		return s.regain(pl, wait, func() ([]byte, bool) { return pl.fan.Leave(wait) })
	}
	for {
		m, err := conn.ReadMessage()
		if errors.Is(err, rtmp.ErrInterrupted) {
			if to := s.moving.Swap(nil); to != nil && to.playing == pl && s.kicked.Load() == nil {
				s.log.Info("player redirected", zap.String("stream", pl.name), zap.String("to", to.name))
				s.ordered = true
				cmd := to.command("play", float64(-2))
				return &cmd, leave()
			}
			continue
		}
		if err != nil {
			if reason := pl.fan.Err(); reason != nil && !errors.Is(reason, fanout.ErrClosed) {
				return nil, reason
			}
			return nil, err
		}
		if m.Type != rtmp.TypeCommandAMF0 && m.Type != rtmp.TypeCommandAMF3 {
			continue
		}
		cmd, err := rtmp.ParseCommand(m)
		if err != nil {
			return nil, fmt.Errorf("command: %w", err)
		}
		switch strings.ToLower(cmd.Name) {
		case "play", "play2":
			return &cmd, leave()
		case "closestream", "deletestream":
			return nil, leave()
		case "publish": // there is one message stream, and the fan writes to it
			err = &refusal{statusBadName, "this connection plays: publish on another one"}
		case "pause", "pauseraw":
			err = s.pause(streamID, pl, cmd)
		case "receiveaudio", "receivevideo":
			pl.receive(cmd)
		case "seek":
			// A live stream has one position, and the player is at it. It must be
			// told so all the same: ffmpeg and mpv drop all media until the answer.
			err = conn.WriteStatus(max(streamID, 1), "status", rtmp.StatusSeekNotify, "The live stream goes on")
		default:
			err = s.command(context.Background(), streamID, cmd)
		}
		if err == nil {
			err = conn.Flush()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *session) pause(streamID uint32, pl *playing, cmd rtmp.Command) error {
	paused := len(cmd.Args) > 0 && cmd.Args[0] == true
	pl.fan.Pause(paused)
	code, text := rtmp.StatusUnpauseNotify, "Unpaused live"
	if paused {
		code, text = rtmp.StatusPauseNotify, "Paused live"
	}
	return s.conn.Load().WriteStatus(max(streamID, 1), "status", code, text)
}
