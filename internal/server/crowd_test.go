package server

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// descriptors is how many files and sockets this process has open.
func descriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Two thousand players connect, play and go, politely or not, and some as soon
// as they have asked: nothing of them is left. It does not run beside other
// tests.
func TestTwoThousandPlayersComeAndGo(t *testing.T) {
	r := start(t, liveWith("drop_idle_publisher = \"off\"")) // which says nothing while they come
	p := r.publish("live", "cam")
	p.seconds(1.2)
	cycles := func(n int) {
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range n / 8 {
					if err := r.visit(worker*1000 + i); err != nil {
						t.Errorf("player %d of worker %d: %v", i, worker, err)
						return
					}
				}
			})
		}
		wg.Wait()
		r.eventually("all are gone", func() bool {
			return r.connections() == 1 && r.stream("live", "cam").Fan() == nil
		})
		r.logs.TakeAll()
	}
	settled := func() (goroutines, files int, memory int64) {
		// Timers of polite ends fire up to a second later.
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			goroutines, files = runtime.NumGoroutine(), descriptors(t)
		}
		return goroutines, files, heap()
	}
	cycles(200) // pools and tables have grown
	goroutines, files, memory := settled()
	cycles(2000)
	goroutines2, files2, memory2 := settled()
	if goroutines2 > goroutines+2 || files2 > files+2 {
		t.Errorf("%d goroutines and %d descriptors, before %d and %d", goroutines2, files2, goroutines, files)
	}
	if memory2 > memory+2000*512 { // a session is more than that
		t.Errorf("%d bytes of heap, before %d", memory2, memory)
	}
	p.seconds(1)
	if !p.alive() {
		t.Errorf("the publisher is told %v", p.heard())
	}
}

// visit is one player's short life; n says which.
func (r *rig) visit(n int) error {
	c, err := rtmp.Dial(r.Context(), "rtmp://"+r.addr(0)+"/live", rtmp.ClientOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	if n%5 == 4 { // gone before the answer
		_ = c.WriteCommand(1, "play", 3, nil, "cam", -2.0)
		return c.Flush()
	}
	if err := c.Play(r.Context(), "cam"); err != nil {
		return err
	}
	if n%5 == 3 { // gone before the first frame
		return nil
	}
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if isKeyframe(m) && m.Payload[1] == 1 {
			break
		}
	}
	if n%5 == 2 { // gone after a good-bye
		_ = c.WriteCommand(0, "deleteStream", 4, nil, 1.0)
		return c.Flush()
	}
	return nil
}

// A player sends pings and commands a thousand times a second while its socket
// is full again and again. It reads a byte at a time, and every byte is where it
// belongs: the answers come in order, no frame is damaged or missing.
func TestPingsAndCommandsUnderAFullSocket(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`player_queue = "1h"`))
	p := r.publish("live", "cam")
	p.seconds(0.1)
	s := r.seated("live", "cam", dialling{small: true})
	fan := r.fanOf("live", "cam", 1)

	const seconds, perSecond, frames = 3, 1000, 200
	asked := make(chan int)
	var heard atomic.Int64 // pongs; who lets answers pile up is shown out
	go func() {            // the publisher beside: 12 MB
		for i := range frames {
			p.bigFrame(uint32(200+33*i), i%30 == 0)
			time.Sleep(seconds * time.Second / frames)
		}
	}()
	go func() {
		n := 0
		for began := time.Now(); time.Since(began) < seconds*time.Second; time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / perSecond))) {
			if int64(n)-heard.Load() > 300 {
				time.Sleep(time.Millisecond)
				continue
			}
			n++
			err := s.WriteUserControl(rtmp.PingRequest, uint32(n))
			if err == nil && n%10 == 0 {
				err = s.WriteCommand(0, "createStream", float64(n), nil)
			}
			if err == nil {
				err = s.Flush()
			}
			if err != nil {
				t.Error(err)
				break
			}
		}
		asked <- n
	}()
	w := &playerWire{r: iotest.OneByteReader(bufio.NewReaderSize(s.NetConn(), 16<<10)), chunkSize: 65536}
	if err := s.NetConn().SetReadDeadline(time.Now().Add(4 * patience)); err != nil {
		t.Fatal(err)
	}
	behind := func() bool {
		return fan.BytesOut.Load()+64<<10 < r.stream("live", "cam").Live().Snapshot().BytesIn
	}
	r.eventually("a full socket", behind) // nobody reads yet
	var pongs, results, last uint32
	times := []uint32{}
	full, want := 0, -1
	for want < 0 || int(pongs) < want || int(results) < want/10 || len(times) == 0 || times[len(times)-1] < 200+33*(frames-1) {
		if want < 0 {
			select {
			case want = <-asked:
			default:
			}
		}
		m, err := w.next()
		if err != nil {
			t.Fatalf("after %d pongs, %d results and %d frames: %v", pongs, results, len(times), err)
		}
		switch m.Type {
		case rtmp.TypeUserControl:
			if uint16(m.Payload[1]) == rtmp.PingResponse {
				pongs++
				heard.Add(1)
				if n := uint32(m.Payload[2])<<24 | uint32(m.Payload[3])<<16 | uint32(m.Payload[4])<<8 | uint32(m.Payload[5]); n != pongs {
					t.Fatalf("pong %d where %d is due", n, pongs)
				}
			}
		case rtmp.TypeCommandAMF0:
			if cmd, err := rtmp.ParseCommand(m); err == nil && cmd.Name == "_result" && cmd.Transaction >= 10 {
				results++
				if cmd.Transaction != float64(results*10) {
					t.Fatalf("result %v where %d is due", cmd.Transaction, results*10)
				}
			}
		case rtmp.TypeVideo:
			if len(m.Payload) == 60009 {
				if !bytes.Equal(m.Payload[10:], make([]byte, 59999)) {
					t.Fatalf("the frame at %d is damaged", m.Timestamp)
				}
				if len(times) > 0 && m.Timestamp != last+33 {
					t.Fatalf("the frame at %d comes after that at %d", m.Timestamp, last)
				}
				last = m.Timestamp
				times = append(times, last)
				if len(times)%20 == 0 {
					time.Sleep(100 * time.Millisecond) // meanwhile it fills
				}
			}
		}
		if behind() {
			full++
		}
	}
	t.Logf("%d pongs, %d results, %d frames, %d times behind", pongs, results, len(times), full)
}

