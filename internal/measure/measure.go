// Package measure finds the capacity.Constants of the machine that it runs on. It starts
// an rtmpd of its own on loopback, publishes test cards to it, plays and fetches them, and
// reads what that rtmpd takes. It ends by itself.
package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/capacity"
	"github.com/rtmpd/rtmpd/internal/control"
	"github.com/rtmpd/rtmpd/internal/demo"
)

// Options are what a measurement is made with.
type Options struct {
	Command []string      // that runs rtmpd; "run -c FILE" is added
	Long    time.Duration // of the whole measurement, about
	Say     func(string)  // says what is being done; nil: nobody wants to know
}

// MinLong is the shortest measurement: shorter ones say nothing.
const MinLong = 5 * time.Second

const (
	streams = 8 // test cards that are published
	bitRate = 2_500_000
	players = 200 // of RTMP
	viewers = 200 // of HTTP
	// startTime bounds how long the server may take to start, and whatever else is
	// waited for.
	startTime = time.Minute
)

// Run measures. It returns after about o.Long, earlier with ctx.
func Run(ctx context.Context, o Options) (c capacity.Constants, err error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	ctx, cancel := context.WithTimeout(ctx, o.Long+6*startTime)
	defer cancel()
	dir, err := tempDir()
	if err != nil {
		return c, err
	}
	defer os.RemoveAll(dir)
	s, err := start(ctx, o.Command, dir)
	if err != nil {
		return c, err
	}
	defer s.stop()
	r := run{server: s, window: o.Long / 5, say: o.Say}
	c, err = r.measure(ctx)
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	return c, err
}

// tempDir makes a directory whose path is short enough for that of a socket in it.
func tempDir() (string, error) {
	const long = 50
	if parent := os.TempDir(); len(parent) < long-len("/rtmpd-0123456789") {
		return os.MkdirTemp(parent, "rtmpd-")
	}
	return os.MkdirTemp("/tmp", "rtmpd-")
}

// A server is the rtmpd that is measured.
type server struct {
	cmd        *exec.Cmd
	ended      chan struct{}
	socket     string
	rtmp, http string // addresses
	media      string // directory of the fragments
}

const configuration = `state_dir = %q
runtime_dir = %q
log {
  format = "json"
}
rtmp {
  listen = "127.0.0.1:0"
  application "bench" {
    hls {
      path     = %q
      fragment = "1s"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/bench" {
    alias = %q
  }
}
`

func start(ctx context.Context, command []string, dir string) (*server, error) {
	s := &server{ended: make(chan struct{}), media: filepath.Join(dir, "media")}
	run := filepath.Join(dir, "run")
	if err := os.MkdirAll(run, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bench.hcl")
	text := fmt.Sprintf(configuration, filepath.Join(dir, "state"), run, s.media, s.media)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s.socket = control.Socket(run, file)
	s.cmd = exec.Command(command[0], append(append([]string{}, command[1:]...), "run", "-c", file)...) //nolint:gosec // our own program
	log := new(listening)
	s.cmd.Stderr = log
	// What a service manager says is for us, not for it.
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "NOTIFY_SOCKET=") && !strings.HasPrefix(v, "LISTEN_") && !strings.HasPrefix(v, "WATCHDOG_") {
			s.cmd.Env = append(s.cmd.Env, v)
		}
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start rtmpd: %w", err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // what it said says more
	}()
	err := eventually(ctx, "rtmpd starts", func() bool {
		select {
		case <-s.ended:
			return true
		default:
			_, err := s.look(ctx)
			s.rtmp, s.http = log.addresses()
			return err == nil && s.rtmp != "" && s.http != ""
		}
	})
	select {
	case <-s.ended:
		err = fmt.Errorf("rtmpd did not start: %s", log.last())
	default:
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// stop ends the server, at the latest after startTime by force.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(startTime):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// look asks the server what it does.
func (s *server) look(ctx context.Context) (*api.Snapshot, error) {
	text, ok, err := control.Ask(ctx, s.socket, "snapshot", nil)
	if err == nil && !ok {
		err = errors.New(strings.TrimSpace(text))
	}
	if err != nil {
		return nil, err
	}
	snap := new(api.Snapshot)
	return snap, json.Unmarshal([]byte(text), snap)
}

// eventually waits until cond holds.
func eventually(ctx context.Context, what string, cond func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for !cond() {
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("waited in vain: %s", what)
		}
	}
	return nil
}

// pause reports whether d passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// publish keeps test cards published until ctx ends.
func (s *server) publish(ctx context.Context, wg *sync.WaitGroup) error {
	for i := range streams {
		wg.Go(func() {
			_ = demo.PublishAt(ctx, fmt.Sprintf("rtmp://%s/bench/%s", s.rtmp, streamName(i)), bitRate, nil) // until ctx ends
		})
	}
	return eventually(ctx, "the test cards are live", func() bool {
		snap, err := s.look(ctx)
		_, missing := os.Stat(filepath.Join(s.media, streamName(0)+".m3u8"))
		return err == nil && missing == nil && len(snap.Servers[0].Applications[0].Streams) == streams
	})
}

func streamName(i int) string { return fmt.Sprintf("card%d", i) }

// machine describes the machine for people.
func machine() string {
	name := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
				name = strings.Join(strings.Fields(value), " ")
				break
			}
		}
	}
	return name
}
