package rtmpserver

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A player is a session that plays. It implements origin.Player.
type player struct {
	*session
	streamID uint32
	playing  *origin.Playing
	start    float64 // of play, ms; negative: the beginning
	duration float64 // of play, ms; 0 or negative: to the end
	noAudio  bool    // the session's goroutine's
	noVideo  bool
	fan      *fanout.Player // nil until the replies are out; session.mu
	file     *filePlayer    // in the fan's place, where a file is played; session.mu
	leaving  atomic.Bool    // nobody tells it anything any more
}

// Kick implements origin.Player.
func (pl *player) Kick(r origin.Reason) { pl.kick(playerCode(r.Rule), r.Text) }

// Redirect implements origin.Player.
func (pl *player) Redirect(name, query string) {
	pl.redirect(&redirection{player: pl, name: name, query: query})
}

// Describe implements origin.Player.
func (pl *player) Describe() origin.Description {
	d := pl.session.Describe()
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.file != nil {
		d.Playing, d.Timestamp, d.BytesOut = true, pl.file.timestamp.Load(), pl.file.sent()
	}
	if pl.fan != nil {
		d.Playing, d.Lapped, d.BytesOut = true, pl.fan.Lapped(), pl.fan.Sent()
	}
	return d
}

// StreamBegins implements origin.Player.
func (pl *player) StreamBegins(cfg *config.Application) {
	pl.tell(func(c *rtmp.Conn) error {
		err := c.WriteUserControl(rtmp.StreamBegin, 1)
		if err == nil && cfg.PlayRestart {
			err = c.WriteStatus(1, "status", rtmp.StatusPlayStart, "Start live")
		}
		if err == nil && cfg.PublishNotify {
			err = c.WriteStatus(1, "status", rtmp.StatusPlayPublishNotify, "Start publishing")
		}
		return err
	})
}

// StreamEnds implements origin.Player.
func (pl *player) StreamEnds(cfg *config.Application, drain time.Duration) {
	pl.tell(func(c *rtmp.Conn) error {
		err := c.WriteUserControl(rtmp.StreamEOF, 1)
		if err == nil && cfg.PlayRestart {
			err = c.WriteStatus(1, "status", rtmp.StatusPlayStop, "Stop live")
		}
		if err == nil && cfg.PublishNotify {
			err = c.WriteStatus(1, "status", rtmp.StatusPlayUnpublishNotify, "Stop publishing")
		}
		return err
	})
	if !cfg.IdleStreams {
		pl.kickAfter(drain, rtmp.StatusPlayStreamNotFound, "the stream has ended")
	}
}

// tell hands a player messages that go out with the stream. It does not block:
// the fan queues them, and a player that lets them pile up is closed.
func (pl *player) tell(write func(*rtmp.Conn) error) {
	if pl.leaving.Load() {
		return
	}
	conn := pl.conn.Load()
	if write(conn) == nil {
		_ = conn.Flush() // a dead connection: its session hears of it
	}
}

// receive carries out receiveAudio and receiveVideo.
func (pl *player) receive(cmd rtmp.Command) {
	on := len(cmd.Args) == 0 || cmd.Args[0] != false
	if strings.EqualFold(cmd.Name, "receiveAudio") {
		pl.noAudio = !on
	} else {
		pl.noVideo = !on
	}
	if pl.file != nil {
		pl.file.receive(!pl.noAudio, !pl.noVideo)
		return
	}
	pl.fan.Receive(!pl.noAudio, !pl.noVideo)
}
