package lint

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// cleanMPD is a live manifest in which nothing is to be found. The stream began at 0 of
// the media and of the presentation.
const cleanMPD = `<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:x="urn:other" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic"
 availabilityStartTime="2026-11-30T08:00:00Z" publishTime="2026-11-30T08:01:00.5Z" minimumUpdatePeriod="PT2S" minBufferTime="PT2S" timeShiftBufferDepth="PT8S" suggestedPresentationDelay="PT6S" x:y="z">
 <x:Foreign><x:S d="0"/></x:Foreign>
 <Period id="1" start="PT0S">
  <AdaptationSet id="1" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
   <SegmentTemplate timescale="1000" initialization="i-$RepresentationID$.mp4" media="$RepresentationID$-$Time$.m4s">
    <SegmentTimeline>
     <S t="52000" d="2000" r="2"/>
     <S d="2000"/>
    </SegmentTimeline>
   </SegmentTemplate>
   <Representation id="v" bandwidth="200000" codecs="avc1.640028" width="1920" height="1080"/>
  </AdaptationSet>
 </Period>
 <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
</MPD>
`

// Edits of cleanMPD for low latency.
const (
	earlier = `timescale="1000" availabilityTimeOffset="1.5" availabilityTimeComplete="false"`
	latency = ` <ServiceDescription id="0"><Latency target="3000"/></ServiceDescription>` + "\n <UTC"
	resync  = `   <Resync type="2" dT="1000"/><Representation`
)