// Answers that nobody fetches end the connection, not the memory.
func TestAPlayerThatAsksAndDoesNotReadIsClosed(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	p := r.publish("live", "cam")
	p.seconds(0.1)
	s := r.seated("live", "cam", dialling{small: true})
	r.fanOf("live", "cam", 1)
	frames := 0
	frame := func() {
		p.bigFrame(uint32(200+33*frames), frames%30 == 0)
		frames++
	}
	for range 200 {
		frame()
	}
	for i := range 100_000 {
		if s.WriteUserControl(rtmp.PingRequest, uint32(i)) != nil || s.Flush() != nil {
			break
		}
		if i%100 == 0 {
			frame()                            // the player is in the middle of a message, or soon will be
			time.Sleep(100 * time.Millisecond) // 1000 a second: half of what a stranger may
		}
		if r.hasLogged("session closed", "replies pile up") {
			break
		}
	}
	r.logged("session closed", "replies pile up")
	if !p.alive() {
		t.Error("the publisher is gone as well")
	}
}

// A playerWire reads what the server sends to a player: chunks of type 0, and
// of type 3 inside a message; nothing else is allowed.
type playerWire struct {
	r         interface{ Read([]byte) (int, error) }
	chunkSize int
}

func (w *playerWire) fill(n int) ([]byte, error) {
	b := make([]byte, n)
	for off := 0; off < n; {
		k, err := w.r.Read(b[off:])
		if err != nil {
			return nil, err
		}
		off += k
	}
	return b, nil
}

func (w *playerWire) next() (m rtmp.Message, err error) {
	h, err := w.fill(12)
	if err != nil {
		return m, err
	}
	if h[0]>>6 != 0 || h[0]&0x3f < 2 {
		return m, fmt.Errorf("a message begins with %#x", h[0])
	}
	m = rtmp.Message{Type: rtmp.MessageType(h[7]), ChunkStreamID: uint32(h[0]), Timestamp: uint32(h[1])<<16 | uint32(h[2])<<8 | uint32(h[3])}
	for left := int(h[4])<<16 | int(h[5])<<8 | int(h[6]); ; {
		b, err := w.fill(min(left, w.chunkSize))
		if err != nil {
			return m, err
		}
		m.Payload = append(m.Payload, b...)
		if left -= len(b); left == 0 {
			break
		}
		next, err := w.fill(1)
		if err != nil {
			return m, err
		}
		if next[0] != 0xc0|h[0] {
			return m, fmt.Errorf("byte %#x inside a message of chunk stream %d", next[0], h[0])
		}
	}
	if m.Type == rtmp.TypeSetChunkSize {
		w.chunkSize = int(m.Payload[0])<<24 | int(m.Payload[1])<<16 | int(m.Payload[2])<<8 | int(m.Payload[3])
	}
	return m, nil
}
