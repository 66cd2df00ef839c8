package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/origin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An empty is a Server of an origin without streams, and what it keeps.
type empty struct {
	*Server
	mu   sync.Mutex
	kept *apistate.State
	cfg  *config.Config
}

func newEmpty(t testing.TB) *empty {
	t.Helper()
	e := &empty{kept: &apistate.State{}, cfg: &config.Config{
		HTTP: []config.HTTP{{Locations: []config.Location{{Path: "/api2", API: &config.API{}}}}},
		RTMP: []config.RTMP{{Applications: []config.Application{
			{Name: "live", Live: true, StreamKeys: []config.StreamKey{{Holder: "file", Stream: "file", Secret: "the-key-of-the-file"}}},
			{Name: "other", Live: true},
		}}},
	}}
	log, clock := zap.NewNop(), awake.New()
	ctx, cancel := context.WithCancel(context.Background())
	hub := fanout.NewHub(100*time.Millisecond, clock)
	caller := hooks.New(log)
	caller.Awake = clock
	og := origin.New(ctx, ctx, origin.Options{Log: log, Awake: clock, Hooks: caller, Hub: hub, NextID: func() uint64 { return 1 }})
	t.Cleanup(func() {
		og.Stop()
		cancel()
		og.Audience().Close()
		hub.Close()
		caller.Close(time.Now())
		og.Directories().Close()
		og.EndCommands(time.Now(), time.Now())
		og.Wait()
	})
	e.Server = New(Options{
		Origin: og, Version: "test", Log: log, Wanted: func() bool { return true }, Lines: &Lines{}, Health: func() api.Health { return api.Health{OK: true} },
		State: func() (*apistate.State, *config.Config) {
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.kept, e.cfg
		},
		Change: func(change func(*apistate.State, *config.Config) error) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			next := e.kept.Clone()
			if err := change(next, e.cfg); err != nil {
				return err
			}
			e.kept = next
			return nil
		},
	})
	return e
}

// ask sends a request to the location /api2.
func (e *empty) ask(method, path, kind, body string, scopes ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1/api2"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	below, _, _ := strings.Cut(path, "?")
	e.Handler(config.API{}, "/api2")(w, r, api.Caller{Path: below, Scopes: scopes, Address: netip.MustParseAddr("192.0.2.1")})
	return w
}

var allScopes = config.Scopes

// TestNoCommandIsForWhoLacksItsScope: each command, with every scope but its own.
func TestNoCommandIsForWhoLacksItsScope(t *testing.T) {
	t.Parallel()
	e := newEmpty(t)
	for _, c := range commands() {
		if c.scope == "" {
			continue
		}
		var others []string
		for _, s := range allScopes {
			if s != c.scope {
				others = append(others, s)
			}
		}
		w := e.ask("POST", "", "application/json", `{"`+c.name+`":true}`, others...)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "lack "+c.scope) {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	for _, rt := range routes() {
		if rt.scope == "" {
			continue
		}
		path := "/v1" + strings.NewReplacer("{", "", "}", "").Replace(rt.path)
		w := e.ask(rt.method, path, "application/json", "{}", "fly")
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "lack "+rt.scope) {
			t.Errorf("%s %s: %d %s", rt.method, path, w.Code, w.Body)
		}
	}
}

