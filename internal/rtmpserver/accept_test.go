package rtmpserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const oneApp = "rtmp {\n  listen = \"127.0.0.1:0\"\n  timeout = \"7s\"\n  handshake_timeout = \"59m\"\n  proxy_protocol = [\"127.0.0.9/32\"]\n  application \"live\" {\n  }\n}"

// A connection that never says what it wants is closed, however busy it keeps.
func TestAStrangerHasAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := newBlock(t, oneApp)
		defer stop()
		ours, theirs := net.Pipe()
		s := &session{srv: b.server, block: b, raw: ours, nc: ours, log: zap.NewNop(), started: time.Now()}
		b.server.startSession(s)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		start := time.Now()
		go func() { // one byte a second of a handshake that never ends
			for {
				if _, err := theirs.Write([]byte{3}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		b.server.sessions.Wait()
		if d := time.Since(start); d < maxUndecided || d > maxUndecided+5*time.Second {
			t.Errorf("closed after %s, want about %s", d, maxUndecided)
		}
		if k := s.kicked.Load(); k == nil || !strings.Contains(k.reason, "neither publish nor play") {
			t.Errorf("closed for %v", k)
		}
		theirs.Close()
		time.Sleep(2 * time.Second) // of the bubble: the writer finds its pipe closed
	})
}

// The PROXY header and the TLS handshake take their time from that of RTMP's.
func TestWhatComesBeforeRTMPTakesTheHandshakesTime(t *testing.T) {
	t.Parallel()
	pair := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(3 * time.Second)
			_, _ = theirs.Write([]byte("PROXY UNKNOWN\r\n"))
			time.Sleep(4 * time.Second)
			_ = tls.Client(theirs, &tls.Config{InsecureSkipVerify: true}).Handshake()
		}()
		s := &session{raw: ours, nc: tls.Server(ours, &tls.Config{Certificates: []tls.Certificate{pair}}), proxied: true, started: time.Now()}
		o := rtmp.Options{HandshakeTimeout: 10 * time.Second}
		if err := s.open(&o); err != nil || o.HandshakeTimeout != 3*time.Second {
			t.Errorf("%s are left for RTMP, %v", o.HandshakeTimeout, err)
		}
		ours.Close()
		<-done
		theirs.Close()
	})
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// accepted is the session of a connection from an address that said words at
// once, when it waits for the handshake.
func accepted(t *testing.T, b *Block, from, words string) *session {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if _, err := io.WriteString(nc, words); err != nil {
		t.Fatal(err)
	}
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	b.Accept(ours, nil)
	// The answer to the handshake says that what comes before is done.
	if _, err := nc.Write(append([]byte{3}, make([]byte, 1536)...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	for _, s := range b.server.live {
		return s
	}
	t.Fatal("there is no session")
	return nil
}

// The fan sends through the socket itself, also where a PROXY header came first.
func TestAPROXYHeaderLeavesTheSocketAsItIs(t *testing.T) {
	t.Parallel()
	b, stop := newBlock(t, oneApp)
	defer stop()
	s := accepted(t, b, "127.0.0.9", "PROXY TCP4 192.0.2.7 192.0.2.1 5000 1935\r\n")
	if _, raw := s.nc.(*net.TCPConn); !raw || s.addr.String() != "192.0.2.7" {
		t.Errorf("%s is served through a %T", s.addr, s.nc)
	}
}
