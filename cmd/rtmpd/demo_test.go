package main

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Whoever runs the demo for others is told what the others can open.
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
		"http://192.168.1.5:8080/ ", "http://192.168.1.5:8080/live/demo.m3u8 ", "http://127.0.0.1:8080/ ", "rtmp://192.168.1.5:1935/live with the stream key geheim", "ports 1935 and 8080",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := demoText([]string{"127.0.0.1"}, 1, []string{"127.0.0.1"}, 2, "k", "/d"); strings.Contains(text, "firewall") {
		t.Errorf("a demo for this machine:\n%s", text)
	}
}
