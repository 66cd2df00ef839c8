package accesslog

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// letters knows the variables $a and $b_2.
func letters(name string) (Format[string], error) {
	switch name {
	case "a", "b_2":
		return func(b []byte, x string, now Time) []byte {
			return append(AppendEscaped(append(append(b, name...), '='), x), now.ISO...)
		}, nil
	}
	return nil, errors.New("unknown " + name)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"":                "",
		"text":            "text",
		"$a":              "a=xT",
		"${a}2":           "a=xT2",
		"<$a|$b_2>é":      "<a=xT|b_2=xT>é",
		"$a$a":            "a=xTa=xT",
		"{$a}":            "{a=xT}",
		"$a ${b_2} \"q\"": `a=xT b_2=xT "q"`,
	} {
		f, err := Compile(format, letters)
		if err != nil {
			t.Errorf("%q: %v", format, err)
			continue
		}
		if got := string(f(nil, "x", Time{ISO: "T"})); got != want {
			t.Errorf("%q gives %q, want %q", format, got, want)
		}
	}
	for _, bad := range []string{"$", "$c", "$a2", "${a", "a $ b", "$a\n", "\x7f$a", "${}"} {
		if _, err := Compile(bad, letters); err == nil {
			t.Errorf("%q is a format", bad)
		}
	}
}

func TestMaskedURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"":                         "",
		"/a?b=c":                   "/a?b=c",
		"/a?key=s3cret":            "/a?key=***",
		"/a?b=c&TOKEN=s3cret;k=v":  "/a?b=c&TOKEN=***;k=v",
		"http://h/?%6bey=s3cret#x": "http://h/?%6bey=***",
		"/a?key":                   "/a?key",
		"/key=/a?monkey=1":         "/key=/a?monkey=1",
		"/a?key=&password=p&&":     "/a?key=***&password=***&&",
	} {
		if got := MaskURI(uri); got != want {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
	}
}

func FuzzEscapedTextStaysInItsField(f *testing.F) {
	f.Add("plain")
	f.Add("a\r\nb\" \\ \x00\x1b[31m\u2028é\xff")
	f.Fuzz(func(t *testing.T, s string) {
		fuzztime.Bound(t)
		line := string(AppendEscaped(nil, s))
		if strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' }) {
			t.Errorf("%q is written as %q", s, line)
		}
		var back string
		if err := json.Unmarshal(AppendJSON(nil, s), &back); err != nil || utf8.ValidString(s) && back != s {
			t.Errorf("%q is %q in JSON: %v", s, back, err)
		}
	})
}
