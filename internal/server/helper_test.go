package server

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestMain(m *testing.M) {
	// The tests wait for clients and clocks most of their time, not for a processor.
	// -parallel, which is parsed later, wins.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// Codes as the tests name them.
const (
	statusDenied  = rtmp.StatusPublishDenied
	statusBadName = rtmp.StatusPublishBadName
)

// patience bounds every wait: ten times what a slow machine needs.
const patience = 2 * time.Minute

// A rig is a Server under test: its configuration on disk, and all it said.
type rig struct {
	testing.TB
	srv  *Server
	dir  string // $DIR in configurations
	cfg  *config.Config
	logs *observer.ObservedLogs

	mu      sync.Mutex
	said    []string // announced
	stopped bool
}

// start runs a Server with the configuration until the test ends.
func start(t testing.TB, hcl string) *rig {
	t.Helper()
	r := newRig(t)
	r.cfg = r.load(hcl)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// newRig makes a Server that has no configuration yet.
func newRig(t testing.TB) *rig {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{TB: t, dir: t.TempDir(), logs: logs}
	r.srv = New(Options{
		Log: zap.New(core), Level: zap.NewAtomicLevel(), Version: "test",
		Announce: func(line string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.said = append(r.said, line)
		},
	})
	t.Cleanup(func() {
		if !r.stopped {
			if err := r.stop(); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
		if t.Failed() {
			for _, e := range r.logs.All() {
				t.Logf("%s %s %v", e.Level, e.Message, e.ContextMap())
			}
		}
	})
	return r
}

func (r *rig) stop() error {
	r.stopped = true
	return r.srv.Shutdown()
}

// write puts a file below the rig's directory.
func (r *rig) write(name, text string) (path string) {
	r.Helper()
	path = filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}

// load reads a configuration as the running one's successor. Warnings are
// allowed, errors are not.
func (r *rig) load(hcl string) *config.Config {
	r.Helper()
	path := r.write("rtmpd.hcl", strings.ReplaceAll(hcl, "$DIR", r.dir))
	env := map[string]string{"XDG_STATE_HOME": filepath.Join(r.dir, "state"), "XDG_RUNTIME_DIR": filepath.Join(r.dir, "run")}
	cfg, files, diags := config.Load(path, config.LoadOptions{Env: env, Previous: r.cfg})
	if diags.HasErrors() {
		var b bytes.Buffer
		config.WriteDiagnostics(&b, files, diags)
		r.Fatalf("configuration:\n%s", b.String())
	}
	return cfg
}

// reload applies another configuration, which must work.
func (r *rig) reload(hcl string) config.Plan {
	r.Helper()
	cfg := r.load(hcl)
	plan, err := r.srv.Apply(cfg)
	if err != nil {
		r.Fatalf("reload: %v", err)
	}
	r.cfg = cfg
	return plan
}

// addr is where the n-th rtmp block listens first.
func (r *rig) addr(n int) string {
	r.Helper()
	a := r.cfg.RTMP[n].Listen[0]
	host := a.Host
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, strconv.Itoa(r.srv.Port("rtmp", a)))
}

func (r *rig) web() string {
	r.Helper()
	a := r.cfg.HTTP[0].Listen[0]
	return fmt.Sprintf("http://127.0.0.1:%d", r.srv.Port("http", a))
}

// app returns a running application of the first rtmp block.
func (r *rig) app(name string) *origin.Application { return r.srv.running()[0].Application(name) }

func (r *rig) stream(app, name string) *origin.Stream {
	if a := r.app(app); a != nil {
		return a.Stream(name)
	}
	return nil
}

// unpublished reports whether a stream is there and has no publisher.
func (r *rig) unpublished(app, name string) bool {
	st := r.stream(app, name)
	return st != nil && st.Waiting()
}

// players is how many players a name has, whether it has a stream or not.
func (r *rig) players(app, name string) (n int) {
	for _, a := range r.srv.Snapshot().Servers[0].Applications {
		for _, st := range a.Streams {
			for _, c := range st.Clients {
				if a.Name == app && st.Name == name && !c.Publishing {
					n++
				}
			}
		}
	}
	return n
}

// streams are the names of an application's streams, and of those waited for.
func (r *rig) streams(app string) (names []string) {
	for _, a := range r.srv.Snapshot().Servers[0].Applications {
		for _, st := range a.Streams {
			if a.Name == app {
				names = append(names, st.Name)
			}
		}
	}
	return names
}

// connections is how many RTMP clients there are.
func (r *rig) connections() int { return r.srv.rtmp.Figures().Connections }

// packets is how many packets a stream has taken; 0 if there is none.
func (r *rig) packets(app, name string) int {
	if st := r.stream(app, name); st != nil {
		return int(st.Live().Snapshot().Packets)
	}
	return 0
}

// eventually waits until cond holds.
func (r *rig) eventually(what string, cond func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("never happened: %s", what)
		}
	}
}

