package value

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evaluate reads an expression as it stands in a configuration.
func evaluate(t *testing.T, text string) cty.Value {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(text), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", text, diags)
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", text, diags)
	}
	return v
}

// A reading is the result of decoding an expression.
type reading struct {
	in   string
	want string // as a configuration would write it; empty: an error
	err  string // a part of it
}

// read checks readings of values that newValue makes.
func read[T any, P interface {
	*T
	Value
}](t *testing.T, c Context, readings ...reading) {
	t.Helper()
	for _, r := range readings {
		var v T
		err := P(&v).Decode(evaluate(t, r.in), c)
		in := fmt.Sprintf("%T of %.80s", v, r.in)
		switch {
		case r.want == "" && err == nil:
			t.Errorf("%s: read as %s, want an error", in, ShowCty(P(&v).Encode()))
		case r.want == "" && (r.err == "" || !strings.Contains(err.Error(), r.err)):
			t.Errorf("%s: error %q, want %q", in, err, r.err)
		case r.want != "" && err != nil:
			t.Errorf("%s: %v", in, err)
		case r.want != "" && ShowCty(P(&v).Encode()) != r.want:
			t.Errorf("%s: read as %s, want %s", in, ShowCty(P(&v).Encode()), r.want)
		}
	}
}

func TestNumbersAsTheyAreRead(t *testing.T) {
	t.Parallel()
	const whole, bits, size = "a whole number", "a bit rate is bits per second", "a size is bytes"
	read[Count](t, Context{}, reading{in: "0", want: "0"}, reading{in: "7", want: "7"}, reading{in: "2147483647", want: "2147483647"},
		reading{in: "2147483648", err: "too large"}, reading{in: "-1", err: whole}, reading{in: "1.5", err: whole}, reading{in: `"7"`, err: whole}, reading{in: "1e30", err: whole})
	read[Integer](t, Context{}, reading{in: "-7", want: "-7"}, reading{in: "0", want: "0"}, reading{in: "2147483647", want: "2147483647"},
		reading{in: "2147483648", err: "too large"}, reading{in: "-2147483648", want: "-2147483648"}, reading{in: "-2147483649", err: "too large"},
		reading{in: "0.5", err: whole}, reading{in: "true", err: whole})
	read[Number](t, Context{}, reading{in: "29.97", want: "29.97"}, reading{in: "0", want: "0"}, reading{in: "-0.5", err: "a number"}, reading{in: `"1"`, err: "a number"})
	read[Switch](t, Context{}, reading{in: "true", want: "true"}, reading{in: "false", want: "false"},
		reading{in: `"on"`, err: "write true,"}, reading{in: `"YES"`, err: "write true,"}, reading{in: `"1"`, err: "write true,"}, reading{in: `"true"`, err: "write true,"},
		reading{in: `"off"`, err: "write false,"}, reading{in: `"No"`, err: "write false,"}, reading{in: `"0"`, err: "write false,"}, reading{in: `"false"`, err: "write false,"},
		reading{in: `"x"`, err: "true or false"}, reading{in: "1", err: "true or false"})
	read[Size](t, Context{}, reading{in: "0", want: "0"}, reading{in: "4096", want: "4096"}, reading{in: `"128k"`, want: "131072"}, reading{in: `"1M"`, want: "1048576"},
		reading{in: `"1.5m"`, want: "1572864"}, reading{in: `"2G"`, want: "2147483648"}, reading{in: `"1T"`, want: "1099511627776"}, reading{in: `"12"`, want: "12"},
		reading{in: `"off"`, err: size}, reading{in: `"1kk"`, err: size}, reading{in: `"k"`, err: size}, reading{in: `""`, err: size}, reading{in: `"-1k"`, err: size}, reading{in: `"1 k"`, err: size}, reading{in: `"1k5"`, err: size},
		reading{in: "-1", err: size}, reading{in: "1.5", err: size}, reading{in: "true", err: size}, reading{in: `"1e3"`, err: size}, reading{in: "1e40", err: size}, reading{in: `"9999999999G"`, err: size},
		reading{in: `"00000000000000000001"`, want: "1"}, reading{in: `"000000000000000000001"`, err: size})
	read[Size](t, Context{Off: true}, reading{in: `"off"`, want: "0"}, reading{in: "0", want: "0"}, reading{in: `"1k"`, want: "1024"})
	read[Bitrate](t, Context{}, reading{in: "2500", want: "2500"}, reading{in: `"2500k"`, want: "2500000"}, reading{in: `"2.5M"`, want: "2500000"}, reading{in: `"1G"`, want: "1000000000"},
		reading{in: `"x"`, err: bits}, reading{in: "-1", err: bits}, reading{in: "[]", err: bits})
	for size, want := range map[Size]string{0: "0", 1: "1", 1024: "1024", 1 << 20: "1M", 1<<20 + 1: "1048577", 3 << 19: "1572864", 10 << 20: "10M", 1 << 30: "1G", 1<<30 + 1<<20: "1025M", 3 << 30: "3G"} {
		if size.String() != want {
			t.Errorf("%d bytes are shown as %s, want %s", int64(size), size, want)
		}
	}
}

