package fanout

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// tight gives a connection the smallest buffers, so that it is full at once.
func tight(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	ours, theirs = tcpPair(t)
	if err := ours.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if err := theirs.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// memfds is how many segments this process holds in files.
func memfds(t testing.TB) (n int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "rtmpd-log") {
			n++
		}
	}
	return n
}

// Of a hundred streams in which every frame is a keyframe each has one player
// that has stopped: what they pin of files and memory is bounded, and given back.
func TestStoppedPlayersOfAllIntraStreamsPinBoundedLogs(t *testing.T) {
	const streams, size = 100, 2000
	hub := NewHub(20*time.Millisecond, nil)
	defer hub.Close()
	type one struct {
		fan    *Fan
		stream *live.Stream
		player *Player
	}
	all := make([]one, streams)
	video := &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: []byte("\x17\x00avcC")}
	frame := 0
	write := func(o *one) {
		ms := uint32(frame * 40)
		body := append([]byte("\x17\x01"), make([]byte, size)...)
		o.stream.Write(&media.Packet{Track: video, DTS: time.Duration(ms) * time.Millisecond, Timestamp: ms, Keyframe: true, Tag: body, Data: body, Epoch: 1})
		o.fan.Wake()
		o.fan.pull()
	}
	for i := range all {
		o := &all[i]
		o.fan, o.stream = hub.NewFan(testChunk, "copy"), live.NewStream("live", fmt.Sprint(i), live.Options{})
		o.fan.Attach(o.stream)
		write(o)
		ours, _ := tight(t)
		o.player = o.fan.Join(ours, patient)
	}
	files, memory, pinned := 0, int64(0), 0
	for frame = 1; frame < 1200; frame++ { // 48 s, a segment each two
		sum := int64(0)
		for i := range all {
			write(&all[i])
			sum += all[i].fan.Memory()
		}
		memory = max(memory, sum)
		if frame%25 == 0 {
			n := memfds(t)
			files = max(files, n)
			if n > 2*streams {
				pinned++
			}
		}
	}
	if pinned == 0 {
		t.Errorf("at most %d files: nobody was stopped, nothing was shown", files)
	}
	if files > streams*(maxSegments+1) || memory > streams*(maxSegments+1)*2*segmentTime.Milliseconds()/40*size {
		t.Errorf("%d files and %d bytes", files, memory)
	}
	t.Logf("at most %d files and %d bytes for %d streams", files, memory, streams)
	for i := range all {
		wait(t, all[i].player.Gone(), "a player on segments that were given up")
		if err := all[i].player.Err(); err != ErrSlow {
			t.Errorf("player %d: %v", i, err)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); memfds(t) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d files are left", memfds(t))
		}
	}
}

// A player that stops in the middle of the last message of a segment goes on in
// the next one, or at a newer keyframe, with that message whole.
func TestAPlayerStopsInTheLastMessageOfASegment(t *testing.T) {
	for _, c := range []struct {
		name  string
		queue time.Duration
		plain bool
	}{{"and reads on", 0, true}, {"and is moved on", time.Second, true}, {"behind TLS, and reads on", 0, false}} {
		t.Run(c.name, func(t *testing.T) {
			h := newRig(t)
			h.frame = 30
			h.write(1, 100_000)
			h.frame = 120 // the next keyframe begins a segment, 3 s later
			ours, theirs := tight(t)
			o := patient
			o.Queue = c.queue
			conn := net.Conn(ours)
			if !c.plain {
				conn = wrapped{ours}
			}
			p := h.fan.Join(conn, o)
			for p.Sent() < 100 && c.plain || p.seg.Load() == nil {
				time.Sleep(time.Millisecond)
			}
			first := p.seg.Load()
			h.write(60, 1000)
			if first.next.Load() == nil {
				t.Fatal("the log is still in its first segment")
			}
			if c.queue > 0 {
				for p.Lapped() == 0 {
					time.Sleep(time.Millisecond)
				}
			} else if p.seg.Load() != first {
				t.Fatal("the player has left the segment: nothing was shown")
			}
			last := h.frame + 60
			// The smallest buffers are for stopping, not for reading.
			if err := theirs.(*net.TCPConn).SetReadBuffer(1 << 20); err != nil {
				t.Fatal(err)
			}
			go func() {
				for h.frame <= last {
					h.write(1, 1000)
					time.Sleep(time.Millisecond)
				}
			}()
			numbers, times := frames(t, theirs, &wire{bufio.NewReader(theirs)}, last)
			if numbers[0] != 30 {
				t.Errorf("the frame it stopped in is lost: began with %d", numbers[0])
			}
			err := consecutive(numbers[1:])
			if err == nil && numbers[1] != 120 {
				err = fmt.Errorf("frame %d after the first", numbers[1])
			}
			if (err != nil) != (c.queue > 0) {
				t.Errorf("moved on %t: %v", c.queue > 0, err)
			}
			for i := 1; i < len(times); i++ {
				if times[i] <= times[i-1] || numbers[i] != numbers[i-1]+1 && numbers[i]%30 != 0 { // 120 among them
					t.Errorf("frame %d at %d after %d at %d", numbers[i], times[i], numbers[i-1], times[i-1])
				}
			}
		})
	}
}

// A player that reads a byte now and then is no more than a stopped one: its log
// is bounded, it is closed once its socket has taken nothing for the timeout, and
// until then what it reads is whole messages. A second here stands for a minute.
func TestAPlayerThatReadsAByteNowAndThen(t *testing.T) {
	for _, plain := range []bool{true, false} {
		h := newRig(t)
		h.write(1, 100)
		ours, theirs := tight(t)
		conn := net.Conn(ours)
		if !plain {
			conn = wrapped{ours}
		}
		p := h.fan.Join(conn, PlayerOptions{WaitKey: true, GOPCache: true, Timeout: time.Second, Queue: 5 * time.Second})
		_, c, w := h.join(patient)
		neighbour := make(chan []int, 1)
		go func() {
			n, _ := frames(t, c, w, 900)
			neighbour <- n
		}()
		var read bytes.Buffer
		done := make(chan struct{})
		go func() {
			defer close(done)
			for b := make([]byte, 1); ; time.Sleep(16 * time.Millisecond) {
				if _, err := io.ReadFull(theirs, b); err != nil {
					return
				}
				read.Write(b)
			}
		}()
		for h.frame <= 900 {
			h.write(1, 5000)
			if m := h.fan.Memory(); m > maxLogBytes {
				t.Fatalf("the log holds %d bytes", m)
			}
			time.Sleep(time.Millisecond)
		}
		if err := consecutive(<-neighbour); err != nil {
			t.Errorf("the player beside: %v", err)
		}
		wait(t, p.Gone(), "a player that takes next to nothing")
		if p.Err() != ErrStuck {
			t.Errorf("plain %t: got %v, want ErrStuck", plain, p.Err())
		}
		theirs.Close()
		<-done
		parsed := &wire{bufio.NewReader(&read)}
		for {
			if _, err := parsed.next(); err != nil {
				if err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Errorf("plain %t: %v", plain, err)
				}
				break
			}
		}
	}
}
