package value

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// kinds are all types, by what the reference calls them.
func kinds() map[string][]Value {
	return map[string][]Value{
		"addresses": {new(Addresses)}, "bitrate": {new(Bitrate)}, "command": {new(Command)}, "handler": {new(Handler)}, "directory url": {new(DirectoryURL)}, "domains": {new(Domains)},
		"duration": {new(Duration)}, "email": {new(Email)}, "map": {new(Environment)}, "header": {new(HeaderValue)}, "headers": {new(Headers), new(SecretHeaders)},
		"http log": {new(HTTPLogFormat)}, "rtmp log": {new(RTMPLogFormat)}, "name": {new(StreamName)}, "cidrs": {new(Networks)}, "count": {new(Count)}, "integer": {new(Integer)}, "number": {new(Number)},
		"origins": {new(Origins)}, "bcrypt": {new(Passwords)}, "path": {new(Path)}, "sources": {new(Sources)}, "patterns": {new(Patterns)}, "filters": {new(Filters)}, "resolution": {new(Resolution)},
		"rtmp url": {new(RTMPURL)}, "rules": {new(Rules)}, "secret": {new(Secret)}, "sha256": {new(SHA256)}, "size": {new(Size)}, "bool": {new(Switch)}, "target": {new(Target)}, "base": {new(Base)},
		"template": {new(Template)}, "string": {new(Text)}, "list": {new(List)}, "time": {new(Time)}, "tls version": {new(TLSVersion)}, "url": {new(URL)}, "urls": {new(BaseURLs)}, "word": {new(Word)}, "words": {new(Words)},
	}
}

// An example is a configuration that the type takes, and what it writes itself as
// reads back to the same.
func TestExamplesReadAndWriteBack(t *testing.T) {
	t.Parallel()
	for kind, values := range kinds() {
		for _, v := range values {
			if v.Kind() != kind {
				t.Errorf("%T is called %q, want %q", v, v.Kind(), kind)
			}
			c := Context{Off: true}
			if kind == "word" || kind == "words" {
				c.One = []string{"…"}
			}
			example := cty.StringVal("as env() gives it")
			if kind != "secret" {
				example = evaluate(t, v.Example())
			} else if v.Example() != `env("SECRET")` {
				t.Errorf("the example of a secret is %s", v.Example())
			}
			if err := v.Decode(example, c); err != nil {
				t.Errorf("%s: the example %s: %v", kind, v.Example(), err)
				continue
			}
			w, written := reflect.New(reflect.TypeOf(v).Elem()).Interface().(Value), v.Encode()
			if err := w.Decode(written, c); err != nil || !reflect.DeepEqual(v, w) {
				t.Errorf("%s: %s comes back as %s, %v", kind, ShowCty(written), ShowCty(w.Encode()), err)
			}
			if text := ShowCty(written); text == "" || text == "null" {
				t.Errorf("%s: the example is written %q", kind, text)
			}
		}
	}
}

// A stand-in passes the checks that the secret has passed.
func TestStandInsAreValid(t *testing.T) {
	t.Parallel()
	found := 0
	for kind, values := range kinds() {
		for _, v := range values {
			m, ok := v.(Masker)
			if !ok {
				continue
			}
			found++
			for _, c := range []Context{{}, {Vars: "app name", Dir: "/d"}} {
				seen := map[string]bool{}
				for _, n := range []int{0, 1, 2, 10, 99, 12345} {
					in := m.StandIn(n, c)
					text := in.AsString()
					again := reflect.New(reflect.TypeOf(v).Elem()).Interface().(Value)
					read := in
					if kind == "bcrypt" {
						read = cty.ObjectVal(map[string]cty.Value{"admin": in})
					} else if slices.Contains([]string{"origins", "sources", "urls"}, kind) {
						read = cty.TupleVal([]cty.Value{in})
					}
					if err := again.Decode(read, c); err != nil {
						t.Errorf("%s: %q: %v", kind, text, err)
					}
					if seen[text] && kind != "resolution" && kind != "http log" && kind != "rtmp log" {
						t.Errorf("%s: %q stands for two", kind, text)
					}
					seen[text] = true
					if kind == "path" && strings.Contains(text, "$app") != (c.Vars != "") {
						t.Errorf("a path with the placeholders %q is hidden as %q", c.Vars, text)
					}
				}
			}
		}
	}
	if found < 12 {
		t.Errorf("%d types have a stand-in", found)
	}
}

