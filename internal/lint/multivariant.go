package lint

import (
	"slices"
	"strconv"
	"strings"
)

// A multivariantPlaylist lists playlists (RFC 8216 §4.3.4).
type multivariantPlaylist struct {
	variants    []*variant
	renditions  []rendition
	independent bool

	sessionKeys map[string]int
	sessionData map[string]int
}

// A variant is EXT-X-STREAM-INF or EXT-X-I-FRAME-STREAM-INF.
type variant struct {
	line          int
	uriLine       int
	uri           string
	iFrames       bool
	attrs         attributes
	bandwidth     uint64
	average       uint64
	codecs        []string
	width, height uint64
	frameRate     float64
	pathway       string
}

// A rendition is EXT-X-MEDIA.
type rendition struct {
	line             int
	kind, group, uri string
	name             string
	attrs            attributes
}

const (
	maxVariants   = 1000
	maxRenditions = 1000
)

// readMultivariant builds the playlist from its tags.
func (t *text) readMultivariant(tags []tag) *multivariantPlaylist {
	p := &multivariantPlaylist{sessionKeys: map[string]int{}, sessionData: map[string]int{}}
	var open *variant // a STREAM-INF whose URI is to come
	for i := range tags {
		g := &tags[i]
		if open != nil && g.name != "" {
			t.fault("variant-uri", open.line, "no URI follows it")
			open = nil
		}
		switch g.name {
		case "":
			if open == nil {
				t.fault("variant-uri", g.line, "no EXT-X-STREAM-INF stands before the URI")
				continue
			}
			open.uri, open.uriLine, open = g.value, g.line, nil
		case "EXT-X-VERSION":
			t.version, t.versionLine = g.integer(), g.line
		case "EXT-X-INDEPENDENT-SEGMENTS":
			p.independent = true
		case "EXT-X-STREAM-INF", "EXT-X-I-FRAME-STREAM-INF":
			if len(p.variants) < maxVariants {
				v := readVariant(g)
				p.variants = append(p.variants, v)
				if !v.iFrames {
					open = v
				}
			}
		case "EXT-X-MEDIA":
			if len(p.renditions) < maxRenditions {
				p.renditions = append(p.renditions, rendition{
					line: g.line, kind: g.attrs["TYPE"], group: g.attrs["GROUP-ID"], uri: g.attrs["URI"], name: g.attrs["NAME"], attrs: g.attrs,
				})
			}
		case "EXT-X-SESSION-DATA":
			t.readSessionData(p, g)
		case "EXT-X-SESSION-KEY":
			t.readSessionKey(p, g)
		}
	}
	if open != nil {
		t.fault("variant-uri", open.line, "no URI follows it")
	}
	return p
}

func readVariant(g *tag) *variant {
	v := &variant{line: g.line, attrs: g.attrs, iFrames: g.name == "EXT-X-I-FRAME-STREAM-INF", pathway: g.attrs["PATHWAY-ID"]}
	v.bandwidth, _ = parseInteger(g.attrs["BANDWIDTH"])
	v.average, _ = parseInteger(g.attrs["AVERAGE-BANDWIDTH"])
	v.width, v.height, _ = parseResolution(g.attrs["RESOLUTION"])
	if d, ok := parseSeconds(g.attrs["FRAME-RATE"]); ok {
		v.frameRate = d.Seconds()
	}
	for c := range strings.SplitSeq(g.attrs["CODECS"], ",") {
		if c = strings.TrimSpace(c); c != "" && len(v.codecs) < maxAttributes {
			v.codecs = append(v.codecs, c)
		}
	}
	if v.iFrames {
		v.uri, v.uriLine = g.attrs["URI"], g.line
	}
	return v
}

func (t *text) readSessionData(p *multivariantPlaylist, g *tag) {
	_, value := g.attrs["VALUE"]
	_, uri := g.attrs["URI"]
	if value == uri {
		t.fault("session-data", g.line, "it has either a VALUE or a URI")
	}
	key := g.attrs["DATA-ID"] + "\x00" + g.attrs["LANGUAGE"]
	if before := p.sessionData[key]; before > 0 {
		t.fault("session-data", g.line, "line %d has this DATA-ID and LANGUAGE already", before)
	}
	p.sessionData[key] = g.line
}

