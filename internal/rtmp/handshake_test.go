package rtmp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// scripted is a peer that sends what in holds and then is gone. What it is
// sent is in out, each write on its own.
type scripted struct {
	net.Conn
	in  io.Reader
	out [][]byte
}

func (s *scripted) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) Close() error                     { return nil }

func (s *scripted) Write(p []byte) (int, error) {
	s.out = append(s.out, bytes.Clone(p))
	return len(p), nil
}

func (s *scripted) sent() []byte { return bytes.Join(s.out, nil) }

// c1 makes a C1 with the version of Flash Player 9, and a digest in the block
// at block; none with block 0.
func c1(block int) []byte {
	p := make([]byte, packetSize)
	for i := range p {
		p[i] = byte(i * 7)
	}
	copy(p[4:], clientVersion[:])
	if block > 0 {
		putDigest(p, clientKeyText, block)
	}
	return p
}

// recordedHandshake returns the packets of testdata/handshake, without C0 and S0.
func recordedHandshake(t *testing.T) (c1, c2, s1, s2 []byte) {
	t.Helper()
	read := func(name string) (first, second []byte) {
		b, err := os.ReadFile("testdata/handshake/" + name)
		if err != nil || len(b) != 1+2*packetSize || b[0] != version {
			t.Fatalf("%s: %d bytes, %v", name, len(b), err)
		}
		return b[1 : 1+packetSize], b[1+packetSize:]
	}
	c1, c2 = read("ffmpeg-c0c1c2")
	s1, s2 = read("nginx-s0s1s2")
	return c1, c2, s1, s2
}

// What ffmpeg and nginx-rtmp made of each other's digests is what we make of them.
func TestDigestsOfARecordedHandshake(t *testing.T) {
	c1, c2, s1, s2 := recordedHandshake(t)
	for _, c := range []struct {
		name       string
		asked      []byte // C1 or S1
		askedKey   string
		block, at  int
		digest     string // of asked, as computed with another implementation of HMAC-SHA256
		answer     []byte // S2 or C2
		answerKey  string
		answerTail string // of answer
	}{
		{"C1 and S2", c1, clientKeyText, 8, 494, "650bfb9b65f953d848e3456965d0d76b627a84e35e9ddabd8b43f0fadaee458c", s2, serverKeyText, "b5275fdb04e93b980b9599d60f45505bdd7d4c5de6cfabe661148130d519cb0b"},
		{"S1 and C2", s1, serverKeyText, 8, 15, "b3e0decdb00531d7576cb19caa7a38cb8385f113875abd04da07b18d8d44af95", c2, clientKeyText, "2f85db339940e526a9ea2fe6f46f95feb9d7057f8831b42c728a3f85fd0f2dd6"},
	} {
		digest, block := findDigest(c.asked, c.askedKey)
		if got := hex.EncodeToString(digest); got != c.digest || block != c.block || digestAt(c.asked, block) != c.at {
			t.Errorf("%s: found digest %s in block %d, want %s in block %d at %d", c.name, got, block, c.digest, c.block, c.at)
			continue
		}
		signed := bytes.Clone(c.asked)
		clear(signed[c.at : c.at+digestSize])
		putDigest(signed, c.askedKey, c.block)
		if !bytes.Equal(signed, c.asked) {
			t.Errorf("%s: our digest is %x", c.name, signed[c.at:c.at+digestSize])
		}
		if got := hex.EncodeToString(c.answer[packetSize-digestSize:]); got != c.answerTail {
			t.Fatalf("%s: the recording ends in %s, want %s", c.name, got, c.answerTail)
		}
		answer := bytes.Clone(c.answer)
		clear(answer[packetSize-digestSize:])
		signAnswer(answer, c.answerKey, digest)
		if !bytes.Equal(answer, c.answer) {
			t.Errorf("%s: our answer ends in %x, want %s", c.name, answer[packetSize-digestSize:], c.answerTail)
		}
	}
}

// isAnswer reports whether p answers digest, as TestDigestsOfARecordedHandshake
// shows others do.
func isAnswer(p []byte, keyText string, digest []byte) bool {
	want := bytes.Clone(p)
	signAnswer(want, keyText, digest)
	return bytes.Equal(p, want)
}

func TestHandshakeServer(t *testing.T) {
	recorded, _, _, _ := recordedHandshake(t)
	simple := c1(0)
	copy(simple[4:8], []byte{0, 0, 0, 0})
	cases := []struct {
		name   string
		c1     []byte
		digest bool
	}{
		{"simple", simple, false},
		{"a version and no digest", c1(0), false},
		{"digest of scheme 0", c1(8), true},
		{"digest of scheme 1", c1(772), true},
		{"ffmpeg", recorded, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wrong := bytes.Repeat([]byte{0xee}, packetSize) // C2 is not verified
			peer := &scripted{in: bytes.NewReader(append(append([]byte{3}, c.c1...), wrong...))}
			n, err := handshakeServer(peer, time.Second)
			if err != nil || n != 1+2*packetSize {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if len(peer.out) != 1 || len(peer.out[0]) != 1+2*packetSize {
				t.Fatalf("S0 S1 S2 left in %d writes", len(peer.out))
			}
			out := peer.out[0]
			s1, s2 := out[1:1+packetSize], out[1+packetSize:]
			if out[0] != 3 {
				t.Errorf("S0 is %d, want 3", out[0])
			}
			digest, block := findDigest(s1, serverKeyText)
			if !c.digest {
				if digest != nil || !bytes.Equal(s1[4:8], []byte{0, 0, 0, 0}) {
					t.Error("S1 has a digest or version for a client without")
				}
				if !bytes.Equal(s2, c.c1) {
					t.Error("S2 is no echo of C1")
				}
				return
			}
			clientDigest, clientBlock := findDigest(c.c1, clientKeyText)
			if digest == nil || block != clientBlock {
				t.Errorf("S1's digest is in block %d, want %d", block, clientBlock)
			}
			if !isAnswer(s2, serverKeyText, clientDigest) {
				t.Error("S2 does not answer C1's digest")
			}
		})
	}
}