// Manifests with one fault each. The lines are those of cleanMPD.
var mpdCases = []struct {
	name string
	edit []string // of cleanMPD
	want want
}{
	{"as it should be", nil, want{}},
	{"static", []string{`type="dynamic"`, `type="static" mediaPresentationDuration="PT60S"`, `minimumUpdatePeriod="PT2S" `, "", "    <SegmentTimeline>", "    <SegmentTimeline><!-- x -->"}, want{}},
	{"numbers", []string{"$Time$", "$Number%05d$"}, want{}},
	{"until the next S", []string{`r="2"/>`, `r="-1"/>`, `<S d="2000"/>`, `<S t="58000" d="2000"/>`}, want{}},

	{"XML that is cut off", []string{"</MPD>", ""}, want{"mpd-xml", 18}},
	{"an entity of its own", []string{"<Period id", "<!DOCTYPE x [<!ENTITY a \"b\">]>&a;<Period id"}, want{"mpd-xml", 5}},
	{"another namespace", []string{"urn:mpeg:dash:schema:mpd:2011", "urn:mpeg:DASH:schema:MPD:2011"}, want{"mpd-xml", 2}},
	{"one attribute twice", []string{`<Period id="1"`, `<Period id="1" id="1"`}, want{"mpd-xml", 5}},
	{"a duration in seconds", []string{`minBufferTime="PT2S"`, `minBufferTime="2"`}, want{"mpd-value", 2}},
	{"a time without a date", []string{`publishTime="2026-11-30T08:01:00.5Z"`, `publishTime="08:01"`}, want{"mpd-value", 2}},
	{"an unknown type", []string{`type="dynamic"`, `type="live"`, `minimumUpdatePeriod="PT2S" `, `mediaPresentationDuration="PT60S" `}, want{"mpd-value", 2}},
	{"no profiles", []string{`profiles="urn:mpeg:dash:profile:isoff-live:2011" `, ""}, want{"mpd-missing", 2}},
	{"no beginning", []string{` availabilityStartTime="2026-11-30T08:00:00Z"`, ""}, want{"mpd-missing", 2}},
	{"a Period without an id", []string{`<Period id="1"`, `<Period`}, want{"mpd-missing", 5}},
	{"a Representation without a bandwidth", []string{` bandwidth="200000"`, ""}, want{"mpd-missing", 13}},
	{"no mimeType", []string{` mimeType="video/mp4"`, ""}, want{"mpd-missing", 13}},
	{"a static manifest that is updated", []string{`type="dynamic"`, `type="static" mediaPresentationDuration="PT60S"`}, want{"update-static", 2}},
	{"no Period", []string{cleanMPD[strings.Index(cleanMPD, " <Period"):strings.Index(cleanMPD, " <UTC")], ""}, want{"period-none", 2}},
	{"a Period with nothing in it", []string{` <UTC`, ` <Period id="2" start="PT60S"/>` + "\n <UTC"}, want{"period-empty", 16}},
	{"a gap between Periods", []string{`<Period id="1" start="PT0S">`, `<Period id="0" start="PT0S" duration="PT1S"><AdaptationSet/></Period><Period id="1" start="PT1.5S">`}, want{"period-gap", 5}},
	{"two Periods of one id", []string{`<Period id="1" start="PT0S">`, `<Period id="1" start="PT0S"><AdaptationSet/></Period><Period id="1" start="PT1.5S">`}, want{"id-twice", 5}},
	{"two Representations of one id", []string{`<Representation id="v"`, `<Representation id="v" bandwidth="1" codecs="avc1.640028" width="1920" height="1080"/><Representation id="v"`}, want{"id-twice", 13}},
	{"no UTCTiming, as nginx-rtmp's", []string{` <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>`, ""}, want{"utc-timing", 2}},
	{"a scheme that is not known", []string{"urn:mpeg:dash:utc:http-iso:2014", "urn:clock"}, want{"utc-scheme", 16}},
	{"no minimumUpdatePeriod", []string{`minimumUpdatePeriod="PT2S" `, ""}, want{"update-missing", 2}},
	{"a minute between updates", []string{`minimumUpdatePeriod="PT2S"`, `minimumUpdatePeriod="PT1M"`}, want{"update-long", 2}},
	{"no delay", []string{` suggestedPresentationDelay="PT6S"`, ""}, want{"delay-missing", 2}},
	{"low latency", []string{`timescale="1000"`, earlier, "   <Representation", resync, " <UTC", latency}, want{}},
	{"low latency without a Latency", []string{`timescale="1000"`, earlier, "   <Representation", resync}, want{"latency-missing", 2}},
	{"low latency without Resync", []string{`timescale="1000"`, earlier, " <UTC", latency}, want{"resync-missing", 2}},
	{"neither number nor time", []string{"$Time$", ""}, want{"template", 7}},
	{"an unknown identifier", []string{"$Time$", "$Time$-$Nummer$"}, want{"template", 7}},
	{"times without a timeline", []string{"<SegmentTimeline>\n     <S t=\"52000\" d=\"2000\" r=\"2\"/>\n     <S d=\"2000\"/>\n    </SegmentTimeline>", ""}, want{"template", 7}},
	{"one name for two Representations", []string{"$RepresentationID$-", "", ` <Representation`, ` <Representation id="w" bandwidth="1" codecs="avc1.640028" width="1920" height="1080"/><Representation`}, want{"template", 7}},
	{"segments that are not complete, with no offset", []string{`timescale="1000"`, `timescale="1000" availabilityTimeComplete="false"`}, want{"early-missing", 7}},
	{"an offset of a whole segment", []string{
		"<SegmentTimeline>\n     <S t=\"52000\" d=\"2000\" r=\"2\"/>\n     <S d=\"2000\"/>\n    </SegmentTimeline>", "", "$Time$", "$Number$",
		`timescale="1000"`, `timescale="1000" duration="2000" availabilityTimeOffset="2" availabilityTimeComplete="false"`,
		" <UTC", latency, "   <Representation", resync,
	}, want{"early-long", 7}},
	{"a segment of nothing", []string{`<S d="2000"/>`, `<S d="0"/>`}, want{"timeline-value", 10}},
	{"an overlap", []string{`<S d="2000"/>`, `<S t="57500" d="2000"/>`}, want{"timeline-overlap", 10}},
	{"a gap", []string{`<S d="2000"/>`, `<S t="58500" d="2000"/>`}, want{"timeline-gap", 10}},
	{"no codecs", []string{` codecs="avc1.640028"`, ""}, want{"mpd-codecs-missing", 13}},
	{"codecs of another kind", []string{"avc1.640028", "avc1"}, want{"mpd-codecs-syntax", 13}},
	{"no width", []string{` width="1920"`, ""}, want{"mpd-size-missing", 13}},
	{"an empty Period that lasts for nothing", []string{` <UTC`, `<Period id="2" duration="PT0S"/> <UTC`}, want{}},
}

