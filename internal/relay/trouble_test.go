package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// certificate makes one for 127.0.0.1, and who trusts it.
func certificate(t *testing.T) (server, trusting *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "far"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}

func TestPushOverTLS(t *testing.T) {
	t.Parallel()
	server, trusting := certificate(t)
	f := newFar(t, server)
	r := config.Remote{URL: value.RTMPURL("rtmps://" + f.address() + "/app")}
	n := nearWith(t, config.Push{Remote: r}, trusting).run()
	for i := range 30 {
		n.stream.Write(frame(i*40, i == 0))
	}
	n.stream.Close()
	<-n.done
	eventually(t, "all is there", func() bool { s := f.session(0); return s != nil && s.goodbye && len(s.messages) == 31 })
}

// A server that can't be reached says why in stat, and its stream can end at any
// moment.
func TestPushToServersThatAreNoGood(t *testing.T) {
	t.Parallel()
	server, _ := certificate(t)
	secure := newFar(t, server)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody speaks
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct{ name, url, words string }{
		{"nobody listens", "rtmp://" + closed.Addr().String() + "/app", "connection refused"},
		{"no such name", "rtmp://nowhere.invalid/app", "nowhere.invalid"},
		{"a certificate of nobody", "rtmps://" + secure.address() + "/app", "certificate"},
		{"TLS where there is none", "rtmp://" + secure.address() + "/app", ""},
		{"it hangs", "rtmp://" + silent.Addr().String() + "/app", "the server did not answer within 10s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newNear(t, config.Remote{URL: value.RTMPURL(c.url), Key: "a-secret-key", Reconnect: time.Hour}).run()
			n.stream.Write(frame(0, true))
			t.Cleanup(func() { t.Logf("%+v", n.push.State()) })
			eventually(t, "stat says why", func() bool {
				s := n.push.State()
				return s.Phase == output.Waiting && s.Failing != "" && strings.Contains(s.Failing, c.words)
			})
			eventually(t, "and so does the log", func() bool { return n.logged("push failed") == 1 })
			if n.logged("a-secret-key") > 0 {
				t.Errorf("logged %v", n.logs.All())
			}
			n.stream.Close()
			<-n.done
		})
	}
}

// A server that resets all the time is asked less and less often, and the log has
// one line about it.
func TestPushToAServerThatResets(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	f.after = func(*rtmp.Conn, int) error { return errEnough }
	r := remote(f, "/app")
	r.Reconnect = 20 * time.Millisecond
	n := newNear(t, r).run()
	n.stream.Write(frame(0, true))
	start := time.Now()
	eventually(t, "five sessions", func() bool { return f.count() >= 5 })
	if took := time.Since(start); took < 15*time.Millisecond*(1+2+4+8) {
		t.Errorf("five sessions in %s", took)
	}
	warned := 0
	for _, e := range n.logs.FilterMessage("push failed").All() {
		if e.Level.String() == "warn" {
			warned++
		}
	}
	if warned > 4 { // closed, reset, a broken pipe: each once, or again after another
		t.Errorf("%d warnings", warned)
	}
}

