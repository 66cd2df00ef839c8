package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// taken is a port that somebody else (this process) listens on.
func taken(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

// ports fills in P, Q, R with ports of the test.
func ports(conf string, p ...int) string {
	for i, n := range p {
		conf = strings.ReplaceAll(conf, "<"+string("PQR"[i])+">", fmt.Sprint(n))
	}
	return conf
}

// speaks says what answers at a TCP address: rtmp, http, or nothing.
func speaks(addr string) string {
	if res, err := probe.Get("http://" + addr + "/up"); err == nil {
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode == http.StatusOK && len(b) > 0 {
			return "http"
		}
		return fmt.Sprint("http ", res.StatusCode)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := rtmp.Dial(ctx, "rtmp://"+addr+"/live", rtmp.ClientOptions{})
	if err != nil {
		return "nothing"
	}
	c.Close()
	return "rtmp"
}

var probe = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

func TestAnAddressInUseNamesTheLineAndTheProcess(t *testing.T) {
	t.Parallel()
	p := taken(t)
	r := newRig(t)
	_, err := r.srv.Apply(r.load(ports(`
rtmp {
  listen = "127.0.0.1:0"
  application "live" {}
}
http {
  listen = ["127.0.0.1:0", "127.0.0.1:<P>"]
  location "/up" {
    health {}
  }
}`, p)))
	want := fmt.Sprintf("127.0.0.1:%d (rtmpd.hcl:7) is in use by pid %d server.test", p, os.Getpid())
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = r.srv.Apply(r.load(ports("rtmp {\n  listen = [\"127.0.0.1:<P>\", \"127.0.0.1:<Q>\"]\n  application \"live\" {}\n}", p, taken(t))))
	if err == nil || strings.Count(err.Error(), "is in use by pid") != 2 {
		t.Errorf("two addresses in use: %v", err)
	}
}

const two = `
rtmp {
  listen = "127.0.0.1:<P>"
  application "live" {}
}
http {
  listen = "127.0.0.1:<Q>"
  location "/up" {
    health {}
  }
}`

func TestAFailedReloadChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, conf, err string }{
		{"an address is taken", `
rtmp {
  listen = ["127.0.0.1:<P>", "127.0.0.1:<R>", "127.0.0.1:<T>"]
  application "other" {}
}
http {
  listen = "127.0.0.1:<Q>"
  location "/elsewhere" {
    health {}
  }
}`, "is in use by pid"},
		{"one that overlaps an old one, and one that is taken", `
rtmp {
  listen = [":<P>", "127.0.0.1:<R>", "127.0.0.1:<T>"]
  application "other" {}
}
http {
  listen = ":<Q>"
  location "/elsewhere" {
    health {}
  }
}`, "is in use by pid"},
		{"kinds change places, and one is taken", `
rtmp {
  listen = ["127.0.0.1:<Q>", "127.0.0.1:<R>", "127.0.0.1:<T>"]
  application "other" {}
}
http {
  listen = "127.0.0.1:<P>"
  location "/elsewhere" {
    health {}
  }
}`, "is in use by pid"},
		{"an hls.path that can't be made", `
rtmp {
  listen = ["127.0.0.1:<P>", "127.0.0.1:<R>"]
  application "other" {
    hls {
      path = "$DIR/rtmpd.hcl/hls"
    }
  }
  application "live" {
    hls {
      path = "$DIR/fine"
    }
  }
}`, "hls path"},
		{"a key that can't be kept", `
state_dir = "$DIR/rtmpd.hcl"
rtmp {
  listen = ["127.0.0.1:<P>", "127.0.0.1:<R>"]
  application "other" {
    stream_key "a" {}
  }
}`, "state_dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, q, free := testport.Next(), testport.Next(), testport.Next()
			r := start(t, ports(two, p, q))
			w := r.witness("live", "cam")
			before := r.srv.cfg.Load()
			_, err := r.srv.Apply(r.load(strings.ReplaceAll(ports(c.conf, p, q, free), "<T>", fmt.Sprint(taken(t)))))
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("reload: %v, want an error with %q", err, c.err)
			}
			if r.srv.cfg.Load() != before {
				t.Error("another configuration runs")
			}
			if got := speaks(fmt.Sprintf("127.0.0.1:%d", p)); got != "rtmp" {
				t.Errorf("the rtmp port speaks %s", got)
			}
			if got := speaks(fmt.Sprintf("127.0.0.1:%d", q)); got != "http" {
				t.Errorf("the http port speaks %s", got)
			}
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", free))
			if err != nil {
				t.Errorf("what was bound is not given back: %v", err)
			} else {
				ln.Close()
			}
			if r.hasLogged("listener lost while reloading", "") {
				t.Error("a listener was lost")
			}
			r.srv.origin.Directories().Sweep()
			if held := r.srv.origin.Directories().Paths(); len(held) > 0 {
				t.Errorf("%s are still held", held)
			}
			w.undisturbed()
			r.reload(ports(two, p, q)) // and the next one works
		})
	}
}

