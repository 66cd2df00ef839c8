package rtmp

import (
	"bytes"
	"errors"
	"testing"
)

func TestEncodedSizeIsEnough(t *testing.T) {
	for _, csid := range []uint32{6, 100, 400} {
		for _, n := range []int{0, 1, 127, 128, 129, 256, 10000} {
			m := message(csid, TypeVideo, big, text(n))
			if got, limit := len(AppendMessage(nil, m, 128)), EncodedSize(n, 128); got > limit {
				t.Errorf("csid %d, %d bytes: encoded to %d, said %d", csid, n, got, limit)
			}
		}
	}
}

func TestDivertLendsTheWritingSide(t *testing.T) {
	conn, peer := connOver("", Options{})
	write := func(event uint16) {
		t.Helper()
		if err := conn.WriteUserControl(event, 1); err != nil {
			t.Fatal(err)
		}
	}
	write(StreamBegin)
	var lent []byte
	sink := func(b []byte) error { lent = append(lent, b...); return nil }
	if err := conn.Divert(func() func([]byte) error { return sink }); err != nil {
		t.Fatal(err)
	}
	if want := userControlWire(StreamBegin, 1); string(peer.sent()) != want {
		t.Errorf("sent %q before the loan, want %q", peer.sent(), want)
	}
	write(StreamEOF)
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := userControlWire(StreamEOF, 1); string(lent) != want || len(peer.out) != 1 {
		t.Errorf("the sink has %q in place of %q", lent, want)
	}
	// What is flushed while it comes back waits, and follows what was missed.
	write(StreamDry)
	flushed := make(chan error)
	conn.Regain(func() []byte {
		go func() { flushed <- conn.Flush() }()
		return []byte("missed")
	})
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(peer.sent(), []byte("missed"+userControlWire(StreamDry, 1))) {
		t.Errorf("the connection did not come back: %q", peer.sent())
	}
	if string(lent) != userControlWire(StreamEOF, 1) {
		t.Errorf("the sink has %q", lent)
	}
	full := errors.New("full")
	if err := conn.Divert(func() func([]byte) error { return func([]byte) error { return full } }); err != nil {
		t.Fatal(err)
	}
	write(StreamEOF)
	if err := conn.Flush(); err != full {
		t.Errorf("got %v, want the sink's error", err)
	}
}