// linesOf are the log lines about a connection, by the client's address.
func (r *rig) linesOf(addr string) []observer.LoggedEntry {
	return r.logs.Filter(func(e observer.LoggedEntry) bool { return e.ContextMap()["remote"] == addr }).All()
}

// logged waits for a line with this message in which some field holds text.
func (r *rig) logged(message, text string) {
	r.Helper()
	r.eventually(fmt.Sprintf("log line %q with %q", message, text), func() bool { return r.hasLogged(message, text) })
}

func (r *rig) hasLogged(message, text string) bool {
	for _, e := range r.logs.FilterMessage(message).All() {
		if strings.Contains(fmt.Sprint(e.ContextMap()), text) {
			return true
		}
	}
	return false
}

// allText is everything the server has said to anybody but the console.
func (r *rig) allText() string {
	var b strings.Builder
	for _, e := range r.logs.All() {
		fmt.Fprintln(&b, e.Message, e.ContextMap())
	}
	return b.String()
}

// read returns a file's text, empty while it is not there.
func (r *rig) read(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(b)
}

// A client is a connection to the server that hears what it is told.
type client struct {
	*rtmp.Client
	rig  *rig
	name string // as typed at publish
	done chan struct{}

	err error // why reading ended; after done

	mu       sync.Mutex
	statuses []rtmp.StatusError

	frames int          // of the test card, sent so far
	also   []extraTrack // sent after each picture
	sent   atomic.Int64 // media messages that become packets
}

// dialling says what is unusual about a client.
type dialling struct {
	from   string // source address; 127.0.0.x are all ours
	server int    // which rtmp block
	small  bool   // its socket takes in little
	rtmp.ClientOptions
}

func (r *rig) dial(app string, o dialling) (*client, error) {
	r.Helper()
	d := &net.Dialer{}
	if o.from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(o.from)}
	}
	if o.small {
		d.Control = func(_, _ string, rc syscall.RawConn) error {
			return rc.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 32<<10) })
		}
	}
	o.DialTCP = d.DialContext
	o.HandshakeTimeout = patience
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := rtmp.Dial(ctx, "rtmp://"+r.addr(o.server)+"/"+app, o.ClientOptions)
	if err != nil {
		return nil, err
	}
	cl := &client{Client: c, rig: r, done: make(chan struct{})}
	r.Cleanup(func() { c.Close() })
	return cl, nil
}

func (r *rig) mustDial(app string, o dialling) *client {
	r.Helper()
	c, err := r.dial(app, o)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// tryPublish connects and asks to publish; an error is the server's no.
func (r *rig) tryPublish(app, name string, o dialling) (*client, error) {
	r.Helper()
	c, err := r.dial(app, o)
	if err != nil {
		return nil, err
	}
	c.name = name
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Client.Publish(ctx, name); err != nil {
		c.Close()
		return nil, err
	}
	c.listen()
	return c, nil
}

func (r *rig) publish(app, name string) *client { r.Helper(); return r.publishFrom("", app, name) }

func (r *rig) publishFrom(from, app, name string) *client {
	r.Helper()
	c, err := r.tryPublish(app, name, dialling{from: from})
	if err != nil {
		r.Fatalf("publish %s/%s: %v", app, name, err)
	}
	return c
}

// refused is publishing that must end in a refusal with this code and words.
func (r *rig) refused(app, name string, o dialling, code, words string) {
	r.Helper()
	c, err := r.tryPublish(app, name, o)
	if err == nil {
		c.Close()
		r.Fatalf("publish %s was accepted, want %s", app, code)
	}
	var s *rtmp.StatusError
	if !errors.As(err, &s) {
		r.Fatalf("publish %s: %v, want a status %s", app, err, code)
	}
	if s.Level != "error" || s.Code != code || !strings.Contains(s.Description, words) {
		r.Errorf("publish %s is refused with %s %s %q, want error %s with %q", app, s.Level, s.Code, s.Description, code, words)
	}
}

// listen keeps reading what the server says.
func (c *client) listen() {
	go func() {
		defer close(c.done)
		for {
			m, err := c.ReadMessage()
			if err != nil {
				c.err = err
				return
			}
			if m.Type != rtmp.TypeCommandAMF0 {
				continue
			}
			if s, ok := statusIn(m); ok {
				c.mu.Lock()
				c.statuses = append(c.statuses, s)
				c.mu.Unlock()
			}
		}
	}()
	c.rig.Cleanup(func() { c.Close(); <-c.done })
}

func statusIn(m rtmp.Message) (rtmp.StatusError, bool) {
	cmd, err := rtmp.ParseCommand(m)
	if err != nil {
		return rtmp.StatusError{}, false
	}
	for _, v := range cmd.Args {
		if o, ok := amf.AsObject(v); ok && o.Get("code") != nil {
			var s rtmp.StatusError
			s.Level, _ = o.Get("level").(string)
			s.Code, _ = o.Get("code").(string)
			s.Description, _ = o.Get("description").(string)
			return s, true
		}
	}
	return rtmp.StatusError{}, false
}

func (c *client) heard() []rtmp.StatusError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.statuses)
}

