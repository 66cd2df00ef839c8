package lint

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a playlist. A day of segments of 2 s with their dates has 130000 lines.
const (
	maxPlaylist = 8 << 20 // bytes
	maxLines    = 300000
	maxSegments = 100000
	maxFaults   = 200 // of one text
)

// A text is a playlist while it is read.
type text struct {
	lines  []string
	faults []fault

	version     uint64
	versionLine int
	needs       need // the highest version that something needs
}

// A need is why a playlist needs a compatibility version.
type need struct {
	version int
	line    int
	why     string
}

func (t *text) require(version, line int, why string) {
	if version > t.needs.version {
		t.needs = need{version, line, why}
	}
}

// fault notes a violated rule in a line; line 0 is the playlist as a whole.
func (t *text) fault(rule string, line int, format string, args ...any) {
	t.faultIn("", rule, line, format, args...)
}

// faultIn is fault for a rule of several clauses.
func (t *text) faultIn(clause, rule string, line int, format string, args ...any) {
	if len(t.faults) >= maxFaults {
		return
	}
	f := fault{rule: rule, line: line, says: fmt.Sprintf(format, args...), clause: clause}
	if line > 0 && line <= len(t.lines) {
		f.text = clip(t.lines[line-1])
	}
	t.faults = append(t.faults, f)
}

// A playlist is what was read: media or multivariant is nil, or both are if it is none.
type playlist struct {
	text         *text
	media        *mediaPlaylist
	multivariant *multivariantPlaylist
}

// take returns the faults that were noted since the last call.
func (p *playlist) take() []fault {
	f := p.text.faults
	p.text.faults = nil
	return f
}

// parsePlaylist reads a playlist and checks all that it can without looking elsewhere.
// Its faults are noted in text.
func parsePlaylist(body []byte) playlist {
	t := &text{}
	p := playlist{text: t}
	if !t.split(body) {
		return p
	}
	tags := t.readTags()
	kinds := [4]int{} // the first line of a tag of each place
	for i := range tags {
		if g := &tags[i]; g.spec != nil && kinds[g.spec.place] == 0 {
			kinds[g.spec.place] = g.line
		}
	}
	first := kinds[inMedia]
	if first == 0 || kinds[inSegment] > 0 && kinds[inSegment] < first {
		first = kinds[inSegment]
	}
	switch {
	case kinds[multivariant] > 0 && first > 0:
		t.fault("tags-mixed", max(first, kinds[multivariant]), "a multivariant playlist has no tags of media playlists (line %d) and the other way round (line %d)",
			first, kinds[multivariant])
		return p
	case kinds[multivariant] > 0:
		p.multivariant = t.readMultivariant(tags)
		checkMultivariant(t, p.multivariant)
	default:
		p.media = t.readMedia(tags)
		checkMedia(t, p.media)
	}
	t.checkVersion(p)
	return p
}

// split cuts body into lines and checks its characters.
func (t *text) split(body []byte) bool {
	if rest, ok := bytes.CutPrefix(body, []byte("\ufeff")); ok {
		t.fault("byte-order-mark", 1, "it begins with a byte order mark")
		body = rest
	}
	whole := string(body)
	for n := 1; whole != ""; n++ {
		if n > maxLines {
			t.fault("too-long", n, "only the first %d lines are read", maxLines)
			break
		}
		var line string
		line, whole, _ = strings.Cut(whole, "\n")
		t.lines = append(t.lines, strings.TrimSuffix(line, "\r"))
	}
	if len(t.lines) == 0 || t.lines[0] != "#EXTM3U" {
		first := ""
		if len(t.lines) > 0 {
			first = t.lines[0]
		}
		t.fault("first-line", 1, "the first line is %s, not #EXTM3U", quote(first))
		if !strings.HasPrefix(strings.TrimSpace(first), "#EXTM3U") {
			return false
		}
		t.lines[0] = "#EXTM3U"
	}
	for i, line := range t.lines {
		switch {
		case !utf8.ValidString(line):
			t.fault("utf-8", i+1, "it is not UTF-8")
		case strings.ContainsFunc(line, isControl):
			t.fault("control-character", i+1, "it has a control character")
		case !norm.NFC.IsNormalString(line):
			t.fault("not-normalized", i+1, "it is not in Unicode normalization form C")
		}
	}
	return true
}

