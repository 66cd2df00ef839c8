package lint

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A lowStream is a low-latency playlist of segments of 2 s and parts of 0.5 s. The
// functions are faults: each may change what is answered.
type lowStream struct {
	section  []byte
	parts    [][][]byte // of each segment
	first    int        // segments that are complete at the start
	window   int
	target   int    // EXT-X-TARGETDURATION
	control  string // EXT-X-SERVER-CONTROL
	partTags string // attributes of a part that has no keyframe
	keyTags  string // and of one that has
	duration string // DURATION of parts
	report   func(path string, there int) string
	keep     int // segments of which parts can be loaded

	refuse   func(q url.Values) int // a status
	deaf     bool                   // requests do not block
	hint     func(n, p int) string
	noHint   bool
	rest     func(at time.Duration, r *http.Request) *answer
	slowPart bool
	ends     int // parts after which the stream ends
	http1    bool
	stall    time.Duration // no new part for a second from then on
	change   func(text string, q url.Values) string
}

const partLength = 500 * time.Millisecond

// newLow makes n segments.
func newLow(t testing.TB, n int, change func(*mediatest.Script)) *lowStream {
	s := mediatest.NewScript(t)
	s.Audio, s.Frame = nil, 50*time.Millisecond
	if change != nil {
		change(s)
	}
	s.Play(time.Duration(n) * 2 * time.Second)
	l := &lowStream{
		section: initOf(t, s.Video), first: 8, window: 8, target: 2, keep: 100, keyTags: ",INDEPENDENT=YES", duration: "0.5",
		control: "CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5", hint: func(n, p int) string { return fmt.Sprintf("s%d.%d.mp4", n, p) },
	}
	next := [3]uint64{}
	for n := 0; len(s.Packets) >= 40; n++ {
		var list [][]byte
		for p := range 4 {
			list = append(list, appendPart(nil, s.Packets[10*p:10*p+10], 4*n+p, &next))
		}
		l.parts, s.Packets = append(l.parts, list), s.Packets[40:]
	}
	return l
}

// there is how many parts there are at a time.
func (l *lowStream) there(at time.Duration) int {
	if l.stall > 0 && at > l.stall {
		at = max(l.stall, at-4*time.Second)
	}
	n := 4*l.first + int(at/partLength)
	if l.ends > 0 {
		n = min(n, l.ends)
	}
	return n
}

// playlist has all parts up to there; skip is the value of _HLS_skip.
func (l *lowStream) playlist(there int, q url.Values) string {
	n := there / 4
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-SERVER-CONTROL:%s\n#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MEDIA-SEQUENCE:%d\n",
		l.target, l.control, n-l.window)
	from := n - l.window
	if skipped := l.window - 7; q.Has("_HLS_skip") && skipped > 0 {
		fmt.Fprintf(&b, "#EXT-X-SKIP:SKIPPED-SEGMENTS=%d\n", skipped)
		from += skipped
	} else {
		b.WriteString("#EXT-X-MAP:URI=\"init.mp4\"\n")
	}
	for i := from; i <= n; i++ {
		if i >= n-1 {
			if there%4 > 0 || i < n {
				fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n", time.Date(2026, 11, 30, 8, 0, 2*i, 0, time.UTC).Format("2006-01-02T15:04:05.000Z"))
			}
			for p := range min(there-4*i, 4) {
				tags := l.partTags
				if p == 0 {
					tags = l.keyTags
				}
				fmt.Fprintf(&b, "#EXT-X-PART:DURATION=%s,URI=\"s%d.%d.mp4\"%s\n", l.duration, i, p, tags)
			}
		} else {
			fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n", time.Date(2026, 11, 30, 8, 0, 2*i, 0, time.UTC).Format("2006-01-02T15:04:05.000Z"))
		}
		if i < n {
			fmt.Fprintf(&b, "#EXTINF:2.000,\ns%d.mp4\n", i)
		}
	}
	if l.ends > 0 && there == l.ends {
		b.WriteString("#EXT-X-ENDLIST\n")
	} else if !l.noHint {
		fmt.Fprintf(&b, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"%s\"\n", l.hint(there/4, there%4))
	}
	if l.report != nil {
		b.WriteString(l.report(q.Get("path"), there))
	}
	if l.change != nil {
		return l.change(b.String(), q)
	}
	return b.String()
}

