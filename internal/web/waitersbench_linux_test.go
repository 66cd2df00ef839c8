package web

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// BenchmarkPlayersThatWait has 5000 players wait for each part of one stream. The goals are
// less than 100 MB for all, and 50 ms from a part to the last answer. The kernel notes when
// an answer has arrived (socket(7), SO_TIMESTAMPNS), and the players look at it later: they
// take no CPU while the server answers.
func BenchmarkPlayersThatWait(b *testing.B) {
	const players = 5000
	top := b.TempDir()
	dir := top + "/live"
	write(b, dir, "test.m3u8", list)
	live := &countedLive{fakeLive: &fakeLive{dirs: map[string][]string{dir: {"test.m3u8"}}}}
	f := playlist(list)
	f.Low, f.Target = new(segstore.Low), 100*time.Second
	live.set(dir+"/test.m3u8", f)
	text := string(make([]byte, 2000)) // a playlist of such a length
	f.Low.Publish(lowEdition(7, 2, text))
	s := site(b, Deps{Live: live}, locations(config.Location{Path: "/live", Root: value.Path(top)}))
	addr, _ := serveSite(b, s)
	before := memory()
	conns := make([]int, players)
	for i := range conns {
		conns[i] = dialPlain(b, addr)
	}
	part, asked := 2, int64(0)
	ask := func() {
		request := fmt.Appendf(nil, "GET /live/test.m3u8?_HLS_msn=7&_HLS_part=%d HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n", part)
		for _, c := range conns {
			if _, err := unix.Write(c, request); err != nil {
				b.Fatal(err)
			}
		}
		for asked += players; live.n.Load() < asked; {
			time.Sleep(time.Millisecond)
		}
		part++
	}
	ask()
	used := memory() - before
	var longest, sum time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		edition := lowEdition(7, part, text)
		n++
		b.StartTimer()
		begun := time.Now()
		f.Low.Publish(edition)
		time.Sleep(100 * time.Millisecond)
		var last time.Time
		for _, c := range conns {
			last = latest(last, answer(b, c))
		}
		took := last.Sub(begun)
		b.StopTimer()
		longest, sum = max(longest, took), sum+took
		ask()
		b.StartTimer()
	}
	b.ReportMetric(float64(used)/1e6, "MB/all")
	b.ReportMetric(float64(sum.Milliseconds())/float64(n), "ms/part")
	b.ReportMetric(float64(longest.Milliseconds()), "ms/part-max")
	b.Logf("%d players: %.0f MB (goal: 100), a part to all of them in %.0f ms (goal: 50), at most %d", players, float64(used)/1e6, float64(sum.Milliseconds())/float64(n), longest.Milliseconds())
}

// dialPlain connects a socket of which the runtime does not know: what comes wakes nobody
// but who reads.
func dialPlain(b *testing.B, addr string) int {
	b.Helper()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		b.Fatal(err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Close(s) })
	if err := unix.Connect(s, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		b.Fatal(err)
	}
	return s
}

// answer waits for the answer to a request, and says when it arrived.
func answer(b *testing.B, s int) time.Time {
	b.Helper()
	in, control := make([]byte, 4096), make([]byte, 64)
	n, c, _, _, err := unix.Recvmsg(s, in, control, 0)
	if err != nil || !bytes.HasPrefix(in[:n], []byte("HTTP/1.1 200 ")) {
		b.Fatalf("%q, %v", in[:n], err)
	}
	said, err := unix.ParseSocketControlMessage(control[:c])
	if err != nil || len(said) != 1 || len(said[0].Data) != 16 {
		b.Fatalf("the kernel says not when it came: %v, %v", said, err)
	}
	// A struct timespec of 64 bits.
	return time.Unix(int64(binary.NativeEndian.Uint64(said[0].Data)), int64(binary.NativeEndian.Uint64(said[0].Data[8:])))
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
