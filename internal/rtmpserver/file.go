package rtmpserver

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// startFile sends the replies to a play of a file, in the order and words of
// nginx-rtmp.
func (s *session) startFile(pl *player) error {
	conn := s.conn.Load()
	if err := conn.WriteUserControl(rtmp.StreamBegin, pl.streamID); err != nil {
		return err
	}
	for _, st := range [][2]string{{rtmp.StatusPlayReset, "Playing and resetting"}, {rtmp.StatusPlayStart, "Start video on demand"}} {
		if err := conn.WriteStatus(pl.streamID, "status", st[0], st[1]); err != nil {
			return err
		}
	}
	if err := conn.WriteUserControl(rtmp.StreamIsVOD, pl.streamID); err != nil {
		return err
	}
	if err := conn.WriteData(pl.streamID, "|RtmpSampleAccess", true, true); err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	f := newFilePlayer(pl)
	s.mu.Lock()
	pl.file = f
	s.mu.Unlock()
	return nil
}

// stayWithFile carries out the commands of a player of a file until it stops; next is
// a second play.
func (s *session) stayWithFile(pl *player) (next *rtmp.Command, err error) {
	f := pl.file
	s.srv.goes.Go(f.run)
	next, err = s.fileCommands(pl)
	pl.leaving.Store(true)
	f.stop()
	switch {
	case err == nil:
	case peersFault(err):
		s.conn.Load().LimitWrites(s.lingerTime()) // what is under way, then it is told
	default:
		s.conn.Load().LimitWrites(0)
	}
	<-f.ended
	return next, err
}

func (s *session) fileCommands(pl *player) (next *rtmp.Command, err error) {
	conn, f := s.conn.Load(), pl.file
	for {
		m, err := conn.ReadMessage()
		if errors.Is(err, rtmp.ErrInterrupted) {
			if why := f.failed(); why != nil {
				return nil, why
			}
			if to := s.redirecting.Swap(nil); to != nil && to.player == pl && s.kicked.Load() == nil {
				s.log.Info("player redirected", zap.String("stream", pl.playing.Name()), zap.String("to", to.name))
				s.ordered = true
				cmd := to.playCommand()
				return &cmd, nil
			}
			continue
		}
		if err != nil {
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
			return &cmd, nil
		case "closestream", "deletestream":
			return nil, nil
		case "publish":
			return nil, &refusal{statusBadName, "this connection plays: publish on another one"}
		case "seek":
			f.seek(positionOf(numberArg(cmd, 0)))
		case "pause", "pauseraw":
			f.pause(argAt(cmd, 0) == true)
		case "receiveaudio", "receivevideo":
			pl.receive(cmd)
		case "getstreamlength":
			err = conn.WriteCommand(0, "_result", cmd.Transaction, nil, float64(f.file.Duration())/1000)
			if err == nil {
				err = conn.Flush()
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// positionOf is a position in ms that a client sent, which may be any number.
func positionOf(ms float64) uint32 {
	switch {
	case !(ms > 0):
		return 0
	case ms > math.MaxInt32:
		return math.MaxInt32
	}
	return uint32(ms)
}

// flushEvery is how often what has become due is sent.
const flushEvery = 100 * time.Millisecond