// serve answers as rfc8216bis §6.2.5 says.
func (l *lowStream) serve(at time.Duration, r *http.Request) answer {
	begun := time.Now()
	now := func() int { return l.there(at + time.Since(begun)) }
	wait := func(ready func() bool) bool {
		for !ready() {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-r.Context().Done():
				return false
			}
		}
		return true
	}
	if l.rest != nil {
		if a := l.rest(at, r); a != nil {
			return *a
		}
	}
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if strings.HasSuffix(name, ".m3u8") {
		return l.serveList(r, now, wait)
	}
	if name == "init.mp4" {
		return answer{media: "video/mp4", body: l.section}
	}
	var n, p int
	if c, _ := fmt.Sscanf(name, "s%d.%d.mp4", &n, &p); c == 2 {
		there := now()
		if 4*n+p > there || p > 3 || n < there/4-l.keep {
			return answer{status: http.StatusNotFound}
		}
		if !wait(func() bool { return now() > 4*n+p }) {
			return answer{err: r.Context().Err()}
		}
		return answer{media: "video/mp4", body: l.parts[n][p], slow: l.slowPart && 4*n+p == there}
	}
	if c, _ := fmt.Sscanf(name, "s%d.mp4", &n); c == 1 && n < now()/4 {
		return answer{media: "video/mp4", body: slices.Concat(append([][]byte{mp4.AppendSegmentType(nil)}, l.parts[n]...)...)}
	}
	return answer{status: http.StatusNotFound}
}

func (l *lowStream) serveList(r *http.Request, now func() int, wait func(func() bool) bool) answer {
	q := r.URL.Query()
	q.Set("path", r.URL.Path)
	if l.refuse != nil {
		if status := l.refuse(q); status > 0 {
			return answer{status: status}
		}
	}
	there := now()
	n, errN := strconv.Atoi(q.Get("_HLS_msn"))
	p, errP := strconv.Atoi(q.Get("_HLS_part"))
	switch {
	case q.Has("_HLS_part") && errN != nil:
		return answer{status: http.StatusBadRequest}
	case errN != nil || l.deaf || l.ends > 0 && there == l.ends:
		return list(l.playlist(there, q))
	case n > there/4-1+2, errP == nil && 4*n+p > there+6:
		return answer{status: http.StatusBadRequest}
	}
	ready := func() bool { return now() >= 4*(n+1) || now() == l.ends }
	if errP == nil {
		ready = func() bool { return now() > 4*n+min(p, 4) || now() == l.ends }
	}
	if !wait(ready) {
		return answer{err: r.Context().Err()}
	}
	return list(l.playlist(now(), q))
}

