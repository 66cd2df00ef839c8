package rtmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// connOver is a Conn after its handshake whose peer sends wire and then closes.
func connOver(wire string, o Options) (*Conn, *scripted) {
	peer := &scripted{in: strings.NewReader(wire)}
	return newConn(peer, o.withDefaults(), 0), peer
}

// controlWire is a protocol control message; data is what follows n.
func controlWire(kind MessageType, n uint32, data ...byte) string {
	p := append(binary.BigEndian.AppendUint32(nil, n), data...)
	return string(appendMessage(nil, Message{Type: kind, ChunkStreamID: 2, Payload: p}, 128))
}

func userControlWire(event uint16, n uint32) string {
	p := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, event), n)
	return string(appendMessage(nil, Message{Type: TypeUserControl, ChunkStreamID: 2, Payload: p}, 128))
}

// messagesOf reads what we have sent.
func messagesOf(t *testing.T, sent []byte) []Message {
	t.Helper()
	r := newChunkReader(bytes.NewReader(sent), 1<<20)
	r.trust()
	var ms []Message
	for {
		m, err := r.next()
		if err == io.EOF {
			return ms
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == TypeSetChunkSize {
			if err := r.setChunkSize(binary.BigEndian.Uint32(m.Payload)); err != nil {
				t.Fatal(err)
			}
		}
		ms = append(ms, m)
	}
}

// end reads to the end and expects it to be a clean one.
func end(t *testing.T, c *Conn) (ms []Message) {
	t.Helper()
	for {
		m, err := c.ReadMessage()
		if err == io.EOF {
			return ms
		}
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, m)
	}
}

func TestControlMessages(t *testing.T) {
	tail := string(appendMessage(nil, audio(1, "a"), 128))
	answer := func(kind MessageType, n uint32) []Message {
		return []Message{{Type: kind, ChunkStreamID: 2, Payload: binary.BigEndian.AppendUint32(nil, n)}}
	}
	pong := []Message{{Type: TypeUserControl, ChunkStreamID: 2, Payload: []byte{0, 7, 0, 0, 4, 0xd2}}}
	cases := []struct {
		name string
		wire string
		want []Message // sent back
	}{
		{"ping request", userControlWire(PingRequest, 1234), pong},
		{"two ping requests leave in one write", userControlWire(PingRequest, 1234) + userControlWire(PingRequest, 1234), append(pong[:1:1], pong...)},
		{"ping response nobody asked for", userControlWire(PingResponse, 1234), nil},
		{"buffer length", userControlWire(BufferLength, 1) + controlWire(TypeUserControl, 0x00030000, 0, 1, 0, 0, 3, 232), nil},
		{"unknown user control event", userControlWire(31, 1), nil},
		{"user control of two bytes", string(appendMessage(nil, Message{Type: TypeUserControl, ChunkStreamID: 2, Payload: []byte{0, 6}}, 128)), nil},
		{"acknowledgement", controlWire(TypeAcknowledgement, 99), nil},
		{"set peer bandwidth is answered", controlWire(TypeSetPeerBandwidth, 2500000, 2), answer(TypeWindowAckSize, 2500000)},
		{"set peer bandwidth is answered once", controlWire(TypeSetPeerBandwidth, 2500000, 2) + controlWire(TypeSetPeerBandwidth, 2500000, 2), answer(TypeWindowAckSize, 2500000)},
		{"abort of an unknown chunk stream", controlWire(TypeAbort, 77), nil},
		{"set chunk size", controlWire(TypeSetChunkSize, 4096), nil},
		{"shared objects and unknown types", string(appendMessage(appendMessage(nil, Message{Type: TypeSharedObjectAMF3, ChunkStreamID: 3, Payload: []byte("x")}, 128), Message{Type: 200, ChunkStreamID: 3, Payload: []byte("x")}, 128)), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, peer := connOver(c.wire+tail, Options{})
			got := end(t, conn)
			if len(got) != 1 || string(got[0].Payload) != "a" {
				t.Errorf("read %v, want the audio message alone", got)
			}
			if got := messagesOf(t, peer.sent()); !reflect.DeepEqual(got, c.want) {
				t.Errorf("answered %v, want %v", got, c.want)
			}
			if len(peer.out) > 1 {
				t.Errorf("answered in %d writes, want one", len(peer.out))
			}
		})
	}
	for _, kind := range []MessageType{TypeSetChunkSize, TypeAbort, TypeWindowAckSize, TypeSetPeerBandwidth} {
		conn, _ := connOver(string(appendMessage(nil, Message{Type: kind, ChunkStreamID: 2, Payload: []byte{1, 2, 3}}, 128)), Options{})
		if _, err := conn.ReadMessage(); err == nil || err == io.EOF {
			t.Errorf("type %d of 3 bytes: got %v, want an error", kind, err)
		}
	}
}

func TestSetChunkSizeHoldsFromTheNextChunk(t *testing.T) {
	m := video(5, text(1000))
	wire := string(appendMessage(nil, m, 128)[:12+128]) + // first chunk still of 128
		controlWire(TypeSetChunkSize, 500) +
		next3(6, "") + text(1000)[128:628] + next3(6, "") + text(1000)[628:]
	conn, _ := connOver(wire, Options{})
	if got := end(t, conn); !reflect.DeepEqual(got, []Message{m}) {
		t.Errorf("got %d messages, want the one", len(got))
	}
}