func TestPlainTypesHaveALanguage(t *testing.T) {
	t.Parallel()
	one := Context{One: []string{"a"}}
	for _, tt := range []struct {
		p    any
		c    Context
		in   string
		want string
	}{
		{new(bool), Context{}, "true", "bool"},
		{new(int), Context{}, "7", "count"},
		{new(float64), Context{}, "7.5", "number"},
		{new(time.Duration), Context{}, `"7s"`, "duration"},
		{new(time.Time), Context{}, `"2031-12-24T18:00:00Z"`, "time"},
		{new(string), Context{}, `"a"`, "string"},
		{new(string), one, `"a"`, "word"},
		{new([]string), Context{}, `["a"]`, "list"},
		{new([]string), one, `["a"]`, "words"},
		{new(Size), Context{}, "7", "size"},
	} {
		v := Of(tt.p, tt.c)
		if v == nil || v.Kind() != tt.want {
			t.Errorf("%T: %v, want %s", tt.p, v, tt.want)
			continue
		}
		if err := v.Decode(evaluate(t, tt.in), tt.c); err != nil {
			t.Errorf("%T of %s: %v", tt.p, tt.in, err)
		}
		if reflect.ValueOf(tt.p).Elem().IsZero() { // it is p that is read
			t.Errorf("%T of %s: nothing came", tt.p, tt.in)
		}
	}
	if v := Of(new(int8), Context{}); v != nil {
		t.Errorf("int8: %v", v)
	}
}

func TestWhatAnErrorSaysInsteadOfTheValue(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]Value{
		"true or false": new(Switch), "a list of networks": new(Networks), "a string that fits here": new(Text), "what x takes (size)": new(Size),
	} {
		if got := Describe(v, "x"); got != want {
			t.Errorf("%T: %q, want %q", v, got, want)
		}
	}
	if got := Describe(new(Secret), "x"); got != "a string that fits here" {
		t.Errorf("a secret: %q", got)
	}
}

func TestValuesForAPerson(t *testing.T) {
	t.Parallel()
	size, text := Size(10<<20), Text(`a "b"`)
	if got := Show(&size); got != "10M" {
		t.Errorf("a size is shown as %s", got)
	}
	if got := Show(&text); got != `"a \"b\""` {
		t.Errorf("a text is shown as %s", got)
	}
	for in, want := range map[string]string{
		"null": "null", "true": "true", "1.5": "1.5", "100000000000": "100000000000", `"a"`: `"a"`, "[]": "[]", `["a", 1]`: `["a", 1]`, `{ b = 1, a = "x" }`: `{ a = "x", b = 1 }`,
	} {
		if got := ShowCty(evaluate(t, in)); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
	for _, tt := range []struct {
		v    any
		want []string
	}{
		{Secret("abc"), []string{"abc"}}, {[]string{"a", "b"}, []string{"a", "b"}}, {Command{"a"}, []string{"a"}}, {Size(7), nil}, {[]int{1}, nil}, {true, nil}, {map[string]string{"a": "b"}, nil},
	} {
		if got := Strings(tt.v); !slices.Equal(got, tt.want) {
			t.Errorf("%v holds %q, want %q", tt.v, got, tt.want)
		}
	}
}

// Whatever prints a value that may be secret, prints none.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	const secret = "rtmp-hunter2-key"
	for _, v := range []interface {
		fmt.Stringer
		Reveal() string
	}{Secret(secret), URL("http://h/" + secret), RTMPURL("rtmp://h/" + secret)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(strings.ToLower(got), "hunter2") || strings.Contains(strings.ToLower(got), "68756e74657232") || !strings.Contains(got, Hidden) {
				t.Errorf("%T with %s: %s", v, verb, got)
			}
			if strings.Contains(got, "value.") != (verb == "%#v") {
				t.Errorf("%T with %s: %s", v, verb, got)
			}
		}
		b, err := json.Marshal(map[string]any{"a": v})
		if err != nil || string(b) != `{"a":"(hidden)"}` {
			t.Errorf("%T in JSON: %s, %v", v, b, err)
		}
		text, err := v.(interface{ MarshalText() ([]byte, error) }).MarshalText()
		if err != nil || string(text) != Hidden {
			t.Errorf("%T as text: %s, %v", v, text, err)
		}
		if !strings.HasSuffix(v.Reveal(), secret) {
			t.Errorf("%T reveals %s", v, v.Reveal())
		}
	}
	if Secret("").String() != "" || URL("").String() != "" || RTMPURL("").String() != "" {
		t.Error("nothing is hidden as something")
	}
}