func TestTimesAsTheyAreRead(t *testing.T) {
	t.Parallel()
	const help, long = "write \"300ms\"", "146 years"
	read[Duration](t, Context{}, reading{in: "5", want: `"5s"`}, reading{in: "0.25", want: `"250ms"`}, reading{in: `"1m30s"`, want: `"1m30s"`}, reading{in: "4e9", want: `"46296d7h6m40s"`},
		reading{in: "4611686018", want: `"53375d23h53m38s"`}, reading{in: "4611686019", err: long}, reading{in: "-1", err: long}, reading{in: "0", err: "can't be 0"}, reading{in: `"0s"`, err: "can't be 0"},
		reading{in: `"off"`, err: "can't be off"}, reading{in: `"soon"`, err: help}, reading{in: "true", err: "this is a duration"}, reading{in: `"99999w"`, err: long})
	read[Duration](t, Context{Off: true}, reading{in: `"off"`, want: `"0s"`}, reading{in: "0", want: `"0s"`}, reading{in: `"0"`, want: `"0s"`}, reading{in: `"5s"`, want: `"5s"`}, reading{in: `"of"`, err: help})
	for _, s := range []string{"", "x", "5x", "5s5", "99999w"} {
		if d, err := ParseDuration(s); d != 0 || err == nil {
			t.Errorf("%q: %v, %v", s, d, err)
		}
	}
	read[Time](t, Context{}, reading{in: `"2031-12-24T18:00:00Z"`, want: `"2031-12-24T18:00:00Z"`}, reading{in: `"2031-12-24T18:00:00.5+02:00"`, want: `"2031-12-24T16:00:00.5Z"`},
		reading{in: `"2031-12-24"`, err: `write "2031-12-24T00:00:00Z"`}, reading{in: `"tomorrow"`, err: "not a time of RFC 3339"}, reading{in: "[]", err: "this is a string"})
	var none Time
	if !none.Encode().IsNull() {
		t.Errorf("no time is %s", ShowCty(none.Encode()))
	}
	if at, err := ParseTime("2031-12-24T18:00:00+01:00"); err != nil || at.Location() != time.UTC || at.Hour() != 17 {
		t.Errorf("got %v, %v", at, err)
	}
}

