package rtmp

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"
)

// Messages that are sent from where they are arrive as those that are copied, in their
// order, in chunks of any size; a connection that can't send scattered memory copies
// them.
func TestSharedMessagesArriveInTheirOrder(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, plain := range []bool{true, false} {
		for _, chunkSize := range []int{128, 4096, 65536} {
			far, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			near, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if !plain {
				near = struct{ net.Conn }{near}
			}
			c := newConn(near, Options{}.withDefaults(), 0)
			if c.scatters != plain {
				t.Fatalf("it scatters: %v", c.scatters)
			}
			rng := rand.New(rand.NewPCG(1, uint64(chunkSize)))
			var sent []Message
			for i := range 200 {
				size := rng.IntN(4000)
				if i%10 == 0 {
					size = rng.IntN(200_000)
				}
				at := uint32(i * 40)
				if i > 100 {
					at += extended
				}
				sent = append(sent, Message{Type: TypeVideo, ChunkStreamID: 6, StreamID: 1, Timestamp: at, Payload: bytes.Repeat([]byte{byte(i)}, size)})
			}
			wrote := make(chan error, 1)
			go func() {
				err := c.SetChunkSize(chunkSize)
				for i, m := range sent {
					write := c.WriteShared
					if i%3 == 0 {
						write = c.WriteMessage
					}
					if err == nil {
						err = write(m)
					}
					if err == nil && i%7 == 0 {
						err = c.Flush()
					}
				}
				if err == nil {
					err = c.Flush()
				}
				wrote <- err
			}()
			in := newConn(far, Options{}.withDefaults(), 0)
			in.Authorise()
			for i, want := range sent {
				m, err := in.ReadMessage()
				if err != nil || m.Timestamp != want.Timestamp || !bytes.Equal(m.Payload, want.Payload) {
					t.Fatalf("chunks of %d, plain %v, message %d of %d bytes: %d bytes at %d, %v", chunkSize, plain, i, len(want.Payload), len(m.Payload), m.Timestamp, err)
				}
			}
			if err := <-wrote; err != nil {
				t.Error(err)
			}
			if c.BytesOut() < in.BytesIn() { // one counts the handshake
				t.Errorf("%d bytes out, %d in", c.BytesOut(), in.BytesIn())
			}
			far.Close()
			near.Close()
		}
	}
}
