package rtmp

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Connections that are read at ticks borrow a buffer for the reading alone, unless it
// ends within a header; whatever the pieces in which it came, each gets its own
// messages. One that is read at once again has a buffer of its own.
func TestPacedConnectionsShareBuffers(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var buffers Buffers
	var wait sync.WaitGroup
	for i := range 4 {
		far, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		near, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		var sent []Message
		var bytesSent []byte
		chunkSize := []int{128, 4096, 65536, 1 << 20}[i]
		for n := range 300 {
			size := rng.IntN(20_000)
			if n%50 == 0 {
				size = rng.IntN(300_000)
			}
			m := Message{Type: TypeVideo, ChunkStreamID: 6, StreamID: 1, Timestamp: uint32(n) * 40, Payload: bytes.Repeat([]byte{byte(i<<6 | n&63)}, size)}
			sent = append(sent, m)
			bytesSent = appendMessage(bytesSent, m, chunkSize)
		}
		wait.Go(func() {
			defer far.Close()
			for b := bytesSent; len(b) > 0; {
				n := min(len(b), 1+rng.IntN(60_000))
				if _, err := far.Write(b[:n]); err != nil {
					t.Error(err)
					return
				}
				b = b[n:]
			}
			_ = far.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, far) // acknowledgements
		})
		wait.Go(func() {
			defer near.Close()
			c := newConn(near, Options{}.withDefaults(), 0)
			c.Authorise()
			if err := c.in.setChunkSize(uint32(chunkSize)); err != nil {
				t.Error(err)
			}
			ticks, read := 0, 0
			c.Pace(func() bool {
				if c.in.lent != nil && c.in.pos == c.in.end {
					t.Error("an empty buffer is held until the next tick")
				}
				ticks++
				if read > 200 {
					return false
				}
				time.Sleep(time.Millisecond) // a tick
				return true
			}, &buffers)
			for ; read < len(sent); read++ {
				m, err := c.ReadMessage()
				if want := sent[read]; err != nil || m.Timestamp != want.Timestamp || !bytes.Equal(m.Payload, want.Payload) {
					t.Errorf("connection %d, message %d of %d bytes: %d bytes at %d, %v", i, read, len(want.Payload), len(m.Payload), m.Timestamp, err)
					return
				}
			}
			if _, err := c.ReadMessage(); !errors.Is(err, io.EOF) || ticks == 0 || c.in.lent != nil {
				t.Errorf("connection %d: %v after %d ticks; it still has a buffer of others: %v", i, err, ticks, c.in.lent != nil)
			}
		})
	}
	wait.Wait()
}
