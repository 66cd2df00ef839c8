package rtmp

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// talk is a Conn that reads from the returned end of a pipe, past the handshake.
func talk(t *testing.T, o Options) (*Conn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return newConn(near, o.withDefaults(), 0), far
}

func TestAnInterruptedReaderLosesNothing(t *testing.T) {
	body := make([]byte, 300) // three chunks
	for i := range body {
		body[i] = byte(i)
	}
	wire := appendMessage(nil, Message{Type: TypeVideo, ChunkStreamID: 6, StreamID: 1, Timestamp: 40, Payload: body}, defaultChunkSize)
	for _, o := range []Options{{}, {Ping: time.Minute}} {
		for cut := range len(wire) + 1 {
			synctest.Test(t, func(t *testing.T) {
				c, far := talk(t, o)
				type result struct {
					m   Message
					err error
				}
				got := make(chan result)
				go func() {
					for range 2 {
						m, err := c.ReadMessage()
						got <- result{m, err}
					}
				}()
				if cut > 0 {
					if _, err := far.Write(wire[:cut]); err != nil {
						t.Error(err)
					}
				}
				synctest.Wait() // the reader waits for more, or has it all
				c.Interrupt()
				go func() { _, _ = far.Write(wire[cut:]) }()
				first, second := <-got, <-got
				whole, other := first, second
				if first.err != nil { // it waited at a boundary of chunks
					whole, other = second, first
				}
				if !errors.Is(other.err, ErrInterrupted) || whole.err != nil {
					t.Fatalf("cut at %d: %v and %v", cut, first.err, second.err)
				}
				if string(whole.m.Payload) != string(body) || whole.m.Timestamp != 40 {
					t.Errorf("cut at %d: the message is another", cut)
				}
			})
		}
	}
}

func TestAnInterruptedReaderStillWatchesItsPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := talk(t, Options{Ping: time.Minute, PingTimeout: time.Second})
		c.Interrupt()
		c.Interrupt() // one answer for both
		if _, err := c.ReadMessage(); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		go func() { // takes the ping, and answers nothing
			b := make([]byte, 1024)
			for {
				if _, err := far.Read(b); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		if _, err := c.ReadMessage(); !errors.Is(err, ErrPingTimeout) {
			t.Errorf("%v, want a ping timeout", err)
		}
		if d := time.Since(began); d != 61*time.Second {
			t.Errorf("after %s", d)
		}
	})
}

func TestAnInterruptionEndsAWaitForTheBeat(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	c := newConn(near, Options{}.withDefaults(), 0)
	beats := make(chan struct{})
	c.Pace(func() bool { <-beats; return true }, new(Buffers))
	got := make(chan error)
	go func() {
		_, err := c.ReadMessage()
		got <- err
	}()
	beats <- struct{}{}
	beats <- struct{}{} // the first has found nothing
	c.Interrupt()
	close(beats)
	if err := <-got; !errors.Is(err, ErrInterrupted) {
		t.Errorf("%v, want %v", err, ErrInterrupted)
	}
	c.Pace(nil, nil)
	if _, err := far.Write(appendMessage(nil, Message{Type: TypeAudio, ChunkStreamID: 4, Payload: []byte{0xaf, 1}}, defaultChunkSize)); err != nil {
		t.Fatal(err)
	}
	if m, err := c.ReadMessage(); err != nil || len(m.Payload) != 2 {
		t.Errorf("afterwards %v, %v", m, err)
	}
}

// A read of TLS takes one record, and an encoder writes one for each message: at
// so many reads a second it would fall behind for ever.
func TestOnlyAPlainSocketIsReadInBeats(t *testing.T) {
	c, far := talk(t, Options{})
	c.Pace(func() bool {
		t.Error("it waits for a beat")
		return true
	}, new(Buffers))
	go func() {
		_, _ = far.Write(appendMessage(nil, Message{Type: TypeAudio, ChunkStreamID: 4, Payload: []byte{0xaf, 1}}, defaultChunkSize))
	}()
	if m, err := c.ReadMessage(); err != nil || len(m.Payload) != 2 {
		t.Errorf("%v, %v", m, err)
	}
	c.Pace(nil, nil)
}