func TestHandshakeServerRefuses(t *testing.T) {
	cases := []struct {
		name, in, want string
	}{
		{"garbage", strings.Repeat("\x99", 4000), "the first byte is 0x99, not 3"},
		{"one byte of garbage", "\x00", "the first byte is 0x00, not 3"},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "looks like HTTP"},
		{"TLS", "\x16\x03\x01\x02\x00", "looks like TLS"},
		{"RTMPE", "\x06" + strings.Repeat("x", 1536), "RTMPE"},
		{"nothing", "", "closed in C0 (0 of 1 bytes)"},
		{"half of C1", "\x03" + strings.Repeat("x", 700), "closed in C1 (700 of 1536 bytes)"},
		{"half of C2", "\x03" + strings.Repeat("x", 1536+700), "closed in C2 (700 of 1536 bytes)"},
	}
	for _, c := range cases {
		_, err := Accept(&scripted{in: strings.NewReader(c.in)}, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestHandshakeServerEndsInTime(t *testing.T) {
	for name, send := range map[string]string{
		"nothing":    "",
		"half of C1": "\x03" + strings.Repeat("x", 700),
	} {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			defer client.Close()
			go func() { _, _ = client.Write([]byte(send)) }()
			start := time.Now()
			_, err := Accept(server, Options{HandshakeTimeout: 10 * time.Second})
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
				t.Errorf("%s: %v after %s, want a timeout after 10s", name, err, time.Since(start))
			}
			server.Close()
		})
	}
	synctest.Test(t, func(t *testing.T) { // a byte a second does not buy time
		server, client := net.Pipe()
		defer client.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for b := []byte{3}; ; b[0] = 'x' {
				if _, err := client.Write(b); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		start := time.Now()
		_, err := Accept(server, Options{})
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %s, want a timeout after 10s", err, time.Since(start))
		}
		server.Close()
		<-done
	})
}

func TestHandshakeBetweenOurselves(t *testing.T) {
	for name, simple := range map[string]bool{"simple": true, "digest": false} {
		server, client := net.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := handshakeServer(server, time.Minute)
			done <- err
		}()
		if n, err := handshakeClient(client, simple, time.Minute); err != nil || n != 1+2*packetSize {
			t.Errorf("%s: client %d bytes, %v", name, n, err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: server %v", name, err)
		}
	}
}

// The client's C2 for a server with a digest must be what Flash servers check.
func TestHandshakeClientAnswersDigest(t *testing.T) {
	_, _, s1, s2 := recordedHandshake(t)
	peer := &scripted{in: bytes.NewReader(slices.Concat([]byte{version}, s1, s2))}
	if _, err := handshakeClient(peer, false, time.Second); err != nil {
		t.Fatal(err)
	}
	digest, _ := findDigest(s1, serverKeyText)
	if !isAnswer(peer.out[1], clientKeyText, digest) {
		t.Error("C2 does not answer S1's digest")
	}
	if d, _ := findDigest(peer.out[0][1:], clientKeyText); d == nil {
		t.Error("C1 has no digest")
	}
}

func TestHandshakeClientRefusesStrangers(t *testing.T) {
	for name, in := range map[string]string{
		"HTTP":       "HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("x", 4000),
		"half of S1": "\x03xxx",
	} {
		if _, err := handshakeClient(&scripted{in: strings.NewReader(in)}, false, time.Second); err == nil {
			t.Errorf("%s passes for a server", name)
		}
	}
}

// FuzzHandshake: no panic, and what a client sends decides nothing but the kind
// of answer.
func FuzzHandshake(f *testing.F) {
	for _, block := range []int{0, 8, 772} {
		f.Add(append(append([]byte{3}, c1(block)...), c1(0)...))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzztime.Bound(t)
		peer := &scripted{in: bytes.NewReader(in)}
		n, err := handshakeServer(peer, time.Second)
		if n > len(in) || n > 1+2*packetSize {
			t.Fatalf("read %d of %d bytes", n, len(in))
		}
		if full := len(in) >= 1+2*packetSize && in[0] == 3; full != (err == nil) {
			t.Fatalf("%d bytes beginning with % x: %v", len(in), in[:min(len(in), 4)], err)
		}
		if out := peer.sent(); len(out) != 0 && len(out) != 1+2*packetSize {
			t.Fatalf("sent %d bytes", len(out))
		}
	})
}
