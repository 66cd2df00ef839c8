package lint

import (
	"slices"
	"strings"
	"testing"
)

// A clean playlist of each kind: nothing is to be found in them.
const (
	cleanMedia = `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:00.000Z
#EXTINF:6.000,
a-7.ts
#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:06.000Z
#EXTINF:5.960,
a-8.ts
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:15.000Z
#EXTINF:6.040,
a-9.ts
#EXTINF:6.400,title
a-10.ts
`
	cleanLow = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24.0,HOLD-BACK=12,PART-HOLD-BACK=3.0
#EXT-X-PART-INF:PART-TARGET=1.0
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:00.000Z
#EXTINF:4.0,
s100.mp4
#EXTINF:4.0,
s101.mp4
#EXTINF:4.0,
s102.mp4
#EXT-X-PART:DURATION=1.0,URI="s103.0.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=1.0,URI="s103.1.mp4"
#EXT-X-PART:DURATION=0.9,URI="s103.2.mp4"
#EXT-X-PART:DURATION=0.9,URI="s103.3.mp4"
#EXTINF:3.8,
s103.mp4
#EXT-X-PART:DURATION=1.0,URI="s104.0.mp4",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s104.1.mp4"
#EXT-X-RENDITION-REPORT:URI="../audio/a.m3u8",LAST-MSN=104,LAST-PART=0
`
	cleanMultivariant = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",AUTOSELECT=YES,CHANNELS="2",URI="de.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="CC",LANGUAGE="en",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=5000000,AVERAGE-BANDWIDTH=4000000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="a",CLOSED-CAPTIONS="c"
720.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1000000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.42c01e,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="a",CLOSED-CAPTIONS="c"
360.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,AVERAGE-BANDWIDTH=80000,CODECS="avc1.42c01e",RESOLUTION=640x360,URI="i.m3u8"
`
)

// seen gathers the rules that the cases of a test have shown.
type seen map[string]bool

// want is a finding: a rule and, where it is in a line, the line.
type want struct {
	rule string
	line int
}

// check fails the test unless faults are exactly one finding, or several of one rule.
func (s seen) check(t *testing.T, faults []fault, w want) {
	t.Helper()
	if w.rule == "" {
		for _, f := range faults {
			t.Errorf("found %s in line %d (%s): %s", f.rule, f.line, f.text, f.says)
		}
		return
	}
	s[w.rule] = true
	if len(faults) == 0 {
		t.Errorf("nothing found, want %s in line %d", w.rule, w.line)
	}
	for _, f := range faults {
		if f.rule != w.rule {
			t.Errorf("found %s in line %d (%s), want %s: %s", f.rule, f.line, f.text, w.rule, f.says)
		}
	}
	if len(faults) > 0 && faults[0].rule == w.rule && faults[0].line != w.line {
		t.Errorf("%s: line %d, want %d: %s", w.rule, faults[0].line, w.line, faults[0].says)
	}
	if rules := newCatalogue(); rules[w.rule] == nil {
		t.Errorf("there is no rule %s", w.rule)
	}
}

// edit replaces what is in text once: old, new, old, new…
func edit(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%q is not in the text", pair[0])
		}
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	return text
}

func TestEveryRuleIsShownByACase(t *testing.T) {
	t.Parallel()
	all := make(seen)
	showSyntax(t, all)
	showUpdates(t, all)
	showHTTP(t, all)
	showSegments(t, all)
	showFragments(t, all)
	showServers(t, all)
	showLow(t, all)
	showManifests(t, all)
	showDash(t, all)

	for _, r := range Rules() {
		if !all[r.ID] {
			t.Errorf("no case shows %s (%v, %s)", r.ID, r.Level, r.Clause)
		}
		if r.Clause == "" || r.Players == "" {
			t.Errorf("%s has no clause, or does not say what players do", r.ID)
		}
	}
	ids := make(seen)
	for _, r := range Rules() {
		if ids[r.ID] {
			t.Errorf("two rules are called %s", r.ID)
		}
		ids[r.ID] = true
	}
}
