package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const shut = `
shutdown_timeout = "5s"
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path            = "$DIR/hls"
      fragment        = "1s"
      playlist_length = "60s"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/hls" {
    root = "$DIR"
  }
}`

func TestAStopTellsPublishersAndEndsNoPlaylist(t *testing.T) {
	t.Parallel()
	r := start(t, shut)
	p := r.publish("live", "cam")
	p.seconds(3.5)
	waits := r.publish("live", "waits")
	waits.seconds(2.5)
	r.eventually("all media arrives", func() bool {
		return r.packets("live", "cam") == int(p.sent.Load()) && r.packets("live", "waits") == int(waits.sent.Load())
	})
	waits.cut()
	r.logged("publisher lost; the stream waits for it", "stream:waits")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if last := p.ended(); last.Code != rtmp.StatusUnpublishNotify {
		t.Errorf("the publisher was told %q, want %s", last, rtmp.StatusUnpublishNotify)
	}
	for name, fragments := range map[string]int{"cam": 4, "waits": 3} { // the open one is closed
		text := r.read("hls/" + name + ".m3u8")
		if strings.Count(text, "#EXTINF") != fragments || strings.Contains(text, "ENDLIST") {
			t.Errorf("%s has %d fragments, want %d and no end:\n%s", name, strings.Count(text, "#EXTINF"), fragments, text)
		}
	}
	tmp, _ := filepath.Glob(filepath.Join(r.dir, "hls", ".*.tmp"))
	if len(tmp) > 0 {
		t.Errorf("half files: %v", tmp)
	}

	// The next start goes on where this one stopped.
	next := &rig{TB: t, dir: r.dir, logs: r.logs, srv: New(Options{Log: r.srv.log, Level: r.srv.opts.Level, Announce: func(string) {}})}
	t.Cleanup(func() { _ = next.stop() })
	next.reload(shut)
	q := next.publish("live", "cam")
	q.seconds(2.5)
	next.eventually("the playlist resumes", func() bool {
		text := next.read("hls/cam.m3u8")
		return strings.Contains(text, "cam-0.ts") && strings.Contains(text, "#EXT-X-DISCONTINUITY\n") && strings.Contains(text, "cam-4.ts")
	})
}

func TestAStopIsNotHeldUpByStuckConnections(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(shut, `"5s"`, `"3s"`, 1))
	if err := os.WriteFile(filepath.Join(r.dir, "big"), make([]byte, 64<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	r.reload(strings.Replace(strings.Replace(shut, `"5s"`, `"3s"`, 1), `location "/hls" {`, "location \"/big\" {\n    root = \"$DIR\"\n  }\n  location \"/hls\" {", 1))

	half := r.rawConn(t) // half a handshake
	if _, err := half.Write(make([]byte, 3)[:1]); err != nil {
		t.Fatal(err)
	}
	silent := r.rawConn(t) // a whole one, then nothing: neither reads nor hangs up
	shake(t, silent)
	deaf, err := r.tryPublish("live", "deaf", dialling{})
	if err != nil {
		t.Fatal(err)
	}
	go func() { // publishes on and on
		for deaf.frame() == nil {
		}
	}()
	web := strings.TrimPrefix(r.web(), "http://")
	var conns []net.Conn
	for _, request := range []string{"GET /hls/x", "GET /big HTTP/1.1\r\nHost: x\r\n\r\n", ""} {
		nc, err := net.Dial("tcp", web)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, request); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	one := make([]byte, 1)
	if _, err := conns[1].Read(one); err != nil { // the download has begun
		t.Fatal(err)
	}
	began := time.Now()
	err = r.stop()
	if took := time.Since(began); took > 3*time.Second+patience/2 {
		t.Errorf("the stop took %s, shutdown_timeout is 3s", took)
	}
	t.Logf("stopped after %s: %v", time.Since(began), err)
	for _, nc := range append(conns, half, silent) {
		_ = nc.SetDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, nc); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s is still open", nc.LocalAddr())
		}
	}
}