func TestAbortMessage(t *testing.T) {
	wire := head(0, 6, 5, 300, TypeVideo, 1) + text(128) + controlWire(TypeAbort, 6) + head(0, 6, 9, 3, TypeVideo, 1) + "new"
	conn, _ := connOver(wire, Options{})
	if got := end(t, conn); len(got) != 1 || string(got[0].Payload) != "new" {
		t.Errorf("got %v, want the message after Abort", got)
	}
}

func TestAcknowledgements(t *testing.T) {
	frame := string(appendMessage(nil, video(0, text(10000)), 128))
	wire := controlWire(TypeWindowAckSize, 20000) + strings.Repeat(frame, 10)
	conn, peer := connOver(wire, Options{})
	conn.Authorise()
	conn.bytesIn.Store(1<<32 - 50000) // the sequence number wraps on the way
	conn.acked = conn.bytesIn.Load()
	conn.nc.(*scripted).in = iotest.OneByteReader(conn.nc.(*scripted).in)
	end(t, conn)
	// Bytes since the window was said: one acknowledgement per 20000.
	acks := messagesOf(t, peer.sent())
	if want := len(wire) / 20000; len(acks) != want {
		t.Fatalf("%d acknowledgements, want %d", len(acks), want)
	}
	for i, m := range acks {
		want := uint32(1<<32 - 50000 + (i+1)*20000)
		if got := binary.BigEndian.Uint32(m.Payload); m.Type != TypeAcknowledgement || got != want {
			t.Errorf("acknowledgement %d: %d, want %d", i, got, want)
		}
	}
	t.Run("a window of one byte buys no flood", func(t *testing.T) {
		conn, peer := connOver(controlWire(TypeWindowAckSize, 1)+strings.Repeat(frame, 10), Options{})
		conn.Authorise()
		conn.nc.(*scripted).in = iotest.OneByteReader(conn.nc.(*scripted).in)
		end(t, conn)
		if n := len(peer.out); n > len(frame)*10/minPeerWindow+1 {
			t.Errorf("%d acknowledgements", n)
		}
	})
}

func TestAggregates(t *testing.T) {
	tag := func(kind MessageType, ts uint32, data string) string {
		b := appendUint24([]byte{byte(kind)}, uint32(len(data)))
		b = appendUint24(b, ts&0xffffff)
		b = append(b, byte(ts>>24), 0, 0, 0)
		b = append(b, data...)
		return string(binary.BigEndian.AppendUint32(b, uint32(11+len(data))))
	}
	body := tag(TypeAudio, 0x01000000, "a1") + tag(TypeCommandAMF0, 0, "no") + tag(TypeVideo, 0x01000010, "v1") + tag(TypeAudio, 0x01000020, "") + tag(TypeAggregate, 0, "no") + tag(TypeDataAMF0, 0x01000030, "d")
	want := []Message{
		{Type: TypeAudio, ChunkStreamID: 4, StreamID: 1, Timestamp: 0xfffffff0, Payload: []byte("a1")},
		{Type: TypeVideo, ChunkStreamID: 4, StreamID: 1, Timestamp: 0, Payload: []byte("v1")},
		{Type: TypeAudio, ChunkStreamID: 4, StreamID: 1, Timestamp: 0x10, Payload: []byte{}},
		{Type: TypeDataAMF0, ChunkStreamID: 4, StreamID: 1, Timestamp: 0x20, Payload: []byte("d")},
		audio(1, "x"),
	}
	for name, body := range map[string]string{"whole": body, "without the last back pointer": body[:len(body)-4]} {
		wire := appendMessage(nil, message(4, TypeAggregate, 0xfffffff0, body), 128)
		wire = appendMessage(wire, audio(1, "x"), 128)
		conn, _ := connOver(string(wire), Options{})
		got := end(t, conn)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
		for _, m := range got {
			if cap(m.Payload) != len(m.Payload) {
				t.Errorf("%s: a payload can grow into its neighbour", name)
			}
		}
	}
	for name, body := range map[string]string{"half a tag": body[:12], "half a header": body[:5], "a tag of 16 MB": "\x08\xff\xff\xff" + body} {
		conn, _ := connOver(string(appendMessage(nil, message(4, TypeAggregate, 0, body), 128)), Options{})
		if _, err := conn.ReadMessage(); !errors.Is(err, errAggregate) {
			t.Errorf("%s: got %v, want errAggregate", name, err)
		}
	}
}