func TestWhoAListLetsIn(t *testing.T) {
	t.Parallel()
	var rules Rules
	if err := rules.Decode(evaluate(t, `["deny 10.1.0.0/16", "allow 10.0.0.0/8", "allow ::1", "deny all"]`), Context{}); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{"10.1.2.3": false, "10.2.2.3": true, "::ffff:10.2.2.3": true, "::ffff:10.1.2.3": false, "::1": true, "::1%lo": true, "::2": false, "11.0.0.1": false} {
		if got := rules.Allows(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	if rules.Allows(netip.Addr{}) || !(Rules{{Allow: true, All: true}}).Allows(netip.Addr{}) {
		t.Error("a unix socket's client matches all, and nothing else")
	}
	if !Rules(nil).Allows(netip.Addr{}) || (Rules{}).Allows(netip.MustParseAddr("::1")) {
		t.Error("no list lets everyone in, an empty one nobody")
	}
}

func TestAddressesKnowWhereTheyStand(t *testing.T) {
	t.Parallel()
	var a Addresses
	if err := a.Decode(evaluate(t, `["127.0.0.1:1", "127.0.0.1:2"]`), Context{}); err != nil {
		t.Fatal(err)
	}
	rng := hcl.Range{Filename: "x.hcl", Start: hcl.Pos{Line: 7}}
	placed := a.At(rng)
	for i := range placed {
		if placed[i].Range != rng || placed[i].String() != a[i].String() {
			t.Errorf("%+v", placed[i])
		}
	}
	if a[0].Range == rng {
		t.Error("the list itself has changed")
	}
}

func TestTheNearestName(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"listn": "listen", "lisxxn": "listen", "lixxxn": "", "recrod": "record", "": "", "abcx": "abca"} {
		if got := Nearest(given, []string{"listen", "record", "abca", "abcb"}); got != want {
			t.Errorf("%q is near %q, want %q", given, got, want)
		}
	}
}

func TestSizesOfSecretsAndNames(t *testing.T) {
	t.Parallel()
	if err := ValidSecret("change_me_123"); err != nil {
		t.Errorf("%v", err)
	}
	for _, c := range "azAZ09._~-" {
		if err := ValidSecret(strings.Repeat(string(c), 12)); err != nil {
			t.Errorf("%c: %v", c, err)
		}
	}
	for _, c := range "@[`{/:+ é" {
		if err := ValidSecret(strings.Repeat(string(c), 12)); err == nil {
			t.Errorf("%c is good", c)
		}
	}
	for s, want := range map[string]string{"x": "at least 12", strings.Repeat("x", 257): "at most 256", "xx-Change-ME-xx": "rtmpd key new"} {
		if err := ValidSecret(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	for path, want := range map[string]string{"/a//b": "/a/b", "b": "/d/b", "": "", "~/b": ""} {
		got, err := Absolute(path, "/d")
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q, %v, want %q", path, got, err, want)
		}
	}
}

// The order of patterns makes no difference.
func TestPatternsInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		patterns, name string
		want           bool
	}{
		{"!x a", "a", true}, {"!x a", "b", false}, {"a !x", "b", false}, {"!x !y a", "y", false}, {"a !x !y", "a", true}, {"a b !b", "b", false},
	} {
		if got := Patterns(strings.Fields(tt.patterns)).Match(tt.name); got != tt.want {
			t.Errorf("%q on %q: got %v, want %v", tt.patterns, tt.name, got, tt.want)
		}
	}
}

// What can't be read is no size.
func TestNothingIsReadOfAMistake(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"true", `"x"`, "-1", "1.5"} {
		var size Size
		var rate Bitrate
		if err := size.Decode(evaluate(t, text), Context{}); err == nil || size != 0 {
			t.Errorf("%s is a size of %d, %v", text, size, err)
		}
		if err := rate.Decode(evaluate(t, text), Context{}); err == nil || rate != 0 {
			t.Errorf("%s is a bit rate of %d, %v", text, rate, err)
		}
	}
}
