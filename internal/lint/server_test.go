package lint

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A fakeServer answers requests as functions of the time since its start.
type fakeServer struct {
	begun time.Time
	serve func(at time.Duration, r *http.Request) answer
}

// An answer is what a fakeServer sends.
type answer struct {
	status int // 0: 200
	media  string
	body   []byte
	header http.Header
	err    error
	http1  bool
	slow   bool // the body comes in two halves, a part length apart
}

func (s *fakeServer) RoundTrip(r *http.Request) (*http.Response, error) {
	a := s.serve(time.Since(s.begun), r)
	if a.err != nil {
		return nil, a.err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {a.media}, "Access-Control-Allow-Origin": {"*"}, "Cache-Control": {"no-cache"}}
	for name, v := range a.header {
		h[name] = v
	}
	body := a.body
	if strings.HasSuffix(a.media, "mpegurl") {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.HuffmanOnly)
		_, _ = z.Write(body)
		_ = z.Close()
		body = b.Bytes()
		h.Set("Content-Encoding", "gzip")
	}
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	proto := "HTTP/2.0"
	if a.http1 {
		proto = "HTTP/1.1"
	}
	return &http.Response{
		StatusCode: status, Proto: proto, Header: h, Request: r,
		Body: io.NopCloser(bodyOf(body, a.slow)), ContentLength: int64(len(body)),
	}, nil
}

func bodyOf(b []byte, slow bool) io.Reader {
	if !slow {
		return bytes.NewReader(b)
	}
	half := len(b) / 2
	return io.MultiReader(bytes.NewReader(b[:half]), pause{}, bytes.NewReader(b[half:]))
}

// pause is nothing, after a while.
type pause struct{}

func (pause) Read([]byte) (int, error) {
	time.Sleep(partLength)
	return 0, io.EOF
}

func list(text string) answer {
	return answer{media: "application/vnd.apple.mpegurl", body: []byte(text)}
}
func file(b []byte) answer { return answer{media: "video/mp2t", body: b} }

// A liveStream is a playlist of segments of 2 s that grows.
type liveStream struct {
	bodies [][]byte
	window int // segments in the playlist, all of which there are at the start
	keep   int // segments that can be loaded after they were removed
	ends   int // segments after which the stream ends; 0: never
	head   string
	date   func(n int) string
	tags   func(n int) string // in front of a segment's EXTINF
}

func newLive(bodies [][]byte) *liveStream {
	return &liveStream{bodies: bodies, window: 6, keep: 100, head: "#EXT-X-INDEPENDENT-SEGMENTS\n", date: func(n int) string {
		return "#EXT-X-PROGRAM-DATE-TIME:" + time.Date(2026, 11, 30, 8, 0, 2*n, 0, time.UTC).Format("2006-01-02T15:04:05.000Z") + "\n"
	}}
}

// there is how many segments there are at a time.
func (l *liveStream) there(at time.Duration) int {
	n := l.window + int(at/(2*time.Second))
	if l.ends > 0 {
		n = min(n, l.ends)
	}
	return min(n, len(l.bodies))
}

func (l *liveStream) playlist(at time.Duration) string {
	n := l.there(at)
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n%s#EXT-X-MEDIA-SEQUENCE:%d\n", l.head, n-l.window)
	for i := n - l.window; i < n; i++ {
		if l.tags != nil {
			b.WriteString(l.tags(i))
		}
		if l.date != nil {
			b.WriteString(l.date(i))
		}
		fmt.Fprintf(&b, "#EXTINF:2.000,\n%d.ts\n", i)
	}
	if l.ends > 0 && n == l.ends {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.String()
}

// segment answers a request for N.ts.
func (l *liveStream) segment(at time.Duration, name string) answer {
	var n int
	if _, err := fmt.Sscanf(name, "%d.ts", &n); err != nil || n >= l.there(at) || n < l.there(at)-l.window-l.keep {
		return answer{status: http.StatusNotFound, media: "text/html"}
	}
	return file(l.bodies[n])
}

// serve has files at NAME.m3u8 and below NAME/.
func (l *liveStream) serve(at time.Duration, r *http.Request) answer {
	if strings.HasSuffix(r.URL.Path, ".m3u8") {
		return list(l.playlist(at))
	}
	return l.segment(at, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
}

// lintServer runs the linter for some seconds of fake time.
func lintServer(t *testing.T, path string, d time.Duration, serve func(at time.Duration, r *http.Request) answer) (report *Report, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeServer{begun: time.Now(), serve: serve}
		report, err = Run(t.Context(), Options{URL: "http://server.example" + path, Duration: d, transport: s, UserAgent: "test"})
	})
	return report, err
}

// server is a live stream in which something goes wrong.
type server func(at time.Duration, r *http.Request) answer

