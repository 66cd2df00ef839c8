//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// The applications every server under test has: one without outputs, one that
// writes HLS, and appRecord with the name of each of recordFormats, which records.
// One that pushes is there if the launcher has a sink.
const (
	appLive    = "live"
	appHLS     = "hls"
	appLow     = "low"    // rtmpd's alone: low-latency HLS
	appOpen    = "open"   // rtmpd's alone: HLS with a multivariant playlist
	appTokens  = "tokens" // rtmpd's alone: the same with tokens and sessions
	appRecord  = "record-"
	appPush    = "push"
	appRewrite = "rewrite" // rtmpd's alone: a trigger makes the streams' names
)

// recordFormats are those of rtmpd; nginx writes FLV in each application.
var recordFormats = []string{"flv", "mp4", "mkv", "ts"}

// The HLS settings of every server under test.
const (
	hlsFragment = "2s"
	hlsPlaylist = "12s"
)

// A target is a server under test.
type target struct {
	name string // "nginx", "rtmpd", or what the user called it
	rtmp string // host:port
	http string // host:port; HLS is below /hls/
	pids []int  // its process tree; empty when the server runs elsewhere

	startup time.Duration // from exec to both ports listening
	cmd     *exec.Cmd     // nil when the tool did not start it
	done    chan error    // cmd's end
	dir     string        // its files, on tmpfs, removed by stop
}

// A launcher starts servers, each fresh, on loopback ports of its own and with all
// its files in a directory of its own on tmpfs.
type launcher struct {
	rtmpd   string // binary; built by build when empty
	nginx   string // binary
	module  string // ngx_rtmp_module.so
	flush   string // rtmpd's flush_interval; empty for its default
	sink    string // host:port that streams are pushed to; empty: nowhere
	rewrite string // URL of the handler of PUSH_REWRITE; empty: there is none
	shm     string // parent of the servers' directories

	built string // directory of the binary that build made
}

// build compiles cmd/rtmpd of the module the tool runs in, once.
func (l *launcher) build(ctx context.Context) error {
	if l.rtmpd != "" {
		return nil
	}
	dir, err := os.MkdirTemp("", "rtmpd-bench-bin-")
	if err != nil {
		return err
	}
	l.built = dir
	binary := filepath.Join(dir, "rtmpd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/rtmpd/rtmpd/cmd/rtmpd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build cmd/rtmpd: %w\n%s", err, out)
	}
	l.rtmpd = binary
	return nil
}

// close removes what build made.
func (l *launcher) close() {
	if l.built != "" {
		os.RemoveAll(l.built) // a leftover in the temporary directory is all that can happen
	}
}

// start runs a fresh server of the kind "nginx" or "rtmpd" and returns when it
// listens. The caller stops it.
func (l *launcher) start(ctx context.Context, kind string) (*target, error) {
	dir, err := os.MkdirTemp(l.shm, "rtmpd-bench-")
	if err != nil {
		return nil, err
	}
	t := &target{name: kind, dir: dir, done: make(chan error, 1)}
	t.rtmp, t.http = testport.Address(), testport.Address()
	if err := l.launch(ctx, kind, t); err != nil {
		err = fmt.Errorf("start %s: %w%s", kind, err, t.lastLog())
		t.stop()
		return nil, err
	}
	return t, nil
}

