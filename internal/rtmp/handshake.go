package rtmp

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// The handshake (RTMP 1.0 §5.2):
//
//	C0, S0: | version 3 |
//	C1, S1: | time 4 | zero 4, or a version with digests | random 1528 |
//	C2, S2: an echo of the peer's S1, C1; or random bytes signed for its digest
const (
	version      = 3
	versionRTMPE = 6
	packetSize   = 1536
)

// serverVersion stands in S1 of a digest handshake; Flash clients want an FMS
// of 3 or later there.
var serverVersion = [4]byte{13, 14, 10, 13}

// clientVersion stands in C1 of a digest handshake.
var clientVersion = [4]byte{9, 0, 124, 2}

// handshakeServer answers the client's handshake on nc within timeout. C2 is
// read but not verified: plenty of encoders get it wrong and stream well.
func handshakeServer(nc net.Conn, timeout time.Duration) (n int, err error) {
	if timeout > 0 {
		if err := nc.SetDeadline(time.Now().Add(timeout)); err != nil {
			return 0, err
		}
	}
	in := make([]byte, 1+packetSize)
	n, err = io.ReadAtLeast(nc, in, 1)
	if n == 0 && errors.Is(err, syscall.ECONNRESET) {
		err = io.EOF // health checks close so
	}
	if err != nil {
		return n, handshakeError("C0", n, 1, err)
	}
	if err := checkC0(in[:n]); err != nil {
		return n, err
	}
	m, err := io.ReadFull(nc, in[n:])
	if n += m; err != nil {
		return n, handshakeError("C1", n-1, packetSize, err)
	}
	out := answerC1(in[1:])
	if _, err := nc.Write(out); err != nil {
		return n, fmt.Errorf("write S0 S1 S2: %w", err)
	}
	m, err = io.ReadFull(nc, in[:packetSize])
	if n += m; err != nil {
		return n, handshakeError("C2", m, packetSize, err)
	}
	return n, nc.SetDeadline(time.Time{})
}

// answerC1 makes S0 S1 S2: one buffer, so that they leave in one write.
func answerC1(c1 []byte) []byte {
	out := make([]byte, 1+2*packetSize)
	out[0] = version
	s1, s2 := out[1:1+packetSize], out[1+packetSize:]
	_, _ = rand.Read(s1[8:]) // never fails: crypto/rand
	if [4]byte(c1[4:8]) != [4]byte{} {
		if digest, block := findDigest(c1, clientKeyText); digest != nil {
			copy(s1[4:], serverVersion[:])
			putDigest(s1, serverKeyText, block)
			_, _ = rand.Read(s2)
			signAnswer(s2, serverKeyText, digest)
			return out
		}
	}
	copy(s2, c1)
	return out
}

// checkC0 tells the usual strangers at an RTMP port apart; b is what came first.
func checkC0(b []byte) error {
	switch {
	case b[0] == version:
		return nil
	case b[0] == versionRTMPE:
		return errors.New("not RTMP: the client wants RTMPE (version 6)")
	case b[0] == 0x16:
		return errors.New("not RTMP: this looks like TLS (rtmps:// sent to a plain port)")
	case b[0] >= 'A' && b[0] <= 'Z':
		return errors.New("not RTMP: this looks like HTTP")
	}
	return fmt.Errorf("not RTMP: the first byte is 0x%02x, not 3", b[0])
}

func handshakeError(packet string, got, want int, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s incomplete in time (%d of %d bytes): %w", packet, got, want, err)
	case got == 0 && packet == "C0" && errors.Is(err, io.EOF): // a health check: no harm done
		return fmt.Errorf("closed in %s (%d of %d bytes): %w", packet, got, want, io.EOF)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("closed in %s (%d of %d bytes): %w", packet, got, want, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read %s: %w", packet, err)
}

// handshakeClient shakes hands with a server: with digests, as Flash and
// ffmpeg do, or as RTMP 1.0 has it when simple is set. What the server sends
// is not verified beyond S0.
func handshakeClient(nc net.Conn, simple bool, timeout time.Duration) (n int, err error) {
	if timeout > 0 {
		if err := nc.SetDeadline(time.Now().Add(timeout)); err != nil {
			return 0, err
		}
	}
	out := make([]byte, 1+packetSize)
	out[0] = version
	c1 := out[1:]
	_, _ = rand.Read(c1[8:])
	if !simple {
		copy(c1[4:], clientVersion[:])
		putDigest(c1, clientKeyText, digestBlocks[1])
	}
	if _, err := nc.Write(out); err != nil {
		return 0, fmt.Errorf("write C0 C1: %w", err)
	}
	in := make([]byte, 1+2*packetSize)
	n, err = io.ReadFull(nc, in)
	if err != nil {
		return n, handshakeError("S0 S1 S2", n, len(in), err)
	}
	if in[0] != version {
		return n, fmt.Errorf("not RTMP: the server's first byte is 0x%02x, not 3", in[0])
	}
	c2 := in[1 : 1+packetSize] // the echo of S1
	if !simple && [4]byte(c2[4:8]) != [4]byte{} {
		if digest, _ := findDigest(c2, serverKeyText); digest != nil {
			digest = bytes.Clone(digest)
			_, _ = rand.Read(c2)
			signAnswer(c2, clientKeyText, digest)
		}
	}
	if _, err := nc.Write(c2); err != nil {
		return n, fmt.Errorf("write C2: %w", err)
	}
	return n, nc.SetDeadline(time.Time{})
}