func (t *text) readSessionKey(p *multivariantPlaylist, g *tag) {
	if g.attrs["METHOD"] == "NONE" {
		t.fault("session-key", g.line, "METHOD is not NONE here")
		return
	}
	var all []string
	for _, name := range [...]string{"METHOD", "URI", "IV", "KEYFORMAT", "KEYFORMATVERSIONS"} {
		all = append(all, g.attrs[name])
	}
	key := strings.Join(all, "\x00")
	if before := p.sessionKeys[key]; before > 0 {
		t.fault("session-key", g.line, "line %d has the same key", before)
	}
	p.sessionKeys[key] = g.line
}

// checkMultivariant holds a multivariant playlist against what it has to be.
func checkMultivariant(t *text, p *multivariantPlaylist) {
	groups := make(map[[2]string]int)
	for _, r := range p.renditions {
		groups[[2]string{r.kind, r.group}] = r.line
	}
	if len(p.variants) == 0 {
		t.fault("variant-none", 0, "it has no EXT-X-STREAM-INF")
	}
	captions, none := 0, 0
	for _, v := range p.variants {
		checkVariant(t, v)
		for _, kind := range [...]string{"AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"} {
			group, ok := v.attrs[kind]
			if !ok || group == "" || kind == "CLOSED-CAPTIONS" && group == "NONE" {
				continue
			}
			if groups[[2]string{kind, group}] == 0 {
				t.fault("group-missing", v.line, "there is no EXT-X-MEDIA with TYPE=%s and GROUP-ID=%s", kind, quote(group))
			}
		}
		if v.iFrames {
			continue
		}
		switch cc, ok := v.attrs["CLOSED-CAPTIONS"]; {
		case !ok:
			t.fault("captions-unknown", v.line, "there is no CLOSED-CAPTIONS, which is NONE where there are none")
		case cc == "NONE":
			none = v.line
		default:
			captions = v.line
		}
	}
	if none > 0 && captions > 0 {
		t.fault("captions-none", none, "it is NONE here and not in line %d", captions)
	}
	checkScores(t, p)
	checkRenditions(t, p)
}

// checkScores: all or none.
func checkScores(t *text, p *multivariantPlaylist) {
	with, without := 0, 0
	for _, v := range p.variants {
		if _, ok := v.attrs["SCORE"]; ok {
			with = v.line
		} else if !v.iFrames {
			without = v.line
		}
	}
	if with > 0 && without > 0 {
		t.fault("score", without, "line %d has a SCORE, this has none", with)
	}
}

// checkVariant is about one EXT-X-STREAM-INF.
func checkVariant(t *text, v *variant) {
	if v.attrs["BANDWIDTH"] == "0" {
		t.fault("bandwidth-zero", v.line, "BANDWIDTH is 0")
	}
	if v.average > v.bandwidth && v.bandwidth > 0 {
		t.fault("average-above-peak", v.line, "AVERAGE-BANDWIDTH is %d, BANDWIDTH %d", v.average, v.bandwidth)
	}
	if _, ok := v.attrs["CODECS"]; !ok {
		t.fault("codecs-missing", v.line, "there is no CODECS")
	}
	for _, c := range v.codecs {
		if !isCodec(c) {
			t.fault("codecs-syntax", v.line, "%s is no name of RFC 6381", quote(c))
		}
	}
	if _, ok := v.attrs["AVERAGE-BANDWIDTH"]; !ok {
		t.fault("average-missing", v.line, "there is no AVERAGE-BANDWIDTH")
	}
	if !hasVideo(v) {
		return
	}
	if _, ok := v.attrs["RESOLUTION"]; !ok {
		t.fault("resolution-missing", v.line, "there is no RESOLUTION")
	}
	if _, ok := v.attrs["FRAME-RATE"]; !ok && !v.iFrames {
		t.fault("frame-rate-missing", v.line, "there is no FRAME-RATE")
	}
}

// hasVideo guesses from what a variant says of itself.
func hasVideo(v *variant) bool {
	if v.width > 0 || v.iFrames {
		return true
	}
	return slices.ContainsFunc(v.codecs, isVideoCodec)
}

