package hooks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// script is a trigger block whose handler is a shell script.
func script(t *testing.T, text string) *config.Trigger {
	t.Helper()
	path := filepath.Join(t.TempDir(), "handler")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &config.Trigger{Name: "PUSH_REWRITE", Handler: value.Handler{"/bin/sh", value.Template(path)}, Sync: true, OnError: "deny", Timeout: time.Minute, Format: "mist"}
}

func fire(c *Caller, list ...*config.Trigger) (Reply, error) {
	return c.Fire(context.Background(), notify(), Subject{}, list, NewPushRewrite("live", "rtmp://h/live/token", "192.0.2.1", "token"))
}

func TestWhatAProgramAnswers(t *testing.T) {
	for _, c := range []struct{ name, script, want, no string }{
		{"a line", "echo john", "john", ""},
		{"no newline", "printf john", "john", ""},
		{"nothing", "exit 0", "", ""},
		{"the payload", "cat", "rtmp://h/live/token\n192.0.2.1\ntoken", ""},
		{"the trigger", "echo $1 $MIST_TRIGGER", "PUSH_REWRITE PUSH_REWRITE", ""},
		{"a status", "echo john; exit 3", "", "exit status 3"},
		{"a signal", "kill -9 $$", "", "signal: killed"},
		{"a flood", "while :; do echo 0123456789012345678901234567890123456789; done", "", "more than 8192 bytes"},
		{"a child that stays and holds the output", "sleep 600 & echo john", "john", ""},
		{"standard input is not read", "exec <&-; echo john", "john", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, caller, _ := newTestClient(t)
			r, err := fire(caller, script(t, c.script))
			switch {
			case c.no == "" && (err != nil || r.Value != c.want || !r.Answered):
				t.Errorf("got %+v, %v, want %q", r, err, c.want)
			case c.no != "" && (err == nil || errors.Unwrap(err) == nil || !strings.Contains(errors.Unwrap(err).Error(), c.no)):
				t.Errorf("got %+v, %v, want %q", r, errors.Unwrap(err), c.no)
			}
		})
	}
}

// A program that does not end, and the one that it has started, are gone when nobody
// waits for it any more.
func TestAProgramThatHangsIsEndedWithItsGroup(t *testing.T) {
	_, caller, _ := newTestClient(t)
	h := script(t, `trap '' TERM
sleep 600 &
echo $! > "$0.pid"
echo john
wait
wait
`)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pid := 0
	go func() {
		defer cancel() // the client has gone
		for deadline := time.Now().Add(time.Minute); pid == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			b, _ := os.ReadFile(string(h.Handler[1]) + ".pid")
			pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
	}()
	_, err := caller.Fire(ctx, notify(), Subject{}, []*config.Trigger{h}, NewPushRewrite("live", "u", "a", "n"))
	if !errors.Is(err, context.Canceled) || pid == 0 {
		t.Fatalf("got %v, pid %d", err, pid)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !dead(pid) {
		t.Errorf("process %d: %v", pid, err)
	}
}

// dead says whether a process waits to be reaped by process 1.
func dead(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func TestAHandlerThatIsNotThere(t *testing.T) {
	_, caller, _ := newTestClient(t)
	_, err := fire(caller, &config.Trigger{Name: "PUSH_REWRITE", Handler: value.Handler{"/nonexistent/x"}, Sync: true, Timeout: time.Minute, OnError: "deny"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if d := caller.Down(); len(d) != 1 || d[0].Hook != PushRewrite {
		t.Errorf("down: %+v", d)
	}
}

// A handler that answers for ever is hung up on; one that says nothing is given up.
func TestHostileHandlers(t *testing.T) {
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			w.Header().Set("Content-Length", "10000000000")
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		case "/trickle":
			for {
				_, err := io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				select {
				case <-stop:
					return
				case <-r.Context().Done():
					return
				case <-time.After(10 * time.Millisecond):
				}
				if err != nil {
					return
				}
			}
		case "/hang":
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}
	}))
	defer srv.Close()
	defer close(stop)
	for path, words := range map[string]string{
		"/endless": "more than 8192 bytes", "/trickle": "deadline exceeded", "/hang": "deadline exceeded",
		"/loop": "redirect", "/header": "header",
	} {
		t.Run(path[1:], func(t *testing.T) {
			_, caller, _ := newTestClient(t)
			h := &config.Trigger{Name: "PUSH_REWRITE", Handler: value.Handler{value.Template(srv.URL + path)}, Sync: true, Timeout: 300 * time.Millisecond, OnError: "deny"}
			if path == "/endless" || path == "/loop" || path == "/header" {
				h.Timeout = time.Minute
			}
			r, err := fire(caller, h)
			if err == nil || r.Answered || !strings.Contains(errors.Unwrap(err).Error(), words) {
				t.Errorf("got %+v, %v, want %q", r, errors.Unwrap(err), words)
			}
			if strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the client learns the address: %v", err)
			}
		})
	}
}
