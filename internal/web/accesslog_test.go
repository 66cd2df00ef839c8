package web

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/accesslog"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// memLog is an access log in memory.
type memLog struct {
	bytes.Buffer
	closed bool
}

func (m *memLog) Close() error { m.closed = true; return nil }

// logged is the line a request leaves in a format.
func logged(t *testing.T, format, what string, headers ...string) string {
	t.Helper()
	out := &memLog{}
	cfg := locations(
		config.Location{Path: "/ok", Health: true},
		config.Location{Path: "/auth", Health: true, BasicAuth: map[string]value.Secret{"eva m": hashed(t, "p")}},
	)
	cfg.AccessLog, cfg.AccessLogFormat, cfg.TrustedProxies = "x", value.HTTPLogFormat(format), loopback()
	now := time.Date(2026, 11, 21, 2, 4, 30, 120e6, time.FixedZone("", 3600))
	s, err := Compile(cfg, Deps{OpenLog: func(string) (io.WriteCloser, error) { return out, nil }, Now: func() time.Time { now = now.Add(250 * time.Millisecond); return now }})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, what, headers...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !out.closed {
		t.Error("the log stays open")
	}
	return out.String()
}

func TestCombinedLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, what string
		headers    []string
		want       string
	}{
		{"plain", "GET /ok", []string{"User-Agent: curl/7", "Referer: http://a/"}, `198.51.100.7 - - [21/Nov/2026:02:04:30 +0100] "GET /ok HTTP/1.1" 200 3 "http://a/" "curl/7"`},
		{"nothing said", "GET /none", nil, `198.51.100.7 - - [21/Nov/2026:02:04:30 +0100] "GET /none HTTP/1.1" 404 14 "-" "-"`},
		{"through a proxy", "GET /ok", []string{"peer: 127.0.0.1", "X-Forwarded-For: 192.0.2.9"}, `192.0.2.9 - - [21/Nov/2026:02:04:30 +0100] "GET /ok HTTP/1.1" 200 3 "-" "-"`},
		{"quotes and control characters", "GET /ok", []string{"User-Agent: a\"b\\c\x01\x7f é", "Referer: x\ny"}, `198.51.100.7 - - [21/Nov/2026:02:04:30 +0100] "GET /ok HTTP/1.1" 200 3 "x\x0Ay" "a\x22b\x5Cc\x01\x7F \xC3\xA9"`},
		{"secrets", "GET /ok?token=t0p&a=b&KEY=k;secret=s&monkey=m", []string{"Referer: http://a/?x=y&token=t0p"}, `198.51.100.7 - - [21/Nov/2026:02:04:30 +0100] "GET /ok?token=***&a=b&KEY=***;secret=***&monkey=m HTTP/1.1" 200 3 "http://a/?x=y&token=***" "-"`},
		{"secrets in disguise", "GET /ok?%74oken=t0p", nil, `198.51.100.7 - - [21/Nov/2026:02:04:30 +0100] "GET /ok?%74oken=*** HTTP/1.1" 200 3 "-" "-"`},
		{"a user", "GET /auth", []string{basic("eva m", "p")}, `198.51.100.7 - eva_m [21/Nov/2026:02:04:30 +0100] "GET /auth HTTP/1.1" 200 3 "-" "-"`},
		{"a user that was refused", "GET /auth", []string{basic("root", "x")}, `198.51.100.7 - - [21/Nov/2026:02:04:30 +0100] "GET /auth HTTP/1.1" 401 18 "-" "-"`},
	} {
		differs(t, c.name, logged(t, "combined", c.what, c.headers...), c.want+"\n")
	}
}

// What Apache's documentation calls combined, as log analysers write it down.
var apache = regexp.MustCompile(`^(\S+) (\S+) (\S+) \[([\w:/]+\s[+\-]\d{4})\] "(\S+) (\S+) (\S+)" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$`)

func FuzzCombinedIsOneLine(f *testing.F) {
	f.Add("/ok", "curl", "http://a/")
	f.Add("/\"", "\n127.0.0.1 - -", `\" "`)
	f.Fuzz(func(t *testing.T, uri, agent, referer string) {
		fuzztime.Bound(t)
		format, err := parseLogFormat("")
		if err != nil {
			t.Fatal(err)
		}
		r := request()
		r.RequestURI = "/" + strings.ReplaceAll(uri, " ", "")
		r.Header["User-Agent"], r.Header["Referer"] = []string{agent}, []string{referer}
		x := &exchange{r: r, status: 200, client: peerAddr(r), user: agent}
		line := string(format(nil, x, accesslog.Time{Common: "21/Nov/2026:02:04:30 +0100"}))
		if !apache.MatchString(line) {
			t.Fatalf("no analyser reads %q", line)
		}
	})
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	line := logged(t, "json", "GET /ok?token=a&b=c", "User-Agent: \"\\\x01\u2028é\xff", "Host: h:80", "Referer: r")
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for name, want := range map[string]any{
		"time": "2026-11-21T02:04:30.620+01:00", "remote_addr": "198.51.100.7", "remote_user": "", "method": "GET", "scheme": "http", "host": "h:80", "uri": "/ok?token=***&b=c",
		"protocol": "HTTP/1.1", "status": 200.0, "bytes": 3.0, "request_time": 0.25, "referer": "r", "user_agent": "\"\\\x01\u2028é\ufffd",
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}

func TestFormatsWithVariables(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"$remote_addr":                "198.51.100.7",
		"$request_method $uri?$args":  "GET /ok?a=b",
		"$request_uri|$query_string":  "/ok?a=b|a=b",
		"${status}0 $body_bytes_sent": "2000 3",
		"$request_time":               "0.250",
		"$msec":                       "1795223070.620",
		"$time_iso8601":               "2026-11-21T02:04:30+01:00",
		"$host $http_host":            "h h:80",
		"$scheme $server_protocol":    "http HTTP/1.1",
		"$http_x_custom":              "c",
		"$http_nothing":               "-",
		"$sent_http_content_type":     `text/plain; charset=utf-8`,
		`{"a":"$remote_addr"}`:        `{"a":"198.51.100.7"}`,
		"$remote_user,$document_uri":  "-,/ok",
	} {
		differs(t, format, logged(t, format, "GET /ok?a=b", "Host: h:80", "X-Custom: c"), want+"\n")
	}
	for _, bad := range []string{"$nothing", "$", "a $ b", "$http_authorization", "$http_cookie", "$http_", "a\nb", "$remote_addrx", "${status"} {
		cfg := locations()
		cfg.AccessLog, cfg.AccessLogFormat = "x", value.HTTPLogFormat(bad)
		if _, err := Compile(cfg, Deps{OpenLog: func(string) (io.WriteCloser, error) { return &memLog{}, nil }}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestTheLogIsMadeAndReopened(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "made", "access.log")
	cfg := locations(config.Location{Path: "/", Health: true})
	cfg.AccessLog = value.Path(name)
	s, err := Compile(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, "GET /one")
	lines := func(name string) int {
		b, _ := os.ReadFile(name)
		return strings.Count(string(b), "\n")
	}
	waitFor(t, func() bool { return lines(name) == 1 })
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "GET /two")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	differs(t, "in the new file", lines(name), 1)
	differs(t, "in the old file", lines(name+".1"), 1)
	if fi, err := os.Stat(name); err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("the log is open to all: %v %v", fi.Mode(), err)
	}

	cfg.AccessLog = value.Path(filepath.Join(name, "below-a-file"))
	if _, err := Compile(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), "access_log") {
		t.Errorf("got %v, want an error that names access_log", err)
	}
}
