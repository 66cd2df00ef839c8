package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// connected returns both ends of a connection over loopback.
func connected(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// A write to a server that takes a little now and then goes on, whole or in pieces;
// nothing is left out and nothing sent twice.
func TestASlowServerIsWrittenToOn(t *testing.T) {
	t.Parallel()
	near, far := connected(t)
	c := &steadyConn{Conn: near, patience: 1500 * time.Millisecond}
	var want []byte
	var pieces net.Buffers
	for i := range 200 {
		pieces = append(pieces, bytes.Repeat([]byte{byte(i)}, i*500))
	}
	whole := slices.Concat(pieces...)
	want = append(slices.Clone(whole), whole...)
	wrote := make(chan error, 1)
	go func() {
		n, err := c.WriteBuffers(&pieces)
		if err == nil {
			var m int
			m, err = c.Write(whole)
			n += int64(m)
		}
		if err == nil && n != int64(len(want)) {
			err = io.ErrShortWrite
		}
		wrote <- err
		near.Close()
	}()
	var got []byte
	for buf := make([]byte, 60<<10); ; time.Sleep(8 * time.Millisecond) { // longer than one deadline in all
		n, err := far.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			break
		}
	}
	if err := <-wrote; err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v; %d of %d bytes arrived", err, len(got), len(want))
	}
}

// One that takes nothing at all is given up, and a limit holds whatever was set before.
func TestAServerThatTakesNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	big := make([]byte, 64<<20)
	for name, write := range map[string]func(c *steadyConn) error{
		"whole":     func(c *steadyConn) error { _, err := c.Write(big); return err },
		"in pieces": func(c *steadyConn) error { _, err := c.WriteBuffers(&net.Buffers{big[:1], big[1:]}); return err },
	} {
		near, _ := connected(t)
		c := &steadyConn{Conn: near, patience: 50 * time.Millisecond}
		if err := write(c); err == nil || !strings.Contains(err.Error(), "taken nothing for 50ms") {
			t.Errorf("%s: %v", name, err)
		}
		near, _ = connected(t)
		c = &steadyConn{Conn: near, patience: time.Hour}
		if _, err := c.Write(big[:1]); err != nil {
			t.Error(err)
		}
		c.endBy(time.Now().Add(10 * time.Millisecond))
		if err := write(c); err == nil {
			t.Errorf("%s: it goes on behind its limit", name)
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
		if _, err := c.Write(big[:1]); !errors.Is(err, os.ErrDeadlineExceeded) && (err == nil || !strings.Contains(err.Error(), "taken nothing")) {
			t.Errorf("%s: a cleared deadline lifts the limit: %v", name, err)
		}
	}
}
