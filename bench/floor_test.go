//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

func TestTheFloorSendsEachBeatToEverySocket(t *testing.T) {
	for _, way := range floorWays {
		t.Run(way, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			var fds []int
			var clients []net.Conn
			for range 3 {
				c, err := dialTCP(ctx, l.Addr().String(), 1448)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				s, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				fd, err := detach(s.(*net.TCPConn))
				if err != nil {
					t.Fatal(err)
				}
				fds, clients = append(fds, fd), append(clients, c)
			}
			ended := make(chan error, 1)
			const beat = 300 << 10 // several to a file
			go func() { ended <- floorLoop(fds, way == "sendfile", 5*time.Millisecond, beat) }()
			got := make([]byte, 10*beat)
			for _, c := range clients {
				if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if n, err := io.ReadFull(c, got); err != nil {
					t.Fatalf("after %d bytes: %v", n, err)
				}
				if bytes.Count(got, []byte("fresh ")) < len(got)/6-20 {
					t.Error("other bytes than the beats'")
				}
			}
			for _, c := range clients {
				c.Close()
			}
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the end of the sockets is no error")
				}
			case <-ctx.Done():
				t.Error("it goes on without sockets")
			}
		})
	}
}
