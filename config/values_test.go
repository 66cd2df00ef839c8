package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration // -1: an error
		back string
	}{
		{"300ms", 300 * time.Millisecond, "300ms"},
		{"5s", 5 * time.Second, "5s"},
		{"1m30s", 90 * time.Second, "1m30s"},
		{"90", 90 * time.Second, "1m30s"},
		{"2h", 2 * time.Hour, "2h"},
		{"1d", 24 * time.Hour, "1d"},
		{"1w", 7 * 24 * time.Hour, "7d"},
		{"1w1d1h1m1s1ms", (8*24+1)*time.Hour + time.Minute + time.Second + time.Millisecond, "8d1h1m1s1ms"},
		{"1.5s", 1500 * time.Millisecond, "1s500ms"},
		{"0.5ms", 500 * time.Microsecond, "0.5ms"},
		{"0", 0, "0s"},
		{"0s", 0, "0s"},
		{"", -1, ""},
		{"s", -1, ""},
		{"3x", -1, ""},
		{"1s1", -1, ""},
		{"-1s", -1, ""},
		{"1 s", -1, ""},
		{"1S", -1, ""},
		{"1..5s", -1, ""},
		{"9999999999w", -1, ""},
	} {
		got, err := ParseDuration(tt.text)
		switch {
		case tt.want < 0 && err == nil:
			t.Errorf("%q: got %v, want an error", tt.text, got)
		case tt.want >= 0 && (err != nil || got != tt.want):
			t.Errorf("%q: got %v, %v, want %v", tt.text, got, err, tt.want)
		case tt.want >= 0 && durationText(got) != tt.back:
			t.Errorf("%q: written %q, want %q", tt.text, durationText(got), tt.back)
		}
	}
}

func TestSizesAreBinaryAndBitRatesDecimal(t *testing.T) {
	cfg := mustLoad(t, `rtmp {
  max_message = "1m"
  ack_window  = "2500K"
  application "a" {
    hls {
      path = "/srv/a"
      variant "_a" {
        bandwidth = "2500k"
      }
      variant "_b" {
        bandwidth = "2.5M"
      }
      variant "_c" {
        bandwidth = 64000
      }
    }
  }
}`)
	if got, want := cfg.RTMP[0].MaxMessage, 1<<20; got != want {
		t.Errorf("1m is %d, want %d", got, want)
	}
	if got, want := cfg.RTMP[0].AckWindow, 2500<<10; got != want {
		t.Errorf("2500K is %d, want %d", got, want)
	}
	var got []int64
	for _, v := range cfg.RTMP[0].Applications[0].HLS.Variants {
		got = append(got, v.Bandwidth)
	}
	if want := []int64{2500000, 2500000, 64000}; !slices.Equal(got, want) {
		t.Errorf("bit rates are %v, want %v", got, want)
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ text, want, network string }{
		{"1935", ":1935", "tcp"},
		{":1935", ":1935", "tcp"},
		{"127.0.0.1:1935", "127.0.0.1:1935", "tcp4"},
		{"[::1]:1935", "[::1]:1935", "tcp6"},
		{"[::]:1935", "[::]:1935", "tcp6"},
		{"127.0.0.1:0", "127.0.0.1:0", "tcp4"},
		{"[fe80::1%eth0]:1", "[fe80::1%eth0]:1", "tcp6"},
		{"unix:/run//x.sock", "unix:/run/x.sock", "unix"},
		{"", "", ""},
		{":", "", ""},
		{"65536", "", ""},
		{"*:80", "", ""},
		{"host:80", "", ""},
		{"::1:80", "", ""},
		{"127.0.0.1", "", ""},
		{"unix:x", "", ""},
	} {
		a, err := ParseAddress(tt.text)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%q: got %v, want an error", tt.text, a)
		case tt.want != "" && (err != nil || a.String() != tt.want || a.ListenNetwork() != tt.network):
			t.Errorf("%q: got %v on %s, %v, want %s on %s", tt.text, a, a.ListenNetwork(), err, tt.want, tt.network)
		}
	}
}

