package rtmp

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// nestedAMF is a command whose object holds n objects in each other.
func nestedAMF(n int) string {
	return "\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x03\x00\x01a", n)
}

// readCommands reads as a session does before publish, to the first error.
func readCommands(c *Conn) error {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if m.Type == TypeCommandAMF0 || m.Type == TypeCommandAMF3 {
			if _, err := ParseCommand(m); err != nil {
				return fmt.Errorf("command: %w", err)
			}
		}
	}
}

func TestBadInputEndsTheConnection(t *testing.T) {
	command := func(body string) string {
		return string(appendMessage(nil, Message{Type: TypeCommandAMF0, ChunkStreamID: 3, Payload: []byte(body)}, 128))
	}
	var claims strings.Builder
	for i := range uint32(60) {
		claims.WriteString(head(0, 10+i, 0, 1<<24-1, TypeVideo, 1) + text(128))
	}
	flood := strings.Repeat(command("\x02\x00\x01x"), maxRate+1)
	cases := []struct {
		name, wire, want string
	}{
		{"chunk size 0", controlWire(TypeSetChunkSize, 0), "chunk size 0"},
		{"chunk size 2^31", controlWire(TypeSetChunkSize, 1<<31), "chunk size 2147483648"},
		{"10 MB of nested AMF", head(0, 3, 0, 10<<20, TypeCommandAMF0, 0) + nestedAMF(10<<20/4), "command message of 10485760 bytes; at most 65536"},
		{"40 KB of nested AMF", command(nestedAMF(10000)), "nested deeper than 32"},
		{"a 9-byte strict array of 2^31 elements", command("\x0a\x80\x00\x00\x00\x05\x05\x05\x05"), "ends early"},
		{"2000 values in a command", command("\x02\x00\x01x" + strings.Repeat("\x05", 2000)), "too many values"},
		{"an empty command", command(""), "empty"},
		{"a command without a name", command("\x05"), "without a name"},
		{"a message longer than max_message", head(0, 6, 0, 11<<20, TypeVideo, 1), "video message of 11534336 bytes; at most 10485760"},
		{"60 chunk streams that each claim 16 MB", claims.String(), "video message of 16777215 bytes"},
		{"media before publish that is no command", head(0, 6, 0, 5<<20, TypeVideo, 1), "before publish"},
		{"2001 messages in a second", flood, "more than 2000 messages a second"},
		{"2001 empty messages of an unknown type", head(0, 3, 0, 0, 99, 0) + strings.Repeat("\xc3", maxRate), "more than 2000 messages a second"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, _ := connOver(c.wire, Options{})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := readCommands(conn)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			// 2000 small messages are 2000 small allocations.
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
				t.Errorf("%d bytes allocated on the way", grown)
			}
		})
	}
}

