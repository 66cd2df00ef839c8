package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// A side is one of the two servers of a comparison, with the hook script that
// it calls.
type side struct {
	conf    string // of rtmpd: its configuration
	t       *testing.T
	nginx   bool
	address string // host:port of RTMP
	web     string // host:port of HTTP, for control
	dir     string // of recordings: DIR
	script  *hookScript
	log     func() string
}

func (s *side) name() string {
	if s.nginx {
		return "nginx-rtmp"
	}
	return "rtmpd"
}

// A hookScript is the small server of a golden set-up: it remembers what it is
// asked.
type hookScript struct {
	url     string
	reply   func(c hookCall) reply
	address atomic.Value // string: of the server that calls, which is ADDRESS in what it says
	dir     string       // of its recordings, which is DIR; empty: none

	mu    sync.Mutex
	calls []hookCall
}

// A reply is what the script answers; the zero reply is 200.
type reply struct {
	status   int
	location string
	raw      string // in place of an answer
	hangUp   bool
}

// A hookCall is one request, its fields in their order and as they were sent.
type hookCall struct {
	method, path string
	query        bool // the URL's own, x=1, is there
	names        []string
	values       []string // still encoded
}

// get is a field's value, decoded; empty if it is not there.
func (c *hookCall) get(name string) string {
	if i := slices.Index(c.names, name); i >= 0 {
		v, _ := url.QueryUnescape(c.values[i])
		return v
	}
	return ""
}

func (c *hookCall) call() string { return c.get("call") }

func parseCall(method, path, form string) hookCall {
	c := hookCall{method: method, path: path}
	for part := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(part, "=")
		c.names, c.values = append(c.names, name), append(c.values, value)
	}
	return c
}

func newHookScript(t *testing.T, answer func(hookCall) reply) *hookScript {
	h := &hookScript{reply: answer}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := r.URL.RawQuery
		if r.Method == http.MethodPost {
			b, _ := io.ReadAll(r.Body)
			form = string(b)
		}
		form = strings.ReplaceAll(form, h.address.Load().(string), "ADDRESS")
		if h.dir != "" {
			form = strings.ReplaceAll(form, h.dir, "DIR")
		}
		form, query := strings.CutPrefix(form, "x=1&")
		if !query {
			form, query = strings.CutPrefix(form, "x=1?") // difference 7
		}
		c := parseCall(r.Method, r.URL.Path, form)
		c.query = query
		h.mu.Lock()
		h.calls = append(h.calls, c)
		h.mu.Unlock()
		if h.reply != nil {
			h.reply(c).write(w)
		}
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	h.url = srv.URL
	return h
}

func (a reply) write(w http.ResponseWriter) {
	if a.hangUp || a.raw != "" {
		if nc, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_, _ = io.WriteString(nc, a.raw)
			nc.Close()
		}
		return
	}
	if a.location != "" {
		w.Header()["Location"] = []string{a.location}
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
}

