package origin

import (
	"cmp"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/dash"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/hls"
)

// announceAfter is how long the line about a publish waits for the metadata. Encoders
// send them first.
const announceAfter = time.Second

// A publishLine is the one line of the log about a publish that has begun. It
// waits for the metadata, which name the encoder: in their connect OBS and others
// call themselves FMLE, as Flash Media Live Encoder does.
type publishLine struct {
	publication *Publication
	timer       *time.Timer
	once        sync.Once
}

// announce has the publication announced in the log.
func (p *Publication) announce(metadata []byte) {
	l := &publishLine{publication: p}
	p.line = l
	if metadata != nil { // of a publisher that was redirected
		m, _, _ := flv.ParseMetadata(metadata)
		l.say(m.Encoder)
		return
	}
	l.timer = time.AfterFunc(announceAfter, func() { l.say("") })
}

// say writes the line, if it is not there yet. encoder is empty if the metadata do
// not name it.
func (l *publishLine) say(encoder string) {
	l.once.Do(func() {
		p := l.publication
		encoder = cmp.Or(encoder, p.publisher.Describe().Encoder)
		fields := []zap.Field{zap.String("stream", p.stream.name), zap.String("publisher", p.owner.holder), zap.String("encoder", encoder)}
		if url := p.watchURL(); url != "" {
			fields = append(fields, zap.String("watch", url))
		}
		p.log.Info("publish started", fields...)
	})
}

// end writes the line if it has not been written, for the one about the end comes
// after it.
func (l *publishLine) end() {
	l.say("")
	if l.timer != nil {
		l.timer.Stop()
	}
}

// watchURL is where viewers without credentials watch the stream over HLS, else DASH; empty
// if they can't.
func (p *Publication) watchURL() string {
	cfg, at := p.app.Config(p.stream.name), p.publisher.Describe().Local
	switch {
	case p.app.origin.WatchURL == nil:
		return ""
	case cfg.HLS != nil:
		return p.app.origin.WatchURL(string(cfg.HLS.Path), hls.PlaylistName(p.stream.name, cfg.HLS), at)
	case cfg.DASH != nil:
		return p.app.origin.WatchURL(string(cfg.DASH.Path), dash.ManifestName(p.stream.name, cfg.DASH), at)
	}
	return ""
}