func TestRates(t *testing.T) {
	for _, c := range []struct {
		name      string
		trusted   bool
		perSecond int
		refused   bool
	}{
		{"a stranger's 1990 a second", false, 1990, false},
		{"a stranger's 2010 a second", false, 2010, true},
		{"a publisher's 19900 a second", true, 19900, false},
		{"a publisher's 20100 a second", true, 20100, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var r rate
			_ = r.count(false) // publish itself
			for i := range 15 * c.perSecond {
				if err := r.count(c.trusted); err != nil {
					if !c.refused {
						t.Fatalf("%s: message %d: %v", c.name, i, err)
					}
					return
				}
				if c.refused && !c.trusted && i > 3*c.perSecond {
					break
				}
				time.Sleep(time.Second / time.Duration(c.perSecond))
			}
			if c.refused {
				t.Errorf("%s are taken", c.name)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var r rate // ten seconds' worth at once, again and again
		for range 5 {
			for range maxPublishRate * 10 {
				if err := r.count(true); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(publishSpan)
		}
	})
}

// What a stranger can make a connection hold, at its worst: a full read buffer,
// all chunk streams, and as much of four messages as is taken.
func TestStrangerHoldsLessThan64KiB(t *testing.T) {
	var wire bytes.Buffer
	for i := range uint32(maxChunkStreams - 1) { // the control messages have the other
		wire.WriteString(head(0, 300+i, 0, 0, 99, 1))
	}
	wire.WriteString(controlWire(TypeSetChunkSize, 12<<10-1))
	for i := range uint32(strangerPartials) { // each lacks its last byte
		wire.WriteString(head(0, 300+i, 0, 12<<10, TypeVideo, 1) + text(12<<10-1))
	}
	wire.WriteString("\xc0") // and a chunk header of which the rest never comes
	const conns = 200
	var keep [conns]*Conn
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keep {
		c, _ := connOver("", Options{})
		c.nc.(*scripted).in = bytes.NewReader(wire.Bytes())
		if _, err := c.ReadMessage(); err != io.ErrUnexpectedEOF {
			t.Fatalf("got %v, want to stop where the bytes do", err)
		}
		if c.in.held != strangerHeld || c.in.partials != strangerPartials || len(c.in.streams) != maxChunkStreams {
			t.Fatalf("%d bytes in %d messages on %d chunk streams: not the worst case", c.in.held, c.in.partials, len(c.in.streams))
		}
		keep[i] = c
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(keep)
	each := int64(after.HeapAlloc-before.HeapAlloc) / conns
	t.Logf("%d bytes each", each)
	if each >= 64<<10 {
		t.Errorf("a stranger holds %d bytes, want less than 64 KiB", each)
	}
}

func TestStrangersMessagesAreNotAllocatedByTheirLength(t *testing.T) {
	conn, _ := connOver(head(0, 3, 0, 48<<10, TypeCommandAMF0, 0)+"abc", Options{})
	if _, err := conn.ReadMessage(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if conn.in.held > 16 {
		t.Errorf("%d bytes held for 3 that came", conn.in.held)
	}
}

func TestStrangersFiftyKilobytesAreTooMany(t *testing.T) {
	var wire bytes.Buffer
	wire.WriteString(controlWire(TypeSetChunkSize, 17<<10))
	for i := range uint32(3) {
		wire.WriteString(head(0, 10+i, 0, 20<<10, TypeCommandAMF0, 0) + text(17<<10))
	}
	conn, _ := connOver(wire.String(), Options{})
	if _, err := conn.ReadMessage(); err != errHeld {
		t.Errorf("got %v, want errHeld", err)
	}
	if conn.in.held > strangerHeld {
		t.Errorf("%d bytes held", conn.in.held)
	}
}

// Forty chunk streams of a publisher that claim the largest message each cost
// what has arrived, and end the connection when they are in earnest.
func TestPublishersClaims(t *testing.T) {
	var wire bytes.Buffer
	for i := range uint32(40) {
		wire.WriteString(head(0, 10+i, 0, 10<<20, TypeVideo, 1) + text(128))
	}
	conn, _ := connOver(wire.String(), Options{})
	conn.Authorise()
	if _, err := conn.ReadMessage(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	if conn.in.held != 40*exactBody {
		t.Errorf("%d bytes held for 40 messages, want %d", conn.in.held, 40*exactBody)
	}

	wire.Reset()
	wire.WriteString(controlWire(TypeSetChunkSize, 4<<20))
	data := text(4 << 20)
	for i := range uint32(10) {
		wire.WriteString(head(0, 10+i, 0, 10<<20, TypeVideo, 1) + data)
	}
	conn, _ = connOver(wire.String(), Options{})
	conn.Authorise()
	if _, err := conn.ReadMessage(); err != errHeld {
		t.Errorf("40 MB of begun messages: got %v, want errHeld", err)
	}
	if limit := 10<<20 + trustedHeld; conn.in.held > limit {
		t.Errorf("%d bytes held, want at most %d", conn.in.held, limit)
	}
}

// A message that is begun, and restarted by each further chunk, costs what has
// arrived of it and counts each time.
func TestRestartedMessages(t *testing.T) {
	begin := head(0, 6, 0, 9<<20, TypeVideo, 1) + "'"
	restarts := map[string]string{
		"type 2 chunk":             "\x86\x00\x00\x00'",
		"type 1 chunk":             "\x46\x00\x00\x00\x90\x00\x00\x09'",
		"type 0 chunk":             begin,
		"abort and a type 3 chunk": controlWire(TypeAbort, 6) + "\xc6'",
	}
	for name, again := range restarts {
		conn, _ := connOver(controlWire(TypeSetChunkSize, 1)+begin+strings.Repeat(again, 1000), Options{})
		conn.Authorise()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := conn.ReadMessage(); err != io.ErrUnexpectedEOF {
			t.Fatalf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*exactBody {
			t.Errorf("%s: 1000 restarts allocate %d bytes, want at most %d", name, n, 2*exactBody)
		}
		if conn.in.rate.n < 1000 {
			t.Errorf("%s: 1000 restarts count as %d messages", name, conn.in.rate.n)
		}
	}
	// As fast as it can be sent, it ends the connection.
	conn, _ := connOver(controlWire(TypeSetChunkSize, 1)+begin+strings.Repeat("\x86\x00\x00\x00'", maxPublishRate*11), Options{})
	conn.Authorise()
	if _, err := conn.ReadMessage(); err == nil || !strings.Contains(err.Error(), "messages a second") {
		t.Errorf("got %v, want to be told that these are too many", err)
	}
}

// A frame in an aggregate keeps its own bytes alone.
func TestAggregatedFramesAreCopies(t *testing.T) {
	body := "\x09\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00abcdef\x00\x00\x00\x11" + "\x63\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x00" + text(0xf0000)
	conn, _ := connOver(string(appendMessage([]byte(controlWire(TypeSetChunkSize, 1<<20)), message(4, TypeAggregate, 9, body), 1<<20)), Options{})
	conn.Authorise()
	m, err := conn.ReadMessage()
	if err != nil || string(m.Payload) != "abcdef" {
		t.Fatalf("got %q, %v", m.Payload, err)
	}
	whole := conn.aggregate.message.Payload
	if len(whole) == 0 || &whole[11] == &m.Payload[0] {
		t.Error("the frame aliases the aggregate message")
	}
}

func TestLargeMessagesArriveWhole(t *testing.T) {
	for _, n := range []int{exactBody - 1, exactBody, exactBody + 1, 1 << 20, 10 << 20} {
		m := video(5, text(n))
		conn, _ := connOver(string(appendMessage([]byte(controlWire(TypeSetChunkSize, 60000)), m, 60000)), Options{})
		conn.Authorise()
		got, err := conn.ReadMessage()
		if err != nil || !bytes.Equal(got.Payload, m.Payload) || cap(got.Payload) != n {
			t.Errorf("%d bytes: got %d of %d, %v", n, len(got.Payload), cap(got.Payload), err)
		}
	}
}

// FuzzConn: no panic whatever a peer sends after its handshake, and commands
// parse or fail.
func FuzzConn(f *testing.F) {
	connect := commandMessage(0, "connect", 1, []amf.Value{amf.Object{{Name: "app", Value: "live/"}, {Name: "fourCcList", Value: amf.StrictArray{"hvc1"}}}})
	f.Add(appendMessage(nil, connect, 128), false)
	f.Add([]byte(controlWire(TypeSetChunkSize, 4096)+controlWire(TypeWindowAckSize, 2500)+userControlWire(PingRequest, 7)+controlWire(TypeAbort, 3)+controlWire(TypeSetPeerBandwidth, 9, 1)), true)
	f.Add(appendMessage(nil, message(4, TypeAggregate, 9, "\x08\x00\x00\x01\x00\x00\x09\x00\x00\x00\x00a\x00\x00\x00\x0c"), 128), true)
	f.Fuzz(func(t *testing.T, wire []byte, trusted bool) {
		fuzztime.Bound(t)
		conn, peer := connOver(string(wire), Options{MaxMessage: 1 << 20})
		if trusted {
			conn.Authorise()
		}
		for {
			m, err := conn.ReadMessage()
			if err != nil {
				break
			}
			if m.Type != TypeCommandAMF0 && m.Type != TypeCommandAMF3 {
				continue
			}
			cmd, err := ParseCommand(m)
			if err != nil {
				continue
			}
			statusOf(cmd)
			if c, err := ParseConnect(cmd); err == nil {
				if len(c.TCURL) > maxConnectText || len(c.FourCCs) > maxFourCCs {
					t.Fatalf("kept too much: %v", c)
				}
				_ = conn.WriteConnectResult(cmd.Transaction, c)
			}
		}
		if n := len(peer.sent()); n > 2*len(wire)+64 && conn.out.chunkSize == defaultChunkSize {
			t.Fatalf("answered %d bytes with %d", len(wire), n)
		}
	})
}