// Low-latency servers with one fault each.
var lowCases = []struct {
	name string
	make func(*testing.T, *lowStream)
	want string
	also []string // what follows from it
}{
	{"as it should be", func(*testing.T, *lowStream) {}, "", nil},
	{"parts without blocking reload", func(_ *testing.T, l *lowStream) { l.control = "CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5" }, "block-missing", nil},
	{"requests that do not block", func(_ *testing.T, l *lowStream) { l.deaf = true }, "block-early", []string{"msn-ahead", "part-ahead"}},
	{"404 for what comes next", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if isNext(q) {
				return http.StatusNotFound
			}
			return 0
		}
	}, "block-refused", nil},
	{"503 at once", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if isNext(q) {
				return http.StatusServiceUnavailable
			}
			return 0
		}
	}, "playlist-late", nil},
	{"a part that comes late", func(_ *testing.T, l *lowStream) { l.stall = 5 * time.Second }, "part-late", []string{"playlist-late"}},
	{"no end to the waiting", func(_ *testing.T, l *lowStream) {
		l.rest = func(_ time.Duration, r *http.Request) *answer {
			if isNext(r.URL.Query()) {
				<-r.Context().Done()
				return &answer{err: context.Cause(r.Context())}
			}
			return nil
		}
	}, "block-timeout", []string{"playlist-late"}},
	{"HTTP/1.1", func(_ *testing.T, l *lowStream) { l.http1 = true }, "http2", nil},
	{"a part without a segment", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if q.Has("_HLS_part") && !q.Has("_HLS_msn") {
				return http.StatusOK
			}
			return 0
		}
	}, "part-without-msn", nil},
	{"a segment far ahead", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if n, err := strconv.Atoi(q.Get("_HLS_msn")); err == nil && n > 15 && !q.Has("_HLS_part") {
				return http.StatusOK
			}
			return 0
		}
	}, "msn-ahead", nil},
	{"a part far ahead", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if n, err := strconv.Atoi(q.Get("_HLS_part")); err == nil && n > 100 {
				return http.StatusNoContent
			}
			return 0
		}
	}, "part-ahead", nil},
	{"a stream that ends", func(_ *testing.T, l *lowStream) { l.ends = 56 }, "", nil},
	{"a stream that ends, with directives that count", func(_ *testing.T, l *lowStream) {
		l.ends = 56
		l.refuse = func(q url.Values) int {
			if n, err := strconv.Atoi(q.Get("_HLS_msn")); err == nil && n == 24 {
				return http.StatusBadRequest
			}
			return 0
		}
	}, "ended-directives", nil},
	{"a segment of long ago", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if n, err := strconv.Atoi(q.Get("_HLS_msn")); err == nil && n < 5 {
				return http.StatusBadRequest
			}
			return 0
		}
	}, "msn-past", nil},
	{"the part behind the last", func(_ *testing.T, l *lowStream) {
		l.refuse = func(q url.Values) int {
			if q.Get("_HLS_part") == "4" {
				return http.StatusBadRequest
			}
			return 0
		}
	}, "part-rollover", nil},
	{"everything is found", func(_ *testing.T, l *lowStream) {
		l.rest = func(_ time.Duration, r *http.Request) *answer {
			if strings.Contains(r.URL.Path, "987654") {
				return &answer{media: "video/mp4", body: l.parts[0][0]}
			}
			return nil
		}
	}, "future-404", nil},
	{"_HLS_skip that is ignored", func(_ *testing.T, l *lowStream) {
		l.window, l.first = 16, 16
		l.change = func(text string, q url.Values) string {
			if q.Has("_HLS_skip") {
				return l.playlistAgain(text)
			}
			return text
		}
	}, "skip", nil},
	{"a delta update without CAN-SKIP-UNTIL", func(_ *testing.T, l *lowStream) {
		l.control = "CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5"
		l.window, l.first = 16, 16
		l.change = func(text string, q url.Values) string {
			if q.Has("_HLS_skip") {
				return text
			}
			return strings.Replace(text, "VERSION:9", "VERSION:6", 1)
		}
	}, "skip", nil},
	{"a delta update that skips too much", func(_ *testing.T, l *lowStream) {
		l.window, l.first = 16, 16
		l.change = func(text string, q url.Values) string {
			if !q.Has("_HLS_skip") {
				return text
			}
			head, tail, _ := strings.Cut(text, "SKIPPED-SEGMENTS=9\n")
			for range 4 {
				_, tail, _ = strings.Cut(tail, ".mp4\n")
			}
			return head + "SKIPPED-SEGMENTS=13\n" + tail
		}
	}, "skip-boundary", nil},
	{"_HLS_skip=v2 without a list of what was removed", func(_ *testing.T, l *lowStream) {
		l.control = "CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,CAN-SKIP-DATERANGES=YES,PART-HOLD-BACK=1.5"
	}, "skip-dateranges", nil},
	{"a hint that is not found", func(_ *testing.T, l *lowStream) {
		l.rest = func(at time.Duration, r *http.Request) *answer {
			var n, p int
			if c, _ := fmt.Sscanf(r.URL.Path, "/s%d.%d.mp4", &n, &p); c == 2 && 4*n+p >= l.there(at) && n < 1000 {
				return &answer{status: http.StatusNotFound}
			}
			return nil
		}
	}, "hint", nil},
	{"a hint that trickles", func(_ *testing.T, l *lowStream) { l.slowPart = true }, "hint-trickle", nil},
	{"a hint of another part", func(_ *testing.T, l *lowStream) {
		l.hint = func(n, p int) string { return fmt.Sprintf("s%d.%d.mp4?x", n, p) }
	}, "hint-uri", nil},
	{"no hint", func(_ *testing.T, l *lowStream) { l.noHint = true }, "hint-missing", nil},
	{"parts that are removed at once", func(_ *testing.T, l *lowStream) { l.keep = 1 }, "part-gone", nil},
	{"no keyframe in an independent part", func(_ *testing.T, l *lowStream) { l.partTags = ",INDEPENDENT=YES" }, "part-independent", nil},
	{"a keyframe that is not said to be there", func(_ *testing.T, l *lowStream) { l.keyTags = "" }, "part-independent-missing", nil},
	{"a keyframe in the middle of a part", func(t *testing.T, l *lowStream) {
		*l = *newLow(t, 40, func(s *mediatest.Script) { s.GOP = time.Second + 250*time.Millisecond })
		l.change = func(text string, _ url.Values) string {
			text = strings.ReplaceAll(strings.ReplaceAll(text, "#EXT-X-INDEPENDENT-SEGMENTS\n", ""), ",INDEPENDENT=YES", "")
			for k := range 160 { // parts in which a multiple of 1.25 s is
				if k == 0 || (2*k+1)/5 > (2*k-1)/5 {
					name := fmt.Sprintf("\"s%d.%d.mp4\"", k/4, k%4)
					text = strings.ReplaceAll(text, "#EXT-X-PART:DURATION=0.5,URI="+name, "#EXT-X-PART:DURATION=0.5,URI="+name+",INDEPENDENT=YES")
				}
			}
			return text
		}
	}, "part-keyframe", nil},
	{"parts that are longer than they say", func(_ *testing.T, l *lowStream) { l.duration = "0.44" }, "part-duration", nil},
	{"parts with fewer pictures than their segment", func(_ *testing.T, l *lowStream) {
		l.rest = func(_ time.Duration, r *http.Request) *answer {
			var n, p int
			if c, _ := fmt.Sscanf(r.URL.Path, "/s%d.%d.mp4", &n, &p); c == 2 && n < len(l.parts) && p == 3 {
				b := l.parts[n][p]
				i := bytes.Index(b, []byte("trun"))
				b = patch(b, "trun", 7, 9) // one sample less
				return &answer{media: "video/mp4", body: patch(b, "trun", 4+8+16*8, 0, 0, byte(9000>>8), byte(9000&0xff))[:max(len(b), i)]}
			}
			return nil
		}
	}, "part-samples", nil},
	{"reports", func(_ *testing.T, l *lowStream) { twoOfThem(l, 0) }, "", nil},
	{"no reports", func(_ *testing.T, l *lowStream) { twoOfThem(l, 0); l.report = nil }, "report-missing", nil},
	{"reports of long ago", func(_ *testing.T, l *lowStream) { twoOfThem(l, 5) }, "report-stale", nil},
}

