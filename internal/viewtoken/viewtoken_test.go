package viewtoken

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	later  = time.Date(2031, 12, 24, 18, 0, 0, 0, time.UTC)
)

// sign makes a token of claims.
func sign(t testing.TB, key Key, c Claims) string {
	t.Helper()
	text, err := Sign(key, c, "")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// raw makes a token of a header and a body that are signed whatever they say.
func raw(t testing.TB, header, body string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	text := enc([]byte(header)) + "." + enc([]byte(body))
	mac := hmacOf(secret, text)
	return text + "." + enc(mac)
}

func TestATokenSaysWhatItWasSignedWith(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Claims{
		"plain":   {Streams: []string{"test"}, Expires: later},
		"all":     {ID: NewID(), App: "show", Streams: []string{"a", "b+*"}, Expires: later, NotBefore: later.Add(-time.Hour), Once: true},
		"unicode": {ID: "x", Streams: []string{"Übertragung"}, Expires: later},
	} {
		c := NewChecker([]Key{NewSecret("2031", secret)}, Options{})
		text := sign(t, NewSecret("2031", secret), want)
		for range 2 { // the second time it is remembered
			got, err := c.Check(text)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got.ID != want.ID || got.App != want.App || !slices.Equal(got.Streams, want.Streams) || !got.Expires.Equal(want.Expires) ||
				!got.NotBefore.Equal(want.NotBefore) || got.Once != want.Once {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
		}
	}
}

func TestTheTimesOfAToken(t *testing.T) {
	t.Parallel()
	c := Claims{Expires: later, NotBefore: later.Add(-time.Hour)}
	for _, at := range []struct {
		after, overtime time.Duration
		want            error
	}{
		{-2 * time.Hour, 0, ErrEarly},
		{-2 * time.Hour, 10 * time.Hour, ErrEarly},
		{-time.Hour, 0, nil},
		{-1, 0, nil},
		{0, 0, ErrExpired},
		{0, time.Minute, nil},
		{time.Minute, time.Minute, ErrExpired},
	} {
		if err := c.At(later.Add(at.after), at.overtime); !errors.Is(err, at.want) {
			t.Errorf("%s from its end on, with %s more: %v, want %v", at.after, at.overtime, err, at.want)
		}
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	const body = `{"stream":"test","exp":1955901600}`
	good := raw(t, `{"alg":"HS256"}`, body)
	parts := strings.Split(good, ".")
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"none":                          {"", ErrNone},
		"too long":                      {strings.Repeat("a", MaxLength+1), ErrForm},
		"not three parts":               {parts[0] + "." + parts[1], ErrForm},
		"four parts":                    {good + ".x", ErrForm},
		"padding":                       {good + "=", ErrForm},
		"white space":                   {good + "\n", ErrForm},
		"another alphabet":              {parts[0] + "." + parts[1] + ".++++", ErrForm},
		"no signature":                  {parts[0] + "." + parts[1] + ".", ErrKey},
		"alg none":                      {raw(t, `{"alg":"none"}`, body), ErrKey},
		"alg None":                      {raw(t, `{"alg":"None"}`, body), ErrForm},
		"alg of a longer hash":          {raw(t, `{"alg":"HS512"}`, body), ErrKey},
		"alg of another kind of key":    {raw(t, `{"alg":"RS256"}`, body), ErrKey},
		"no alg":                        {raw(t, `{}`, body), ErrForm},
		"kid of another key":            {raw(t, `{"alg":"HS256","kid":"2030"}`, body), ErrKey},
		"something critical":            {raw(t, `{"alg":"HS256","crit":["b64"],"b64":false}`, body), ErrKey},
		"a header that is no object":    {raw(t, `[]`, body), ErrForm},
		"a body that is no object":      {raw(t, `{"alg":"HS256"}`, `[]`), ErrForm},
		"no end":                        {raw(t, `{"alg":"HS256"}`, `{"stream":"test"}`), ErrForm},
		"an end that is a text":         {raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":"1955901600"}`), ErrForm},
		"an end that is no time":        {raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":1e300}`), ErrForm},
		"an end before time began":      {raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":-5}`), ErrForm},
		"no stream":                     {raw(t, `{"alg":"HS256"}`, `{"exp":1955901600}`), ErrForm},
		"a stream that is a number":     {raw(t, `{"alg":"HS256"}`, `{"stream":5,"exp":1955901600}`), ErrForm},
		"streams that are numbers":      {raw(t, `{"alg":"HS256"}`, `{"stream":["a",5],"exp":1955901600}`), ErrForm},
		"no streams":                    {raw(t, `{"alg":"HS256"}`, `{"stream":[],"exp":1955901600}`), ErrForm},
		"once that is a text":           {raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":1955901600,"jti":"a","once":"no"}`), ErrForm},
		"once without a name":           {raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":1955901600,"once":true}`), ErrForm},
		"an application that is a list": {raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":1955901600,"app":["a"]}`), ErrForm},
	} {
		for _, kid := range []string{"", "2031"} {
			if kid == "" && name == "kid of another key" {
				continue
			}
			got, err := NewChecker([]Key{NewSecret(kid, secret)}, Options{}).Check(c.token)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
			}
		}
	}
	for issuer, want := range map[string]error{"https://id.example": nil, "https://id.example/": ErrIssuer, "": nil} {
		text := raw(t, `{"alg":"HS256"}`, `{"stream":"test","exp":1955901600,"iss":"https://id.example","aud":["a","rtmpd"]}`)
		for _, audience := range []string{"rtmpd", "a", ""} {
			c := NewChecker([]Key{NewSecret("", secret)}, Options{Issuer: issuer, Audience: audience})
			if _, err := c.Check(text); !errors.Is(err, want) {
				t.Errorf("issuer %q: %v, want %v", issuer, err, want)
			}
			if _, err := c.Check(good); (err == nil) != (issuer == "" && audience == "") {
				t.Errorf("a token that names neither, where %q and %q are wanted: %v", issuer, audience, err)
			}
		}
	}
}

// TestATokenIsRememberedWithoutAllocation: each playlist request shows one.
func TestATokenIsRememberedWithoutAllocation(t *testing.T) {
	c := NewChecker([]Key{NewSecret("2031", secret)}, Options{})
	query := "a=b&" + Parameter + "=" + sign(t, NewSecret("2031", secret), Claims{ID: NewID(), App: "show", Streams: []string{"test"}, Expires: later})
	if n := testing.AllocsPerRun(1000, func() {
		token, err := FromQuery(query)
		if err == nil {
			_, err = c.Check(token)
		}
		if err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckRemembered(b *testing.B) {
	c := NewChecker([]Key{NewSecret("2031", secret)}, Options{})
	text := sign(b, NewSecret("2031", secret), Claims{ID: NewID(), App: "show", Streams: []string{"test"}, Expires: later})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Check(text); err != nil {
			b.Fatal(err)
		}
	}
}

// TestManyTokensAreBounded: whoever has a key may sign without end.
func TestManyTokensAreBounded(t *testing.T) {
	t.Parallel()
	c := NewChecker([]Key{NewSecret("", secret)}, Options{})
	claims := Claims{Streams: []string{"test"}, Expires: later}
	for i := range maxRemembered + 100 {
		c.remembered[hashOf(string(rune(i)))] = &claims
		if len(c.remembered) > maxRemembered {
			t.Fatal("the table of tokens grows")
		}
		if len(c.remembered) == maxRemembered {
			if _, err := c.Check(sign(t, NewSecret("", secret), claims)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTheTokenOfAQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                   "",
		"a=b":                "",
		"token=x":            "x",
		"tkn=x":              "x",
		"jwt=x":              "x",
		"token":              "",
		"token=":             "",
		"a&token=x&b":        "x",
		"%74oken=%78":        "x",
		"token=x&token=x":    "x",
		"token=&tkn=x":       "x",
		"token=a+b":          "a b",
		"Token=x":            "",
		"xtoken=y":           "",
		"a=token=x":          "",
		"a;token=x":          "",
		"&&token=x&&":        "x",
		"token=a=b":          "a=b",
		"to%ken=x&token=y":   "y",
		"token=x#token=y":    "x#token=y",
		"token=%74&token=t":  "t",
		"viewer=a&token=b.c": "b.c",
	} {
		if got, err := FromQuery(query); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", query, got, err, want)
		}
	}
	for query, want := range map[string]error{"token=x&token=y": ErrSeveral, "token=x&jwt=y": ErrSeveral, "token=x&%74oken=y": ErrSeveral, "token=%zz": ErrForm} {
		if got, err := FromQuery(query); !errors.Is(err, want) || got != "" {
			t.Errorf("%q: %q, %v, want %v", query, got, err, want)
		}
	}
	if got := WithoutToken("a=b&token=x&%74kn=y&c"); got != "a=b&c" {
		t.Errorf("without its token the query is %q", got)
	}
}

func FuzzCheck(f *testing.F) {
	good := sign(f, NewSecret("2031", secret), Claims{ID: "a", App: "show", Streams: []string{"test"}, Expires: later, Once: true})
	for _, seed := range []string{good, good[:len(good)-1], "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", raw(f, `{"alg":"HS256"}`, `{"stream":["a"],"exp":1e9}`)} {
		f.Add(seed)
	}
	c := NewChecker([]Key{NewSecret("2031", secret)}, Options{})
	f.Fuzz(func(t *testing.T, token string) {
		fuzztime.Bound(t)
		got, err := c.Check(token)
		if (got == nil) == (err == nil) {
			t.Fatalf("%q: %v, %v", token, got, err)
		}
		if err == nil && (len(got.Streams) == 0 || got.Expires.IsZero()) {
			t.Errorf("%q: %+v is accepted", token, got)
		}
	})
}

// FuzzQuery: whatever net/url takes for the token is the token, and where it sees several,
// there is none.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"token=x", "a=b&token=x&token=y", "%74oken=%2e", "jwt=a&tkn=a", "token=%", "token=a;b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		fuzztime.Bound(t)
		got, err := FromQuery(query)
		if strings.Contains(query, ";") { // net/url refuses it, we take it for a letter
			return
		}
		values, badQuery := url.ParseQuery(query)
		seen := make(map[string]bool)
		for _, name := range parameters {
			for _, v := range values[name] {
				seen[v] = true
			}
		}
		delete(seen, "")
		switch {
		case badQuery != nil:
		case len(seen) > 1 && err == nil, len(seen) == 1 && !seen[got], len(seen) == 0 && got != "":
			t.Errorf("%q: got %q, %v; net/url has %v", query, got, err, seen)
		}
		if left, err := FromQuery(WithoutToken(query)); left != "" || err != nil {
			t.Errorf("%q without its token still has %q, %v", query, left, err)
		}
	})
}
