package value

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// RTMPURL is an absolute URL of rtmp or rtmps, with placeholders. It may hold a
// stream key, so it prints like a Secret; Reveal gives it.
type RTMPURL string

// Decode reads a string.
func (u *RTMPURL) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = Template(s).Check(Placeholders)
	}
	if err == nil {
		err = checkURL(s, "rtmp", "rtmps")
	}
	*u = RTMPURL(s)
	return err
}

// Encode is the URL itself.
func (u *RTMPURL) Encode() cty.Value { return encodeString(*u) }

// Kind is "rtmp url".
func (u *RTMPURL) Kind() string { return "rtmp url" }

// Example is a URL.
func (u *RTMPURL) Example() string { return `"rtmp://HOST/…"` }

// StandIn is a URL.
func (u *RTMPURL) StandIn(n int, _ Context) cty.Value { return hiddenURL("rtmp", n, "/live") }

// Reveal returns the URL itself. The caller must keep it out of logs and answers.
func (u RTMPURL) Reveal() string { return string(u) }

// String shows only that there is a URL.
func (u RTMPURL) String() string { return Secret(u).String() }

// GoString implements fmt.GoStringer for %#v.
func (u RTMPURL) GoString() string { return fmt.Sprintf("value.RTMPURL(%q)", u.String()) }

// Format hides the URL from every verb.
func (u RTMPURL) Format(f fmt.State, verb rune) { formatHidden(u, f, verb) }

// MarshalText hides the URL.
func (u RTMPURL) MarshalText() ([]byte, error) { return Secret(u).MarshalText() }

// MarshalJSON hides the URL.
func (u RTMPURL) MarshalJSON() ([]byte, error) { return Secret(u).MarshalJSON() }