// A client that does not read its good-bye, or says nothing, is nobody's wait; and
// until the end who comes is not refused.
func TestAStopWaitsForNobodysGoodBye(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.certify(1)
	r.cfg = r.load(strings.Replace(shut, "http {", `http {
  tls {
    listen      = "127.0.0.1:0"
    certificate = "$DIR/cert.pem"
    key         = "$DIR/key.pem"
  }`, 1))
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	secure := fmt.Sprintf("127.0.0.1:%d", r.srv.Port("https", r.cfg.HTTP[0].TLS.Listen[0]))
	deaf, err := r.tryPublish("live", "deaf", dialling{})
	if err != nil {
		t.Fatal(err)
	}
	player, err := r.dial("live", dialling{})
	if err != nil {
		t.Fatal(err)
	}
	if err := player.Play(t.Context(), "deaf"); err != nil {
		t.Fatal(err)
	}
	for range 50 { // then they say no more, and read nothing
		if err := deaf.frame(); err != nil {
			t.Fatal(err)
		}
	}
	shaken := r.rawConn(t)
	shake(t, shaken)
	var conns []net.Conn
	for _, c := range []struct{ addr, text string }{
		{strings.TrimPrefix(r.web(), "http://"), ""},
		{strings.TrimPrefix(r.web(), "http://"), "GET /hls/x HTTP/1.1\r\n"},
		{strings.TrimPrefix(r.web(), "http://"), "NONSENSE\r\n\r\n"},
		{strings.TrimPrefix(r.web(), "http://"), "POST /hls/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx"},
		{secure, ""},
		{secure, "\x16\x03\x01"},
	} {
		nc, err := net.Dial("tcp", c.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, c.text); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	for _, nc := range conns[2:4] { // they are lingered for
		if _, err := nc.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	err = r.stop()
	took := time.Since(began)
	if err != nil || took > 700*time.Millisecond {
		t.Errorf("the stop took %v: %v", took, err)
	}
	t.Logf("stopped after %v", took)
}

func TestAListenerAtRestRefusesNobody(t *testing.T) {
	t.Parallel()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ln := range []net.Listener{tcp, unix} {
		var accepted atomic.Int64
		over := make(chan struct{})
		go func() {
			defer close(over)
			listen.AcceptLoop(ln, zap.NewNop(), func(nc net.Conn) { accepted.Add(1); nc.Close() })
		}()
		rest(ln)
		<-over
		nc, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
		if err != nil {
			t.Fatalf("%s: %v", ln.Addr(), err)
		}
		nc.Close()
		ln.Close()
		if nc, err := net.Dial(ln.Addr().Network(), ln.Addr().String()); err == nil {
			nc.Close()
			t.Errorf("%s is open still", ln.Addr())
		}
		if n := accepted.Load(); n != 0 {
			t.Errorf("%d were accepted", n)
		}
	}
}

func TestAfterAStopNothingHangs(t *testing.T) {
	t.Parallel()
	r := start(t, shut)
	cfg := r.load(shut)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := r.srv.Apply(cfg)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "stopping") {
			t.Errorf("a reload after the stop: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("a reload after the stop hangs")
	}
	if plan := r.srv.Plan(cfg); !plan.Empty() {
		t.Errorf("a plan after the stop: %s", plan.Text())
	}
}

func TestAServerThatNeverRanStops(t *testing.T) {
	t.Parallel()
	if err := newRig(t).stop(); err != nil {
		t.Error(err)
	}
}

// Graces and drop timers that are over just when the server stops want
// goroutines that nobody may wait for any more.
func TestTimersMayEndWithTheServer(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = "40ms"
  }
}`)
		var all []*client
		for j := range 4 {
			all = append(all, r.publish("live", fmt.Sprint("s", j)))
		}
		for _, p := range all {
			p.cut()
		}
		time.Sleep(time.Duration(30+i) * time.Millisecond)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestDrainWaitsForTheLastStream(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(shut, `application "live" {`, "application \"live\" {\n    reconnect_grace = \"300ms\"", 1))
	var all []*client
	for i := range 4 {
		p := r.publish("live", fmt.Sprint("cam", i))
		p.seconds(2.5)
		all = append(all, p)
	}
	r.eventually("all media arrives", func() bool {
		for i, p := range all {
			if r.packets("live", fmt.Sprint("cam", i)) != int(p.sent.Load()) {
				return false
			}
		}
		return true
	})
	r.eventually("a playlist", func() bool { return speaksHTTP(r) == 200 })
	drained := make(chan struct{})
	go func() { r.srv.Drain(context.Background()); close(drained) }()
	r.eventually("no new connection is taken", func() bool {
		nc, err := net.Dial("tcp", r.addr(0))
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
	if got := speaksHTTP(r); got != 200 {
		t.Errorf("viewers get %d while draining", got)
	}
	for i, p := range all {
		select {
		case <-drained:
			t.Fatalf("drained with %d streams left", len(all)-i)
		default:
		}
		if i%2 == 0 {
			p.cut()
		} else if err := p.Unpublish(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-drained:
	case <-time.After(patience):
		t.Fatal("drain does not end")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if text := r.read(fmt.Sprintf("hls/cam%d.m3u8", i)); !strings.HasSuffix(text, "#EXT-X-ENDLIST\n") {
			t.Errorf("stream %d ended before the stop, its playlist did not:\n%s", i, text)
		}
	}
}

func speaksHTTP(r *rig) int {
	res, err := probe.Get(r.web() + "/hls/cam0.m3u8")
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	p := r.publish("live", "cam")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.srv.Drain(ctx)
	if !p.alive() {
		t.Error("the publisher was cut")
	}
}
