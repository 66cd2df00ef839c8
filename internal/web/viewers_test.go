package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// The load of docs/performance.md, "HLS viewers": viewers of one stream, fragments of 2 s and 690 kB on
// tmpfs, the playlist polled every second, keep-alive.
const (
	loadViewers  = 500
	fragmentSize = 690 << 10
	fragmentTime = 2 * time.Second
	pollEvery    = time.Second
	warmUp       = 3 * time.Second
	window       = 12 * time.Second
)

// BenchmarkViewers measures the CPU seconds a gigabyte costs, of nginx and of a
// Server in a process of its own, one after the other in the same minute.
func BenchmarkViewers(b *testing.B) {
	dir, err := os.MkdirTemp("/dev/shm", "web-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() { writeStream(dir, stop) })
	b.Cleanup(func() { close(stop); writing.Wait() })
	waitFor(b, func() bool { _, err := os.Stat(filepath.Join(dir, "live", "test.m3u8")); return err == nil })

	b.Run("nginx", func(b *testing.B) {
		for range b.N {
			addr, pid := benchNginx(b, dir)
			watch(b, addr, pid)
		}
	})
	b.Run("rtmpd", func(b *testing.B) {
		for range b.N {
			addr, pid := benchSelf(b, dir)
			watch(b, addr, pid)
		}
	})
}

// watch runs the viewers and reports what the server's process tree used.
func watch(b *testing.B, addr string, pids func() []int) {
	var bytes, requests atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range loadViewers {
		wg.Go(func() {
			time.Sleep(pollEvery * time.Duration(i) / loadViewers)
			if err := view(addr, stop, &bytes, &requests); err != nil {
				b.Error(err)
			}
		})
	}
	time.Sleep(warmUp)
	cpu, sent, asked, begin := ticks(pids()), bytes.Load(), requests.Load(), time.Now()
	time.Sleep(window)
	cpu, sent, asked = ticks(pids())-cpu, bytes.Load()-sent, requests.Load()-asked
	took := time.Since(begin)
	close(stop)
	wg.Wait()
	gb := float64(sent) / 1e9
	b.ReportMetric(cpu/gb, "cpu-s/GB")
	b.ReportMetric(cpu*1e6/float64(asked), "cpu-µs/req")
	b.ReportMetric(float64(sent)*8/1e6/took.Seconds()/loadViewers, "Mb/s/viewer")
	b.ReportMetric(rss(pids()), "rss-MB")
	b.ReportMetric(0, "ns/op")
}

// view polls the playlist and fetches each new fragment until stop.
func view(addr string, stop chan struct{}, bytes, requests *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	br := bufio.NewReaderSize(c, 64<<10)
	get := func(path string, keep bool) ([]byte, error) {
		_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Language: en\r\nReferer: http://%s/\r\nConnection: keep-alive\r\n\r\n", path, addr, addr)
		if err != nil {
			return nil, err
		}
		n := -1
		for line := 0; ; line++ {
			s, err := br.ReadSlice('\n')
			if err != nil {
				return nil, err
			}
			if line == 0 && !strings.Contains(string(s), " 200 ") {
				return nil, fmt.Errorf("%s: %q", path, s)
			}
			if v, ok := strings.CutPrefix(string(s), "Content-Length: "); ok {
				n, _ = strconv.Atoi(strings.TrimSpace(v))
			}
			if len(s) == 2 {
				break
			}
		}
		requests.Add(1)
		bytes.Add(int64(n))
		if keep {
			body := make([]byte, n)
			_, err := io.ReadFull(br, body)
			return body, err
		}
		_, err = br.Discard(n)
		return nil, err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := ""
	for {
		list, err := get("/live/test.m3u8", true)
		if err != nil {
			return err
		}
		lines := strings.Fields(string(list))
		if newest := lines[len(lines)-1]; newest != last {
			last = newest
			if _, err := get("/live/"+newest, false); err != nil {
				return err
			}
		}
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
	}
}

// writeStream is the packager: fragment aside and renamed, then the playlist.
func writeStream(dir string, stop chan struct{}) {
	live := filepath.Join(dir, "live")
	_ = os.Mkdir(live, 0o755)
	data := make([]byte, fragmentSize)
	put := func(name string, b []byte) {
		tmp := filepath.Join(live, ".tmp")
		_ = os.WriteFile(tmp, b, 0o644)
		_ = os.Rename(tmp, filepath.Join(live, name))
	}
	tick := time.NewTicker(fragmentTime)
	defer tick.Stop()
	for n := 0; ; n++ {
		put(fmt.Sprintf("test-%d.ts", n), data)
		list := fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-TARGETDURATION:2\n", max(0, n-9))
		for i := max(0, n-9); i <= n; i++ {
			list += fmt.Sprintf("#EXT-X-PROGRAM-DATE-TIME:2026-11-21T02:04:30.000Z\n#EXTINF:2.000,\ntest-%d.ts\n", i)
		}
		put("test.m3u8", []byte(list))
		_ = os.Remove(filepath.Join(live, fmt.Sprintf("test-%d.ts", n-20)))
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// ticks is the CPU time of processes in seconds (proc(5); 100 ticks a second).
func ticks(pids []int) (s float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
		u, _ := strconv.ParseFloat(f[11], 64)
		k, _ := strconv.ParseFloat(f[12], 64)
		s += (u + k) / 100
	}
	return s
}

func rss(pids []int) (mb float64) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.ParseFloat(f[1], 64)
			mb += pages * float64(os.Getpagesize()) / 1e6
		}
	}
	return mb
}