// TestWhatCommandsAnswer, in the words of MistServer's own examples and of people who got
// them wrong.
func TestWhatCommandsAnswer(t *testing.T) {
	t.Parallel()
	e := newEmpty(t)
	for _, c := range []struct {
		command string
		status  int
		want    string
	}{
		{`{"push_auto_add":{"a":{"stream":"live/a","target":"rtmp://h/a"},"b":{"stream":"live/b","target":"rtmp://h/b"}}}`, 200, `"there":[]`},
		{`{"push_auto_add":[{"stream":"live/c","target":"rtmp://h/c"},["live/d","rtmp://h/d"]]}`, 200, `"there":[]`},
		{`{"push_auto_list":true}`, 200, `["d","rtmp://h/d/d",0,0]]`}, // no key: the name is that of the stream
		{`{"push_auto_remove":["live/c","rtmp://h/c"]}`, 200, `{"push_auto_remove":{"removed":1}}`},
		{`{"push_auto_remove":["a","b"]}`, 200, `{"push_auto_remove":{"removed":2}}`},
		{`{"push_auto_remove":{"stream":"d","target":"rtmp://h/d"}}`, 200, `{"push_auto_remove":{"removed":1}}`},
		{`{"push_auto_remove":7}`, 400, "push_auto_list"},
		{`{"auto_push":true,"push_list":true,"streamkeys":true}`, 200, `{"auto_push":{},"push_list":[],"streamkeys":{}}`},
		{`{"push_auto_add":["#tag","rtmp://h/d"]}`, 400, "streams have no tags"},
		{`{"push_auto_add":["nowhere/a","rtmp://h/d"]}`, 404, "no application"},
		{`{"push_auto_add":["live/a","file:///etc/passwd"]}`, 400, "does not send"},
		{`{"push_auto_add":["live/a","/etc/cron.d/x"]}`, 400, "record blocks"},
		{`{"push_auto_add":["live/a","rtmp://h/a","soon"]}`, 400, "write"},
		{`{"push_auto_add":[]}`, 400, "write"},
		{`{"push_auto_add":"x"}`, 400, "write"},
		{`{"push_start":["a"]}`, 400, "write"},
		{`{"push_stop":""}`, 400, "push_list"},
		{`{"push_stop":[1,2]}`, 200, `{"push_stop":{"stopped":0}}`},
		{`{"push_settings":{"wait":-1}}`, 400, "0 to 60"},
		{`{"push_settings":{"maxspeed":3}}`, 400, "maxspeed is 0"},
		{`{"push_settings":{"wait":10,"maxspeed":0},"version":true}`, 200, `"push_settings":{"maxspeed":0,"wait":10}`},
		{`{"streamkey_add":{"a-secret-of-anna":"anna"}}`, 200, `{"streamkey_add":{"added":["sha256:`},
		{`{"streamkey_add":["a-secret-of-anna"]}`, 400, "KEY"},
		{`{"streamkey_add":{"a-secret-of-anna":"other/anna"}}`, 409, "shut all others out"},
		{`{"streamkey_del":{"a-secret-of-anna":"anna"}}`, 200, `{"streamkey_del":{"removed":1}}`},
		{`{"streamkey_del":"the-key-of-the-file"}`, 409, "remove it there"},
		{`{"streamkey_del":"sha256:0123"}`, 200, `{"streamkey_del":{"removed":0}}`},
		{`{"invalidate_sessions":""}`, 400, "an empty name would mean all"},
		{`{"invalidate_sessions":true}`, 400, "NAME"},
		{`{"stop_sessions":""}`, 400, "an empty name would mean all"},
		{`{"stop_sessions":{"":"HLS"}}`, 400, "an empty name would mean all"},
		{`{"stop_tag":""}`, 400, "an empty one would mean all"},
		{`{"stop_sessid":"I0123abc"}`, 400, "clients has them"},
		{`{"stop_sessid":[1,"2"]}`, 200, `{"stop_sessid":{"sessions":0}}`},
		{`{"tag_sessid":{"1":"a]b"}}`, 400, "no [ or ]"},
		{`{"nuke_stream":""}`, 400, "an empty name would mean all"},
		{`{"nuke_stream":["gone"]}`, 200, `{"nuke_stream":{"streams":0}}`},
		{`{"totals":[{"fields":["upbps"]},{"fields":["clients"],"start":-5}]}`, 200, `{"totals":[{"fields":["upbps"],"start":null`},
		{`{"totals":{"fields":["fly"]}}`, 400, "no field fly"},
		{`{"totals":{"start":"x"}}`, 400, "numbers"},
		{`{"totals":{"start":-9000000000000000000,"end":9000000000000000000,"fields":["upbps"]}}`, 200, `"data":null`},
		{`{"clients":[{"fields":["host"]},{"fields":["stream"]}]}`, 200, `{"clients":[{"data":[],"fields":["host"]`},
		{`{"clients":{"streams":"a"}}`, 400, "lists"},
		{`{"capabilities":true}`, 200, `"connectors"`},
		{`{"minimal":1,"version":1}`, 200, `{"version":{"release":"rtmpd","version":"test"}}`},
		{`{"config":{"protocols":[]}}`, 404, "the configuration is a file"},
	} {
		w := e.ask("POST", "", "application/json", c.command, allScopes...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d with %s", c.command, w.Code, w.Body, c.status, c.want)
		}
	}
}