func (l *launcher) launch(ctx context.Context, kind string, t *target) error {
	var text, file string
	var args []string
	switch kind {
	case "nginx":
		text, file = l.nginxConfig(t), "nginx.conf"
		args = []string{l.nginx, "-c", filepath.Join(t.dir, file), "-p", t.dir}
	case "rtmpd":
		text, file = l.rtmpdConfig(t), "rtmpd.hcl"
		args = []string{l.rtmpd, "run", "-c", filepath.Join(t.dir, file)}
	default:
		return fmt.Errorf("unknown server %q: nginx, rtmpd or a URL", kind)
	}
	for _, d := range []string{"segments", "state", "run", "records"} {
		if err := os.Mkdir(filepath.Join(t.dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(t.dir, file), []byte(text), 0o644); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(t.dir, "output.log"))
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own descriptor
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: ^C reaches the tool alone, which then stops the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	t.cmd = cmd
	go func() { t.done <- cmd.Wait() }() // stop receives it
	for _, addr := range []string{t.rtmp, t.http} {
		if err := t.waitListening(ctx, addr); err != nil {
			return err
		}
	}
	t.startup = time.Since(began)
	return t.findProcesses(ctx)
}

// waitListening returns when addr accepts connections.
func (t *target) waitListening(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var d net.Dialer
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case end := <-t.done:
			t.done <- end
			return fmt.Errorf("it ended: %w", errors.Join(end, err))
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// findProcesses fills pids once the workers are there: the master of an nginx
// listens before it forks.
func (t *target) findProcesses(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for stable := 0; stable < 5; {
		pids, err := processTree(t.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if len(pids) == len(t.pids) {
			stable++
		} else {
			stable = 0
		}
		t.pids = pids
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// stop ends the server and removes its files. It is safe to call twice.
func (t *target) stop() {
	if t.cmd != nil {
		pid := t.cmd.Process.Pid
		t.cmd.Process.Signal(syscall.SIGTERM) // fails only when it is gone
		select {
		case <-t.done:
		case <-time.After(5 * time.Second):
			syscall.Kill(-pid, syscall.SIGKILL) // the group is ours: Setpgid above
			<-t.done
		}
		t.cmd = nil
	}
	if t.dir != "" {
		os.RemoveAll(t.dir)
	}
}

// lastLog is the end of what the server printed, for error messages.
func (t *target) lastLog() string {
	if t.dir == "" {
		return ""
	}
	var b strings.Builder
	for _, name := range []string{"output.log", "error.log"} {
		text, err := os.ReadFile(filepath.Join(t.dir, name))
		if err == nil && len(text) > 0 {
			fmt.Fprintf(&b, "\n%s: %s", name, text[max(0, len(text)-2000):])
		}
	}
	return b.String()
}

// segments is where the server writes HLS.
func (t *target) segments() string { return filepath.Join(t.dir, "segments") }

// records is where the server writes recordings.
func (t *target) records() string { return filepath.Join(t.dir, "records") }

// nginxConfig is the peer's configuration: one worker, as nginx-rtmp needs it,
// and no logs.
func (l *launcher) nginxConfig(t *target) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	var outputs strings.Builder
	for _, format := range recordFormats {
		fmt.Fprintf(&outputs, "    application %s%s { live on; record all; record_path %s; }\n", appRecord, format, t.records())
	}
	if l.sink != "" {
		fmt.Fprintf(&outputs, "    application %s { live on; push rtmp://%s/%s; }\n", appPush, l.sink, appLive)
	}
	return fmt.Sprintf(`%sload_module %s;
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid %s/nginx.pid;
error_log %[3]s/error.log warn;
events { worker_connections 8192; }
rtmp {
  access_log off;
  ping 10m;
  server {
    listen %s;
    chunk_size 4096;
    application %s { live on; }
    application %s {
      live on;
      hls on; hls_path %s; hls_fragment %s; hls_playlist_length %s; hls_cleanup on;
    }
%[11]s  }
}
http {
  access_log off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_requests 100000;
  client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
  types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
  server {
    listen %[10]s;
    location /hls { alias %[7]s; add_header Cache-Control no-cache; }
  }
}
`, user, l.module, t.dir, t.rtmp, appLive, appHLS, t.segments(), hlsFragment, hlsPlaylist, t.http, outputs.String())
}

// rtmpdConfig is the same for rtmpd, with everything else at its default.
func (l *launcher) rtmpdConfig(t *target) string {
	flush := ""
	if l.flush != "" {
		flush = fmt.Sprintf("  flush_interval = %q\n", l.flush)
	}
	var outputs strings.Builder
	for _, format := range recordFormats {
		fmt.Fprintf(&outputs, `
  application %q {
    record "all" {
      path     = %q
      format   = %q
      min_free = 0
    }
  }
`, appRecord+format, t.records(), format)
	}
	if l.sink != "" {
		fmt.Fprintf(&outputs, `
  application %q {
    push "sink" {
      url = "rtmp://%s/%s"
    }
  }
`, appPush, l.sink, appLive)
	}
	audience, locations := t.tokenConfig()
	rewriting, metrics := l.rewriteConfig()
	outputs.WriteString(audience + rewriting)
	return fmt.Sprintf(`state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

log {
  level = "warn"
}

rtmp {
  listen = %[2]q
  ping   = "10m"
%[3]s
  application %[4]q {}

  application %[5]q {
    hls {
      path            = %[6]q
      fragment        = %[7]q
      playlist_length = %[8]q
    }
  }

  application %[12]q {
    hls {
      path            = "%[6]s-low"
      fragment        = %[7]q
      playlist_length = %[8]q
      format          = "fmp4"
      low_latency     = true
    }
  }
%[11]s}

http {
  listen = %[9]q

  location "/hls" {
    alias = %[6]q
  }

  location "/plain" {
    root = %[10]q
  }
%[13]s}
`, t.dir, t.rtmp, flush, appLive, appHLS, t.segments(), hlsFragment, hlsPlaylist, t.http, filepath.Dir(t.mirrored()), outputs.String(), appLow, locations+metrics)
}