func isVideoCodec(c string) bool {
	name, _, _ := strings.Cut(c, ".")
	return slices.Contains([]string{"avc1", "avc3", "hvc1", "hev1", "av01", "vp08", "vp09", "dvh1", "dvhe", "dva1", "dvav", "vvc1", "mjpg", "mp4v"}, name)
}

// isCodec checks the form of a name of RFC 6381, and what avc1 and mp4a need.
func isCodec(c string) bool {
	name, rest, dotted := strings.Cut(c, ".")
	if len(name) != 4 || strings.ContainsFunc(c, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return false
	}
	switch name {
	case "avc1", "avc3":
		if _, err := strconv.ParseUint(rest, 16, 32); err == nil && len(rest) == 6 {
			return true
		}
		// avc1.66.30: the form before RFC 6381, which players still read.
		return false
	case "mp4a", "hvc1", "hev1", "av01", "vp09":
		return dotted && rest != ""
	}
	return true
}

// checkRenditions is about EXT-X-MEDIA and its groups (RFC 8216 §4.3.4.1.1).
func checkRenditions(t *text, p *multivariantPlaylist) {
	type key struct{ kind, group, name string }
	names := make(map[key]int)
	defaults := make(map[key]int)
	members := make(map[key][]string)
	var order []key
	for _, r := range p.renditions {
		checkRendition(t, &r)
		group := key{kind: r.kind, group: r.group}
		named := key{r.kind, r.group, r.name}
		if before := names[named]; before > 0 {
			t.fault("group-name", r.line, "line %d has the NAME %s in the same group already", before, quote(r.name))
		}
		names[named] = r.line
		if r.attrs["DEFAULT"] == "YES" {
			if before := defaults[group]; before > 0 {
				t.fault("group-default", r.line, "line %d is the default of the group already", before)
			}
			defaults[group] = r.line
		}
		if members[group] == nil {
			order = append(order, group)
		}
		members[group] = append(members[group], r.name)
	}
	first := make(map[string]key)
	for _, g := range order {
		other, ok := first[g.kind]
		if !ok {
			first[g.kind] = g
			continue
		}
		a, b := slices.Sorted(slices.Values(members[other])), slices.Sorted(slices.Values(members[g]))
		if !slices.Equal(a, b) {
			t.fault("group-members", names[key{g.kind, g.group, members[g][0]}], "the groups %s and %s of TYPE=%s do not have the same members", quote(other.group), quote(g.group), g.kind)
		}
	}
}

// checkRendition is about one EXT-X-MEDIA.
func checkRendition(t *text, r *rendition) {
	if r.kind == "CLOSED-CAPTIONS" {
		if _, ok := r.attrs["URI"]; ok {
			t.fault("rendition", r.line, "closed captions are in the video, there is no URI")
		}
		if id := r.attrs["INSTREAM-ID"]; !isCaptionID(id) {
			t.fault("rendition", r.line, "the INSTREAM-ID of closed captions is CC1 to CC4 or SERVICE1 to SERVICE63, not %s", quote(id))
		} else if strings.HasPrefix(id, "SERVICE") {
			t.require(7, r.line, "INSTREAM-ID=SERVICE")
		}
	}
	if _, ok := r.attrs["URI"]; r.kind == "SUBTITLES" && !ok {
		t.fault("rendition", r.line, "subtitles have a URI")
	}
	if _, ok := r.attrs["FORCED"]; ok && r.kind != "SUBTITLES" {
		t.fault("rendition", r.line, "only subtitles have FORCED")
	}
	if r.attrs["DEFAULT"] == "YES" && r.attrs["AUTOSELECT"] == "NO" {
		t.fault("rendition", r.line, "with DEFAULT=YES, AUTOSELECT is YES")
	}
	if _, ok := r.attrs["CHANNELS"]; r.kind == "AUDIO" && !ok {
		t.fault("channels-missing", r.line, "there is no CHANNELS")
	}
}

func isCaptionID(s string) bool {
	if n, ok := strings.CutPrefix(s, "SERVICE"); ok {
		i, err := strconv.Atoi(n)
		return err == nil && i >= 1 && i <= 63
	}
	return len(s) == 3 && s[:2] == "CC" && s[2] >= '1' && s[2] <= '4'
}
