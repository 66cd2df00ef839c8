package server

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/internal/rtmp"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// haproxy forwards TCP from a port of its own to back, with these words on the
// server's line, until the test ends.
func (r *rig) haproxy(back, words string) (front string) {
	r.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		r.Fatal("haproxy is not installed: apt-get install haproxy")
	}
	front = testport.Address()
	conf := r.write("haproxy-"+strings.ReplaceAll(words, " ", "")+".conf", fmt.Sprintf(`
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen l
  bind %s
  server s %s %s
`, front, back, words))
	cmd := exec.Command(path, "-db", "-f", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r.eventually("haproxy listens", func() bool {
		c, err := net.Dial("tcp", front)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return front
}

const behindProxy = `
rtmp {
  listen                 = "127.0.0.1:0"
  proxy_protocol         = ["127.0.0.1/32"]
  max_connections_per_ip = 2
  handshake_timeout      = "2s"
  application "live" {
    access {
      publish = ["allow 127.0.0.7", "deny all"]
      play    = ["deny 127.0.0.9", "allow all"]
    }
  }
}
http {
  listen         = "127.0.0.1:0"
  proxy_protocol = ["127.0.0.1/32"]
  location "/stat" {
    access = ["allow 127.0.0.7", "deny all"]
    stat {}
  }
}`

// from dials with that source address.
func from(ip string) rtmp.ClientOptions {
	return rtmp.ClientOptions{DialTCP: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext}
}

func TestBehindHAProxyTheClientsAddressCounts(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"send-proxy", "send-proxy-v2"} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			r := start(t, behindProxy)
			front := r.haproxy(r.addr(0), words)
			dial := func(ip string) *rtmp.Client {
				t.Helper()
				c, err := r.dialURL("rtmp://"+front+"/live", from(ip))
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			// Access rules.
			if err := dial("127.0.0.8").Publish(t.Context(), "cam"); err == nil || !strings.Contains(err.Error(), "access denied") {
				t.Errorf("publishing from 127.0.0.8: %v", err)
			}
			p := &client{Client: dial("127.0.0.7"), rig: r, done: make(chan struct{})}
			if err := p.Client.Publish(t.Context(), "cam"); err != nil {
				t.Fatal(err)
			}
			p.listen()
			p.seconds(1.5)
			denied := r.playing(dial("127.0.0.9"), "cam")
			denied.read()
			if s := denied.told(); !strings.Contains(s.Description, "access denied") {
				t.Errorf("playing from 127.0.0.9: %+v", s)
			}
			s := r.playing(dial("127.0.0.10"), "cam")
			s.read()
			s.first()

			// The log, and the limit by address.
			r.logged("publish started", p.local())
			r.logged("play started", s.NetConn().LocalAddr().String())
			second := dial("127.0.0.10")
			if c, err := r.dialURL("rtmp://"+front+"/live", from("127.0.0.10")); err == nil {
				t.Errorf("a third connection from one address, %s", c.NetConn().LocalAddr())
			}
			r.logged("connections refused", "max_connections_per_ip = 2 reached")
			second.Close()
			dial("127.0.0.11")

			// stat, which itself is behind a proxy.
			web := r.haproxy(strings.TrimPrefix(r.web(), "http://"), words)
			if code, _ := get(t, "http://"+web+"/stat", "127.0.0.8"); code != http.StatusForbidden {
				t.Errorf("stat for 127.0.0.8: %d", code)
			}
			code, body := get(t, "http://"+web+"/stat", "127.0.0.7")
			if code != http.StatusOK || !strings.Contains(body, "<address>127.0.0.7</address>") || !strings.Contains(body, "<address>127.0.0.10</address>") {
				t.Errorf("stat: %d\n%s", code, body)
			}
		})
	}
}

// get asks with that source address.
func get(t *testing.T, url, ip string) (code int, body string) {
	t.Helper()
	tr := &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: patience}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAPROXYHeaderIsAMustForSomeAndForbiddenToOthers(t *testing.T) {
	t.Parallel()
	r := start(t, behindProxy)
	const header = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 1935\r\n"
	hello := append([]byte{3}, bytes.Repeat([]byte{0x5a}, 1536)...)
	for _, c := range []struct {
		name, ip string
		send     []byte
		answered bool
		reason   string // in the log, under the peer's own address
	}{
		{"with a header", "127.0.0.1", slices.Concat([]byte(header), hello), true, ""},
		{"without", "127.0.0.1", hello, false, "no PROXY header"},
		{"half of one", "127.0.0.1", []byte(header[:20]), false, "no PROXY header"},
		{"half of one, and closed", "127.0.0.1", []byte("PROXY TCP4 192.0.2.7 192."), false, "malformed"},
		{"one that lies about its length", "127.0.0.1", []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + strings.Repeat("a", 100)), false, "malformed"},
		{"from somebody else", "127.0.0.2", slices.Concat([]byte(header), hello), false, "not RTMP"},
		{"none from somebody else", "127.0.0.2", hello, true, ""},
	} {
		nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.ip)}}).Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := nc.Write(c.send); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(c.name, "closed") {
			_ = nc.(*net.TCPConn).CloseWrite()
		}
		if got := len(drain(t, nc)); (got > 0) != c.answered {
			t.Errorf("%s: %d bytes came back", c.name, got)
		}
		if c.reason != "" {
			r.oneLine(t, nc.LocalAddr().String(), c.reason)
		} else if c.ip == "127.0.0.1" {
			r.logged("session closed", "192.0.2.7:4711")
		}
	}
}

func TestAHealthCheckIsNoSession(t *testing.T) {
	t.Parallel()
	r := start(t, behindProxy)
	for _, ip := range []string{"127.0.0.1", "127.0.0.2"} {
		nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		r.logged("session closed", ip+":")
	}
	if n := r.logs.FilterLevelExact(zapcore.WarnLevel).Len(); n != 0 {
		t.Errorf("%d warnings about health checks", n)
	}
	// What a proxy says about itself is not held against an address.
	for range 4 {
		nc, err := net.Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := io.WriteString(nc, "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"); err != nil {
			t.Fatal(err)
		}
		shake(t, nc)
	}
}

func TestPROXYBeforeTLS(t *testing.T) {
	t.Parallel()
	r := startSecure(t, `proxy_protocol = ["127.0.0.1/32"]`)
	front := r.haproxy(r.secureAddr(), "send-proxy-v2")
	o := anyTLS()
	o.DialTCP = from("127.0.0.7").DialTCP
	c, err := r.dialURL("rtmps://"+front+"/live", o)
	if err != nil {
		t.Fatal(err)
	}
	s := r.playing(c, "cam")
	s.read()
	r.logged("play started", s.NetConn().LocalAddr().String())
}