func TestStringsAsTheyAreRead(t *testing.T) {
	t.Parallel()
	most, long := strings.Repeat("x", MaxString), strings.Repeat("x", MaxString+1)
	quote := func(s string) string { return `"` + s + `"` }
	read[Text](t, Context{}, reading{in: `"a b"`, want: `"a b"`}, reading{in: `""`, want: "null"}, reading{in: quote(most), want: quote(most)}, reading{in: quote(long), err: "longer than 4096 bytes"},
		reading{in: "7", err: `write "7"`}, reading{in: "true", err: `write "true"`}, reading{in: "[]", err: `write "…"`}, reading{in: `"a\u0000"`, err: "a NUL byte"})
	read[Secret](t, Context{}, reading{in: `"abc"`, want: `"abc"`}, reading{in: "123456", err: "put it in quotes"}, reading{in: quote(long), err: "longer"}, reading{in: `"a\u0000"`, err: "a NUL byte"})
	var secret Secret
	if err := secret.Decode(cty.NumberIntVal(123456), Context{}); err == nil || strings.Contains(err.Error(), "123456") {
		t.Errorf("the error shows the secret: %v", err)
	}
	read[List](t, Context{}, reading{in: `["a", "b"]`, want: `["a", "b"]`}, reading{in: "[]", want: "[]"}, reading{in: `["a", null]`, want: `["a"]`}, reading{in: `["a", ""]`, err: "an empty string"},
		reading{in: `"a"`, err: `write ["a"]`}, reading{in: "7", err: "this is a list"}, reading{in: "[7]", err: "a list of strings"},
		reading{in: "[" + quote(most) + "]", want: "[" + quote(most) + "]"}, reading{in: "[" + quote(long) + "]", err: "longer than 4096 bytes"})
	if v := (List{}); !v.nilled().Encode().IsNull() {
		t.Error("no list is not null")
	}
	words := Context{One: []string{"live", "record", "append"}}
	read[Word](t, words, reading{in: `"live"`, want: `"live"`}, reading{in: `"liv"`, err: `did you mean "live"?`}, reading{in: `"xxxxxxxx"`, err: `is none of "live", "record", "append"`}, reading{in: "1", err: "this is a string"})
	read[Words](t, words, reading{in: `["live", "append"]`, want: `["live", "append"]`}, reading{in: "[]", want: "[]"}, reading{in: `["live", "live"]`, err: "twice"}, reading{in: `["x"]`, err: "is none of"}, reading{in: `"live"`, err: `write ["live"]`})
	read[StreamName](t, Context{}, reading{in: `"show"`, want: `"show"`}, reading{in: `"cafe\u0301"`, want: `"café"`}, reading{in: `"a/b"`, err: "neither letter"}, reading{in: "1", err: "this is a string"})
	read[Resolution](t, Context{}, reading{in: `"1280x720"`, want: `"1280x720"`}, reading{in: `"1x99999"`, want: `"1x99999"`}, reading{in: `"0x720"`, err: "not a resolution"}, reading{in: `"100000x1"`, err: "not a resolution"}, reading{in: "720", err: "this is a string"})
	read[Email](t, Context{}, reading{in: `"you@example.org"`, want: `"you@example.org"`}, reading{in: `"You <you@example.org>"`, err: "an e-mail address"}, reading{in: `"you"`, err: "an e-mail address"}, reading{in: "7", err: "this is a string"})
	read[TLSVersion](t, Context{}, reading{in: `"1.2"`, want: `"1.2"`}, reading{in: `"1.3"`, want: `"1.3"`}, reading{in: `"1.1"`, err: "is none of"}, reading{in: "1.3", err: `write "1.3"`})
	hash := strings.Repeat("0a", 32)
	read[SHA256](t, Context{}, reading{in: quote(hash), want: quote(hash)}, reading{in: quote("sha256:" + hash), want: quote(hash)}, reading{in: quote(hash[2:]), err: "64 hex digits"}, reading{in: quote(hash + "00"), err: "64 hex digits"},
		reading{in: quote("x" + hash[1:]), err: "64 hex digits"}, reading{in: "7", err: "this is a string"})
	if !new(SHA256).Encode().IsNull() {
		t.Error("no hash is not null")
	}
}

// nilled is no list at all.
func (l List) nilled() *List { l = nil; return &l }

