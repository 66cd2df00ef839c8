package server

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
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
	session *session
	stream  string
	timer   *time.Timer
	once    sync.Once
}

// announce has the session's publish announced.
func (s *session) announce(stream string, metadata []byte) {
	l := &publishLine{session: s, stream: stream}
	s.announced = l
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
		s := l.session
		s.mu.Lock()
		encoder = cmp.Or(encoder, s.connect.FlashVer)
		s.mu.Unlock()
		fields := []zap.Field{zap.String("stream", l.stream), zap.String("publisher", s.owner.holder), zap.String("encoder", encoder)}
		if url := s.watchURL(l.stream); url != "" {
			fields = append(fields, zap.String("watch", url))
		}
		s.log.Info("publish started", fields...)
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

// watchURL is where viewers without credentials watch a stream over HLS; empty if
// they can't.
func (s *session) watchURL(stream string) string {
	cfg := s.app.rules.Load().cfg.For(stream).HLS
	if cfg == nil {
		return ""
	}
	name, err := hls.PlaylistName(s.app.name, stream, cfg)
	if err != nil {
		return ""
	}
	s.srv.mu.Lock()
	sites := slices.Clone(s.srv.sites)
	s.srv.mu.Unlock()
	blocks := s.srv.cfg.Load()
	for i, site := range sites {
		if p := site.PlaylistPath(string(cfg.Path), name); p != "" && blocks != nil && i < len(blocks.HTTP) {
			return s.siteURL(&blocks.HTTP[i]) + p
		}
	}
	return ""
}

// siteURL is the address of an http block as its viewers know it: public_url, a
// domain, or else an address at which this publisher found the server.
func (s *session) siteURL(b *config.HTTP) string {
	scheme, listen := "http", b.Listen
	switch {
	case len(b.PublicURL) > 0:
		return b.PublicURL[0]
	case b.TLS != nil && len(b.TLS.Domains) > 0:
		return "https://" + b.TLS.Domains[0]
	case len(listen) == 0 && b.TLS != nil:
		scheme, listen = "https", b.TLS.Listen
	}
	i := slices.IndexFunc(listen, func(a value.Address) bool { return a.Network != "unix" })
	if i < 0 {
		return ""
	}
	host := listen[i].Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
		if a, ok := s.nc.LocalAddr().(*net.TCPAddr); ok {
			host = a.IP.String()
		}
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cmp.Or(s.srv.Port(scheme, listen[i]), int(listen[i].Port))))
}
