package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// control serves verbs until the test ends. These tests do not run beside
// others: making the socket private sets the process's umask for a moment.
func control(t *testing.T, path string, verbs Verbs) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := Serve(ctx, path, verbs)
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { cancel(); wait() }
	t.Cleanup(stop)
	return stop
}

func TestControlSocketAnswersItsVerbs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "rtmpd", "x.sock")
	stop := control(t, path, Verbs{
		"reload": func(context.Context, url.Values) (string, bool) { return "no change\n", true },
		"plan":   func(context.Context, url.Values) (string, bool) { return "line 1\nline 2\n", false },
	})
	for p, want := range map[string]os.FileMode{path: 0o600 | os.ModeSocket, filepath.Dir(path): 0o700 | os.ModeDir} {
		if fi, err := os.Stat(p); err != nil || fi.Mode() != want {
			t.Errorf("%s has mode %v (%v), want %v", p, fi.Mode(), err, want)
		}
	}
	if text, ok, err := Ask(t.Context(), path, "reload", nil); text != "no change\n" || !ok || err != nil {
		t.Errorf("reload: %q, %t, %v", text, ok, err)
	}
	if text, ok, err := Ask(t.Context(), path, "plan", nil); text != "line 1\nline 2\n" || ok || err != nil {
		t.Errorf("plan: %q, %t, %v", text, ok, err)
	}
	for _, verb := range []string{"explode", "", "reload/x"} {
		if _, ok, err := Ask(t.Context(), path, verb, nil); ok || !errors.Is(err, ErrOlder) {
			t.Errorf("unknown verb %q: ok %t, %v", verb, ok, err)
		}
	}
	// A browser's stray GET does nothing.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	if res, err := client.Get("http://rtmpd/reload"); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if _, _, err := Ask(t.Context(), path, "reload", nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody runs: %v, want ErrNotRunning", err)
	}
}

func TestASecondInstanceIsRefusedAndAStaleSocketReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	testport.StaleSocket(t, path)
	if _, _, err := Ask(t.Context(), path, "who", nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("a stale socket: %v, want ErrNotRunning", err)
	}
	first := Verbs{"who": func(context.Context, url.Values) (string, bool) { return "the first", true }}
	control(t, path, first)
	wait, err := Serve(t.Context(), path, Verbs{})
	if err == nil {
		wait()
	}
	if err == nil || !strings.Contains(err.Error(), "another rtmpd runs with this configuration already") || !strings.Contains(err.Error(), path) {
		t.Errorf("a second instance: %v", err)
	}
	if text, ok, err := Ask(t.Context(), path, "who", nil); text != "the first" || !ok || err != nil {
		t.Errorf("the first one answers %q, %t, %v", text, ok, err)
	}
}

func TestAHangingVerbDoesNotHoldTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	started, release := make(chan struct{}), make(chan struct{})
	stop := control(t, path, Verbs{"hang": func(context.Context, url.Values) (string, bool) {
		close(started)
		<-release
		return "", true
	}})
	asked := make(chan error, 1)
	go func() {
		_, _, err := Ask(t.Context(), path, "hang", nil)
		asked <- err
	}()
	<-started
	done := make(chan struct{})
	go func() { stop(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Error("the end waits for a verb that hangs")
	}
	if err := <-asked; err == nil {
		t.Error("the asker was told that all is well")
	}
	close(release)
}

func TestControlSocketsAreNamedAfterTheWholePath(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, conf := range []string{"", "/etc/rtmpd", "/etc/rtmpd.hcl", "/srv/a/rtmpd.hcl", "/srv/b/rtmpd.hcl", "/srv/" + strings.Repeat("x", 200) + ".hcl"} {
		path := Socket("/run/rtmpd", conf)
		if other, taken := seen[path]; taken {
			t.Errorf("%q and %q share %s", conf, other, path)
		}
		seen[path] = conf
		if len(path) > 104 { // sun_path, on the BSDs
			t.Errorf("%q: %d bytes are too many for a socket", path, len(path))
		}
		if filepath.Dir(path) != "/run/rtmpd" {
			t.Errorf("%q: socket %s", conf, path)
		}
	}
}
