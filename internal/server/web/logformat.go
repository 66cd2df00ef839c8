package web

import (
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// logFormat appends one line, without its end, to b.
type logFormat func(b []byte, x *exchange, now logTime) []byte

// logVar appends the value of one variable, as raw as the client sent it.
type logVar func(b []byte, x *exchange, now logTime) []byte

// combined is Apache's and nginx's; goaccess, ngxtop and friends read it.
const combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

// parseLogFormat compiles access_log_format: "combined" (also ""), "json", or
// text with nginx's variables. What comes from a client is escaped as nginx
// does: quotes, backslashes and control characters become \xXX, so that a line
// stays a line and a field a field.
func parseLogFormat(s string) (logFormat, error) {
	switch s {
	case "", "combined":
		s = combined
	case "json":
		return jsonLine, nil
	}
	var parts []logVar
	for s != "" {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			text := s[:i]
			if !validValue(text) {
				return nil, fmt.Errorf("control characters in %q", text)
			}
			parts = append(parts, func(b []byte, _ *exchange, _ logTime) []byte { return append(b, text...) })
			s = s[i:]
			continue
		}
		name, rest := variable(s[1:])
		v, err := logVariable(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, v)
		s = rest
	}
	return func(b []byte, x *exchange, now logTime) []byte {
		for _, p := range parts {
			b = p(b, x, now)
		}
		return b
	}, nil
}

// variable cuts the name off that follows a $: letters, digits and _, or in braces.
func variable(s string) (name, rest string) {
	if strings.HasPrefix(s, "{") {
		if name, rest, ok := strings.Cut(s[1:], "}"); ok {
			return name, rest
		}
	}
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return s[:i], s[i:]
}

// safe is a variable of ours: nothing to escape.
func safe(v logVar) (logVar, error) { return v, nil }

// text is a variable that clients write.
func text(v func(*exchange) string) (logVar, error) {
	return func(b []byte, x *exchange, _ logTime) []byte { return appendEscaped(b, v(x)) }, nil
}

func logVariable(name string) (logVar, error) {
	switch name {
	case "remote_addr":
		return safe(func(b []byte, x *exchange, _ logTime) []byte { return x.client.AppendTo(b) })
	case "remote_user":
		return text(func(x *exchange) string { return strings.ReplaceAll(x.user, " ", "_") })
	case "time_local":
		return safe(func(b []byte, _ *exchange, now logTime) []byte { return append(b, now.common...) })
	case "time_iso8601":
		return safe(func(b []byte, _ *exchange, now logTime) []byte { return append(b, now.iso...) })
	case "msec":
		return safe(func(b []byte, _ *exchange, now logTime) []byte { return appendMillis(b, now.UnixMilli()) })
	case "request_time":
		return safe(func(b []byte, x *exchange, now logTime) []byte {
			return appendMillis(b, max(0, now.Sub(x.start).Milliseconds()))
		})
	case "status":
		return safe(func(b []byte, x *exchange, _ logTime) []byte { return strconv.AppendInt(b, int64(x.code()), 10) })
	case "body_bytes_sent":
		return safe(func(b []byte, x *exchange, _ logTime) []byte { return strconv.AppendInt(b, x.bytes, 10) })
	case "request":
		return text(func(x *exchange) string { return x.r.Method + " " + maskURI(x.r.RequestURI) + " " + x.r.Proto })
	case "request_method":
		return text(func(x *exchange) string { return x.r.Method })
	case "request_uri":
		return text(func(x *exchange) string { return maskURI(x.r.RequestURI) })
	case "uri", "document_uri":
		return text(func(x *exchange) string { return x.r.URL.Path })
	case "args", "query_string":
		return text(func(x *exchange) string { return maskQuery(x.r.URL.RawQuery) })
	case "server_protocol":
		return text(func(x *exchange) string { return x.r.Proto })
	case "host":
		return text(func(x *exchange) string { return strings.ToLower(hostOnly(x.r.Host)) })
	case "http_host":
		return text(func(x *exchange) string { return x.r.Host })
	case "scheme":
		return safe(func(b []byte, x *exchange, _ logTime) []byte { return append(b, x.scheme()...) })
	case "http_referer":
		return text(func(x *exchange) string { return maskURI(x.r.Header.Get("Referer")) })
	case "http_authorization", "http_proxy_authorization", "http_cookie", "sent_http_set_cookie":
		return nil, fmt.Errorf("$%s would write secrets", name)
	}
	if h, ok := strings.CutPrefix(name, "sent_http_"); ok && h != "" {
		h = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(h, "_", "-"))
		return text(func(x *exchange) string { return maskURI(x.Header().Get(h)) })
	}
	if h, ok := strings.CutPrefix(name, "http_"); ok && h != "" {
		h = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(h, "_", "-"))
		return text(func(x *exchange) string { return maskURI(x.r.Header.Get(h)) })
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

// appendMillis writes milliseconds as nginx writes time: seconds, three decimals.
func appendMillis(b []byte, ms int64) []byte {
	b = strconv.AppendInt(b, ms/1000, 10)
	b = append(b, '.')
	for _, d := range [...]int64{100, 10, 1} {
		b = append(b, byte('0'+ms/d%10))
	}
	return b
}

const hexDigits = "0123456789ABCDEF"

// appendEscaped writes "-" for nothing, as nginx does.
func appendEscaped(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// jsonLine is one object a line.
func jsonLine(b []byte, x *exchange, now logTime) []byte {
	field := func(name, value string) {
		b = append(b, ',', '"')
		b = append(append(b, name...), '"', ':')
		b = appendJSON(b, value)
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
	field("uri", maskURI(x.r.RequestURI))
	field("protocol", x.r.Proto)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(x.code()), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), x.bytes, 10)
	b = appendMillis(append(b, `,"request_time":`...), max(0, now.Sub(x.start).Milliseconds()))
	field("referer", maskURI(x.r.Header.Get("Referer")))
	field("user_agent", x.r.Header.Get("User-Agent"))
	return append(b, '}')
}

// appendJSON writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f || r == '\u2028' || r == '\u2029':
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// maskURI hides the secrets in the query of a URL.
func maskURI(uri string) string {
	i := strings.IndexByte(uri, '?')
	if i < 0 {
		return uri
	}
	masked := maskQuery(uri[i+1:])
	if masked == uri[i+1:] {
		return uri
	}
	return uri[:i+1] + masked
}

// maskQuery replaces the values of token=, key= and secret= by ***.
func maskQuery(q string) string {
	if !strings.ContainsAny(q, "tTkKsS%") || !strings.Contains(q, "=") {
		return q
	}
	var out strings.Builder
	for i := 0; i < len(q); {
		end := strings.IndexAny(q[i:], "&;")
		if end < 0 {
			end = len(q)
		} else {
			end += i
		}
		pair := q[i:end]
		if name, _, ok := strings.Cut(pair, "="); ok && secretName(name) {
			pair = name + "=***"
		}
		out.WriteString(pair)
		if end < len(q) {
			out.WriteByte(q[end])
		}
		i = end + 1
	}
	return out.String()
}

func secretName(name string) bool {
	if n, err := url.QueryUnescape(name); err == nil {
		name = n
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "token", "key", "secret", "access_token", "password":
		return true
	}
	return false
}