func TestPlacesAsTheyAreRead(t *testing.T) {
	t.Parallel()
	const url, rtmp = `write "http://HOST/…" or "https://HOST/…"`, `write "rtmp://HOST/…" or "rtmps://HOST/…"`
	at := Context{Dir: "/etc/rtmpd"}
	read[Path](t, at, reading{in: `"/a//b/"`, want: `"/a/b"`}, reading{in: `"keys"`, want: `"/etc/rtmpd/keys"`}, reading{in: `"../x"`, want: `"/etc/x"`}, reading{in: `"$app"`, want: `"/etc/rtmpd/$app"`},
		reading{in: `""`, err: "the path is empty"}, reading{in: `"~/x"`, err: "~ is not expanded"}, reading{in: `"/a\u0000"`, err: "a NUL byte"}, reading{in: "7", err: "this is a string"})
	read[Path](t, Context{Vars: "app"}, reading{in: `"/a/$app"`, want: `"/a/$app"`}, reading{in: `"/a/$name"`, err: "$name is not known here; what is: $app"})
	read[Sources](t, at, reading{in: `"www"`, want: `["/etc/rtmpd/www"]`}, reading{in: `["/a", "http://h/x"]`, want: `["/a", "http://h/x"]`}, reading{in: `["ftp://h/x"]`, err: url}, reading{in: `[""]`, err: "the path is empty"}, reading{in: "true", err: "this is a list"})
	read[URL](t, Context{}, reading{in: `"http://127.0.0.1:5000/hook?a=$b"`, want: `"http://127.0.0.1:5000/hook?a=$b"`}, reading{in: `"https://h"`, want: `"https://h"`},
		reading{in: `"ftp://h/"`, err: url}, reading{in: `"h/x"`, err: url}, reading{in: `"http:///x"`, err: url}, reading{in: `"http://:80/x"`, err: url}, reading{in: `"http://h/a b"`, err: url}, reading{in: `"http://h/%zz"`, err: url}, reading{in: "7", err: "this is a string"})
	read[BaseURLs](t, Context{}, reading{in: `"https://h/"`, want: `["https://h"]`}, reading{in: `["https://h", "http://h:80/x"]`, want: `["https://h", "http://h:80/x"]`}, reading{in: `["https://u@h"]`, err: "neither user"}, reading{in: `["https://h/?x"]`, err: "neither user"},
		reading{in: `["https://h/#x"]`, err: "neither user"}, reading{in: `["rtmp://h"]`, err: url})
	read[RTMPURL](t, Context{}, reading{in: `"rtmp://h/live/$name"`, want: `"rtmp://h/live/$name"`}, reading{in: `"rtmps://h/a"`, want: `"rtmps://h/a"`}, reading{in: `"http://h/a"`, err: rtmp}, reading{in: `"rtmp://h/$nme"`, err: "did you mean $name?"}, reading{in: "7", err: "this is a string"})
	read[DirectoryURL](t, Context{}, reading{in: `"https://ca.example/dir"`, want: `"https://ca.example/dir"`}, reading{in: `"http://192.168.1.1/dir"`, want: `"http://192.168.1.1/dir"`}, reading{in: `"http://192.0.2.1/dir"`, err: "accounts and orders"}, reading{in: "7", err: "this is a string"})
	read[Target](t, Context{}, reading{in: `"/watch/"`, want: `"/watch/"`}, reading{in: `"https://h/x"`, want: `"https://h/x"`}, reading{in: `"//h/x"`, err: url}, reading{in: `"watch"`, err: url}, reading{in: "7", err: "this is a string"})
	read[Base](t, Context{}, reading{in: `"https://cdn/x/"`, want: `"https://cdn/x/"`}, reading{in: `"/x/"`, want: `"/x/"`}, reading{in: `"/a b/"`, err: "before a file name"}, reading{in: `"/a\nb/"`, err: "before a file name"}, reading{in: `"http://h/%zz"`, err: "before a file name"}, reading{in: "7", err: "this is a string"})
	read[Origins](t, Context{}, reading{in: `["*", "null", "https://h:8443", "http://h"]`, want: `["*", "null", "https://h:8443", "http://h"]`}, reading{in: `["https://h/"]`, err: "not an origin"}, reading{in: `["h"]`, err: "not an origin"}, reading{in: `["ftp://h"]`, err: "not an origin"},
		reading{in: `["https://"]`, err: "not an origin"}, reading{in: `["https://%zz"]`, err: "not an origin"}, reading{in: `["https://u@h"]`, err: "not an origin"})
	read[Domains](t, Context{}, reading{in: `["a.example", "b.example"]`, want: `["a.example", "b.example"]`}, reading{in: `["https://a.example/x"]`, err: `write the name alone, "a.example"`}, reading{in: `["192.0.2.1"]`, err: "is an address"}, reading{in: `["[::1]"]`, err: "is an address"},
		reading{in: `["a.example:80"]`, err: `write the name alone, "a.example"`}, reading{in: `["*.example"]`, err: "DNS challenge"}, reading{in: `["ü.example"]`, err: "not ASCII"}, reading{in: `["\u0080.example"]`, err: "not ASCII"}, reading{in: `["a..b"]`, err: "not a domain"},
		reading{in: `["` + strings.Repeat("a", 63) + `.example"]`, want: `["` + strings.Repeat("a", 63) + `.example"]`}, reading{in: `["-a.example"]`, err: "not a domain"}, reading{in: `["a"]`, want: `["a"]`},
		reading{in: `["` + strings.Repeat("a.", 126) + `e"]`, want: `["` + strings.Repeat("a.", 126) + `e"]`}, reading{in: `["` + strings.Repeat("a.", 126) + `ex"]`, err: "not a domain"})
	read[Networks](t, Context{}, reading{in: `["10.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32"]`, want: `["10.0.0.0/8", "192.0.2.7", "::1", "2001:db8::/32"]`}, reading{in: `["loopback"]`, want: `["127.0.0.0/8", "::1"]`},
		reading{in: `["private"]`, want: `["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"]`}, reading{in: "[]", want: "[]"}, reading{in: `["::ffff:192.0.2.7"]`, want: `["192.0.2.7"]`},
		reading{in: `["10.0.0.1/8"]`, err: `write "10.0.0.0/8"`}, reading{in: `["::ffff:10.0.0.0/104"]`, err: "the IPv4 network itself"}, reading{in: `["fe80::1%eth0"]`, err: "not a network"}, reading{in: `["x"]`, err: "not a network"}, reading{in: `"x"`, err: `write ["x"]`})
	read[Rules](t, Context{}, reading{in: `["allow 10.0.0.0/8", "deny all"]`, want: `["allow 10.0.0.0/8", "deny all"]`}, reading{in: `[" deny   192.0.2.7 ", "allow loopback", "allow all"]`, want: `["deny 192.0.2.7", "allow 127.0.0.0/8", "allow ::1", "allow all"]`},
		reading{in: `["allow 10.0.0.0/8"]`, err: `end it with "deny all"`}, reading{in: "[]", err: `end it with "deny all"`}, reading{in: `["deny all", "allow all"]`, err: "nothing after it"}, reading{in: `["allow"]`, err: "not a rule"}, reading{in: `["let all"]`, err: "not a rule"}, reading{in: `["allow x"]`, err: "not a network"}, reading{in: `"deny all"`, err: "access rules are a list"})
	write := "write an address"
	read[Addresses](t, Context{}, reading{in: `":1935"`, want: `[":1935"]`}, reading{in: "1935", want: `[":1935"]`}, reading{in: `[1935, "127.0.0.1:1936", "unix:/run/x"]`, want: `[":1935", "127.0.0.1:1936", "unix:/run/x"]`}, reading{in: "65535", want: `[":65535"]`}, reading{in: "0", want: `[":0"]`}, reading{in: "[]", want: "[]"},
		reading{in: "[null, 1935]", want: `[":1935"]`}, reading{in: "65536", err: "between 0 and 65535"}, reading{in: "-1", err: "between 0 and 65535"}, reading{in: "1.5", err: "between 0 and 65535"}, reading{in: "true", err: write}, reading{in: "[true]", err: write},
		reading{in: `[":1935", "127.0.0.1:1935"]`, err: "can't both be listened on"}, reading{in: `"host:80"`, err: "not an IP address"}, reading{in: `"127.0.0.1"`, err: `write "127.0.0.1:1935"`}, reading{in: `"::1"`, err: `"::1" has no port: write "[::1]:1935"`}, reading{in: `"2001:db8::8:2"`, err: `write "[2001:db8::8]:2"`}, reading{in: `"2001:db8::8"`, err: `write "[2001:db8::8]:1935"`}, reading{in: `"[::1]"`, err: `write "[::1]:1935"`}, reading{in: `"*:80"`, err: `write ":80"`}, reading{in: `"::1:80"`, err: "stands in brackets"}, reading{in: `"unix:x"`, err: "absolute path"})
}