// Two versions of a manifest, with one fault in the second each.
var mpdUpdateCases = []struct {
	name string
	edit []string // of cleanMPD with another publishTime
	want want
}{
	{"one segment more", []string{`<S d="2000"/>`, `<S d="2000" r="1"/>`}, want{}},
	{"one segment more and one less", []string{`<S d="2000"/>`, `<S d="2000" r="1"/>`, `t="52000" d="2000" r="2"`, `t="54000" d="2000" r="1"`}, want{}},
	{"the end", []string{`type="dynamic"`, `type="static" mediaPresentationDuration="PT60S"`, `minimumUpdatePeriod="PT2S" `, ""}, want{}},
	{"a Period more", []string{" <UTC", ` <Period id="2" start="PT60S"><AdaptationSet/></Period>` + "\n <UTC"}, want{}},

	{"another beginning", []string{"08:00:00Z", "08:00:01Z"}, want{"start-changed", 2}},
	{"an older manifest", []string{"08:01:02.5Z", "08:00:59.5Z"}, want{"publish-time", 2}},
	{"the same publishTime", []string{"08:01:02.5Z", "08:01:00.5Z", `<S d="2000"/>`, `<S d="2000" r="1"/>`}, want{"publish-time", 2}},
	{"a Period that moves", []string{`start="PT0S"`, `start="PT0.1S"`}, want{"period-changed", 5}},
	{"another Representation", []string{`id="v"`, `id="w"`}, want{"representation-changed", 13}},
	{"a Representation more", []string{"   <Representation", `   <Representation id="w" bandwidth="1" codecs="avc1.640028" width="1920" height="1080"/>` + "\n   <Representation"}, want{"representation-changed", 13}},
	{"another timescale", []string{`timescale="1000"`, `timescale="1001"`}, want{"representation-changed", 13}},
	{"another duration", []string{`<S d="2000"/>`, `<S d="2001"/>`}, want{"timeline-changed", 10}},
	{"other times", []string{`t="52000"`, `t="51000"`, `<S d="2000"/>`, `<S d="2000" r="1"/>`}, want{"timeline-changed", 9}},
	{"a last segment that is gone", []string{`     <S d="2000"/>` + "\n", ""}, want{"timeline-withdrawn", 7}},
}

func showManifests(t *testing.T, all seen) {
	for _, c := range mpdCases {
		t.Run("MPD: "+c.name, func(t *testing.T) {
			m := parseMPD([]byte(edit(t, cleanMPD, c.edit...)))
			all.check(t, m.take(), c.want)
		})
	}
	next := strings.Replace(cleanMPD, "08:01:00.5Z", "08:01:02.5Z", 1)
	for _, c := range mpdUpdateCases {
		t.Run("update of an MPD: "+c.name, func(t *testing.T) {
			old, m := parseMPD([]byte(cleanMPD)), parseMPD([]byte(edit(t, next, c.edit...)))
			old.take()
			m.take()
			checkMPDUpdate(old, m)
			all.check(t, m.take(), c.want)
		})
	}
	t.Run("update of an MPD: another duration of a segment that was not complete", func(t *testing.T) {
		early := func(text string) string {
			return strings.Replace(text, `timescale="1000"`, `timescale="1000" availabilityTimeOffset="1.8" availabilityTimeComplete="false"`, 1)
		}
		old, m := parseMPD([]byte(early(cleanMPD))), parseMPD([]byte(early(edit(t, next, `<S d="2000"/>`, `<S d="2001"/>`))))
		old.take()
		m.take()
		checkMPDUpdate(old, m)
		all.check(t, m.take(), want{})
	})
	t.Run("update of an MPD: numbers that begin again", func(t *testing.T) {
		numbers := strings.Replace(cleanMPD, "$Time$", "$Number$", 1)
		old, m := parseMPD([]byte(numbers)), parseMPD([]byte(edit(t, numbers, "00.5Z", "02.5Z", `t="52000" d="2000" r="2"`, `t="54000" d="2000" r="1"`)))
		m.take()
		checkMPDUpdate(old, m)
		all.check(t, m.take(), want{"timeline-number", 7})
	})
	t.Run("update of an MPD: live again", func(t *testing.T) {
		old, m := parseMPD([]byte(edit(t, cleanMPD, `type="dynamic"`, `type="static"`))), parseMPD([]byte(next))
		m.take()
		checkMPDUpdate(old, m)
		all.check(t, m.take(), want{"mpd-again", 2})
	})
}