func TestPingTimeout(t *testing.T) {
	o := Options{Ping: time.Minute, PingTimeout: 30 * time.Second}
	pipe := func() (*Conn, net.Conn) {
		server, client := net.Pipe()
		return newConn(server, o.withDefaults(), 0), client
	}
	t.Run("a silent peer is pinged and then given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, client := pipe()
			var sent []byte
			done := make(chan struct{})
			go func() { sent, _ = io.ReadAll(client); close(done) }()
			start := time.Now()
			_, err := c.ReadMessage()
			if took := time.Since(start); !errors.Is(err, ErrPingTimeout) || took != 90*time.Second {
				t.Errorf("%v after %s, want a ping timeout after 90s", err, took)
			}
			c.Close()
			<-done
			ms := messagesOf(t, sent)
			if len(ms) != 1 || ms[0].Type != TypeUserControl || binary.BigEndian.Uint16(ms[0].Payload) != PingRequest {
				t.Errorf("sent %v, want one ping request", ms)
			}
		})
	})
	t.Run("a peer that answers lives on, and so does one that trickles", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, client := pipe()
			done := make(chan int)
			go func() { // answers each ping after 2 s, three times; then trickles
				buf := make([]byte, 18)
				for range 3 {
					if _, err := io.ReadFull(client, buf); err != nil {
						t.Error(err)
					}
					time.Sleep(2 * time.Second)
					_, _ = client.Write([]byte(userControlWire(PingResponse, binary.BigEndian.Uint32(buf[14:]))))
				}
				for i := range 20 { // one byte every 40 s: no ping at all
					time.Sleep(40 * time.Second)
					_, _ = client.Write([]byte(head(0, 4, 0, 100, TypeAudio, 1))[i%12 : i%12+1])
				}
				n, _ := client.Read(buf) // the ping that follows
				time.Sleep(time.Second)
				client.Close()
				done <- n
			}()
			start := time.Now()
			_, err := c.ReadMessage()
			if !errors.Is(err, io.ErrUnexpectedEOF) && err == nil {
				t.Errorf("got %v, want the peer's end", err)
			}
			if want := 3*62*time.Second + 20*40*time.Second + 61*time.Second; time.Since(start) != want {
				t.Errorf("lived %s, want %s", time.Since(start), want)
			}
			if n := <-done; n != 18 {
				t.Errorf("%d bytes in the last ping, want 18", n)
			}
			if got := c.RoundTrip(); got != 2*time.Second {
				t.Errorf("round trip %s, want 2s", got)
			}
		})
	})
	t.Run("a deadline from outside ends the reading", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, client := pipe()
			defer client.Close()
			time.AfterFunc(10*time.Second, func() { _ = c.NetConn().SetReadDeadline(time.Now()) })
			start := time.Now()
			_, err := c.ReadMessage()
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
				t.Errorf("%v after %s, want a timeout after 10s", err, time.Since(start))
			}
		})
	})
	t.Run("without ping silence is golden", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			c := newConn(server, Options{}.withDefaults(), 0)
			time.AfterFunc(24*time.Hour, func() { client.Close() })
			if _, err := c.ReadMessage(); err != io.EOF {
				t.Errorf("got %v, want io.EOF", err)
			}
		})
	})
}

func TestWritesEndInTime(t *testing.T) {
	t.Run("Timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe() // nobody reads
			defer client.Close()
			c := newConn(server, Options{Timeout: 60 * time.Second}.withDefaults(), 0)
			start := time.Now()
			if err := c.WriteStatus(1, "status", StatusPublishStart, ""); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
				t.Errorf("%v after %s, want a timeout after 1m", err, time.Since(start))
			}
			if err := c.WriteStatus(1, "status", StatusPublishStart, ""); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a write after a failed one: %v, want its error", err)
			}
		})
	})
	t.Run("LimitWrites", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			defer client.Close()
			c := newConn(server, Options{Timeout: 60 * time.Second}.withDefaults(), 0)
			_ = c.SetChunkSize(4096)
			done := make(chan error)
			go func() { done <- c.Flush() }() // stuck
			synctest.Wait()
			start := time.Now()
			c.LimitWrites(time.Second)
			if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("the write under way: %v after %s, want a timeout after 1s", err, time.Since(start))
			}
		})
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			defer client.Close()
			c := newConn(server, Options{Timeout: 60 * time.Second}.withDefaults(), 0)
			c.LimitWrites(time.Second)
			_ = c.SetChunkSize(4096)
			start := time.Now()
			if err := c.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("the next write: %v after %s, want a timeout after 1s", err, time.Since(start))
			}
		})
	})
}

func TestWritesWaitForFlush(t *testing.T) {
	conn, peer := connOver("", Options{})
	if err := conn.WriteConnectResult(1, Connect{}); err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteUserControl(StreamBegin, 1); err != nil {
		t.Fatal(err)
	}
	if len(peer.out) != 0 {
		t.Error("something was sent before Flush")
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(peer.out) != 1 {
		t.Errorf("%d writes, want one", len(peer.out))
	}
	var kinds []MessageType
	for _, m := range messagesOf(t, peer.sent()) {
		kinds = append(kinds, m.Type)
	}
	want := []MessageType{TypeWindowAckSize, TypeSetPeerBandwidth, TypeSetChunkSize, TypeCommandAMF0, TypeUserControl}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("sent types %v, want %v", kinds, want)
	}
	if err := conn.WriteMessage(video(0, text(sendAt))); err != nil {
		t.Fatal(err)
	}
	if len(peer.out) != 2 {
		t.Error("1 MiB still waits for Flush")
	}
}
