package fanout

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestEveryPlayerGetsEveryFrameOnceAndInOrder(t *testing.T) {
	h := newRig(t)
	h.write(1, 500)
	var wg sync.WaitGroup
	for range 20 {
		_, c, w := h.join(patient)
		wg.Go(func() {
			numbers, _ := frames(t, c, w, 900)
			if err := consecutive(numbers); err != nil || numbers[0]%30 != 0 {
				t.Errorf("from %d: %v", numbers[0], err)
			}
		})
	}
	h.write(900, 5000)
	wg.Wait()
}

func TestAJoinerStartsWithHeadersAtTheNewestKeyframe(t *testing.T) {
	h := newRig(t)
	h.stream.SetMetadata([]byte("\x02\x00\x0aonMetaData\x05"))
	h.put(h.audio, false, []byte("\xaf\x01"), 100)
	h.write(45, 1000)
	_, c, w := h.join(patient)
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	var kinds []string
	for len(kinds) < 4 {
		m, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, string(m.body[:min(len(m.body), 10)]))
	}
	want := []string{"\x02\x00\x0aonMetaD", "\x17\x00avcC", "\xaf\x00asc", "\x27\x0100000030"}
	// Without a packet of it since the keyframe the audio header is the log's
	// to send when audio comes.
	want = slices.DeleteFunc(want, func(s string) bool { return s == "\xaf\x00asc" })
	if !slices.Equal(kinds[:3], want) {
		t.Errorf("got %q, want %q", kinds[:3], want)
	}
}

func TestControlMessagesGoBetweenMessages(t *testing.T) {
	h := newRig(t)
	h.write(1, 100)
	p, c, w := h.join(patient)
	pong := rtmp.AppendMessage(nil, rtmp.Message{Type: rtmp.TypeUserControl, ChunkStreamID: 2, Payload: []byte("pong..")}, testChunk)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			if p.Control(pong) != nil {
				return // piled up: allowed, the test below sees what was sent
			}
			time.Sleep(50 * time.Microsecond)
		}
	}()
	h.write(300, 30000)
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	pongs, last := 0, ""
	for last != "00000300" {
		m, err := w.next() // fails where bytes interleave
		if err != nil {
			t.Fatalf("after frame %s and %d pongs: %v", last, pongs, err)
		}
		switch {
		case m.typ == 4:
			pongs++
		case m.typ == 9 && m.body[1] == 1:
			last = string(m.body[2:10])
		}
	}
	wait(t, done, "pongs")
	if pongs == 0 {
		t.Error("no pong came through")
	}
}

func TestAStuckPlayerIsClosedAndDelaysNobody(t *testing.T) {
	h := newRig(t)
	h.write(1, 100)
	stuck, _, _ := h.join(PlayerOptions{WaitKey: true, GOPCache: true, Timeout: 500 * time.Millisecond})
	_, c, w := h.join(patient)
	got := make(chan []int)
	go func() {
		n, _ := frames(t, c, w, 400)
		got <- n
	}()
	for range 400 {
		h.write(1, 30000) // 12 MB in all: no socket buffer takes that
		time.Sleep(time.Millisecond)
	}
	if err := consecutive(<-got); err != nil {
		t.Error(err)
	}
	wait(t, stuck.Gone(), "stuck player")
	if stuck.Err() != ErrStuck {
		t.Errorf("got %v, want ErrStuck", stuck.Err())
	}
}

