package fanout

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testChunk = 4096 // small, so that messages come in many chunks

// A wire reads what a player receives: type 0 headers and their type 3
// continuations, nothing else.
type wire struct{ r *bufio.Reader }

type got struct {
	typ, csid byte
	ts        uint32
	body      []byte
}

func (w *wire) next() (m got, err error) {
	var h [12]byte
	if _, err := io.ReadFull(w.r, h[:]); err != nil {
		return m, err
	}
	if h[0]>>6 != 0 {
		return m, fmt.Errorf("a message begins with chunk type %d", h[0]>>6)
	}
	field := binary.BigEndian.Uint32(append([]byte{0}, h[1:4]...))
	size := int(binary.BigEndian.Uint32(append([]byte{0}, h[4:7]...)))
	m = got{typ: h[7], csid: h[0], ts: field, body: make([]byte, size)}
	for off := 0; ; {
		if field == 0xffffff {
			var ext [4]byte
			if _, err := io.ReadFull(w.r, ext[:]); err != nil {
				return m, err
			}
			m.ts = binary.BigEndian.Uint32(ext[:])
		}
		n := min(testChunk, size-off)
		if _, err := io.ReadFull(w.r, m.body[off:off+n]); err != nil {
			return m, err
		}
		if off += n; off == size {
			return m, nil
		}
		b, err := w.r.ReadByte()
		if err != nil {
			return m, err
		}
		if b != 0xc0|m.csid {
			return m, fmt.Errorf("byte %#x inside a message of chunk stream %d", b, m.csid)
		}
	}
}

// A rig is a stream with its fan and a publisher that numbers its frames.
type rig struct {
	t      testing.TB
	hub    *Hub
	fan    *Fan
	stream *live.Stream
	video  *media.Track
	audio  *media.Track
	frame  int
	epoch  uint32
}

func newRig(t testing.TB) *rig {
	h := &rig{
		t:     t,
		epoch: 1,
		hub:   NewHub(20*time.Millisecond, nil),
		video: &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: []byte("\x17\x00avcC")},
		audio: &media.Track{Kind: media.Audio, Codec: media.CodecAAC, Tag: []byte("\xaf\x00asc")},
	}
	h.fan = h.hub.NewFan(testChunk, "copy")
	h.attach()
	t.Cleanup(h.hub.Close)
	return h
}

func (h *rig) attach() {
	h.stream = live.NewStream("live", "cam", live.Options{})
	h.fan.Attach(h.stream)
}

// write publishes n video frames of size bytes, a keyframe every 30.
func (h *rig) write(n, size int) {
	for range n {
		key := h.frame%30 == 0
		h.put(h.video, key, fmt.Appendf(nil, "\x27\x01%08d", h.frame), size)
		h.frame++
	}
}

func (h *rig) put(t *media.Track, key bool, head []byte, size int) {
	body := append(head, bytes.Repeat([]byte{byte(h.frame)}, max(size-len(head), 0))...)
	ms := uint32(h.frame * 33)
	h.stream.Write(&media.Packet{
		Track: t, DTS: time.Duration(ms) * time.Millisecond, Timestamp: ms,
		Keyframe: key, Tag: body, Data: body, Epoch: h.epoch,
	})
	h.fan.Wake()
	h.fan.pull() // media come faster here than the ring remembers
}

// join seats a player; the returned wire is its end of a TCP connection.
func (h *rig) join(o PlayerOptions) (*Player, net.Conn, *wire) {
	ours, theirs := tcpPair(h.t)
	p := h.fan.Join(ours, o)
	return p, theirs, &wire{bufio.NewReader(theirs)}
}

var patient = PlayerOptions{WaitKey: true, GOPCache: true, Timeout: time.Minute}

func tcpPair(t testing.TB) (a, b net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	b, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// frames reads video frames and returns their numbers, up to and with last.
func frames(t testing.TB, c net.Conn, w *wire, last int) (numbers []int, times []uint32) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := w.next()
		if err != nil {
			t.Fatalf("after frames %v: %v", numbers, err)
		}
		if m.typ != 9 || m.body[1] != 1 {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(string(m.body[2:10]), "%d", &n); err != nil {
			t.Fatalf("frame %q: %v", m.body[:10], err)
		}
		for _, b := range m.body[10:] {
			if b != byte(n) {
				t.Fatalf("frame %d has a byte of another", n)
			}
		}
		numbers, times = append(numbers, n), append(times, m.ts)
		if n == last {
			return numbers, times
		}
	}
}

func consecutive(n []int) error {
	for i := 1; i < len(n); i++ {
		if n[i] != n[i-1]+1 {
			return fmt.Errorf("frame %d after %d", n[i], n[i-1])
		}
	}
	return nil
}

var errTimeout = errors.New("timed out")

func wait(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatal(what, errTimeout)
	}
}
