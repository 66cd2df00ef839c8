package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// countedLive counts the requests that look for a file.
type countedLive struct {
	*fakeLive
	n atomic.Int64
}

func (c *countedLive) Lookup(p string) (segstore.File, bool) {
	c.n.Add(1)
	return c.fakeLive.Lookup(p)
}

// maxWaiterBytes is what a request may take that waits for a part: 5000 of them are less
// than 80 MB. The test's own end of the connection is in it.
const maxWaiterBytes = 16_000

// Many players wait for one part of one stream. Each is cheap, and each gets the same answer.
func TestPlayersThatWaitAreCheap(t *testing.T) {
	const players = 300
	s, live, dir := liveSite(t, Deps{})
	counted := &countedLive{fakeLive: live}
	s.deps.Live = counted
	f := playlist(list)
	f.Low, f.Target = new(segstore.Low), 100*time.Second // they wait for five minutes
	live.set(dir+"/test.m3u8", f)
	f.Low.Publish(lowEdition(7, 2, "two"))
	addr, _ := serveSite(t, s)
	least := int64(1 << 40) // of some tries: other goroutines of the process allocate, too
	for try := range int64(3) {
		conns := make([]net.Conn, players)
		before := memory()
		for i := range conns {
			conns[i] = dial(t, addr)
			_ = conns[i].SetDeadline(time.Now().Add(2 * time.Minute))
			fmt.Fprintf(conns[i], "GET /live/test.m3u8?_HLS_msn=7&_HLS_part=%d HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n", 2+try)
		}
		waitFor(t, func() bool { return counted.n.Load() == players*(try+1) })
		least = min(least, (memory()-before)/players)
		f.Low.Publish(lowEdition(7, int(3+try), "more"))
		for i, c := range conns {
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Content-Encoding") != "gzip" {
				t.Fatalf("player %d: %s %v (%v)", i, r.Status, r.Header, err)
			}
			_ = c.Close()
		}
	}
	t.Logf("%d bytes for each player that waits", least)
	bound := int64(maxWaiterBytes)
	if underRace {
		bound *= 2
	}
	if least > bound {
		t.Errorf("%d bytes for each player that waits, the bound is %d", least, bound)
	}
}

// memory is how many bytes the process uses.
func memory() int64 {
	runtime.GC()
	runtime.GC() // what a sync.Pool has stays for one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