func (h *hookScript) seen() []hookCall {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

// has says whether there was such a call.
func (h *hookScript) has(call string) bool {
	return slices.ContainsFunc(h.seen(), func(c hookCall) bool { return c.call() == call })
}

// goodbyes are the calls at the end of a session, whose order among themselves
// nginx-rtmp leaves to chance: it makes them at the same time.
const goodbyes = " publish_done play_done done record_done disconnect "

// story is what the script was asked: of updates the first of each kind, and
// the good-byes in nginx-rtmp's documented order.
func (h *hookScript) story() []hookCall {
	var out []hookCall
	for _, c := range h.seen() {
		if c.call() == "disconnect" && c.get("app") == "" {
			continue // difference 9
		}
		if strings.HasPrefix(c.call(), "update_") && slices.ContainsFunc(out, func(d hookCall) bool { return d.call() == c.call() }) {
			continue
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b hookCall) int {
		x, y := strings.Index(goodbyes, " "+a.call()+" "), strings.Index(goodbyes, " "+b.call()+" ")
		if x < 0 && y < 0 || len(a.names) == 0 || len(b.names) == 0 {
			return 0
		}
		return x - y
	})
	return out
}

// startNginx runs nginx-rtmp with the text in its server block; $HOOK is the script.
func startNginx(t *testing.T, text string, answer func(hookCall) reply) *side {
	t.Helper()
	s := &side{t: t, nginx: true, address: testport.Address(), web: testport.Address(), dir: recordings(t)}
	s.script = newHookScript(t, answer)
	s.script.address.Store(s.address)
	s.script.dir = s.dir
	dir := t.TempDir()
	errorLog := filepath.Join(dir, "error.log")
	conf := fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[2]s info;
events {}
rtmp {
  access_log off;
  server {
    listen %[3]s;
    %[4]s
  }
}
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen %[5]s; location /control { rtmp_control all; } }
}
`, dir, errorLog, s.address, strings.NewReplacer("$HOOK", strings.TrimPrefix(s.script.url, "http://"), "$DIR", s.dir).Replace(text), s.web)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, command(t, 5*time.Minute, "nginx", "-c", path, "-p", dir, "-e", errorLog))
	s.log = func() string { b, _ := os.ReadFile(errorLog); return string(b) }
	s.waitListening()
	return s
}

// startHooked runs rtmpd with the text in its rtmp block.
func startHooked(t *testing.T, text string, answer func(hookCall) reply) *side {
	t.Helper()
	s := &side{t: t, dir: recordings(t)}
	s.script = newHookScript(t, answer)
	s.script.dir = s.dir
	dir, err := os.MkdirTemp("", "rtmpd-") // a socket's path is short, a test's name is not
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "rtmpd.hcl")
	conf := fmt.Sprintf("state_dir = %q\nruntime_dir = %q\nrtmp {\n  listen = \"127.0.0.1:0\"\n%s\n}\nhttp {\n  listen = \"127.0.0.1:0\"\n  location \"/control\" {\n    control {}\n    access = [\"allow loopback\", \"deny all\"]\n  }\n}\n",
		dir+"/state", dir+"/run", strings.NewReplacer("$HOOK", s.script.url, "$DIR", s.dir).Replace(text))
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s.conf = path
	s.log = watch(t, exec.Command(rtmpd, "run", "-c", path)).String
	s.askAddress()
	s.web = listensAt(t, s.log, "http", 1)[0]
	return s
}

// recordings makes a directory for them, whose name needs no escaping.
func recordings(t *testing.T) string {
	dir, err := os.MkdirTemp("", "recordings-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// typed is a name in a query: nginx-rtmp takes it as it stands there.
func (s *side) typed(name string) string {
	if s.nginx {
		return name
	}
	return url.QueryEscape(name)
}

// control makes a call of control and returns its answer.
func (s *side) control(call string) string {
	s.t.Helper()
	res, err := http.Get("http://" + s.web + "/control/" + call)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(fmt.Sprint(res.StatusCode, " ", string(b)), s.dir, "DIR")
}

// askAddress waits until rtmpd says where it listens for RTMP.
func (s *side) askAddress() {
	s.t.Helper()
	s.address = listensAt(s.t, s.log, "rtmp", 1)[0]
	if s.script != nil {
		s.script.address.Store(s.address)
	}
}

func (s *side) waitListening() {
	s.t.Helper()
	eventually(s.t, 90*time.Second, s.name()+" listens", func() bool {
		nc, err := net.Dial("tcp", s.address)
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
}

// testFlashVer is what the clients of the tests call themselves, unless they say more.
const testFlashVer = "FMLE/3.0 (compatible; Lavf59.27"

// connect connects to an application as the same client on both sides.
func (s *side) connect(app string, o rtmp.ClientOptions) (*rtmp.Client, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	o.App = app
	if o.TCURL == "" {
		o.TCURL = "rtmp://live.example/" + app
	}
	if o.FlashVer == "" {
		o.FlashVer = testFlashVer
	}
	c, err := rtmp.Dial(ctx, "rtmp://"+s.address+"/x", o)
	if err == nil {
		s.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// outcome is what a client makes of an answer. rtmpd must say why, which
// nginx-rtmp does not: it hangs up.
func (s *side) outcome(what string, err error) string {
	if err == nil {
		return what
	}
	var status *rtmp.StatusError
	if !s.nginx && (!errors.As(err, &status) || status.Level != "error" || status.Description == "") {
		s.t.Errorf("rtmpd refuses to have a client %s without a word: %v", what, err)
	}
	return "not " + what
}

// publish is a whole attempt to connect and publish.
func (s *side) publish(app, name string) (*rtmp.Client, string) {
	s.t.Helper()
	c, err := s.connect(app, rtmp.ClientOptions{})
	if err != nil {
		return nil, s.outcome("connected", err)
	}
	return c, s.publishOn(c, name)
}

func (s *side) publishOn(c *rtmp.Client, name string) string {
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	return s.outcome("publishing", c.Publish(ctx, name))
}

// play is a whole attempt to connect and play.
func (s *side) play(app, name string) (*rtmp.Client, string) {
	s.t.Helper()
	c, err := s.connect(app, rtmp.ClientOptions{PageURL: "http://chat.example/room?a=b c"})
	if err != nil {
		return nil, s.outcome("connected", err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	return c, s.outcome("playing", c.Play(ctx, name))
}

// whetherClosed waits until the server closes the connection, or the script has
// got enough calls to show that it does not.
func (s *side) whetherClosed(c *rtmp.Client, enough func() bool) string {
	s.t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			if _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case <-closed:
			return "closed"
		case <-time.After(20 * time.Millisecond):
			if enough() {
				return "stays"
			}
		}
	}
	s.t.Errorf("%s neither closes nor goes on calling", s.name())
	return ""
}

// send publishes the first n messages of the test card.
func (s *side) send(c *rtmp.Client, n int) {
	s.t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "internal", "demo", "testcard.flv"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	r, err := flv.NewReader(f)
	if err != nil {
		s.t.Fatal(err)
	}
	for range n {
		tag, err := r.Next()
		if err != nil {
			s.t.Fatal(err)
		}
		if tag.Type == flv.TagScript {
			continue
		}
		m := rtmp.Message{Type: rtmp.MessageType(tag.Type), ChunkStreamID: 6, StreamID: c.StreamID, Timestamp: tag.Timestamp, Payload: tag.Body}
		if err := c.WriteMessage(m); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// sees waits for video at a player.
func (s *side) sees(c *rtmp.Client) string {
	done := make(chan string, 1)
	go func() {
		for {
			m, err := c.ReadMessage()
			if err != nil {
				done <- "sees nothing"
				return
			}
			if m.Type == rtmp.TypeVideo {
				done <- "sees it"
				return
			}
		}
	}()
	select {
	case what := <-done:
		return what
	case <-time.After(10 * time.Second):
		c.Close()
		return <-done
	}
}