func TestAddressesOverlap(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{":1935", ":1935", true},
		{":1935", "[::]:1935", true},
		{":1935", "0.0.0.0:1935", true},
		{":1935", "192.0.2.1:1935", true},
		{":1935", ":1936", false},
		{"0.0.0.0:1935", "127.0.0.1:1935", true},
		{"0.0.0.0:1935", "[::1]:1935", false},
		{"0.0.0.0:1935", "[::]:1935", false},
		{"[::]:1935", "[::1]:1935", true},
		{"127.0.0.1:1935", "127.0.0.2:1935", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"unix:/a", "unix:/a", true},
		{"unix:/a", "unix:/b", false},
		{"unix:/a", ":1935", false},
	} {
		a, _ := ParseAddress(tt.a)
		b, _ := ParseAddress(tt.b)
		if a.Overlaps(b) != tt.want || b.Overlaps(a) != tt.want {
			t.Errorf("%s and %s: got %v and %v, want %v", tt.a, tt.b, a.Overlaps(b), b.Overlaps(a), tt.want)
		}
	}
}

func TestRulesFirstMatchWins(t *testing.T) {
	cfg := mustLoad(t, `rtmp {
  application "a" {
    access {
      publish = ["deny 10.1.0.0/16", "allow 10.0.0.0/8", "allow loopback", "allow 2001:db8::1", "deny all"]
      keyless = ["deny private", "allow all"]
    }
  }
}`)
	a := cfg.RTMP[0].Applications[0].Access
	for _, tt := range []struct {
		addr             string
		publish, keyless bool
	}{
		{"10.2.3.4", true, false},
		{"10.1.3.4", false, false},
		{"::ffff:10.2.3.4", true, false},
		{"::ffff:10.1.3.4", false, false},
		{"127.0.0.1", true, true},
		{"::1", true, true},
		{"2001:db8::1", true, true},
		{"2001:db8::1%eth0", true, true},
		{"2001:db8::2", false, true},
		{"192.168.1.1", false, false},
		{"fe80::1", false, false},
		{"", false, true}, // a unix socket
	} {
		addr, _ := netip.ParseAddr(tt.addr)
		if got := a.Publish.Allows(addr); got != tt.publish {
			t.Errorf("publish from %q: got %v, want %v", tt.addr, got, tt.publish)
		}
		if got := a.AllowsKeyless(addr); got != tt.keyless {
			t.Errorf("keyless from %q: got %v, want %v", tt.addr, got, tt.keyless)
		}
	}
	var none Access
	if addr := netip.MustParseAddr("192.0.2.1"); !none.Publish.Allows(addr) || none.AllowsKeyless(addr) {
		t.Error("no lists: publish must let everyone in, keyless no one")
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		patterns, name string
		want           bool
	}{
		{"", "anything", true},
		{"foo", "foo", true},
		{"foo", "foo+bar", true},
		{"foo", "foobar", false},
		{"foo", "x+foo", false},
		{"fo?", "foo+bar", true},
		{"foo+*", "foo", false},
		{"foo+*", "foo+bar", true},
		{"*_hi", "cam_hi", true},
		{"*_hi", "cam_hi_x", false},
		{"*a*b*c", "xxaxxbxxbxxc", true},
		{"*a*b*c", "xxaxxcxxb", false},
		{"* !foo", "foo", false},
		{"!foo *", "foo", false},
		{"!foo", "bar", true},
		{"!foo", "foo+x", false},
		{"a b", "b", true},
		{"a b", "c", false},
		{"?", "", false},
		{"*", "", true},
	} {
		if got := Patterns(strings.Fields(tt.patterns)).Match(tt.name); got != tt.want {
			t.Errorf("%q on %q: got %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
	}
	long := strings.Repeat("*a", 50)
	if matches(long+"b", strings.Repeat("a", 128)) {
		t.Error("matched")
	}
}

func TestTemplates(t *testing.T) {
	value := func(name string) string { return "<" + name + ">" }
	for _, tt := range []struct{ text, want string }{
		{"plain", "plain"},
		{"$name_low", "<name>_low"},
		{"$name$app", "<name><app>"},
		{"$$name", "$name"},
		{"$$$name$$", "$<name>$"},
		{"a/$app/$name.flv", "a/<app>/<name>.flv"},
		{"", ""},
	} {
		if err := Template(tt.text).check(placeholders); err != nil {
			t.Errorf("%q: %v", tt.text, err)
		}
		if got := Template(tt.text).Expand(value); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
	for _, text := range []string{"$", "a$", "$1", "${name}", "$$$", "$names", "$Name", "a $ b"} {
		if Template(text).check(placeholders) == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestSecretsShowNowhere(t *testing.T) {
	secret := Secret("a-very-good-secret")
	key := StreamKey{Holder: "h", Secret: secret}
	m, err := json.Marshal(map[string]any{"key": key, "secret": secret, "map": map[string]Secret{"a": secret}})
	if err != nil {
		t.Fatal(err)
	}
	out := string(m)
	for _, verb := range []string{"%v", "%s", "%q", "%x", "%X", "%+v", "%#v", "%d", "%10.3s"} {
		out += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, key) + fmt.Sprintf(verb, &key) + fmt.Sprintf(verb, []Secret{secret})
	}
	for _, leak := range []string{"very-good", "612d766572792d", "612D766572792D"} {
		if strings.Contains(out, leak) {
			t.Errorf("shown: %s", out)
		}
	}
	if secret.Reveal() != "a-very-good-secret" {
		t.Error("Reveal")
	}
	if fmt.Sprint(Secret("")) != "" {
		t.Error("an empty secret is not hidden: it shows that there is none")
	}
}

func TestStreamNamesAtTheDoor(t *testing.T) {
	for _, name := range []string{"a", "test", "foo+bar", "grün", "日本", "a.b_c~d@e=f-g", "1", strings.Repeat("x", 128)} {
		if err := ValidStreamName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", ".a", "-a", "a..b", "../../etc/x", "a/b", `a\b`, "a b", "a\x00", "a\n", "%2e%2e", "a?b", "a#b", "a$b", "a:b",
		strings.Repeat("x", 129), strings.Repeat("x", 300), "\xff", "a\u202eb", "a\u200bb", "*", "é\xcc",
	} {
		if ValidStreamName(name) == nil {
			t.Errorf("%q is let in", name)
		}
	}
}

func TestSecretsThatSurviveOBS(t *testing.T) {
	for _, s := range []string{"abcdefghijkl", "A-Z._~0123456", strings.Repeat("x", 256)} {
		if err := ValidSecret(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "abcdefghijk", "change-me", "Change-Me-12345", "with a blank 1", "umlautäumlaut", "question?mark", "a/b/c/d/e/f/g", "plus+plus+plus", strings.Repeat("x", 257)} {
		if err := ValidSecret(s); err == nil {
			t.Errorf("%q is good", s)
		} else if s != "" && len(s) > 9 && strings.Contains(err.Error(), s) {
			t.Errorf("the error shows it: %v", err)
		}
	}
}

func TestCommandsAreSplitWithoutAShell(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string // nil: an error
	}{
		{"ffmpeg -i x", []string{"ffmpeg", "-i", "x"}},
		{"  a\t'b c'  \"d 'e'\" f''g \"\" ", []string{"a", "b c", "d 'e'", "fg", ""}},
		{"a 'b", nil},
	} {
		got, err := splitCommand(tt.text)
		if (err != nil) != (tt.want == nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, %v, want %q", tt.text, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"sh", "-c", "x"}, 2},
		{[]string{"/bin/bash", "-e", "-c", "x"}, 3},
		{[]string{"env", "dash", "-ec", "x"}, 3},
		{[]string{"sh", "x", "-c", "y"}, 0},
		{[]string{"ffmpeg", "-c", "copy"}, 0},
		{[]string{"sh", "-c"}, 0},
	} {
		if got := scriptArgument(tt.args); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.args, got, tt.want)
		}
	}
}