// The codecs of Enhanced RTMP go to who announces them, or announces none; a medium
// that a server does not take is left out with a word, and one that takes none is
// not sent to.
func TestPushMindsWhatTheServerTakes(t *testing.T) {
	t.Parallel()
	hevc := &media.Track{Kind: media.Video, Codec: media.CodecHEVC, FourCC: 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', LegacyID: 255, Tag: []byte("\x90hvc1hvcC")}
	key := &media.Packet{Track: hevc, Epoch: 1, Keyframe: true, Tag: []byte("\x93hvc1key")}
	list := func(fourCCs ...amf.Value) amf.Object {
		return amf.Object{{Name: "fourCcList", Value: amf.StrictArray(fourCCs)}, {Name: "capsEx", Value: 0}}
	}
	for _, c := range []struct {
		name     string
		announce amf.Object
		video    bool
		words    string
	}{
		{"nothing announced", nil, true, "the server does not say whether it takes that"},
		{"HEVC announced", list("hvc1"), true, ""},
		{"any announced", list("*"), true, ""},
		{"AV1 announced", list("av01"), false, "the server does not take the stream's video: it is HEVC; the server announces av01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFar(t, nil)
			f.announce = c.announce
			n := newNear(t, remote(f, "/app")).run()
			n.stream.Write(key)
			n.stream.Write(sound(0))
			n.stream.Write(sound(20))
			eventually(t, "the sound is there", func() bool {
				s := f.session(0)
				return s != nil && strings.Contains(strings.Join(s.bodies(), " "), "a20")
			})
			if got := strings.Contains(strings.Join(f.session(0).bodies(), " "), "hvc1key"); got != c.video {
				t.Errorf("sent %q", f.session(0).bodies())
			}
			if c.words != "" && n.logged(c.words) != 1 || c.words == "" && n.logged("the server") > 0 {
				t.Errorf("logged %v", n.logs.All())
			}
		})
	}
	f := newFar(t, nil)
	f.announce = list("av01")
	n := newNear(t, remote(f, "/app")).run()
	n.stream.Write(key)
	next := *key
	next.DTS = 3 * time.Second
	n.stream.Write(&next)
	eventually(t, "stat says that it takes nothing", func() bool {
		return strings.Contains(n.push.State().Failing, "takes none of the stream's codecs; it announces av01")
	})
}

// Multitrack goes to who announces it; others get track 0.
func TestPushOfMultitrack(t *testing.T) {
	t.Parallel()
	for _, caps := range []float64{0, rtmp.CapMultitrack} {
		f := newFar(t, nil)
		f.announce = amf.Object{{Name: "fourCcList", Value: amf.StrictArray{"*"}}, {Name: "capsEx", Value: caps}}
		n := newNear(t, remote(f, "/app")).run()
		track := &media.Track{Kind: media.Video, Codec: media.CodecH264, FourCC: 'a'<<24 | 'v'<<16 | 'c'<<8 | '1', LegacyID: 255}
		// Two tracks in one message (E-RTMP v2 "Multitrack"): ManyTracks, CodedFramesX.
		body := []byte("\x96\x13avc1\x00\x00\x00\x02k0\x01\x00\x00\x02k1")
		n.stream.Write(&media.Packet{Track: track, Epoch: 1, Keyframe: true, Tag: body})
		want := `video 0 "\x93avc1k0"`
		if caps != 0 {
			want = `video 0 "\x96\x13avc1\x00\x00\x00\x02k0\x01\x00\x00\x02k1"`
		}
		eventually(t, "it is there", func() bool { s := f.session(0); return s != nil && len(s.messages) == 1 })
		if got := f.session(0).bodies()[0]; got != want {
			t.Errorf("with capabilities %v: got %s, want %s", caps, got, want)
		}
	}
}

// The path of a packet allocates nothing.
func TestPushAllocatesNothing(t *testing.T) {
	f := newFar(t, nil)
	f.after = func(c *rtmp.Conn, _ int) error { // it keeps nothing
		_, err := io.Copy(io.Discard, c.NetConn())
		return errors.Join(err, errEnough)
	}
	n := newNear(t, remote(f, "/app"))
	to, err := n.push.target()
	if err != nil {
		t.Fatal(err)
	}
	l, err := connect(t.Context(), &n.push.cfg.Remote, &to, nil, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Publish(t.Context(), "cam"); err != nil {
		t.Fatal(err)
	}
	s := &sender{to: l.Client, metadata: n.stream.Metadata, say: func(string) {}, waitKey: true}
	flush := func() {
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	ms := 0
	if err := s.packet(frame(0, true)); err != nil {
		t.Fatal(err)
	}
	video, audio := frame(0, false), sound(0)
	video.Tag = append(video.Tag, make([]byte, 10_000)...)
	run := func() {
		for range 4 {
			ms += 40
			video.DTS = time.Duration(ms) * time.Millisecond
			audio.DTS = video.DTS
			if s.packet(video) != nil || s.packet(audio) != nil {
				t.Fatal("not sent")
			}
		}
		flush()
	}
	run()
	if n := testing.AllocsPerRun(500, run); n > 0 {
		t.Errorf("%.2f allocations for 8 packets", n)
	}
}