// A dashStream is a live manifest of segments of 2 s that grows. Fields are faults.
type dashStream struct {
	section  []byte
	segments [][]byte
	edit     []string // of the manifest
	window   int
	rest     func(at time.Duration, r *http.Request) *answer
	late     time.Duration // how much later than they end segments are there
	numbers  bool          // $Number$ with a duration
	early    bool          // segments can be had before they are complete
	hold     bool          // but come when they are
	media    string        // Content-Type
	begun    time.Time
}

func newDash(t testing.TB, n int) *dashStream {
	section, segments := fmp4(t, n, nil)
	return &dashStream{section: section, segments: segments, window: 4, late: 300 * time.Millisecond, media: "application/dash+xml"}
}

// low makes the stream one of low latency, with a clock in each segment.
func (d *dashStream) low() {
	d.numbers, d.late = true, 0
	d.edit = []string{`timescale="1000"`, earlier, " <UTC", latency, "   <Representation", resync}
	prft := append([]byte{0, 0, 0, 32}, "prft"...)
	prft = append(prft, make([]byte, 24)...)
	timed := make([][]byte, len(d.segments))
	for i, b := range d.segments {
		timed[i] = append(bytes.Clone(prft), b...)
	}
	d.segments = timed
}

// head is how long the stream has been running when the run begins.
const head = 20 * time.Second

// serve is at NAME.mpd and below.
func (d *dashStream) serve(at time.Duration, r *http.Request) answer {
	if d.begun.IsZero() {
		d.begun = time.Now().Add(-at - head)
	}
	if d.rest != nil {
		if a := d.rest(at, r); a != nil {
			return *a
		}
	}
	n := int((at + head - d.late) / (2 * time.Second)) // complete segments
	switch name := strings.TrimPrefix(r.URL.Path, "/"); {
	case name == "a.mpd":
		return answer{media: d.media, body: []byte(d.manifest(n, at))}
	case name == "time":
		return answer{media: "text/plain", body: []byte(time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))}
	case name == "i-v.mp4":
		return answer{media: "video/mp4", body: d.section}
	default:
		var k int
		if _, err := fmt.Sscanf(name, "v-%d.m4s", &k); err != nil {
			return answer{status: http.StatusNotFound}
		}
		if !d.numbers {
			k /= 2000
		}
		if k < n-d.window-2 || k >= n && !d.early || k >= len(d.segments) {
			return answer{status: http.StatusNotFound}
		}
		if d.hold && k >= n {
			time.Sleep(time.Duration(k+1)*2*time.Second + 500*time.Millisecond - at - head)
		}
		return answer{media: "video/iso.segment", body: d.segments[k]}
	}
}

