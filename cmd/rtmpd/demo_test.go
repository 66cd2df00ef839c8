package main

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// A demo that listens for others prints the addresses that they can open.
func TestTheDemoNamesAddressesThatPeopleCanOpen(t *testing.T) {
	t.Parallel()
	var local []net.Addr
	for _, a := range []string{"127.0.0.1/8", "::1/128", "192.168.1.5/24", "fe80::1/64", "2001:db8::5/64", "10.0.0.7/8"} {
		p := netip.MustParsePrefix(a)
		local = append(local, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
	}
	for host, want := range map[string]string{
		"":            "192.168.1.5 10.0.0.7 [2001:db8::5] 127.0.0.1",
		"0.0.0.0":     "192.168.1.5 10.0.0.7 127.0.0.1",
		"::":          "[2001:db8::5] [::1]",
		"127.0.0.1":   "127.0.0.1",
		"192.168.1.5": "192.168.1.5",
		"2001:db8::5": "[2001:db8::5]",
		"localhost":   "localhost",
	} {
		if got := strings.Join(hostsOf(host, local), " "); got != want {
			t.Errorf("listening on %q: got %s, want %s", host, got, want)
		}
	}
	if got := hostsOf("", nil); !slices.Equal(got, []string{"127.0.0.1"}) {
		t.Errorf("a machine without a network: %v", got)
	}
	text := demoText([]string{"192.168.1.5", "127.0.0.1"}, 8080, []string{"192.168.1.5"}, 1935, "geheim", "/tmp/x")
	for _, want := range []string{
		"http://192.168.1.5:8080/demo.html ", "http://192.168.1.5:8080/live/demo.m3u8 ", "http://127.0.0.1:8080/demo.html ", "rtmp://192.168.1.5:1935/live with the stream key geheim", "ports 1935 and 8080",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := demoText([]string{"127.0.0.1"}, 1, []string{"127.0.0.1"}, 2, "k", "/d"); strings.Contains(text, "firewall") {
		t.Errorf("a demo for this machine:\n%s", text)
	}
}

// A default port that is taken is replaced by a free one; an address that a flag
// names is not.
func TestTheDemoTakesAnotherPortForATakenDefault(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	of := func(l net.Listener) value.Address {
		a, err := value.ParseAddress(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ln, err := demoOptions{http: "127.0.0.1:0"}.bind(of(taken))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := of(ln); got.Port == of(taken).Port || got.Host != "127.0.0.1" {
		t.Errorf("listens on %s, which somebody else has, or everybody reaches", got)
	}
	for _, d := range []demoOptions{{rtmp: taken.Addr().String()}, {http: taken.Addr().String()}} {
		if ln, err := d.bind(of(taken)); err == nil {
			ln.Close()
			t.Errorf("%+v: another port than was asked for", d)
		} else if !strings.Contains(err.Error(), "in use") {
			t.Errorf("%+v: %v", d, err)
		}
	}
	free, err := value.ParseAddress(testport.Address())
	if err != nil {
		t.Fatal(err)
	}
	ln, err = demoOptions{}.bind(free)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := of(ln); got != free {
		t.Errorf("a default port that is free: listens on %s, want %s", got, free)
	}
}