// encrypted has the segments of l encrypted with a key.
func encrypted(l *liveStream, key []byte, iv bool) (out [][]byte) {
	block, _ := aes.NewCipher(key)
	l.head = `#EXT-X-KEY:METHOD=AES-128,URI="k"` + map[bool]string{true: ",IV=0x01"}[iv] + "\n" + l.head
	for n, b := range l.bodies {
		v := make([]byte, 16)
		if v[15] = 1; !iv {
			binary.BigEndian.PutUint64(v[8:], uint64(n))
		}
		pad := 16 - len(b)%16
		b = append(bytes.Clone(b), bytes.Repeat([]byte{byte(pad)}, pad)...)
		cipher.NewCBCEncrypter(block, v).CryptBlocks(b, b)
		out = append(out, b)
	}
	return out
}

// Servers with one fault each.
var serverCases = []struct {
	name string
	path string
	make func(*testing.T, *liveStream) server
	want string
}{
	{"a live stream", "/a.m3u8", func(_ *testing.T, l *liveStream) server { return l.serve }, ""},
	{"a stream that ends", "/a.m3u8", func(_ *testing.T, l *liveStream) server { l.ends = 10; return l.serve }, ""},
	{"encrypted segments", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		key := []byte("0123456789abcdef")
		l.bodies = encrypted(l, key, false)
		return func(at time.Duration, r *http.Request) answer {
			if r.URL.Path == "/k" {
				return file(key)
			}
			return l.serve(at, r)
		}
	}, ""},
	{"a multivariant playlist", "/m.m3u8", func(_ *testing.T, l *liveStream) server { return multi(l, fine, nil) }, ""},

	{"no playlist for a while", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		return func(at time.Duration, r *http.Request) answer {
			if strings.HasSuffix(r.URL.Path, "m3u8") && at > 5*time.Second && at < 6*time.Second {
				return answer{status: http.StatusNotFound}
			}
			return l.serve(at, r)
		}
	}, "playlist-unavailable"},
	{"a connection that is lost", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		return func(at time.Duration, r *http.Request) answer {
			if strings.HasSuffix(r.URL.Path, "m3u8") && at > 5*time.Second && at < 6*time.Second {
				return answer{err: errors.New("connection reset by peer")}
			}
			return l.serve(at, r)
		}
	}, "playlist-unavailable"},
	{"an empty playlist for a moment", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		return func(at time.Duration, r *http.Request) answer {
			if strings.HasSuffix(r.URL.Path, "m3u8") && at > 5*time.Second && at < 6*time.Second {
				return list("")
			}
			return l.serve(at, r)
		}
	}, "playlist-atomic"},
	{"a playlist that stands still", "/a.m3u8", func(_ *testing.T, l *liveStream) server { l.bodies = l.bodies[:8]; return l.serve }, "playlist-late"},
	{"segments that are removed at once", "/a.m3u8", func(_ *testing.T, l *liveStream) server { l.keep = 0; return l.serve }, "segment-gone"},
	{"segments that are not there yet", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		return func(at time.Duration, r *http.Request) answer {
			if strings.HasSuffix(r.URL.Path, "/9.ts") {
				return answer{status: http.StatusNotFound}
			}
			return l.serve(at, r)
		}
	}, "segment-unavailable"},
	{"a segment that changes", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		l.window = 20
		return func(at time.Duration, r *http.Request) answer {
			a := l.serve(at, r)
			if at > 15*time.Second && strings.HasSuffix(r.URL.Path, ".ts") {
				a.body = bytes.Clone(a.body)
				a.body[len(a.body)-1] ^= 1
			}
			return a
		}
	}, "segment-rewritten"},
	{"ranges that are not answered", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		l.head = "#EXT-X-VERSION:4\n" + l.head
		l.tags = func(n int) string { return fmt.Sprintf("#EXT-X-BYTERANGE:%d@0\n", len(l.bodies[n])) }
		return func(at time.Duration, r *http.Request) answer {
			a := l.serve(at, r)
			a.body = bytes.Replace(a.body, []byte("#EXT-X-VERSION:3\n"), nil, 1)
			return a
		}
	}, "byterange-ignored"},
	{"a URI that is none", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		return func(at time.Duration, r *http.Request) answer {
			a := l.serve(at, r)
			a.body = bytes.Replace(a.body, []byte("\n9.ts"), []byte("\nht%tp://9.ts"), 1)
			return a
		}
	}, "uri"},
	{"a key of 15 bytes", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		l.bodies = encrypted(l, []byte("0123456789abcdef"), true)
		return func(at time.Duration, r *http.Request) answer {
			if r.URL.Path == "/k" {
				return file([]byte("0123456789abcde"))
			}
			return l.serve(at, r)
		}
	}, "key-file"},
	{"segments of another key", "/a.m3u8", func(_ *testing.T, l *liveStream) server {
		l.bodies = encrypted(l, []byte("0123456789abcdef"), true)
		for i := range l.bodies {
			l.bodies[i] = l.bodies[i][:len(l.bodies[i])-1]
		}
		return func(at time.Duration, r *http.Request) answer {
			if r.URL.Path == "/k" {
				return file([]byte("0123456789abcdef"))
			}
			return l.serve(at, r)
		}
	}, "encryption"},
	{"independent segments that are not said to be", "/a.m3u8", func(_ *testing.T, l *liveStream) server { l.head = ""; return l.serve }, "independent-missing"},

	{"a variant that is a multivariant playlist", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, fine, map[string]server{"/b.m3u8": func(time.Duration, *http.Request) answer { return list("#EXTM3U\n" + fine) }})
	}, "variant-playlist"},
	{"an I-frame playlist that is none", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, fine+"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=900,CODECS=\"avc1.640028\",RESOLUTION=1920x1080,URI=\"a.m3u8\"\n", nil)
	}, "variant-iframes"},
	{"no frame rate above 30", "/m.m3u8", func(t *testing.T, _ *liveStream) server {
		return multi(newLive(stream(t, 20, func(s *mediatest.Script) { s.Frame = 20 * time.Millisecond })), strings.ReplaceAll(fine, ",FRAME-RATE=25.000", ",FRAME-RATE=0"), nil)
	}, "frame-rate-high"},
	{"captions that are not declared", "/m.m3u8", func(t *testing.T, _ *liveStream) server {
		s := mediatest.NewScript(t).Play(40 * time.Second)
		withSEI(s.Packets, append(bytes.Clone(captionsPayload), 0xc1, 0xff, 0xfc, 0x94, 0x2c))
		return multi(newLive(fragments(s.Packets)), fine, nil)
	}, "captions"},
	{"the same tag in both playlists", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, "#EXT-X-INDEPENDENT-SEGMENTS\n"+fine, nil)
	}, "independent-twice"},
	{"less bandwidth than there is", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, strings.ReplaceAll(fine, "BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000", "BANDWIDTH=100000,AVERAGE-BANDWIDTH=100000"), nil)
	}, "bandwidth-live"},
	{"less bandwidth than all segments have", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		l.window, l.ends, l.bodies = 6, 6, l.bodies[:6]
		return multi(l, strings.ReplaceAll(fine, "BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000", "BANDWIDTH=100000,AVERAGE-BANDWIDTH=100000"), nil)
	}, "bandwidth"},
	{"less on average than there is", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, strings.ReplaceAll(fine, "AVERAGE-BANDWIDTH=150000", "AVERAGE-BANDWIDTH=90000"), nil)
	}, "average-live"},
	{"less on average than all segments have", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		l.window, l.ends, l.bodies = 6, 6, l.bodies[:6]
		return multi(l, strings.ReplaceAll(fine, "AVERAGE-BANDWIDTH=150000", "AVERAGE-BANDWIDTH=90000"), nil)
	}, "average"},
	{"a codec that is not declared", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, strings.ReplaceAll(fine, ",mp4a.40.2", ""), nil)
	}, "codecs"},
	{"another profile", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, strings.ReplaceAll(fine, "640028", "64001f"), nil)
	}, "codecs-profile"},
	{"sound that is not there", "/m.m3u8", func(t *testing.T, _ *liveStream) server {
		return multi(newLive(stream(t, 20, func(s *mediatest.Script) { s.Audio = nil })), fine, nil)
	}, "codecs-absent"},
	{"another resolution", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, strings.ReplaceAll(fine, "1920x1080", "1280x720"), nil)
	}, "resolution"},
	{"another frame rate", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, strings.ReplaceAll(fine, "=25.000", "=60.000"), nil)
	}, "frame-rate"},
	{"target durations that differ", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		return multi(l, fine, map[string]server{"/b.m3u8": func(at time.Duration, r *http.Request) answer {
			a := l.serve(at, r)
			a.body = bytes.Replace(a.body, []byte("DURATION:2"), []byte("DURATION:3"), 1)
			return a
		}})
	}, "variant-differs"},
	{"dates in one variant", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		b := *l
		b.date = nil
		return multi(l, fine, map[string]server{"/b.m3u8": (&b).serve})
	}, "variant-dates"},
	{"dates that differ", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		b := *l
		b.date = func(n int) string { return l.date(n + 1) }
		return multi(l, fine, map[string]server{"/b.m3u8": (&b).serve})
	}, "variant-times"},
	{"discontinuity sequences that differ", "/m.m3u8", func(_ *testing.T, l *liveStream) server {
		b := *l
		b.head = "#EXT-X-DISCONTINUITY-SEQUENCE:3\n" + l.head
		return multi(l, fine, map[string]server{"/b.m3u8": (&b).serve})
	}, "variant-discontinuity"},
}

