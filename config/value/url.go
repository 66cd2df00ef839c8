package value

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// URL is an absolute URL of http or https. It may hold a password, so it prints
// like a Secret; Reveal gives it.
type URL string

// Decode reads a string.
func (u *URL) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = checkURL(s, "http", "https")
	}
	*u = URL(s)
	return err
}

// Encode is the URL itself.
func (u *URL) Encode() cty.Value { return encodeString(*u) }

// Kind is "url".
func (u *URL) Kind() string { return "url" }

// Example is a URL.
func (u *URL) Example() string { return `"http://127.0.0.1:5000/hook"` }

// StandIn is a URL.
func (u *URL) StandIn(n int, _ Context) cty.Value { return hiddenURL("http", n, "") }

// Reveal returns the URL itself. The caller must keep it out of logs and answers.
func (u URL) Reveal() string { return string(u) }

// String shows only that there is a URL.
func (u URL) String() string { return Secret(u).String() }

// GoString implements fmt.GoStringer for %#v.
func (u URL) GoString() string { return fmt.Sprintf("value.URL(%q)", u.String()) }

// Format hides the URL from every verb.
func (u URL) Format(f fmt.State, verb rune) { formatHidden(u, f, verb) }

// MarshalText hides the URL.
func (u URL) MarshalText() ([]byte, error) { return Secret(u).MarshalText() }

// MarshalJSON hides the URL.
func (u URL) MarshalJSON() ([]byte, error) { return Secret(u).MarshalJSON() }

// BaseURLs are the URLs that a server is reached at: no user, query or fragment,
// no slash at the end.
type BaseURLs []string

// Decode reads a list, or one string.
func (u *BaseURLs) Decode(v cty.Value, _ Context) error {
	list, err := decodeList[string](v, true, func(s string) (string, error) {
		if err := checkURL(s, "http", "https"); err != nil {
			return s, err
		}
		if strings.ContainsAny(s, "?#@") {
			return s, errors.New("a public URL has neither user, query nor fragment")
		}
		return strings.TrimSuffix(s, "/"), nil
	})
	*u = list
	return err
}

// Encode is the list.
func (u *BaseURLs) Encode() cty.Value { return encodeList(*u, text[string]) }

// Kind is "urls".
func (u *BaseURLs) Kind() string { return "urls" }

// Example is a list of a URL.
func (u *BaseURLs) Example() string { return `["https://live.example.org"]` }

// StandIn is a URL.
func (u *BaseURLs) StandIn(n int, _ Context) cty.Value { return hiddenURL("http", n, "") }

// isURL distinguishes a URL from a path or a command.
func isURL(s string) bool { return strings.Contains(s, "://") }

// checkURL wants an absolute URL. The error never shows it: it may hold a password.
func checkURL(s string, schemes ...string) error {
	write := fmt.Errorf("a URL is wanted here: write \"%s://HOST/…\"", strings.Join(schemes, "://HOST/…\" or \""))
	u, err := url.Parse(strings.ReplaceAll(s, "$", "x"))
	if err != nil || u.Host == "" || u.Hostname() == "" || strings.ContainsAny(s, " \t\r\n") {
		return write
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return nil
		}
	}
	return write
}

func hiddenURL(scheme string, n int, path string) cty.Value {
	return cty.StringVal(fmt.Sprintf("%s://hidden-%d%s", scheme, n, path))
}
