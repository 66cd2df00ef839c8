package web

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/internal/accesslog"
)

// A logFormat appends a line about an exchange, or a part of it.
type logFormat = accesslog.Format[*exchange]

// combined is the format of Apache and nginx, which log analysers read.
const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

// parseLogFormat compiles access_log_format: "combined" (also ""), "json", or
// text with nginx's variables.
func parseLogFormat(s string) (logFormat, error) {
	switch s {
	case "", "combined":
		s = combined
	case "json":
		return jsonLine, nil
	}
	return accesslog.Compile(s, logVariable)
}

// safe is a variable that needs no escaping.
func safe(v logFormat) (logFormat, error) { return v, nil }

// text is a variable that comes from clients; an empty one is "-", as in nginx.
func text(v func(*exchange) string) (logFormat, error) {
	return func(b []byte, x *exchange, _ accesslog.Time) []byte {
		s := v(x)
		if s == "" {
			return append(b, '-')
		}
		return accesslog.AppendEscaped(b, s)
	}, nil
}

func logVariable(name string) (logFormat, error) {
	switch name {
	case "remote_addr":
		return safe(func(b []byte, x *exchange, _ accesslog.Time) []byte { return x.client.AppendTo(b) })
	case "remote_user":
		return text(func(x *exchange) string { return strings.ReplaceAll(x.user, " ", "_") })
	case "time_local":
		return safe(func(b []byte, _ *exchange, now accesslog.Time) []byte { return append(b, now.Common...) })
	case "time_iso8601":
		return safe(func(b []byte, _ *exchange, now accesslog.Time) []byte { return append(b, now.ISO...) })
	case "msec":
		return safe(func(b []byte, _ *exchange, now accesslog.Time) []byte {
			return accesslog.AppendMillis(b, now.UnixMilli())
		})
	case "request_time":
		return safe(func(b []byte, x *exchange, now accesslog.Time) []byte {
			return accesslog.AppendMillis(b, max(0, now.Sub(x.start).Milliseconds()))
		})
	case "status":
		return safe(func(b []byte, x *exchange, _ accesslog.Time) []byte { return strconv.AppendInt(b, int64(x.code()), 10) })
	case "body_bytes_sent":
		return safe(func(b []byte, x *exchange, _ accesslog.Time) []byte { return strconv.AppendInt(b, x.bytes, 10) })
	case "request":
		return text(func(x *exchange) string {
			return x.r.Method + " " + accesslog.MaskURI(x.r.RequestURI) + " " + x.r.Proto
		})
	case "request_method":
		return text(func(x *exchange) string { return x.r.Method })
	case "request_uri":
		return text(func(x *exchange) string { return accesslog.MaskURI(x.r.RequestURI) })
	case "uri", "document_uri":
		return text(func(x *exchange) string { return x.r.URL.Path })
	case "args", "query_string":
		return text(func(x *exchange) string { return accesslog.MaskQuery(x.r.URL.RawQuery) })
	case "server_protocol":
		return text(func(x *exchange) string { return x.r.Proto })
	case "host":
		return text(func(x *exchange) string { return strings.ToLower(hostOnly(x.r.Host)) })
	case "http_host":
		return text(func(x *exchange) string { return x.r.Host })
	case "scheme":
		return safe(func(b []byte, x *exchange, _ accesslog.Time) []byte { return append(b, x.scheme()...) })
	case "http_referer":
		return text(func(x *exchange) string { return accesslog.MaskURI(x.r.Header.Get("Referer")) })
	case "http_authorization", "http_proxy_authorization", "http_cookie", "sent_http_set_cookie":
		return nil, fmt.Errorf("$%s would write secrets", name)
	}
	if h, ok := strings.CutPrefix(name, "sent_http_"); ok && h != "" {
		h = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(h, "_", "-"))
		return text(func(x *exchange) string { return accesslog.MaskURI(x.Header().Get(h)) })
	}
	if h, ok := strings.CutPrefix(name, "http_"); ok && h != "" {
		h = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(h, "_", "-"))
		return text(func(x *exchange) string { return accesslog.MaskURI(x.r.Header.Get(h)) })
	}
	return nil, fmt.Errorf("unknown variable $%s", name)
}

func (x *exchange) code() int {
	if x.status == 0 {
		return http.StatusOK
	}
	return x.status
}

func (x *exchange) scheme() string {
	if x.r.TLS != nil {
		return "https"
	}
	return "http"
}

// jsonLine writes one JSON object per line.
func jsonLine(b []byte, x *exchange, now accesslog.Time) []byte {
	field := func(name, value string) {
		b = append(b, ',', '"')
		b = append(append(b, name...), '"', ':')
		b = accesslog.AppendJSON(b, value)
	}
	b = append(b, `{"time":"`...)
	b = now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","remote_addr":"`...)
	b = x.client.AppendTo(b)
	b = append(b, '"')
	field("remote_user", x.user)
	field("method", x.r.Method)
	field("scheme", x.scheme())
	field("host", x.r.Host)
	field("uri", accesslog.MaskURI(x.r.RequestURI))
	field("protocol", x.r.Proto)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(x.code()), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), x.bytes, 10)
	b = accesslog.AppendMillis(append(b, `,"request_time":`...), max(0, now.Sub(x.start).Milliseconds()))
	field("referer", accesslog.MaskURI(x.r.Header.Get("Referer")))
	field("user_agent", x.r.Header.Get("User-Agent"))
	return append(b, '}')
}