func TestALaggingPlayerGoesOnAtANewerKeyframe(t *testing.T) {
	h := newRig(t)
	h.write(1, 100)
	p, c, w := h.join(PlayerOptions{WaitKey: true, GOPCache: true, Timeout: time.Minute, Queue: 5 * time.Second})
	for p.Lapped() == 0 { // the player reads nothing meanwhile
		if h.frame > 100000 {
			t.Fatal("never lapped")
		}
		h.write(30, 20000)
		time.Sleep(50 * time.Millisecond) // lag is looked for every 250 ms
	}
	end := h.frame + 60
	go h.write(61, 1000)
	numbers, times := frames(t, c, w, end)
	if !slices.IsSorted(numbers) || !slices.IsSorted(times) {
		t.Error("time ran back")
	}
	jumps := 0
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			jumps++
			if numbers[i]%30 != 0 {
				t.Errorf("went on at frame %d, which is no keyframe", numbers[i])
			}
		}
	}
	if jumps == 0 {
		t.Error("lapped, yet nothing is missing")
	}
	if n := h.metrics()["rtmpd_players_lagged_total"].GetCounter().GetValue(); n != float64(p.Lapped()) {
		t.Errorf("counted as %v times", n)
	}
}

func TestAStoppedPlayerPinsABoundedLog(t *testing.T) {
	h := newRig(t)
	h.write(1, 100)
	p, _, _ := h.join(patient)
	for range 200 {
		h.write(30, 50000) // 300 MB
		h.hub.flushers[0].wake()
	}
	wait(t, p.Gone(), "player on a log that was given up")
	if p.Err() != ErrSlow {
		t.Errorf("got %v, want ErrSlow", p.Err())
	}
	if m := h.fan.Memory(); m > maxLogBytes+2*segmentSize {
		t.Errorf("the log holds %d bytes", m)
	}
}

func TestPlayersResumeWithTheNextStreamAndTimeNeverRunsBack(t *testing.T) {
	h := newRig(t)
	h.write(40, 1000)
	_, c, w := h.join(patient)
	numbers, first := frames(t, c, w, 39)
	if numbers[0] != 30 {
		t.Errorf("began at frame %d", numbers[0])
	}
	h.stream.Close()
	h.fan.Attach(nil)
	h.frame = 0
	h.attach()
	h.write(10, 1000)
	_, second := frames(t, c, w, 9)
	if !slices.IsSorted(append(first, second...)) {
		t.Errorf("times %v, then %v", first, second)
	}
	if gap := second[0] - first[len(first)-1]; gap > 100 {
		t.Errorf("the next stream goes on %d ms later", gap)
	}
}

func TestPauseLetsGoAndResumesLater(t *testing.T) {
	h := newRig(t)
	h.write(10, 1000)
	p, c, w := h.join(patient)
	frames(t, c, w, 9)
	p.Pause(true)
	for h.fan.Memory() > 0 { // the log goes with its only player
		time.Sleep(time.Millisecond)
	}
	h.write(90, 1000)
	p.Pause(false)
	numbers, _ := frames(t, c, w, 99)
	if numbers[0]%30 != 0 || numbers[0] < 10 {
		t.Errorf("resumed at frame %d", numbers[0])
	}
}

func TestReceiveVideoFalseIsAudioAlone(t *testing.T) {
	h := newRig(t)
	h.write(5, 100)
	p, c, w := h.join(patient)
	frames(t, c, w, 4)
	p.Receive(true, false)
	h.put(h.audio, false, []byte("\xaf\x01before"), 100)
	h.write(60, 1000)
	h.put(h.audio, false, []byte("\xaf\x01after"), 100)
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for switched := false; ; {
		m, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.typ == 8 {
			switched = true
		}
		if switched && m.typ == 9 {
			t.Error("video after audio alone was asked for")
		}
		if bytes.HasPrefix(m.body, []byte("\xaf\x01after")) {
			return
		}
	}
}

