package lint

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"
)

// Bounds of a manifest.
const (
	maxNodes     = 400000 // elements
	maxNodeDepth = 32
	maxNodeAttrs = 100
	mpdNamespace = "urn:mpeg:dash:schema:mpd:2011"
)

// A node is an element of a manifest.
type node struct {
	name     string // without its namespace; foreign elements are left out
	line     int
	attrs    []xml.Attr
	children []*node
	text     strings.Builder
}

func (n *node) attr(name string) (string, bool) {
	for i := range n.attrs {
		if n.attrs[i].Name.Local == name && n.attrs[i].Name.Space == "" {
			return n.attrs[i].Value, true
		}
	}
	return "", false
}

func (n *node) value(name string) string {
	v, _ := n.attr(name)
	return v
}

// all are the children of a name.
func (n *node) all(name string) (out []*node) {
	for _, c := range n.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// first is the first child of a name; nil: there is none.
func (n *node) first(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// readXML reads a manifest's elements; nil: it can't be read. Entities of a document's
// own are an error for encoding/xml, so nothing grows.
func (t *text) readXML(body []byte) *node {
	for line := range bytes.Lines(body) {
		if len(t.lines) == maxLines {
			break
		}
		t.lines = append(t.lines, strings.TrimRight(string(line), "\r\n"))
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("it is not UTF-8") }
	var open []*node
	var root *node
	skip, count := 0, 0
	for {
		line, _ := d.InputPos()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			at, _ := d.InputPos()
			says := err.Error()
			if x := new(xml.SyntaxError); errors.As(err, &x) {
				at, says = x.Line, x.Msg
			}
			t.fault("mpd-xml", at, "%s", says)
			return nil
		}
		switch x := token.(type) {
		case xml.StartElement:
			if skip > 0 || x.Name.Space != mpdNamespace && len(open) > 0 {
				skip++ // of another namespace: players pass over it
				continue
			}
			if count++; count > maxNodes || len(open) == maxNodeDepth {
				t.fault("too-long", line, "only the first %d elements are read, %d deep", maxNodes, maxNodeDepth)
				return root
			}
			n := &node{name: x.Name.Local, line: line, attrs: x.Attr[:min(len(x.Attr), maxNodeAttrs)]}
			t.checkAttrs(n)
			if len(open) == 0 {
				root = n
				if x.Name.Local != "MPD" || x.Name.Space != mpdNamespace {
					t.fault("mpd-xml", line, "the first element is %s of %s, not MPD of %s", quote(x.Name.Local), quote(x.Name.Space), mpdNamespace)
					return nil
				}
			} else {
				last := open[len(open)-1]
				last.children = append(last.children, n)
			}
			open = append(open, n)
		case xml.EndElement:
			if skip > 0 {
				skip--
			} else {
				open = open[:len(open)-1]
			}
		case xml.CharData:
			if n := len(open); n > 0 && skip == 0 && open[n-1].text.Len()+len(x) <= maxText*10 {
				open[n-1].text.Write(x)
			}
		}
	}
	if root == nil {
		t.fault("mpd-xml", 1, "it has no element")
	}
	return root
}

// checkAttrs: an attribute stands once (XML 1.0 §3.1), which encoding/xml does not check.
func (t *text) checkAttrs(n *node) {
	for i, a := range n.attrs {
		for _, b := range n.attrs[:i] {
			if a.Name == b.Name {
				t.fault("mpd-xml", n.line, "%s has %s twice", n.name, quote(a.Name.Local))
			}
		}
	}
}

// duration reads an xs:duration attribute; false: it is not there, or none.
func (t *text) duration(n *node, name string) (time.Duration, bool) {
	s, ok := n.attr(name)
	if !ok {
		return 0, false
	}
	d, ok := parseXSDuration(s)
	if !ok {
		t.fault("mpd-value", n.line, "%s@%s is a duration as PT1M2.5S, not %s", n.name, name, quote(s))
	}
	return d, ok
}

// parseXSDuration reads PnYnMnDTnHnMnS. A year counts 365 days, a month 30.
func parseXSDuration(s string) (time.Duration, bool) {
	s, ok := strings.CutPrefix(s, "P")
	if !ok || s == "" || strings.HasSuffix(s, "T") {
		return 0, false
	}
	const day = 24 * time.Hour
	units := []struct {
		letter byte
		length time.Duration
	}{{'Y', 365 * day}, {'M', 30 * day}, {'D', day}, {'T', 0}, {'H', time.Hour}, {'M', time.Minute}, {'S', time.Second}}
	var sum time.Duration
	for next := 0; s != ""; {
		if s[0] == 'T' {
			if next > 3 {
				return 0, false
			}
			s, next = s[1:], 4
			continue
		}
		i := strings.IndexAny(s, "YMDHS")
		if i <= 0 {
			return 0, false
		}
		limit := 3
		if next > 3 {
			limit = len(units)
		}
		for next < limit && units[next].letter != s[i] {
			next++
		}
		if next >= limit {
			return 0, false
		}
		n, ok := parseSeconds(s[:i])
		if !ok || n > 1e6*time.Second && units[next].length > time.Second || strings.Contains(s[:i], ".") && s[i] != 'S' {
			return 0, false
		}
		most := time.Duration(maxSeconds) * time.Second
		if whole := n / time.Second; units[next].length > time.Second && whole > most/units[next].length {
			return 0, false
		}
		if units[next].length == time.Second {
			sum += n
		} else {
			sum += n / time.Second * units[next].length
		}
		if sum > most {
			return 0, false
		}
		s, next = s[i+1:], next+1
	}
	return sum, true
}

// instant reads an xs:dateTime attribute. Without a time zone it is UTC.
func (t *text) instant(n *node, name string) (time.Time, bool) {
	s, ok := n.attr(name)
	if !ok {
		return time.Time{}, false
	}
	at, ok := parseXSTime(s)
	if !ok {
		t.fault("mpd-value", n.line, "%s@%s is a time as 2026-11-30T08:00:00.5Z, not %s", n.name, name, quote(s))
	}
	return at, ok
}

func parseXSTime(s string) (time.Time, bool) {
	for _, layout := range [...]string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// number reads an unsigned integer attribute; otherwise is what it is when it is absent.
func (t *text) number(n *node, name string, otherwise uint64) uint64 {
	s, ok := n.attr(name)
	if !ok {
		return otherwise
	}
	v, ok := parseInteger(s)
	if !ok || v > 1<<62 {
		t.fault("mpd-value", n.line, "%s@%s is a number, not %s", n.name, name, quote(s))
		return otherwise
	}
	return v
}

// required notes attributes that are missing.
func (t *text) required(n *node, clause string, names ...string) {
	for _, name := range names {
		if _, ok := n.attr(name); !ok {
			t.faultIn(clause, "mpd-missing", n.line, "%s has no %s", n.name, name)
		}
	}
}