// isControl is true of U+0000 to U+001F and U+007F to U+009F. The tabs in
// RECENTLY-REMOVED-DATERANGES are allowed (rfc8216bis §4.4.5.2).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r <= 0x9f }

// A tag is a line of a playlist that says something: a tag, or a URI without a name.
type tag struct {
	line  int
	name  string // without #; empty: a URI
	value string // behind the colon; the URI
	spec  *tagSpec
	attrs attributes
}

// readTags reads all lines. Comments, empty lines and tags that nobody knows are left
// out, as players do.
func (t *text) readTags() (tags []tag) {
	seen := make(map[string]int)
	for i, line := range t.lines {
		n := i + 1
		if strings.TrimSpace(line) == "" {
			continue
		}
		if !strings.HasPrefix(line, "#") {
			if strings.TrimSpace(line) != line || strings.ContainsAny(line, " \t") {
				t.fault("whitespace", n, "a URI has no spaces")
			}
			tags = append(tags, tag{line: n, value: strings.TrimSpace(line)})
			continue
		}
		if !strings.HasPrefix(line, "#EXT") {
			continue
		}
		name, value, colon := strings.Cut(line[1:], ":")
		if trimmed := strings.TrimRight(name, " \t"); trimmed != name {
			t.fault("whitespace", n, "a space after the name of a tag")
			name = trimmed
		}
		spec, known := tagSpecs[name]
		if !known {
			continue
		}
		g := tag{line: n, name: name, value: value, spec: &spec}
		if before := seen[name]; spec.once && before > 0 {
			t.faultIn(spec.clause, "tag-twice", n, "there is one in line %d already", before)
			continue
		}
		seen[name] = n
		if t.checkValue(&g, colon) {
			tags = append(tags, g)
		}
	}
	return tags
}

// checkValue reads the value of a tag; false: the tag can't be used.
func (t *text) checkValue(g *tag, colon bool) bool {
	spec := g.spec
	trimmed := strings.TrimSpace(g.value)
	if g.name != "EXTINF" && spec.value != attributeList && trimmed != g.value {
		t.fault("whitespace", g.line, "a space around the value of a tag")
		g.value = trimmed
	}
	switch {
	case spec.value == nothing:
		if colon {
			t.faultIn(spec.clause, "tag-value", g.line, "%s has no value", g.name)
		}
		return true
	case trimmed == "" && g.name != "EXTINF":
		t.faultIn(spec.clause, "tag-value", g.line, "%s has a value", g.name)
		return false
	case spec.value == integer:
		if _, ok := parseInteger(g.value); !ok {
			t.faultIn(spec.clause, "tag-value", g.line, "%s is %s, not %s", g.name, valueNames[integer], quote(g.value))
			return false
		}
	case spec.value == attributeList:
		if strings.HasPrefix(g.value, " ") {
			t.fault("whitespace", g.line, "a space before the attributes of a tag")
		}
		g.attrs = t.readAttributes(g.line, g.name, trimmed, spec)
		if g.name == "EXT-X-STREAM-INF" {
			return true // its URI is there all the same
		}
		for _, a := range spec.attrs {
			if _, ok := g.attrs[a.name]; a.required && !ok {
				return false
			}
		}
	}
	return true
}

// integer is the value of a tag that checkValue has found to be one.
func (g *tag) integer() uint64 {
	n, _ := parseInteger(g.value)
	return n
}

// checkVersion holds EXT-X-VERSION against what the playlist has in it (RFC 8216 §7).
func (t *text) checkVersion(p playlist) {
	declared := int(min(max(t.version, 1), 1000))
	if t.needs.version > declared {
		t.fault("version-too-low", t.needs.line, "%s needs version %d, EXT-X-VERSION is %d", t.needs.why, t.needs.version, declared)
	}
	highest := max(t.needs.version, 1)
	if m := p.media; m != nil && m.control.canSkip > 0 {
		// Its delta updates need more, and players compare them with it.
		highest = max(highest, 10)
	}
	// That of a multivariant playlist may be about the playlists that it names.
	if p.media != nil && t.versionLine > 0 && declared > highest && t.version > 3 {
		t.fault("version-too-high", t.versionLine, "nothing in the playlist needs more than version %d", highest)
	}
}