// fine is two variants of the same stream.
const fine = `#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,CLOSED-CAPTIONS=NONE
a.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,CLOSED-CAPTIONS=NONE
b.m3u8
`

// multi has a multivariant playlist at /m.m3u8.
func multi(l *liveStream, text string, others map[string]server) server {
	return func(at time.Duration, r *http.Request) answer {
		if r.URL.Path == "/m.m3u8" {
			return list("#EXTM3U\n" + text)
		}
		if s := others[r.URL.Path]; s != nil {
			return s(at, r)
		}
		return l.serve(at, r)
	}
}

func showServers(t *testing.T, all seen) {
	bodies := stream(t, 60, nil)
	for _, c := range serverCases {
		t.Run(c.name, func(t *testing.T) {
			report, err := lintServer(t, c.path, 20*time.Second, c.make(t, newLive(bodies)))
			if err != nil {
				t.Fatal(err)
			}
			if report.Checked.Segments == 0 && c.want != "key-file" {
				t.Errorf("no segment was looked at")
			}
			var faults []fault
			for _, f := range report.Findings {
				if f.ID == "date-missing" && c.want == "variant-dates" {
					continue // that there are none in one of the two is advice, too
				}
				faults = append(faults, fault{rule: f.ID, text: f.Text, says: f.Says})
			}
			all.check(t, faults, want{c.want, 0})
		})
	}
}

func TestRunSaysWhatIsNoStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		a    answer
		want string
	}{
		{"a page", answer{media: "text/html", body: []byte("<html>")}, "neither an HLS playlist nor a DASH manifest"},
		{"nothing", answer{status: http.StatusNotFound}, "404 Not Found"},
		{"another scheme", answer{status: http.StatusFound, header: http.Header{"Location": {"ftp://server.example/"}}}, "a redirect from http to ftp is not followed"},
		{"a circle", answer{status: http.StatusFound, header: http.Header{"Location": {"/a.m3u8"}}}, "more than 5 redirects"},
		{"a body in another coding", answer{header: http.Header{"Content-Encoding": {"br"}}}, `Content-Encoding "br", which was not asked for`},
	} {
		report, err := lintServer(t, "/a.m3u8", time.Second, func(time.Duration, *http.Request) answer { return c.a })
		if err == nil || !strings.Contains(err.Error(), c.want) || report != nil {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

// A server that answers nothing, or never ends, or names a million things, costs no more
// than the run's bounds.
func TestHostileServersAreBounded(t *testing.T) {
	t.Parallel()
	live := newLive(stream(t, 20, nil))
	for _, c := range []struct {
		name  string
		serve server
	}{
		{"segments that never come", func(at time.Duration, r *http.Request) answer {
			if strings.HasSuffix(r.URL.Path, ".ts") {
				<-r.Context().Done()
				return answer{err: context.Cause(r.Context())}
			}
			return live.serve(at, r)
		}},
		{"a playlist of the largest size", func(_ time.Duration, r *http.Request) answer {
			if !strings.HasSuffix(r.URL.Path, ".m3u8") {
				return answer{status: http.StatusNotFound}
			}
			return list("#EXTM3U\n" + strings.Repeat("#EXTINF:x\na\n", maxPlaylist/12))
		}},
		{"a thousand variants", func(_ time.Duration, r *http.Request) answer {
			if r.URL.Path != "/a.m3u8" {
				return answer{status: http.StatusNotFound}
			}
			var b strings.Builder
			for i := range 5000 {
				fmt.Fprintf(&b, "#EXT-X-STREAM-INF:BANDWIDTH=1\n%d\n", i)
			}
			return list("#EXTM3U\n" + b.String())
		}},
		{"a playlist that is another one each time", func(at time.Duration, r *http.Request) answer {
			return list(fmt.Sprintf("#EXTM3U\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:%d\n#EXTINF:%d.%d,\n%d\n", at/1e9, at/1e6*7919%1000, at/1e6%100, at/1e6, at))
		}},
	} {
		begun := time.Now()
		report, err := lintServer(t, "/a.m3u8", 5*time.Second, c.serve)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if report.Duration > 60 {
			t.Errorf("%s: it took %v s", c.name, report.Duration)
		}
		if len(report.Findings) > maxFindings {
			t.Errorf("%s: %d findings", c.name, len(report.Findings))
		}
		if most := int64(30 * time.Second / requestGap); report.Checked.Requests > most {
			t.Errorf("%s: %d requests, at most %d", c.name, report.Checked.Requests, most)
		}
		t.Logf("%s: %d requests, %d findings, %v", c.name, report.Checked.Requests, len(report.Findings), time.Since(begun))
	}
}