func (d *dashStream) manifest(n int, at time.Duration) string {
	text := cleanMPD
	replace := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			text = strings.Replace(text, pairs[i], pairs[i+1], 1)
		}
	}
	replace("2026-11-30T08:00:00Z", d.begun.UTC().Format("2006-01-02T15:04:05.000Z"),
		"2026-11-30T08:01:00.5Z", d.begun.Add(time.Duration(n)*2*time.Second).UTC().Format("2006-01-02T15:04:05.000Z"),
		`<S t="52000" d="2000" r="2"/>`, fmt.Sprintf(`<S t="%d" d="2000" r="%d"/>`, max(n-d.window, 0)*2000, d.window-1), "     <S d=\"2000\"/>\n", "")
	if d.numbers {
		i, j := strings.Index(text, "    <SegmentTimeline>"), strings.Index(text, "   </SegmentTemplate>")
		text = text[:i] + text[j:]
		replace("$Time$", "$Number$", `timescale="1000"`, `timescale="1000" duration="2000" startNumber="0"`)
	}
	replace(d.edit...)
	return text
}

// DASH servers with one fault each.
var dashCases = []struct {
	name string
	make func(*testing.T, *dashStream)
	want string
	also []string
}{
	{"as it should be", func(*testing.T, *dashStream) {}, "", nil},
	{"numbers", func(_ *testing.T, d *dashStream) { d.numbers, d.late = true, 0 }, "", nil},
	{"the time by the Date", func(_ *testing.T, d *dashStream) { d.edit = []string{"http-iso", "ntp"} }, "", nil},
	{"low latency", func(_ *testing.T, d *dashStream) {
		d.early = true
		d.low()
	}, "", nil},
	{"low latency without clocks", func(_ *testing.T, d *dashStream) {
		d.early = true
		whole := d.segments
		d.low()
		d.segments = whole
	}, "prft-missing", nil},
	{"low latency in one piece", func(t *testing.T, d *dashStream) {
		d.early = true
		s := mediatest.NewScript(t)
		s.Audio = nil
		d.segments = cutMP4(s.Play(60*time.Second).Packets, 1)
		d.low()
	}, "chunk-long", nil},
	{"low latency that comes when the segment is complete", func(_ *testing.T, d *dashStream) {
		d.early = true
		d.low()
		d.hold = true
	}, "early", nil},

	{"no manifest for a while", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if strings.HasSuffix(r.URL.Path, "mpd") && at > 5*time.Second && at < 7*time.Second {
				return &answer{status: http.StatusNotFound}
			}
			return nil
		}
	}, "mpd-unavailable", nil},
	{"an empty manifest", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if strings.HasSuffix(r.URL.Path, "mpd") && at > 5*time.Second && at < 7*time.Second {
				return &answer{}
			}
			return nil
		}
	}, "mpd-atomic", nil},
	{"a manifest that stands still", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if strings.HasSuffix(r.URL.Path, "mpd") && at > 4*time.Second {
				a := answer{media: d.media, body: []byte(d.manifest(11, at))}
				return &a
			}
			return nil
		}
	}, "mpd-late", nil},
	{"a time that can't be had", func(_ *testing.T, d *dashStream) {
		d.rest = func(_ time.Duration, r *http.Request) *answer {
			if r.URL.Path == "/time" {
				return &answer{body: []byte("noon")}
			}
			return nil
		}
	}, "utc-broken", nil},
	{"media ahead of the clock", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if strings.HasSuffix(r.URL.Path, "mpd") {
				d.begun = time.Now().Add(-at - head).Add(5 * time.Second)
			}
			return nil
		}
	}, "edge-ahead", nil},
	{"media behind the clock", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if strings.HasSuffix(r.URL.Path, "mpd") {
				d.begun = time.Now().Add(-at - head).Add(-20 * time.Second)
			}
			return nil
		}
	}, "edge-behind", nil},
	{"a buffer that is not there", func(_ *testing.T, d *dashStream) { d.edit = []string{"PT8S", "PT1M"} }, "depth", nil},
	{"another type", func(_ *testing.T, d *dashStream) { d.media = "text/xml" }, "mpd-content-type", nil},
	{"a minute in caches", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if !strings.HasSuffix(r.URL.Path, "mpd") {
				return nil
			}
			return &answer{media: d.media, body: []byte(d.manifest(int((at+head-d.late)/(2*time.Second)), at)), header: http.Header{"Cache-Control": {"max-age=60"}}}
		}
	}, "mpd-stale-cache", nil},
	{"no initialization section", func(_ *testing.T, d *dashStream) { d.edit = []string{"i-$RepresentationID$", "j-$RepresentationID$"} }, "init-missing", nil},
	{"segments that are removed too early", func(_ *testing.T, d *dashStream) {
		d.rest = func(at time.Duration, r *http.Request) *answer {
			if at < 500*time.Millisecond && r.URL.Path == "/v-12000.m4s" || r.URL.Path == "/v-26000.m4s" {
				return &answer{status: http.StatusNotFound}
			}
			return nil
		}
	}, "segment-missing", nil},
	{"segments that are not there before they are complete", func(_ *testing.T, d *dashStream) {
		d.low()
	}, "early", nil},
	{"media at another time", func(t *testing.T, d *dashStream) {
		_, d.segments = fmp4(t, 30, func(s *mediatest.Script) { s.At = 3 * time.Second })
	}, "timeline-time", nil},
	{"media of another length", func(_ *testing.T, d *dashStream) {
		for i := range d.segments {
			d.segments[i] = bytes.Clone(d.segments[i])
			shorten(d.segments[i])
		}
	}, "timeline-duration", []string{"decode-time"}},
	{"segments without a keyframe", func(t *testing.T, d *dashStream) {
		s := mediatest.NewScript(t)
		s.Audio = nil
		for i := range 50 * 30 {
			s.Put(s.Video, time.Duration(i)*40*time.Millisecond, i%50 == 0)
		}
		d.segments = cutMP4(s.Packets, 1)
		for i := range d.segments {
			d.segments[i] = patch(d.segments[i], "trun", 4+8+8, 1, 1, 0, 0) // flags of the first sample
		}
	}, "sap", nil},
	{"another codec", func(_ *testing.T, d *dashStream) { d.edit = []string{"avc1.640028", "hvc1.1.6.L93.90"} }, "mpd-codecs", nil},
	{"another size", func(_ *testing.T, d *dashStream) { d.edit = []string{`width="1920"`, `width="1280"`} }, "mpd-size", nil},
	{"less bandwidth than there is", func(t *testing.T, d *dashStream) { d.edit = []string{`bandwidth="200000"`, `bandwidth="1000"`} }, "mpd-bandwidth", nil},
	{"fragments without tfdt", func(_ *testing.T, d *dashStream) {
		for i := range d.segments {
			d.segments[i] = bytes.ReplaceAll(d.segments[i], []byte("tfdt"), []byte("free"))
		}
	}, "fragment-tfdt", nil},
}

