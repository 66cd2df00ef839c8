// Package cmcd reads what players say of themselves with their requests: Common Media
// Client Data (CTA-5004, and its version 2), in the query or in headers, and keeps how the
// viewers of a stream fare. Nothing is set or kept in a player.
//
//	?CMCD=bl%3D4200%2Cbs%2Cltc%3D5100%2Cmtp%3D4800%2Csid%3D%22…%22%2Cv%3D2
//	CMCD-Request: bl=4200,mtp=4800   CMCD-Status: bs   CMCD-Session: sid="…",v=1
package cmcd

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Parameter is what the data is called in a query.
const Parameter = "CMCD"

// Headers are the headers that have it otherwise, by which a key changes how often.
var Headers = []string{"Cmcd-Request", "Cmcd-Object", "Cmcd-Status", "Cmcd-Session"}

// maxText bounds what is read of one request: a player says some 400 bytes.
const maxText = 4096

// Bounds of what is believed: beyond, a figure is a mistake or a lie.
const (
	maxTime       = 24 * time.Hour
	maxThroughput = 100e9 // bits/s
)

// A Report is what one request says. What is 0 was not said.
type Report struct {
	Session    string        // sid: a player's session with a stream
	Buffer     time.Duration // bl: what is buffered
	Throughput float64       // mtp, bits/s
	Latency    time.Duration // ltc (version 2): how far it is behind the encoder
	Starved    bool          // bs: the buffer ran empty before this request
	Waiting    time.Duration // bsd (version 2): for how long
	Startup    bool          // su: it has not enough to play on
}

// FromQuery reads a query; ok is false if it has none of the data.
func FromQuery(query string) (r Report, ok bool) {
	for part := range strings.SplitSeq(query, "&") {
		text, is := strings.CutPrefix(part, Parameter+"=")
		if !is || len(text) > maxText {
			continue
		}
		plain, err := url.QueryUnescape(text)
		if err != nil {
			continue
		}
		r.Add(plain)
		ok = true
	}
	return r, ok
}

// Strip takes the data out of a query: it says nothing of what is asked for.
func Strip(query string) string {
	if !strings.Contains(query, Parameter+"=") {
		return query
	}
	kept := make([]string, 0, 4)
	for part := range strings.SplitSeq(query, "&") {
		if !strings.HasPrefix(part, Parameter+"=") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// Add reads keys and values (a dictionary of RFC 8941 §3.2, as far as players keep to it):
//
//	key | key=value, value: 4200 | 2.5 | "text" | token | (4200;v 3800;a), and ;parameters
//
// What can't be read is passed over.
func (r *Report) Add(text string) {
	if len(text) > maxText {
		text = text[:maxText]
	}
	for text != "" {
		var item string
		item, text = cutItem(text)
		key, value, has := strings.Cut(strings.TrimSpace(item), "=")
		if !has {
			key, _, _ = strings.Cut(key, ";")
			value = "?1" // a flag
		}
		r.set(strings.TrimSpace(key), strings.TrimSpace(value))
	}
}

// cutItem cuts text at the first comma that is in no string and no list.
func cutItem(text string) (item, rest string) {
	quoted, depth := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ',' && depth == 0:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

func (r *Report) set(key, value string) {
	switch key {
	case "sid":
		r.Session = textOf(value)
	case "bl":
		r.Buffer = milliseconds(value)
	case "mtp":
		if n, ok := number(value); ok && n*1000 <= maxThroughput {
			r.Throughput = n * 1000
		}
	case "ltc":
		r.Latency = milliseconds(value)
	case "bsd":
		r.Waiting = milliseconds(value)
	case "bs":
		r.Starved = isTrue(value)
	case "su":
		r.Startup = isTrue(value)
	}
}

func isTrue(value string) bool { return value == "?1" || value == "true" || value == "1" }

// maxSession is how long a session id may be (CTA-5004: at most 64).
const maxSession = 64

// textOf is a string or token, without what players may not say in one.
func textOf(value string) string {
	if len(value) >= 2 && value[0] == '"' {
		end := strings.IndexByte(value[1:], '"')
		if end < 0 {
			return ""
		}
		value = value[1 : 1+end]
	} else {
		value, _, _ = strings.Cut(value, ";")
	}
	if len(value) > maxSession {
		return ""
	}
	return value
}

// milliseconds is a time; 0: none that can be.
func milliseconds(value string) time.Duration {
	n, ok := number(value)
	if d := n * float64(time.Millisecond); ok && d <= float64(maxTime) {
		return time.Duration(d)
	}
	return 0
}

// number is a number that is not negative. Of a list it is that of the video (;v), else the
// first one.
func number(value string) (n float64, ok bool) {
	if list, is := strings.CutPrefix(value, "("); is {
		list, _, _ = strings.Cut(list, ")")
		for i, item := range strings.Fields(list) {
			v, has := plain(item)
			if has && (i == 0 || strings.HasSuffix(item, ";v")) {
				n, ok = v, true
			}
		}
		return n, ok
	}
	return plain(value)
}

func plain(value string) (n float64, ok bool) {
	value, _, _ = strings.Cut(value, ";")
	if value == "" || value[0] < '0' || value[0] > '9' || len(value) > 16 {
		return 0, false
	}
	n, err := strconv.ParseFloat(value, 64)
	return n, err == nil
}
