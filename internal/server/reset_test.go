package server

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
)

// TestResetsBeforeTheHandshakeAreNoWarnings: load balancers and monitors connect and
// reset, at every listener there is.
func TestResetsBeforeTheHandshakeAreNoWarnings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.certify(1)
	r.cfg = r.load(`
rtmp {
  listen = "127.0.0.1:0"
  tls {
    listen      = "127.0.0.1:0"
    certificate = "$DIR/cert.pem"
    key         = "$DIR/key.pem"
  }
  application "live" {}
}
rtmp {
  listen         = "127.0.0.3:0"
  proxy_protocol = ["127.0.0.1/32"]
  application "live" {}
}
http {
  listen = "127.0.0.1:0"
  proxy_protocol = ["127.0.0.2/32"]
  tls {
    listen      = "127.0.0.1:0"
    certificate = "$DIR/cert.pem"
    key         = "$DIR/key.pem"
  }
  location "/" {
    health {}
  }
}`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	https := r.srv.Port("https", r.cfg.HTTP[0].TLS.Listen[0])
	proxied := r.srv.Port("rtmp", r.cfg.RTMP[1].Listen[0])
	hosts := map[string]string{
		"rtmp": r.addr(0), "rtmps": r.secureAddr(), "proxy": net.JoinHostPort("127.0.0.3", strconv.Itoa(proxied)), "http": strings.TrimPrefix(r.web(), "http://"),
		"https": net.JoinHostPort("127.0.0.1", strconv.Itoa(https)),
	}
	v2local := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	sessions := 0
	for _, c := range []struct {
		to, from, send string
		rtmp           bool
	}{
		{"rtmp", "127.0.0.1", "", true},
		{"rtmps", "127.0.0.1", "", true},
		{"proxy", "127.0.0.1", "", true},
		{"proxy", "127.0.0.1", v2local, true},
		{"proxy", "127.0.0.2", "", true},
		{"http", "127.0.0.1", "", false},
		{"http", "127.0.0.2", "", false},
		{"http", "127.0.0.2", v2local, false},
		{"https", "127.0.0.1", "", false},
	} {
		nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}}).Dial("tcp", hosts[c.to])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, c.send); err != nil {
			t.Fatal(err)
		}
		if err := nc.(*net.TCPConn).SetLinger(0); err != nil { // Close resets
			t.Fatal(err)
		}
		nc.Close()
		if c.rtmp {
			sessions++
			r.eventually(c.to+" from "+c.from, func() bool { return r.logs.FilterMessage("session closed").Len() == sessions })
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for _, e := range r.logs.FilterLevelExact(zapcore.WarnLevel).All() {
		t.Errorf("warned: %s %v", e.Message, e.ContextMap())
	}
}