// ended waits until the server has closed its side of the connection, closes
// the other, and returns the last thing it said.
func (c *client) ended() rtmp.StatusError {
	c.rig.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.rig.Fatal("the server does not close the connection")
	}
	c.Close() // it need not linger for us
	if h := c.heard(); len(h) > 0 {
		return h[len(h)-1]
	}
	return rtmp.StatusError{}
}

// alive says whether the server still holds the connection.
func (c *client) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// local is the client's address as the server's log has it.
func (c *client) local() string { return c.NetConn().LocalAddr().String() }

// cut is a lost connection: no good-bye.
func (c *client) cut() {
	if tc, ok := c.NetConn().(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	c.Close()
}

// card is the test card: 16 s, a keyframe a second.
var card = sync.OnceValue(func() (c struct{ headers, frames []rtmp.Message }) {
	f, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		panic(err)
	}
	r, err := flv.NewReader(bytes.NewReader(f))
	if err != nil {
		panic(err)
	}
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			panic(err)
		}
		m := rtmp.Message{Type: rtmp.MessageType(tag.Type), ChunkStreamID: 4, StreamID: 1, Timestamp: tag.Timestamp, Payload: tag.Body}
		switch {
		case tag.Type == flv.TagScript:
			m.ChunkStreamID = 5
			m.Payload = append(amf.Append(nil, "@setDataFrame"), tag.Body...)
			c.headers = append(c.headers, m)
		case tag.Body[1] == 0:
			c.headers = append(c.headers, m)
		default:
			c.frames = append(c.frames, m)
		}
	}
})

// frame sends the next frame of the test card, with its headers before the
// first. Its timestamp goes on for ever.
func (c *client) frame() error {
	clip := card()
	if c.frames == 0 {
		for _, m := range clip.headers {
			if err := c.WriteMessage(m); err != nil {
				return err
			}
		}
		if err := c.alsoHeaders(); err != nil {
			return err
		}
	}
	m := clip.frames[c.frames%len(clip.frames)]
	m.Timestamp += uint32(c.frames/len(clip.frames)) * 16000
	c.frames++
	if err := c.WriteMessage(m); err != nil {
		return err
	}
	c.sent.Add(1)
	if err := c.alsoFrames(m); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return nil
}

// seconds sends so much of the test card, as fast as the server takes it.
func (c *client) seconds(n float64) {
	c.rig.Helper()
	from := c.at()
	for c.at() < from+n {
		if err := c.frame(); err != nil {
			c.rig.Fatalf("send media: %v", err)
		}
	}
}

// at is the media time of the next frame in seconds.
func (c *client) at() float64 {
	clip := card()
	return float64(c.frames/len(clip.frames))*16 + float64(clip.frames[c.frames%len(clip.frames)].Timestamp)/1000
}

// A witness publishes all the time beside what a test does to others.
type witness struct {
	*client
	app, name string
	quit      chan struct{}
	gone      chan error
}

func (r *rig) witness(app, name string) *witness {
	r.Helper()
	w := &witness{client: r.publish(app, name), app: app, name: name, quit: make(chan struct{}), gone: make(chan error, 1)}
	go func() {
		tick := time.NewTicker(4 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.quit:
				w.gone <- nil
				return
			case <-tick.C:
				if err := w.frame(); err != nil {
					w.gone <- err
					return
				}
			}
		}
	}()
	return w
}

// undisturbed ends the witness's media and checks that its connection lives
// and that every packet it sent is in the stream.
func (w *witness) undisturbed() {
	w.rig.Helper()
	close(w.quit)
	if err := <-w.gone; err != nil {
		w.rig.Fatalf("the publisher beside was disturbed: %v", err)
	}
	w.rig.eventually("every packet of the publisher beside arrives", func() bool {
		return w.rig.packets(w.app, w.name) == int(w.sent.Load())
	})
	if !w.alive() || len(w.heard()) > 0 {
		w.rig.Errorf("the publisher beside was told %v, alive %t", w.heard(), w.alive())
	}
}