// One old listener makes room for two new ones, and comes back once.
func TestAListenerTakenBackTwiceComesBackOnce(t *testing.T) {
	t.Parallel()
	p := testport.Next()
	conf := func(listen string) string {
		return ports("rtmp {\n  listen = "+listen+"\n  application \"live\" {}\n}", p, taken(t))
	}
	r := start(t, conf(`":<P>"`))
	if _, err := r.srv.Apply(r.load(conf(`["127.0.0.1:<P>", "127.0.0.2:<P>", "127.0.0.1:<Q>"]`))); err == nil {
		t.Fatal("a taken port was bound")
	}
	if r.hasLogged("listener lost while reloading", "") {
		t.Error("the log says that the listener is lost")
	}
	if got := speaks(fmt.Sprintf("127.0.0.3:%d", p)); got != "rtmp" {
		t.Errorf("the old listener speaks %s", got)
	}
}

func TestListenersChangeOnAReload(t *testing.T) {
	t.Parallel()
	conf := func(rtmpAt, httpAt string) string {
		return "\nrtmp {\n  listen = " + rtmpAt + "\n  application \"live\" {}\n}\nhttp {\n  listen = " + httpAt + "\n  location \"/up\" {\n    health {}\n  }\n}"
	}
	type step struct {
		rtmp, http string
		want       map[string]string // address to what speaks there
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"one address to all and back", []step{
			{`"127.0.0.1:<P>"`, `"127.0.0.1:<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "127.0.0.2:<P>": "nothing", "127.0.0.1:<Q>": "http"}},
			{`":<P>"`, `":<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "127.0.0.2:<P>": "rtmp", "[::1]:<P>": "rtmp", "127.0.0.2:<Q>": "http"}},
			{`"127.0.0.1:<P>"`, `"127.0.0.2:<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "127.0.0.2:<P>": "nothing", "127.0.0.1:<Q>": "nothing", "127.0.0.2:<Q>": "http"}},
		}},
		{"all addresses to two of them", []step{
			{`":<P>"`, `":<Q>"`, nil},
			{`["127.0.0.1:<P>", "127.0.0.2:<P>"]`, `["127.0.0.1:<Q>", "[::1]:<Q>"]`, map[string]string{"127.0.0.1:<P>": "rtmp", "127.0.0.2:<P>": "rtmp", "127.0.0.3:<P>": "nothing", "[::1]:<Q>": "http", "127.0.0.2:<Q>": "nothing"}},
		}},
		{"rtmp and http change places", []step{
			{`"127.0.0.1:<P>"`, `"127.0.0.1:<Q>"`, nil},
			{`"127.0.0.1:<Q>"`, `"127.0.0.1:<P>"`, map[string]string{"127.0.0.1:<P>": "http", "127.0.0.1:<Q>": "rtmp"}},
			{`"127.0.0.1:<P>"`, `"127.0.0.1:<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "127.0.0.1:<Q>": "http"}},
		}},
		{"one family, then the other, then both apart", []step{
			{`"0.0.0.0:<P>"`, `"[::]:<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "[::1]:<P>": "nothing", "127.0.0.1:<Q>": "nothing", "[::1]:<Q>": "http"}},
			{`"[::]:<P>"`, `"0.0.0.0:<Q>"`, map[string]string{"127.0.0.1:<P>": "nothing", "[::1]:<P>": "rtmp", "127.0.0.1:<Q>": "http", "[::1]:<Q>": "nothing"}},
			{`["[::]:<P>", "0.0.0.0:<P>"]`, `":<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "[::1]:<P>": "rtmp", "127.0.0.1:<Q>": "http", "[::1]:<Q>": "http"}},
		}},
		{"another port", []step{
			{`"127.0.0.1:<P>"`, `"127.0.0.1:<Q>"`, nil},
			{`"127.0.0.1:<R>"`, `"127.0.0.1:<Q>"`, map[string]string{"127.0.0.1:<P>": "nothing", "127.0.0.1:<R>": "rtmp"}},
			{`["127.0.0.1:<P>", "127.0.0.1:<R>"]`, `"127.0.0.1:<Q>"`, map[string]string{"127.0.0.1:<P>": "rtmp", "127.0.0.1:<R>": "rtmp"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, q, free := testport.Next(), testport.Next(), testport.Next()
			r := newRig(t)
			var w *witness
			for i, s := range c.steps {
				r.reload(ports(conf(s.rtmp, s.http), p, q, free))
				if i == 0 {
					w = r.witness("live", "cam")
				}
				for addr, want := range s.want {
					addr = ports(addr, p, q, free)
					if got := speaks(addr); got != want {
						t.Errorf("step %d: %s speaks %s, want %s", i+1, addr, got, want)
					}
				}
			}
			w.undisturbed() // connected at the first address, all along
		})
	}
}

func TestARemovedListenerKeepsItsSessions(t *testing.T) {
	t.Parallel()
	p, q, s := testport.Next(), testport.Next(), testport.Next()
	r := start(t, ports(`
rtmp {
  listen = ["127.0.0.1:<P>", "127.0.0.1:<Q>"]
  application "live" {}
}
rtmp {
  listen = "127.0.0.1:<R>"
  application "live" {}
}`, p, q, s))
	w := r.witness("live", "cam") // at P
	other, err := r.tryPublish("live", "cam", dialling{server: 1})
	if err != nil {
		t.Fatal(err)
	}
	// The first block loses P, and the blocks change places.
	r.reload(ports(`
rtmp {
  listen = "127.0.0.1:<R>"
  application "live" {}
}
rtmp {
  listen = "127.0.0.1:<Q>"
  application "live" {}
}`, p, q, s))
	if got := speaks(fmt.Sprintf("127.0.0.1:%d", p)); got != "nothing" {
		t.Errorf("the removed listener speaks %s", got)
	}
	other.seconds(0.3)
	r.eventually("the other block's publisher goes on", func() bool { return r.packets("live", "cam") == int(other.sent.Load()) })
	close(w.quit)
	if err := <-w.gone; err != nil || !w.alive() {
		t.Errorf("the removed listener's publisher is gone: %v", err)
	}
	v := r.srv.running()[1]
	r.eventually("its media arrives", func() bool {
		st := v.Application("live").Stream("cam")
		return st != nil && int(st.Live().Snapshot().Packets) == int(w.sent.Load())
	})
}

func TestUnixSockets(t *testing.T) {
	t.Parallel()
	const conf = `
rtmp {
  listen = "unix:$DIR/rtmp.sock"
  application "live" {}
}
http {
  listen = "unix:$DIR/http.sock"
  location "/up" {
    health {}
  }
}`
	r := newRig(t)
	testport.StaleSocket(t, filepath.Join(r.dir, "rtmp.sock"))
	r.cfg = r.load(conf)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	dialUnix := func(name string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(r.dir, name))
		}
	}
	c, err := rtmp.Dial(t.Context(), "rtmp://x/live", rtmp.ClientOptions{DialTCP: dialUnix("rtmp.sock")})
	if err != nil {
		t.Fatal(err)
	}
	p := &client{Client: c, rig: r, done: make(chan struct{})}
	if err := c.Publish(t.Context(), "cam"); err != nil {
		t.Fatal(err)
	}
	p.listen()
	p.seconds(0.3)
	r.eventually("media arrives", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
	if got := r.srv.Snapshot().Servers[0].Applications[0].Streams[0].Clients[0].Address; got != "127.0.0.1" {
		t.Errorf("a unix socket's peer counts as %s", got)
	}
	web := &http.Client{Transport: &http.Transport{DialContext: dialUnix("http.sock"), DisableKeepAlives: true}}
	if res, err := web.Get("http://x/up"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("http over a unix socket: %v, %v", res, err)
	} else {
		res.Body.Close()
	}

	// The two change places, under the publisher.
	r.reload(strings.NewReplacer("rtmp.sock", "http.sock", "http.sock", "rtmp.sock").Replace(conf))
	c, err = rtmp.Dial(t.Context(), "rtmp://x/live", rtmp.ClientOptions{DialTCP: dialUnix("http.sock")})
	if err != nil {
		t.Errorf("after they changed places: %v", err)
	} else {
		c.Close()
	}
	if !p.alive() {
		t.Error("the publisher is gone")
	}
	r.reload(oneApp)
	for _, name := range []string{"rtmp.sock", "http.sock"} {
		if _, err := os.Lstat(filepath.Join(r.dir, name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}

func TestAUnixSocketOfSomebodyElseIsNotTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	served := filepath.Join(dir, "served.sock")
	ln, err := net.Listen("unix", served)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		served:                             "is in use by another process",
		plain:                              "address already in use",
		filepath.Join(dir, "missing", "x"): "no such file or directory",
	} {
		ln, err := listen.Bind(value.Address{Network: "unix", Path: path})
		if err == nil {
			ln.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error with %q", path, err, want)
		}
	}
	if b, err := os.ReadFile(plain); err != nil || string(b) != "precious" {
		t.Errorf("a file in the way was touched: %q, %v", b, err)
	}
}

// A scriptedListener accepts what it was given.
type scriptedListener struct {
	script []error // nil: a connection
	times  []time.Time
}

func (l *scriptedListener) Accept() (net.Conn, error) {
	l.times = append(l.times, time.Now())
	if len(l.script) == 0 {
		return nil, net.ErrClosed
	}
	err := l.script[0]
	l.script = l.script[1:]
	if err != nil {
		return nil, err
	}
	a, _ := net.Pipe()
	return a, nil
}

func (l *scriptedListener) Close() error { return nil }
func (l *scriptedListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1935}
}

func TestAcceptWaitsOutTooManyOpenFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		full := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		l := &scriptedListener{script: []error{nil, full, full, full, full, full, full, full, full, full, full, nil, full, nil}}
		served := 0
		listen.AcceptLoop(l, zap.New(core), func(nc net.Conn) { served++; nc.Close() })
		if served != 3 {
			t.Errorf("%d connections served, want 3", served)
		}
		if n := logs.FilterMessage("connections are not accepted").Len(); n != 2 {
			t.Errorf("%d log lines, want one for each run of errors", n)
		}
		var pauses []time.Duration
		for i := 1; i < len(l.times); i++ {
			pauses = append(pauses, l.times[i].Sub(l.times[i-1]))
		}
		ms := time.Millisecond
		want := []time.Duration{0, 5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, time.Second, time.Second, 0, 5 * ms, 0}
		if fmt.Sprint(pauses) != fmt.Sprint(want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
	})
}