// TestTheHistoryHasARowForEachSecond, whatever the clock and the process do.
func TestTheHistoryHasARowForEachSecond(t *testing.T) {
	t.Parallel()
	var h history
	at := time.Unix(1700000000, 0)
	figures := func(received, sent uint64, players int) []*origin.Figures {
		return []*origin.Figures{{App: "live", Name: "cam", Publishing: true, Received: received, SentRTMP: sent, Players: players, Metered: true}}
	}
	h.take(at, figures(0, 0, 0))
	h.take(at.Add(time.Second), figures(1000, 500, 2))
	h.take(at.Add(5*time.Second), figures(2000, 1500, 3)) // it did not run for 3 s
	h.take(at.Add(4*time.Second), figures(2000, 1500, 4)) // the clock was set back
	h.take(at.Add(6*time.Second), nil)                    // the stream has gone
	show := func(q totalsQuestion) string {
		t.Helper()
		b, err := json.Marshal(h.totals(&q, at.Unix()+6))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range []struct {
		q    totalsQuestion
		want string
	}{
		{
			totalsQuestion{Fields: []string{"clients", "downbps", "upbps", "inputs"}},
			`{"fields":["clients","downbps","upbps","inputs"],"start":1700000000,"end":1700000006,"data":[[0,0,0,1],[2,1000,500,1],[3,250,250,1],[3,250,250,1],[3,250,250,1],[4,0,0,1],[0,0,0,0]],"interval":[[6,1]]}`,
		},
		{totalsQuestion{Streams: []string{"cam"}, Fields: []string{"clients"}, Start: -1}, `{"fields":["clients"],"start":1700000005,"end":1700000006,"data":[[4],[0]],"interval":[[1,1]]}`},
		{totalsQuestion{Streams: []string{"live/cam"}, Fields: []string{"clients"}, Start: 1700000001, End: 1700000001}, `{"fields":["clients"],"start":1700000001,"end":1700000001,"data":[[2]],"interval":[]}`},
		{totalsQuestion{Streams: []string{"cam+"}, Fields: []string{"clients"}}, `{"fields":["clients"],"start":null,"end":null,"data":null,"interval":null}`},
		{totalsQuestion{Fields: []string{"upbps"}, Protocols: []string{"hls"}, Start: -5, End: -5}, `{"fields":["upbps"],"start":1700000001,"end":1700000001,"data":[[0]],"interval":[]}`},
		{totalsQuestion{Fields: []string{"clients"}, Start: -3, End: -6}, `{"fields":["clients"],"start":1700000000,"end":1700000000,"data":[[0]],"interval":[]}`},
		{totalsQuestion{Fields: []string{"upbps"}, Start: 1800000000}, `{"fields":["upbps"],"start":null,"end":null,"data":null,"interval":null}`},
	} {
		if got := show(c.q); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.q, got, c.want)
		}
	}
	if n := h.watched("live", "cam"); n != 2+4*3+4 {
		t.Errorf("watched for %d s", n)
	}
}

// TestTheHistoryIsBounded in streams and in time, and forgets what is long over.
func TestTheHistoryIsBounded(t *testing.T) {
	t.Parallel()
	var h history
	at := time.Unix(1700000000, 0)
	many := make([]*origin.Figures, 2*maxSeries)
	for i := range many {
		many[i] = &origin.Figures{App: "live", Name: fmt.Sprint("s", i), Players: 1}
	}
	h.take(at, many)
	if len(h.of) != maxSeries || h.all.samples[0].Players != 2*maxSeries {
		t.Errorf("%d streams have a history, %d players in all", len(h.of), h.all.samples[0].Players)
	}
	for i := range 2 * kept {
		h.take(at.Add(time.Duration(i+1)*time.Second), nil)
	}
	if len(h.of) != 0 || len(h.all.samples) > kept+kept/10 || cap(h.all.samples) > 2*kept {
		t.Errorf("%d series, %d samples with room for %d", len(h.of), len(h.all.samples), cap(h.all.samples))
	}
	h.take(at.Add(time.Hour*24*365), nil) // a machine that slept for a year
	if len(h.all.samples) > 2*kept {
		t.Errorf("%d samples", len(h.all.samples))
	}
}

func TestNamesAcrossApplications(t *testing.T) {
	t.Parallel()
	got := shownNames([]*origin.Figures{{App: "a", Name: "x"}, {App: "a", Name: "y"}, {App: "b", Name: "x"}})
	if strings.Join(got, " ") != "a/x y b/x" {
		t.Errorf("got %q", got)
	}
	for text, want := range map[string]string{"x": "a/x b/x", "a/x": "a/x", "x+": "a/x+1 a/x+2", "a/x+1": "a/x+1", "b/x+": "", "x 1": "a/x+1", "": ""} {
		f := newFilter(text)
		var hits []string
		for _, s := range [][2]string{{"a", "x"}, {"a", "x+1"}, {"a", "x+2"}, {"b", "x"}, {"b", "xx"}} {
			if f.selects(s[0], s[1]) {
				hits = append(hits, s[0]+"/"+s[1])
			}
		}
		if strings.Join(hits, " ") != want {
			t.Errorf("%q selects %q, want %q", text, hits, want)
		}
	}
}

