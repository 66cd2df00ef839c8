package listen

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// headerVectors drive the tables and seed the fuzzer.
var headerVectors = []struct {
	name, in string
	want     string // the source; empty: the proxy itself
	err      error
}{
	{"version 1, IPv4", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 1935\r\n", "192.0.2.7:56324", nil},
	{"version 1, IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 1935\r\n", "[2001:db8::7]:56324", nil},
	{"version 1, mapped IPv4", "PROXY TCP6 ::ffff:192.0.2.7 ::1 56324 1935\r\n", "192.0.2.7:56324", nil},
	{"version 1, the longest", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "", nil},
	{"version 1, unknown", "PROXY UNKNOWN\r\n", "", nil},
	{"version 2, IPv4", signature + "\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x07\x8f", "192.0.2.7:56324", nil},
	{"version 2, IPv6", signature + "\x21\x21\x00\x24\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" + strings.Repeat("\x00", 15) + "\x01\xdc\x04\x07\x8f", "[2001:db8::7]:56324", nil},
	{"version 2, with more behind the addresses", signature + "\x21\x11\x00\x13\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x07\x8f\x04\x00\x04abcd", "192.0.2.7:56324", nil},
	{"version 2, a health check", signature + "\x20\x00\x00\x00", "", nil},
	{"version 2, a health check with bytes", signature + "\x20\x11\x00\x03abc", "", nil},
	{"version 2, a unix socket", signature + "\x21\x31\x00\xd8" + strings.Repeat("a", 216), "", nil},

	{"RTMP", "\x03" + strings.Repeat("a", 1536), "", ErrNoHeader},
	{"HTTP", "GET /live/test.m3u8 HTTP/1.1\r\n\r\n", "", ErrNoHeader},
	{"nothing", "", "", io.EOF},
	{"version 1, cut short", "PROXY TCP4 192.0.2.7 198", "", ErrMalformedHeader},
	{"version 1, one byte too long", "PROXY UNKNOWN " + strings.Repeat("a", 200), "", ErrMalformedHeader},
	{"version 1, a name", "PROXY TCP4 localhost localhost 1 2\r\n", "", ErrMalformedHeader},
	{"version 1, a line feed alone", "PROXY TCP4 192.0.2.7 198.51.100.1 56324 1935\n\r\n", "", ErrMalformedHeader},
	{"version 2, cut short", signature + "\x21\x11\x00\x0c\xc0", "", ErrMalformedHeader},
	{"version 2, cut in its fixed part", signature + "\x21\x11\x00", "", ErrMalformedHeader},
	{"version 2, too long", signature + "\x21\x11\xff\xff", "", ErrMalformedHeader},
	{"version 2, a datagram", signature + "\x21\x12\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x07\x8f", "", ErrMalformedHeader},
	{"version 2, family unknown", signature + "\x21\x44\x00\x00", "", ErrMalformedHeader},
	{"version 3", signature + "\x31\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x07\x8f", "", ErrMalformedHeader},
}

func TestHeadersAreTakenOffExactly(t *testing.T) {
	t.Parallel()
	for _, v := range headerVectors {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"at once":      func(r io.Reader) io.Reader { return r },
			"byte by byte": iotest.OneByteReader,
		} {
			rest := v.in
			if v.err == nil {
				rest += "\x03what follows"
			}
			in := strings.NewReader(rest)
			got, err := readHeader(wrap(in))
			if !errors.Is(err, v.err) {
				t.Errorf("%s, %s: error %v, want %v", v.name, how, err, v.err)
				continue
			}
			if err != nil {
				continue
			}
			if text := got.String(); (v.want != "" || got.IsValid()) && text != v.want {
				t.Errorf("%s, %s: source %s, want %q", v.name, how, text, v.want)
			}
			if left, _ := io.ReadAll(in); string(left) != "\x03what follows" {
				t.Errorf("%s, %s: %q is left of what follows", v.name, how, left)
			}
		}
	}
}

func TestAHeaderThatDripsInIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 1000 {
				if _, err := theirs.Write([]byte("P")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		from := time.Now()
		_, err := ReadPROXYHeader(ours, from.Add(10*time.Second))
		if !errors.Is(err, ErrNoHeader) || time.Since(from) != 10*time.Second {
			t.Errorf("%v after %s", err, time.Since(from))
		}
		ours.Close()
		<-done
	})
}

func TestTheDeadlineIsGoneAfterTheHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		go func() {
			_, _ = io.WriteString(theirs, headerVectors[0].in)
			time.Sleep(time.Minute)
			_, _ = io.WriteString(theirs, "x")
		}()
		if _, err := ReadPROXYHeader(ours, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		var b [1]byte
		if _, err := ours.Read(b[:]); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// FuzzPROXYHeader: no panic, nothing taken of what follows a header, and the library
// that reads whole buffers understands the same.
func FuzzPROXYHeader(f *testing.F) {
	for _, v := range headerVectors {
		f.Add([]byte(v.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		in := bytes.NewReader(b)
		got, err := readHeader(in)
		if err != nil {
			if got.IsValid() {
				t.Error("an address and an error")
			}
			return
		}
		taken := b[:len(b)-in.Len()]
		again, err := readHeader(bytes.NewReader(taken))
		if err != nil || again != got {
			t.Errorf("%q: %v, %v; read again %v", taken, got, err, again)
		}
		if !got.IsValid() {
			return
		}
		for version := byte(1); version <= 2; version++ {
			h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(got), &net.TCPAddr{IP: net.IPv6loopback, Port: 1})
			made, err := h.Format()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := readHeader(bytes.NewReader(made)); err != nil || back != netip.AddrPortFrom(got.Addr(), got.Port()) {
				t.Errorf("%v comes back as %v, %v", got, back, err)
			}
		}
	})
}