// shorten gives half of the samples in the last run of b the duration of one tick.
func shorten(b []byte) {
	i := bytes.LastIndex(b, []byte("trun"))
	n := int(b[i+11])
	for k := range n / 2 {
		at := i + 16 + (n-1-k)*16
		copy(b[at:], []byte{0, 0, 0, 1})
	}
}

func showDash(t *testing.T, all seen) {
	for _, c := range dashCases {
		t.Run("DASH: "+c.name, func(t *testing.T) {
			d := newDash(t, 30)
			c.make(t, d)
			report, err := lintServer(t, "/a.mpd", 15*time.Second, func(at time.Duration, r *http.Request) answer {
				a := d.serve(at, r)
				if a.header == nil {
					a.header = http.Header{}
				}
				a.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
				return a
			})
			if err != nil {
				t.Fatal(err)
			}
			if report.Kind != "dash" || report.Checked.Segments < 3 {
				t.Errorf("%s, %+v", report.Kind, report.Checked)
			}
			var faults []fault
		findings:
			for _, f := range report.Findings {
				for _, rule := range c.also {
					if f.ID == rule {
						continue findings
					}
				}
				faults = append(faults, fault{rule: f.ID, text: f.Text, says: f.Says})
			}
			all.check(t, faults, want{c.want, 0})
		})
	}
}