func TestNamesOfStreamsAsTheyAreRead(t *testing.T) {
	t.Parallel()
	read[Patterns](t, Context{}, reading{in: `["show*", "!showtest", "a?"]`, want: `["show*", "!showtest", "a?"]`}, reading{in: `["cafe\u0301*"]`, want: `["café*"]`}, reading{in: `["live/show"]`, err: "is not a pattern"}, reading{in: `["!!a"]`, err: "is not a pattern"}, reading{in: `"a"`, err: `write ["a"]`})
	read[Filters](t, Context{}, reading{in: `["live/show*", "!show", "*"]`, want: `["live/show*", "!show", "*"]`}, reading{in: `["a/b/c"]`, err: "is not a pattern"}, reading{in: `["a b"]`, err: "is not a pattern"})
	read[Template](t, Context{}, reading{in: `"$name-$unix.flv"`, want: `"$name-$unix.flv"`}, reading{in: `"$$"`, want: `"$$"`}, reading{in: `"$x"`, err: "there is no placeholder $x"}, reading{in: `"$nam"`, err: "did you mean $name?"}, reading{in: `"a$"`, err: "write $$"}, reading{in: `"$1"`, err: "write $$"}, reading{in: `"$${name}"`, err: "no braces"}, reading{in: "7", err: "this is a string"})
	read[Template](t, Context{Vars: "app"}, reading{in: `"$app"`, want: `"$app"`}, reading{in: `"$name"`, err: "what is: $app"})
	read[Command](t, Context{}, reading{in: `["ffmpeg", "-i", "$path"]`, want: `["ffmpeg", "-i", "$path"]`}, reading{in: `"ffmpeg -i 'a b'"`, want: `["ffmpeg", "-i", "a b"]`}, reading{in: `"a 'b"`, err: "is not closed"}, reading{in: "[]", err: "the command is empty"}, reading{in: `""`, err: "the command is empty"}, reading{in: `[""]`, err: "the command is empty"},
		reading{in: `["a", "$x"]`, err: "there is no placeholder"}, reading{in: `["a", "b\u0000"]`, err: "a NUL byte"}, reading{in: "7", err: "a command is a list"}, reading{in: "[7]", err: "a command is a list"}, reading{in: `["sh", "-c", "echo $name"]`, err: "use the environment"}, reading{in: `["sh", "-c", "echo $$RTMPD_NAME"]`, want: `["sh", "-c", "echo $$RTMPD_NAME"]`},
		reading{in: `["sh", "x", "$name"]`, want: `["sh", "x", "$name"]`}, reading{in: `["a", ""]`, want: `["a", ""]`})
	read[Handler](t, Context{}, reading{in: `"http://h/x?$a"`, want: `"http://h/x?$a"`}, reading{in: `"ftp://h/x"`, err: "a URL is wanted here"}, reading{in: `"prog $name"`, err: "has no placeholders"}, reading{in: `["http://h/x", "http://h/y"]`, err: "a URL stands alone"}, reading{in: `["prog"]`, want: `["prog"]`}, reading{in: "[]", err: "the command is empty"})
	for name, want := range map[string]bool{"app": true, "name": true, "ap": false, "": false} {
		if got := Template("$app/x-$name").Holds(name); got != want {
			t.Errorf("$%s: %v, want %v", name, got, want)
		}
	}
}

