package rtmpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// errPlaying is no error: the session has become a player.
var errPlaying = errors.New("playing")

// play makes the session a player of a stream, live or to come. It returns
// errPlaying, or why not.
func (s *session) play(ctx context.Context, streamID uint32, cmd rtmp.Command) error {
	ordered := s.ordered
	s.ordered = false
	name, args := splitName(cmd)
	s.visits(false, rawArgs(cmd))
	if err := s.app.CheckPlayName(name); err != nil {
		return &refusal{rtmp.StatusPlayFailed, err.Error()}
	}
	if err := s.enliven(rtmp.StatusPlayFailed); err != nil {
		return err
	}
	reset, _ := argAt(cmd, 3).(bool)
	req := &origin.PlayRequest{
		Log: s.log, Address: s.addr, Name: name, Prefix: namePrefix(cmd), Args: args, RawArgs: rawArgs(cmd), Ordered: ordered, Away: s.away, Via: s.connect.Via,
		Fetching: func() { s.settled.Store(true) },
		Start:    numberArg(cmd, 1), Duration: numberArg(cmd, 2), Reset: reset,
	}
	pl := &player{session: s, streamID: max(streamID, 1), start: req.Start, duration: req.Duration}
	playing, err := s.app.Play(ctx, req, pl)
	s.visit.name = req.Public
	if err != nil {
		return refused(err, playerCode)
	}
	pl.playing = playing
	s.mu.Lock()
	s.player = pl
	s.mu.Unlock()
	s.settled.Store(true)
	start := s.startPlaying
	if playing.File() != nil {
		start = s.startFile
	}
	if err := start(pl); err != nil {
		playing.LogStopped(s.log, 0, 0) // it was said to have started
		s.leavePlaying(pl)
		return err
	}
	return errPlaying
}

// leavePlaying gives up the player's place.
func (s *session) leavePlaying(pl *player) {
	s.mu.Lock()
	s.player = nil
	s.mu.Unlock()
	pl.playing.Leave()
}

// stay carries out the commands of a player until it ends or plays something else, and goes on as
// commands does when it stopped playing and may play or publish again.
func (s *session) stay(ctx context.Context) error {
	pl := s.player
	var next *rtmp.Command
	var err error
	var sent, lapped uint64
	if pl.file != nil {
		next, err = s.stayWithFile(pl)
		sent = pl.file.sent()
	} else {
		next, err = s.stayWithFan(pl)
		sent, lapped = pl.fan.Sent(), pl.fan.Lapped()
	}
	s.visit.sent += sent
	pl.playing.LogStopped(s.log, sent, lapped)
	s.leavePlaying(pl)
	if err == nil && next != nil { // a second play replaces the first
		err = s.play(ctx, pl.streamID, *next)
	}
	if err == nil {
		err = s.conn.Load().Flush()
	}
	if err != nil {
		return err
	}
	return s.commands(ctx)
}

// stayWithFan carries out the commands of a player of a stream until it ends or plays
// something else.
func (s *session) stayWithFan(pl *player) (next *rtmp.Command, err error) {
	next, err = s.playCommands(pl)
	switch {
	case err == nil:
	case peersFault(err):
		s.leaveFan(0) // for who tells it so
	default:
		pl.fan.Close() // the fan would find out with the next frame, which may never come
	}
	return next, err
}

// startPlaying sends the replies, in the order and words of nginx-rtmp and then
// some, and hands the socket to the fan.
func (s *session) startPlaying(pl *player) error {
	conn, streamID := s.conn.Load(), pl.streamID
	cfg := s.app.Config(pl.playing.Name())
	active := s.app.HasStream(pl.playing.Name())
	if err := conn.SetChunkSize(pl.playing.ChunkSize()); err != nil {
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
		pl.fan = pl.playing.Fan().Join(s.nc, fanout.PlayerOptions{
			Queue: cfg.PlayerQueue, Timeout: s.block.Config().Timeout,
			WaitKey: cfg.WaitKey, WaitVideo: cfg.WaitVideo, GOPCache: cfg.GOPCache,
			Connect: &s.connect,
			Refused: func(why string) { s.kick(rtmp.StatusPlayNoSupportedTrack, why) },
			Lagged: func() { // once: how often it was in the end is in the line about its stop
				log := s.log
				s.srv.goes.Go(func() {
					log.Warn("player lags and was moved on to the newest keyframe: its connection is slower than the stream", zap.String("stream", pl.playing.Name()))
				})
			},
		})
		return pl.fan.Control
	})
}

// regain takes the socket back from the fan: what completes the message under way
// goes out first, within wait.
func (s *session) regain(pl *player, wait time.Duration, leave func() (rest []byte, ok bool)) error {
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

// playCommands carries out the commands of a player until it stops; next is a second play.
func (s *session) playCommands(pl *player) (next *rtmp.Command, err error) {
	conn := s.conn.Load()
	leave := func() error {
		wait := cmp.Or(s.block.Config().Timeout, time.Minute)
		return s.regain(pl, wait, func() ([]byte, bool) { return pl.fan.Leave(wait) })
	}
	for {
		m, err := conn.ReadMessage()
		if errors.Is(err, rtmp.ErrInterrupted) {
			if to := s.redirecting.Swap(nil); to != nil && to.player == pl && s.kicked.Load() == nil {
				s.log.Info("player redirected", zap.String("stream", pl.playing.Name()), zap.String("to", to.name))
				s.ordered = true
				cmd := to.playCommand()
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
			err = s.pause(pl, cmd)
		case "receiveaudio", "receivevideo":
			pl.receive(cmd)
		case "seek":
			// A live stream has one position, and the player is at it. It must be
			// told so all the same: ffmpeg and mpv drop all media until the answer.
			err = conn.WriteStatus(pl.streamID, "status", rtmp.StatusSeekNotify, "The live stream goes on")
		default:
			err = s.command(context.Background(), pl.streamID, cmd)
		}
		if err == nil {
			err = conn.Flush()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *session) pause(pl *player, cmd rtmp.Command) error {
	paused := len(cmd.Args) > 0 && cmd.Args[0] == true
	pl.fan.Pause(paused)
	code, text := rtmp.StatusUnpauseNotify, "Unpaused live"
	if paused {
		code, text = rtmp.StatusPauseNotify, "Paused live"
	}
	return s.conn.Load().WriteStatus(pl.streamID, "status", code, text)
}
