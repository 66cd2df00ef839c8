package rtmpserver

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/accesslog"
)

// A visit is what a session came for, as the access log tells it: its last
// publish or play. It holds no secret, and is the session's goroutine's.
type visit struct {
	publish, play bool
	name          string // public; empty until it is sure to be
	args          string
	sent          uint64 // bytes that went out by the fan
}

// visits begins another command of the session. Its arguments lose key=, and the
// values of what else looks like a secret.
func (s *session) visits(publishing bool, args string) {
	if publishing {
		s.visit.publish = true
	} else {
		s.visit.play = true
	}
	var kept []string
	for part := range strings.SplitSeq(args, "&") {
		if name, _, _ := strings.Cut(part, "="); !strings.EqualFold(name, "key") {
			kept = append(kept, part)
		}
	}
	s.visit.name, s.visit.args = "", accesslog.MaskQuery(strings.Join(kept, "&"))
}

// streamField names the stream that a session was about, if it may be named.
func (s *session) streamField() zap.Field {
	if s.visit.name == "" {
		return zap.Skip()
	}
	return zap.String("stream", s.visit.name)
}

// rtmpCombined is nginx-rtmp's format of that name.
const rtmpCombined = `$remote_addr [$time_local] $command "$app" "$name" "$args" - $bytes_received $bytes_sent "$pageurl" "$flashver" ($session_readable_time)`

type (
	// AccessLog is where the lines of sessions go.
	AccessLog     = accesslog.Log[*session]
	sessionFormat = accesslog.Format[*session]
)

// OpenAccessLog opens a block's access log; nil: it has none.
func (s *Server) OpenAccessLog(b *config.RTMP) (*AccessLog, error) {
	if b.AccessLog == "" {
		return nil, nil
	}
	text := b.AccessLogFormat
	if text == "combined" {
		text = rtmpCombined
	}
	format, err := accesslog.Compile(string(text), sessionVariable)
	if err != nil {
		return nil, fmt.Errorf("rtmp: access_log_format: %w", err)
	}
	l, err := accesslog.Open(string(b.AccessLog), format, accesslog.Options{Log: s.Log})
	if err != nil {
		return nil, fmt.Errorf("rtmp: %w", err)
	}
	return l, nil
}

// logAccess writes the line of a session that is over. Who was not let in at
// connect has none, as in nginx-rtmp.
func (s *session) logAccess() {
	if s.app == nil {
		return
	}
	l := s.block.access.Load()
	for l != nil && !l.Add(s) {
		l = s.block.access.Load() // a reload has closed that one
	}
}

// sessionVariable is nginx-rtmp's variable of that name
// (ngx_rtmp_log_module.c:ngx_rtmp_log_vars).
func sessionVariable(name string) (sessionFormat, error) {
	text := func(v func(*session) string) (sessionFormat, error) {
		return func(b []byte, s *session, _ accesslog.Time) []byte {
			return accesslog.AppendEscaped(b, s.srv.Origin.Mask(v(s)))
		}, nil
	}
	number := func(v func(*session) uint64) (sessionFormat, error) {
		return func(b []byte, s *session, _ accesslog.Time) []byte { return strconv.AppendUint(b, v(s), 10) }, nil
	}
	at := func(v func([]byte, *session, accesslog.Time) []byte) (sessionFormat, error) { return v, nil }
	switch name {
	case "connection":
		return number(func(s *session) uint64 { return s.id })
	case "remote_addr":
		return at(func(b []byte, s *session, _ accesslog.Time) []byte { return s.addr.AppendTo(b) })
	case "app":
		return text(func(s *session) string { return s.app.Name() })
	case "flashver":
		return text(func(s *session) string { return s.connect.FlashVer })
	case "swfurl":
		return text(func(s *session) string { return accesslog.MaskURI(s.connect.SWFURL) })
	case "tcurl":
		return text(func(s *session) string { return accesslog.MaskURI(s.connect.TCURL) })
	case "pageurl":
		return text(func(s *session) string { return accesslog.MaskURI(s.connect.PageURL) })
	case "command":
		return text(func(s *session) string { return s.visit.command() })
	case "name":
		return text(func(s *session) string { return s.visit.name })
	case "args":
		return text(func(s *session) string { return s.visit.args })
	case "bytes_sent":
		return number(func(s *session) uint64 { return s.conn.Load().BytesOut() + s.visit.sent })
	case "bytes_received":
		return number(func(s *session) uint64 { return s.conn.Load().BytesIn() })
	case "time_local":
		return at(func(b []byte, _ *session, now accesslog.Time) []byte { return append(b, now.Common...) })
	case "msec":
		return at(func(b []byte, _ *session, now accesslog.Time) []byte {
			return accesslog.AppendMillis(b, now.UnixMilli())
		})
	case "session_time":
		return at(func(b []byte, s *session, now accesslog.Time) []byte {
			return strconv.AppendInt(b, int64(now.Sub(s.started)/time.Second), 10)
		})
	case "session_readable_time":
		return at(func(b []byte, s *session, now accesslog.Time) []byte { return appendReadable(b, now.Sub(s.started)) })
	}
	return nil, fmt.Errorf("unknown variable $%s", name)
}

func (v *visit) command() string {
	switch {
	case v.publish && v.play:
		return "PLAY+PUBLISH"
	case v.publish:
		return "PUBLISH"
	case v.play:
		return "PLAY"
	}
	return "NONE"
}

// appendReadable writes a duration as nginx-rtmp does: 1d 2h 3m 4s, from the
// first unit that is not 0 on.
func appendReadable(b []byte, d time.Duration) []byte {
	sec := max(0, int64(d/time.Second))
	started := false
	for _, u := range [...]struct {
		seconds int64
		name    byte
	}{{86400, 'd'}, {3600, 'h'}, {60, 'm'}} {
		n := sec / u.seconds
		sec %= u.seconds
		if started = started || n > 0; started {
			b = append(strconv.AppendInt(b, n, 10), u.name, ' ')
		}
	}
	return append(strconv.AppendInt(b, sec, 10), 's')
}
