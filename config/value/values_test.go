package value

import (
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
		case tt.want >= 0 && FormatDuration(got) != tt.back:
			t.Errorf("%q: written %q, want %q", tt.text, FormatDuration(got), tt.back)
		}
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
	if Matches(long+"b", strings.Repeat("a", 128)) {
		t.Error("matched")
	}
}

func TestTemplates(t *testing.T) {
	expand := func(name string) string { return "<" + name + ">" }
	for _, tt := range []struct{ text, want string }{
		{"plain", "plain"},
		{"$name_low", "<name>_low"},
		{"$name$app", "<name><app>"},
		{"$$name", "$name"},
		{"$$$name$$", "$<name>$"},
		{"a/$app/$name.flv", "a/<app>/<name>.flv"},
		{"", ""},
	} {
		if err := Template(tt.text).Check(Placeholders); err != nil {
			t.Errorf("%q: %v", tt.text, err)
		}
		if got := Template(tt.text).Expand(expand); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
	for _, text := range []string{"$", "a$", "$1", "${name}", "$$$", "$names", "$Name", "a $ b"} {
		if Template(text).Check(Placeholders) == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestStreamNamesAtTheDoor(t *testing.T) {
	for _, name := range []string{
		"a", "test", "foo+bar", "grün", "日本", "a.b_c~d@e=f-g", "1", strings.Repeat("x", 128),
		"हिन्दी", "ไทยที่นี่", "தமிழ்", "বাংলা", "caf\u00e9", "q\u0301", "ง่าย-2",
	} {
		if err := ValidStreamName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", ".a", "-a", "a..b", "../../etc/x", "a/b", `a\b`, "a b", "a\x00", "a\n", "%2e%2e", "a?b", "a#b", "a$b", "a:b",
		strings.Repeat("x", 129), strings.Repeat("x", 300), "\xff", "a\u202eb", "a\u200bb", "*", "é\xcc",
		"cafe\u0301", "\u0301a", "1\u0301", "a-\u0301", "a\u20dd",
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

func TestABitRateReadsAsItIsWritten(t *testing.T) {
	t.Parallel()
	for bits, want := range map[int64]string{6e6: "6M", 2.5e6: "2.5M", 2_550_000: "2550k", 800e3: "800k", 1234: "1234"} {
		if got := Bitrate(bits).String(); got != want {
			t.Errorf("%d is written %s, want %s", bits, got, want)
		}
	}
}