// twoOfThem makes the stream two variants, whose reports are some parts behind.
func twoOfThem(l *lowStream, behind int) {
	l.report = func(path string, there int) string {
		other := map[string]string{"/a.m3u8": "b.m3u8", "/b.m3u8": "a.m3u8"}[path]
		last := there - 1 - behind
		return fmt.Sprintf("#EXT-X-RENDITION-REPORT:URI=\"%s\",LAST-MSN=%d,LAST-PART=%d\n", other, last/4, last%4)
	}
	l.change = func(text string, _ url.Values) string {
		return strings.Replace(text, "#EXT-X-INDEPENDENT-SEGMENTS\n", "", 1)
	}
	l.rest = func(_ time.Duration, r *http.Request) *answer {
		if r.URL.Path != "/m.m3u8" {
			return nil
		}
		a := list("#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n" + strings.ReplaceAll(strings.ReplaceAll(fine, ",mp4a.40.2", ""), "25.000", "20.000"))
		return &a
	}
}

// isNext reports whether a request is for the part to come, as players ask.
func isNext(q url.Values) bool {
	n, err := strconv.Atoi(q.Get("_HLS_part"))
	return err == nil && n < 4 && q.Has("_HLS_msn")
}

// playlistAgain is the whole playlist that text is a delta update of.
func (l *lowStream) playlistAgain(text string) string {
	m := parsePlaylist([]byte(text)).media
	whole := *l
	whole.change = nil
	return whole.playlist(4*int(m.next())+len(m.parts), url.Values{})
}

func showLow(t *testing.T, all seen) {
	for _, c := range lowCases {
		t.Run("low latency: "+c.name, func(t *testing.T) {
			l := newLow(t, 40, nil)
			c.make(t, l)
			path := "/a.m3u8"
			if strings.Contains(c.name, "report") {
				path = "/m.m3u8"
			}
			report, err := lintServer(t, path, 15*time.Second, func(at time.Duration, r *http.Request) answer {
				a := l.serve(at, r)
				a.http1 = l.http1
				return a
			})
			if err != nil {
				t.Fatal(err)
			}
			if report.Kind != "ll-hls" || report.Checked.Parts < 10 && c.name != "503 at once" {
				t.Errorf("%s, %+v", report.Kind, report.Checked)
			}
			var faults []fault
			for _, f := range report.Findings {
				if slices.Contains(c.also, f.ID) {
					continue
				}
				faults = append(faults, fault{rule: f.ID, text: f.Text, says: f.Says})
			}
			all.check(t, faults, want{c.want, 0})
		})
	}
}