// benchNginx is nginx as one would set it up for this.
func benchNginx(b *testing.B, dir string) (addr string, pids func() []int) {
	addr = testport.Address()
	conf := fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/error.log; worker_rlimit_nofile 4096;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000;
  types { video/mp2t ts; application/vnd.apple.mpegurl m3u8; }
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  server { listen %[2]s; location /live { root %[3]s; add_header Cache-Control no-cache; add_header Access-Control-Allow-Origin *; } }
}`, b.TempDir(), addr, dir)
	pid := startProxy(b, conf, addr, "nginx", "-c")
	return addr, func() []int { return []int{pid} }
}

func benchSelf(b *testing.B, dir string) (addr string, pids func() []int) {
	addr = testport.Address()
	cmd := exec.Command(os.Args[0], "-test.run=^TestBenchServer$")
	cmd.Env = append(os.Environ(), "WEB_BENCH_DIR="+dir, "WEB_BENCH_ADDR="+addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(b, func() bool { return dialable(addr) })
	return addr, func() []int { return []int{cmd.Process.Pid} }
}

// TestBenchServer is the server process of BenchmarkViewers; without its
// environment it proves that the stand-in for the packager is one.
func TestBenchServer(t *testing.T) {
	dir, addr := os.Getenv("WEB_BENCH_DIR"), os.Getenv("WEB_BENCH_ADDR")
	if dir == "" {
		lf, ok := (&diskLive{dir: t.TempDir()}).Lookup("/x/y.ts")
		if !ok || lf.Kind != segstore.Segment {
			t.Fatal("a fragment is not live")
		}
		return
	}
	live := &diskLive{dir: filepath.Join(dir, "live")}
	go live.run()
	site, err := Compile(config.HTTP{Locations: []config.Location{{Path: "/live", Root: value.Path(dir)}}}, Deps{Live: live})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(NewServer(site, nil).Serve(l))
}

// diskLive stands in for the packager's directory.
type diskLive struct {
	dir  string
	list atomic.Pointer[segstore.File]
}

func (d *diskLive) run() {
	for {
		if b, err := os.ReadFile(filepath.Join(d.dir, "test.m3u8")); err == nil {
			d.list.Store(&segstore.File{App: "live", Stream: "test", Kind: segstore.Playlist, Body: b, ETag: fmt.Sprintf(`"%d-%d"`, len(b), time.Now().Unix())})
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (d *diskLive) Lookup(p string) (segstore.File, bool) {
	if strings.HasSuffix(p, ".m3u8") {
		if lf := d.list.Load(); lf != nil {
			return *lf, true
		}
		return segstore.File{}, false
	}
	return segstore.File{App: "live", Stream: "test", Kind: segstore.Segment, MaxAge: 40 * time.Second}, true
}
func (d *diskLive) Streams(string) []string { return nil }
func (d *diskLive) Paths() []string         { return []string{d.dir} }