func TestMapsAsTheyAreRead(t *testing.T) {
	t.Parallel()
	hash := "$2y$10$XpRriRD3NALvlJeWDdrlR.JdZdkbB67OWfFqrZfUC8xI/iWndibki"
	in := func(s string) string { return strings.ReplaceAll(s, "HASH", hash) }
	read[Passwords](t, Context{}, reading{in: in(`{ admin = "HASH" }`), want: in(`{ admin = "HASH" }`)}, reading{in: `{ admin = "secret" }`, err: "bcrypt hash"}, reading{in: in(`{ "a:b" = "HASH" }`), err: "is not a user"}, reading{in: in(`{ "" = "HASH" }`), err: "is not a user"}, reading{in: "[]", err: "this is a map"},
		reading{in: strings.Replace(in(`{ a = "HASH" }`), "$10$", "$03$", 1), err: "bcrypt hash"}, reading{in: strings.Replace(in(`{ a = "HASH" }`), "$10$", "$20$", 1), err: "bcrypt hash"}, reading{in: in(`{ a = "HASHx" }`), err: "bcrypt hash"})
	read[Environment](t, Context{}, reading{in: `{ NAME = "value", B = "" }`, want: `{ B = "", NAME = "value" }`}, reading{in: `{ "A=B" = "x" }`, err: "name of an environment variable"}, reading{in: `{ "" = "x" }`, err: "name of an environment variable"}, reading{in: `{ A = "x\u0000" }`, err: "name of an environment variable"},
		reading{in: `{ "A\u0000" = "x" }`, err: "name of an environment variable"}, reading{in: "{ A = 1 }", err: `the value of "A" is not a string`}, reading{in: "{ A = null }", want: "{  }"}, reading{in: `{ A = null, B = "x" }`, want: `{ B = "x" }`}, reading{in: `"x"`, err: "this is a map"})
	for _, name := range []string{"X-Robots-Tag", "!#$%&'*+-.^_`|~", "9z"} {
		text := `{ "` + name + `" = "a b" }`
		want := `{ ` + name + ` = "a b" }`
		read[Headers](t, Context{}, reading{in: text, want: want})
		read[SecretHeaders](t, Context{}, reading{in: text, want: want})
	}
	for _, bad := range []string{`{ "" = "x" }`, `{ "a b" = "x" }`, `{ "a:" = "x" }`, `{ "ü" = "x" }`, `{ "\u0080" = "x" }`, `{ "Ł" = "x" }`} {
		read[Headers](t, Context{}, reading{in: bad, err: "is not the name of an HTTP header"})
		read[SecretHeaders](t, Context{}, reading{in: bad, err: "is not the name of an HTTP header"})
	}
	for _, bad := range []string{`a\nb`, `a\rb`, `\u0000`, `\u007f`, `\u001f`} {
		read[Headers](t, Context{}, reading{in: `{ A = "` + bad + `" }`, err: "can't stand in an HTTP header"})
		read[HeaderValue](t, Context{}, reading{in: `"` + bad + `"`, err: "can't stand in an HTTP header"})
	}
	read[HeaderValue](t, Context{}, reading{in: `"a\tb ü"`, want: `"a\tb ü"`}, reading{in: `""`, want: "null"}, reading{in: "7", err: "this is a string"})
	var none Headers
	if !none.Encode().IsNull() {
		t.Error("no map is not null")
	}
}