func TestLeaveGivesBackTheRestOfTheMessage(t *testing.T) {
	h := newRig(t)
	h.write(1, 100)
	p, c, w := h.join(patient)
	frames(t, c, w, 0)
	h.write(20, 1<<20) // more than the socket takes: the player is in mid-message
	for p.Sent() < 1<<20 {
		time.Sleep(time.Millisecond)
	}
	left := make(chan []byte)
	go func() {
		rest, _ := p.Leave(time.Minute)
		left <- rest
	}()
	var rest []byte
	select {
	case rest = <-left:
	case <-time.After(50 * time.Millisecond): // it may wait for a boundary: read on
	}
	go func() {
		if rest == nil {
			rest = <-left
		}
		_, _ = p.conn.Write(rest)
		p.conn.Close()
	}()
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for {
		if _, err := w.next(); err != nil {
			if err != io.EOF {
				t.Errorf("the stream does not end with a whole message: %v", err)
			}
			return
		}
	}
}

func TestTimestampsPast24And32Bits(t *testing.T) {
	for name, at := range map[string]uint32{"past 4 h 40 min": 1 << 24, "past 49.7 days": 0xffffff00} {
		t.Run(name, func(t *testing.T) {
			h := newRig(t)
			body := []byte("\x17\x0100000000")
			for i := range 20 {
				h.stream.Write(&media.Packet{
					Track: h.video, DTS: time.Duration(i) * 33 * time.Millisecond,
					Timestamp: at + uint32(i*33), Keyframe: i == 0, Tag: slices.Concat(body[:2], []byte{'0', '0', '0', '0', '0', '0', '0' + byte(i/10), '0' + byte(i%10)}),
				})
			}
			h.fan.Wake()
			_, c, w := h.join(patient)
			_, times := frames(t, c, w, 19)
			for i, ts := range times {
				if want := at + uint32(i*33); ts != want {
					t.Fatalf("frame %d is at %d, want %d", i, ts, want)
				}
			}
		})
	}
}

func TestNoAllocationForAPlayer(t *testing.T) {
	h := newRig(t)
	h.write(31, 1000)
	for range 10 {
		_, c, _ := h.join(patient)
		go func() { _, _ = io.Copy(io.Discard, c) }()
	}
	h.write(300, 1000) // logs and buffers have grown
	packets := make([]*media.Packet, 0, 2000)
	for i := range 2000 {
		packets = append(packets, &media.Packet{
			Track: h.video, DTS: time.Duration(h.frame+i) * 33 * time.Millisecond, Tag: make([]byte, 1000),
		})
	}
	i := 0
	allocs := testing.AllocsPerRun(1500, func() {
		h.stream.Write(packets[i])
		h.fan.Wake()
		i++
	})
	if allocs > 1 { // the log's marks grow now and then
		t.Errorf("%v allocations for a packet and ten players", allocs)
	}
}

func TestThousandsComeAndGo(t *testing.T) {
	h := newRig(t)
	h.write(31, 1000)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 100 {
				p, c, w := h.join(patient)
				frames(t, c, w, 30)
				switch p.pollID % 2 {
				case 0:
					p.Leave(time.Minute)
					c.Close()
				default:
					c.Close()
				}
				p.conn.Close()
				p.Leave(time.Minute)
			}
		})
	}
	wg.Wait()
	// One whose connection broke is gone a moment before it is forgotten.
	for deadline := time.Now().Add(2 * time.Minute); h.fan.Players() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d players are left", h.fan.Players())
		}
	}
	if m := h.fan.Memory(); m != 0 {
		t.Errorf("%d bytes of log are left", m)
	}
}

// A plain net.Conn that is no TCP socket stands for TLS: it is served by a
// goroutine of its own.
type wrapped struct{ net.Conn }

func TestPlayersBehindTLSGetTheSame(t *testing.T) {
	h := newRig(t)
	h.write(1, 100)
	ours, theirs := tcpPair(t)
	p := h.fan.Join(wrapped{ours}, patient)
	go h.write(299, 20000)
	w := &wire{bufio.NewReader(theirs)}
	numbers, _ := frames(t, theirs, w, 299)
	if err := consecutive(numbers); err != nil {
		t.Error(err)
	}
	p.Leave(time.Minute)
	if h.fan.Players() != 0 {
		wait(t, p.Gone(), "left player")
	}
}
