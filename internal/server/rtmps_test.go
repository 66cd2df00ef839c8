package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// certify writes cert.pem and key.pem for 127.0.0.1 with that serial number, as
// renewals do: beside, then renamed.
func (r *rig) certify(serial int64) {
	r.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		r.Fatal(err)
	}
	k, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		r.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: k}} {
		if err := os.Rename(r.write("new.pem", string(pem.EncodeToMemory(b))), filepath.Join(r.dir, name)); err != nil {
			r.Fatal(err)
		}
	}
}

// startSecure runs a server with one RTMPS listener and these attributes in its
// rtmp block.
func startSecure(t testing.TB, attributes string) *rig {
	r := newRig(t)
	r.certify(1)
	r.cfg = r.load(secure(attributes, ""))
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// secure is a configuration with RTMPS alone, unless the attributes say listen.
func secure(attributes, inTLS string) string {
	listen := "listen = []"
	if strings.Contains(attributes, "listen ") {
		listen = ""
	}
	return `
rtmp {
  ` + listen + `
  tls {
    listen      = "127.0.0.1:0"
    certificate = "$DIR/cert.pem"
    key         = "$DIR/key.pem"
    ` + inTLS + `
  }
  ` + attributes + `
  application "live" {
  }
}`
}

// secureAddr is where the first rtmp block listens for TLS.
func (r *rig) secureAddr() string {
	return fmt.Sprintf("127.0.0.1:%d", r.srv.Port("rtmps", r.cfg.RTMP[0].TLS.Listen[0]))
}

func anyTLS() rtmp.ClientOptions {
	return rtmp.ClientOptions{TLS: &tls.Config{InsecureSkipVerify: true}}
}

// dialSecure connects to the application live.
func (r *rig) dialSecure() *rtmp.Client {
	r.Helper()
	c, err := r.dialURL("rtmps://"+r.secureAddr()+"/live", anyTLS())
	if err != nil {
		r.Fatal(err)
	}
	return c
}

func TestPublishAndPlayOverTLS(t *testing.T) {
	t.Parallel()
	r := startSecure(t, "")
	p := &client{Client: r.dialSecure(), rig: r, done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Client.Publish(ctx, "cam"); err != nil {
		t.Fatal(err)
	}
	p.listen()
	p.seconds(1.5)
	r.eventually("all sent is there", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
	var players []*spectator
	for range 5 {
		s := r.playing(r.dialSecure(), "cam")
		s.read()
		s.first()
		players = append(players, s)
	}
	var sent []rtmp.Message
	for range 20 {
		// A second at a time: the ring remembers ten of those who lag.
		p.seconds(1)
		for i := len(sent); i < p.frames; i++ {
			m := card().frames[i%len(card().frames)]
			m.Timestamp += uint32(i/len(card().frames)) * 16000
			sent = append(sent, m)
		}
		last := sent[len(sent)-1].Timestamp
		for _, s := range players {
			r.eventually("the last frame", func() bool { f := s.frames(); return f[len(f)-1].Timestamp == last })
		}
	}
	for _, s := range players {
		got := s.frames()
		if !isKeyframe(got[0]) || got[0].Timestamp != 1000 {
			t.Errorf("a player begins at %d", got[0].Timestamp)
		}
		sameFrames(t, got, sent)
	}
	// Shown out as anybody else.
	r.reload(strings.ReplaceAll(secure("", ""), `"live"`, `"other"`))
	for _, s := range players {
		if s := s.told(); s.Level != "error" {
			t.Errorf("a player is told %+v", s)
		}
	}
}

func TestCertificatesAndVersionsOfRTMPS(t *testing.T) {
	t.Parallel()
	r := startSecure(t, "")
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", r.secureAddr(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	player := r.playing(r.dialSecure(), "cam")
	player.read()
	r.eventually("it plays", func() bool { return len(player.codes()) > 0 })

	// Renewed: seen by itself within listen.TLSFilesInterval, at once with a reload.
	r.certify(5)
	r.eventually("the new certificate", func() bool { return serial() == 5 })
	r.certify(2)
	r.reload(secure("", ""))
	if got := serial(); got != 2 {
		t.Errorf("after a reload: serial %d", got)
	}
	r.reload(secure("", `min_version = "1.3"`))
	if _, err := tls.Dial("tcp", r.secureAddr(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("min_version is not kept")
	}
	r.dialSecure()

	// Files that don't fit change nothing.
	key := r.read("key.pem")
	good := r.load(secure("", ""))
	r.certify(3)
	r.write("key.pem", key)
	if _, err := r.srv.Apply(good); err == nil || !strings.Contains(err.Error(), "cert.pem") {
		t.Errorf("a pair that does not fit: %v", err)
	}
	if got := serial(); got != 2 {
		t.Errorf("after a failed reload: serial %d", got)
	}
	select {
	case <-player.done:
		t.Errorf("the player was lost: %v", player.err)
	default:
	}
}

func TestWhoSpeaksTheWrongProtocolAtATLSPort(t *testing.T) {
	t.Parallel()
	r := startSecure(t, `handshake_timeout = "1s"`)
	if _, err := r.dialURL("rtmp://"+r.secureAddr()+"/live", rtmp.ClientOptions{}); err == nil {
		t.Error("RTMP was answered")
	}
	r.logged("session closed", "rtmp:// sent to an rtmps port")
	var conns []net.Conn
	for _, send := range [][]byte{nil, {0x16, 3, 1}, append([]byte{0x16, 3, 1, 2, 0}, bytes.Repeat([]byte{1}, 100)...)} {
		c, err := net.Dial("tcp", r.secureAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(send); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	// TLS, and then half an RTMP handshake: all of it has the one second.
	slow, err := tls.Dial("tcp", r.secureAddr(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Write([]byte{3, 0, 0}); err != nil {
		t.Fatal(err)
	}
	for _, c := range append(conns, slow) {
		drain(t, c)
		r.eventually("a line about "+c.LocalAddr().String(), func() bool { return len(r.linesOf(c.LocalAddr().String())) > 0 })
	}
}

// TestFFmpegPublishesAndPlaysRTMPS: 100 frames go in over TLS, and come out.
func TestFFmpegPublishesAndPlaysRTMPS(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is not installed: apt-get install ffmpeg")
	}
	r := startSecure(t, "")
	url := "rtmps://" + r.secureAddr() + "/live/cam"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		out, err := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-tls_verify", "0", "-i", url, "-frames:v", "60", "-c", "copy", "-f", "framecrc", "-").Output()
		video := 0
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "0,") {
				video++
			}
		}
		if err != nil || video != 60 {
			t.Errorf("ffmpeg played %d frames: %v", video, err)
		}
	})
	r.eventually("ffmpeg waits for the stream", func() bool { return r.hasLogged("play started", "cam") })
	out, err := exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25", "-re", "-f", "lavfi", "-i", "sine", "-t", "4",
		"-c:a", "aac", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-tls_verify", "0", "-f", "flv", url).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
}
