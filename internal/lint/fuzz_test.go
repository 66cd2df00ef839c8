package lint

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Whatever a server sends as a playlist, and then as the next version of it, the faults
// are of rules that exist, in lines that exist, and bounded.
func FuzzPlaylist(f *testing.F) {
	for _, c := range syntaxCases {
		if len(c.base) < 10000 {
			f.Add([]byte(c.base), []byte(edit(f, c.base, c.edit...)))
		}
	}
	f.Add([]byte(cleanMedia), []byte(cleanLow))
	rules := newCatalogue()
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fuzztime.Bound(t)
		var old *mediaPlaylist
		for _, body := range [][]byte{first, second} {
			p := parsePlaylist(body)
			if m := p.media; m != nil && old != nil {
				checkUpdate(p.text, old, m)
			}
			faults := p.take()
			if len(faults) > maxFaults {
				t.Errorf("%d faults", len(faults))
			}
			for _, x := range faults {
				if rules[x.rule] == nil {
					t.Errorf("no rule %s", x.rule)
				}
				if x.line < 0 || x.line > len(p.text.lines)+1 {
					t.Errorf("%s in line %d of %d", x.rule, x.line, len(p.text.lines))
				}
			}
			if m := p.media; m != nil {
				if m.duration() < 0 || m.next() < m.sequence || m.target < 0 {
					t.Errorf("%v long, from %d to %d, target %v", m.duration(), m.sequence, m.next(), m.target)
				}
				old = m
			}
		}
	})
}

// Whatever a server sends as a segment, and then as the next one.
func FuzzSegment(f *testing.F) {
	ts := stream(f, 2, nil)
	f.Add(ts[0][:188*8], ts[1][:188*8])
	f.Add(packed(0), packed(90000))
	f.Add([]byte("WEBVTT\n"), []byte("\x00\x00\x00\x08moof"))
	rules := newCatalogue()
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fuzztime.Bound(t)
		m := parsePlaylist([]byte(listOf(2))).media
		var c segmentChecker
		for i, body := range [][]byte{first, second} {
			for _, x := range c.check(m.facts(), m.segments[i], body) {
				if rules[x.rule] == nil {
					t.Errorf("no rule %s", x.rule)
				}
			}
		}
		if c.sizes.peak < 0 || c.sizes.average() < 0 || c.frameRate < 0 || c.frameRate > 1e9 {
			t.Errorf("peak %v, average %v, %v frames a second", c.sizes.peak, c.sizes.average(), c.frameRate)
		}
	})
}

// Whatever a server sends as an initialization section and as a segment behind it.
func FuzzFragments(f *testing.F) {
	section, bodies := fmp4(f, 1, func(s *mediatest.Script) { s.GOP, s.Size = time.Second, 20 })
	f.Add(section, bodies[0][:min(len(bodies[0]), 1500)])
	f.Add(section, bodies[0])
	f.Add(section, based(bodies[0]))
	f.Add(initOf(f, hevc(f)), patch(bodies[0], "tfhd", 7, 2))
	rules := newCatalogue()
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fuzztime.Bound(t)
		m := parsePlaylist([]byte(listOf(2))).media
		var c segmentChecker
		m.segments[0].init, m.segments[1].init = &initTag{uri: "i", line: 1}, &initTag{uri: "i", line: 1}
		faults := c.takeInit(m.segments[0], first)
		for _, s := range m.segments {
			faults = append(faults, c.check(m.facts(), s, second)...)
		}
		for _, x := range faults {
			if rules[x.rule] == nil {
				t.Errorf("no rule %s", x.rule)
			}
		}
	})
}

// Whatever a server sends as a manifest, and then as its next version.
func FuzzMPD(f *testing.F) {
	for _, c := range mpdCases {
		f.Add([]byte(cleanMPD), []byte(edit(f, cleanMPD, c.edit...)))
	}
	rules := newCatalogue()
	f.Fuzz(func(t *testing.T, first, second []byte) {
		fuzztime.Bound(t)
		var old *mpd
		for _, body := range [][]byte{first, second} {
			m := parseMPD(body)
			if m.root != nil && old != nil {
				checkMPDUpdate(old, m)
			}
			for _, x := range m.take() {
				if rules[x.rule] == nil {
					t.Errorf("no rule %s", x.rule)
				}
				if x.line < 0 || x.line > len(m.text.lines)+1 {
					t.Errorf("%s in line %d of %d", x.rule, x.line, len(m.text.lines))
				}
			}
			if m.root == nil {
				return
			}
			old = m
			for _, p := range m.periods {
				for _, r := range p.reps {
					if r.template == nil {
						continue
					}
					n, last := 0, uint64(0)
					r.template.segments(func(s mpdSegment) bool {
						if n++; n > maxTimeline || s.duration == 0 {
							t.Errorf("segment %d lasts %d", n, s.duration)
						}
						last = s.time
						return n < 1000
					})
					if end, ok := r.end(); ok && n < 1000 && r.at(last) > end {
						t.Errorf("the last segment begins at %v, the end is %v", r.at(last), end)
					}
					if s, err := r.expand(r.template.media, mpdSegment{number: 7, time: 9}); err == nil && len(s) > 1<<17 {
						t.Errorf("a name of %d bytes", len(s))
					}
				}
			}
		}
	})
}

// Whatever an attribute list is, its reading ends, and its parts are parts of it.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{`A=1,B="x,y",C=YES`, `A="`, `=`, `,`, `A=1,`, `A="b"c,D=2`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		fuzztime.Bound(t)
		for rest := list; rest != ""; {
			a, next := nextAttribute(rest)
			if len(next) >= len(rest) {
				t.Fatalf("%q is followed by %q", rest, next)
			}
			if len(a.name)+len(a.value) > len(rest) {
				t.Errorf("%q: %q, %q", rest, a.name, a.value)
			}
			rest = next
		}
		if d, ok := parseSeconds(list); ok && (d < 0 || d > (maxSeconds+1)*time.Second) {
			t.Errorf("%q is %v", list, d)
		}
	})
}