func TestLogFormatsAsTheyAreRead(t *testing.T) {
	t.Parallel()
	read[HTTPLogFormat](t, Context{}, reading{in: `"combined"`, want: `"combined"`}, reading{in: `"json"`, want: `"json"`}, reading{in: `"$remote_addr $http_x_y $sent_http_etag"`, want: `"$remote_addr $http_x_y $sent_http_etag"`}, reading{in: `"$${status}x"`, want: `"${status}x"`},
		reading{in: `"plain"`, err: `a format is "combined", "json" or holds variables`}, reading{in: `""`, err: "the format is empty"}, reading{in: `"$status\n"`, err: "no control characters"}, reading{in: `"$remote_adr"`, err: "did you mean $remote_addr?"}, reading{in: `"$zzzzzzzz"`, err: "there is no variable $zzzzzzzz"},
		reading{in: `"$http_"`, err: "there is no variable $http_"}, reading{in: `"$http_authorization"`, err: "would write secrets"}, reading{in: `"$http_cookie"`, err: "would write secrets"}, reading{in: `"$sent_http_set_cookie"`, err: "would write secrets"}, reading{in: `"$status $"`, err: "there is no variable $"}, reading{in: `"$app"`, err: "there is no variable $app"}, reading{in: "7", err: "this is a string"})
	read[RTMPLogFormat](t, Context{}, reading{in: `"combined"`, want: `"combined"`}, reading{in: `"json"`, err: `a format is "combined" or`}, reading{in: `"$app $name"`, want: `"$app $name"`}, reading{in: `"$status"`, err: "there is no variable $status"}, reading{in: "7", err: "this is a string"})
}

func TestListsAndMapsAreBounded(t *testing.T) {
	t.Parallel()
	for n, ok := range map[int]bool{10000: true, 10001: false} {
		list, pairs := make([]cty.Value, n), make(map[string]cty.Value)
		for i := range list {
			list[i] = cty.StringVal("a")
			pairs[fmt.Sprint("a", i)] = cty.StringVal("a")
		}
		var l List
		if err := l.Decode(cty.TupleVal(list), Context{}); (err == nil) != ok {
			t.Errorf("a list of %d: %v", n, err)
		}
		var h Headers
		if err := h.Decode(cty.ObjectVal(pairs), Context{}); (err == nil) != ok || ok && len(h) != n {
			t.Errorf("a map of %d: %v", n, err)
		}
	}
	// The other collections of HCL's are as good.
	var l List
	if err := l.Decode(cty.ListVal([]cty.Value{cty.StringVal("a")}), Context{}); err != nil || len(l) != 1 {
		t.Errorf("a list: %v, %v", l, err)
	}
	if err := l.Decode(cty.SetVal([]cty.Value{cty.StringVal("a")}), Context{}); err != nil || len(l) != 1 {
		t.Errorf("a set: %v, %v", l, err)
	}
	var h Headers
	if err := h.Decode(cty.MapVal(map[string]cty.Value{"A": cty.StringVal("a")}), Context{}); err != nil || h["A"] != "a" {
		t.Errorf("a map: %v, %v", h, err)
	}
}