func TestTheNewestLinesOfTheLogAreKept(t *testing.T) {
	t.Parallel()
	var l Lines
	core, _ := observer.New(zapcore.DebugLevel)
	log := zap.New(l.Core(core))
	from := l.before(10)
	log.With(zap.String("stream", "cam")).Warn("too slow", zap.Int("packets", 3))
	log.Debug("a developer's")
	log.Error("broken", zap.String("text", strings.Repeat("x", 5000)))
	lines, next := l.since(from)
	if len(lines) != 2 || lines[0].kind != "WARN" || lines[0].stream != "cam" || lines[0].text != "too slow packets=3 stream=cam" || lines[1].kind != "FAIL" || len(lines[1].text) > maxLine+3 {
		t.Errorf("lines: %+v", lines)
	}
	for i := range 3 * maxLines {
		log.Info("line", zap.Int("n", i))
	}
	if lines, _ := l.since(next); len(lines) != maxLines || lines[maxLines-1].text != fmt.Sprintf("line n=%d", 3*maxLines-1) {
		t.Errorf("%d lines are kept", len(lines))
	}
}

// TestThePageForMistServersUsersHasEveryCall, those that there are and those that are not.
func TestThePageForMistServersUsersHasEveryCall(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/from-mistserver.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "## Calls of the API")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	own, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands() {
		if !strings.Contains(chapter, "`"+c.name+"`") || !strings.Contains(string(own), "`"+c.name+"`") {
			t.Errorf("docs/from-mistserver.md or docs/api.md has no %s", c.name)
		}
	}
	for name := range unserved {
		if name != "minimal" && !strings.Contains(chapter, "`"+name+"`") {
			t.Errorf("docs/from-mistserver.md has no %s", name)
		}
	}
	for _, rt := range routes() {
		path := strings.NewReplacer("{application}", "APPLICATION", "{stream}", "STREAM", "{session}", "ID", "{push}", "ID", "{key}", "ID").Replace(rt.path)
		if path != "/openapi.json" && !strings.Contains(string(own), "`"+rt.method+" "+path) {
			t.Errorf("docs/api.md has no %s %s", rt.method, path)
		}
	}
}

// FuzzCommands: what anybody sends who was let in is answered in JSON of a bounded length,
// and no secret of the configuration is in it.
func FuzzCommands(f *testing.F) {
	for _, c := range commands() {
		for _, arg := range []string{`true`, `"x"`, `["x","rtmp://h/a"]`, `{"stream":"live/x","target":"rtmp://h/a","fields":["upbps"],"start":-5}`, `{"1":"tag"}`, `[{"streams":["x+"]}]`} {
			f.Add("POST", "application/json", `{"`+c.name+`":`+arg+`}`)
		}
	}
	f.Add("POST", "application/x-www-form-urlencoded", "command=%7B%22version%22%3A1%7D")
	f.Add("POST", "text/plain", "x")
	f.Add("GET", "", "")
	f.Fuzz(func(t *testing.T, method, kind, body string) {
		fuzztime.Bound(t)
		if method != "GET" && method != "DELETE" {
			method = "POST"
		}
		e := newEmpty(t)
		w := e.ask(method, "", kind, body, allScopes...)
		checkAnswer(t, w, body)
	})
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, body string) {
	t.Helper()
	var v any
	if w.Code != http.StatusNoContent && json.Unmarshal(w.Body.Bytes(), &v) != nil {
		t.Fatalf("%q: %d %s", body, w.Code, w.Body)
	}
	if w.Body.Len() > 64*maxBody || w.Code >= 500 {
		t.Fatalf("%q: %d, %d bytes", body, w.Code, w.Body.Len())
	}
	if strings.Contains(w.Body.String(), "the-key-of-the-file") {
		t.Fatalf("%q: %s", body, w.Body)
	}
}

// FuzzREST: the same for REST.
func FuzzREST(f *testing.F) {
	for i := range routes() {
		f.Add(uint8(i), "x", `{"stream":"live/x","target":"rtmp://h/a","key":"a-key-of-somebody","tag":"x"}`)
		f.Add(uint8(i), "1", `{"stream":"x","application":"live","inhibit":["a+"],"not_before":"2026-01-01T00:00:00Z"}`)
	}
	f.Fuzz(func(t *testing.T, which uint8, word, body string) {
		fuzztime.Bound(t)
		all := routes()
		rt := all[int(which)%len(all)]
		params := make(map[string]string)
		for part := range strings.SplitSeq(rt.path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				params[strings.TrimSuffix(name, "}")] = word
			}
		}
		e := newEmpty(t)
		r := httptest.NewRequest(rt.method, "http://127.0.0.1/api2/v1", strings.NewReader(body))
		w := httptest.NewRecorder()
		status, answer, err := e.call(&rt, r, &api.Caller{Scopes: allScopes}, params)
		switch {
		case err != nil:
			answerError(w, err)
		case rt.answer == nil:
			w.WriteHeader(rt.status)
		default:
			writeJSON(w, status, answer)
		}
		checkAnswer(t, w, body)
	})
}
