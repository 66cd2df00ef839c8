package server

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// paged are applications with pages that show them.
const paged = `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = "1h"
    hls {
      path     = "$DIR/www/live"
      fragment = "1s"
    }
  }
  application "radio" {
    hls {
      path     = "$DIR/www/radio"
      fragment = "1s"
      variant "_low" {}
      variant "_high" {}
    }
  }
  application "asked" {
    on_play = "http://127.0.0.1:9/play"
    hls {
      path     = "$DIR/www/asked"
      fragment = "1s"
    }
  }
  application "fragmented" {
    hls {
      path     = "$DIR/www/fragmented"
      format   = "fmp4"
      fragment = "1s"
    }
    dash {
      path     = "$DIR/www/fragmented"
      fragment = "1s"
    }
  }
  application "manifest" {
    dash {
      path     = "$DIR/www/manifest"
      fragment = "1s"
    }
  }
  application "nohls" {}
}
http {
  listen = "127.0.0.1:0"
  location "/live" {
    root = "$DIR/www"
  }
  location "/radio" {
    root = "$DIR/www"
  }
  location "/fragmented" {
    root = "$DIR/www"
  }
  location "/manifest" {
    root = "$DIR/www"
  }
  location "/asked" {
    root = "$DIR/www"
  }
  location "/" {
    player {}
  }
  location "/radio-only" {
    player { applications = ["radio"] }
  }
  location "/own" {
    player {
      title        = "The show"
      poster       = "https://img.example.org/p.jpg"
      offline_text = "Back on Friday"
      autoplay     = false
      embed_from   = ["https://forum.example.org"]
    }
  }
  location "/control" {
    control {}
    access = ["allow loopback", "deny all"]
  }
}`

// state is what json_NAME.js says.
type state struct {
	State, Error, Title, Description, App, Picture string
	Width                                          int
	Renditions                                     int
	Source                                         []struct{ Type, RelURL, URL string }
}

func (r *rig) state(path string) (s state) {
	r.Helper()
	status, body := r.call(path)
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != 200 {
		r.Fatalf("%s: %d %s", path, status, body)
	}
	return s
}

// stateBecomes waits for a state.
func (r *rig) stateBecomes(path, want string) state {
	r.Helper()
	var s state
	r.eventually(path+" is "+want, func() bool {
		s = r.state(path)
		return s.State == want
	})
	return s
}

// An application without HLS has pages that play DASH.
func TestTheStateOfAStreamInDASHAlone(t *testing.T) {
	r := start(t, paged)
	const path = "/json_test.js?app=manifest"
	r.stateBecomes(path, "offline")
	p := r.publish("manifest", "test")
	p.seconds(3)
	if s := r.stateBecomes(path, "live"); len(s.Source) < 1 || strings.HasSuffix(s.Source[0].RelURL, ".flv") || s.Source[0].RelURL != "manifest/test.mpd" || s.Source[0].Type != "dash/video/mp4" || s.Picture == "" {
		t.Errorf("live: %+v", s)
	}
	if status, body := r.call("/live.m3u"); status != 200 || !strings.Contains(body, "/manifest/test.mpd\n") {
		t.Errorf("live.m3u: %d %s", status, body)
	}
	if status, body := r.call("/test.html?app=manifest"); status != 200 || !strings.Contains(body, `href="dash.min.js" as="script"`) {
		t.Errorf("the page: %d %s", status, body)
	}
	p.unpublish(t)
	r.stateBecomes(path, "offline")
}

// With fragmented MP4 the playlist that players open says neither that there is something
// to play nor that it is over.
func TestTheStateOfAStreamInFragmentedMP4(t *testing.T) {
	r := start(t, paged)
	p := r.publish("fragmented", "test")
	p.seconds(3)
	const path = "/json_test.js?app=fragmented"
	if s := r.stateBecomes(path, "live"); s.Source[0].RelURL != "fragmented/test.m3u8" || !strings.HasSuffix(s.Source[0].Type, ";version=7") {
		t.Errorf("live: %+v", s)
	}
	r.eventually("DASH is a source, too", func() bool {
		s := r.state(path)
		return len(s.Source) > 2 && s.Source[1].Type == "dash/video/mp4" && s.Source[1].RelURL == "fragmented/test.mpd"
	})
	p.unpublish(t)
	r.stateBecomes(path, "offline")
	p = r.publish("fragmented", "test")
	p.seconds(0.5)
	// The old playlists are there. Until their end is taken back there is nothing to play.
	r.eventually(path+" begins again", func() bool {
		s := r.state(path)
		if s.State == "waiting" && len(s.Source) != 0 {
			t.Errorf("at the next beginning: %+v", s)
		}
		return s.State == "waiting" || s.State == "live"
	})
	p.seconds(3)
	r.stateBecomes(path, "live")
}

func TestAStreamsStateFollowsItsPublisher(t *testing.T) {
	r := start(t, paged)
	if s := r.state("/json_test.js"); s.State != "offline" || s.Error != "Stream is offline" || s.App != "live" || len(s.Source) != 0 {
		t.Errorf("before: %+v", s)
	}
	p := r.publish("live", "test")
	p.seconds(0.5)
	if s := r.stateBecomes("/json_test.js", "waiting"); s.Error != "Stream is waiting for data" {
		t.Errorf("at the beginning: %+v", s)
	}
	p.seconds(3)
	s := r.stateBecomes("/json_test.js", "live")
	if len(s.Source) != 7 || s.Source[0].RelURL != "live/test.m3u8" || s.Source[0].URL != r.web()+"/live/test.m3u8" || s.Width != 640 || s.Picture != "test.poster.mp4" {
		t.Errorf("live: %+v", s)
	}
	if status, body := r.call("/" + s.Source[0].RelURL); status != 200 || !strings.HasPrefix(body, "#EXTM3U") {
		t.Errorf("its playlist: %d %s", status, body)
	}
	p.cut()
	if s := r.stateBecomes("/json_test.js", "interrupted"); len(s.Source) != 7 {
		t.Errorf("interrupted: %+v", s)
	}
	p = r.publish("live", "test")
	p.seconds(2)
	r.stateBecomes("/json_test.js", "live")
	p.unpublish(t)
	if s := r.stateBecomes("/json_test.js", "offline"); len(s.Source) != 0 {
		t.Errorf("after the end: %+v", s)
	}
}

// unpublish is the clean end of a publisher.
func (c *client) unpublish(t *testing.T) {
	t.Helper()
	if err := c.WriteMessage(rtmp.Message{Type: rtmp.TypeCommandAMF0, ChunkStreamID: 3, Payload: amf.Append(amf.Append(amf.Append(amf.Append(nil, "deleteStream"), 9.), nil), 1.)}); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// The first application that has the stream is meant, unless the path says which.
func TestAPlayerShowsTheApplicationsItNames(t *testing.T) {
	r := start(t, paged)
	r.publish("radio", "test").seconds(3)
	if s := r.stateBecomes("/json_test.js", "live"); s.App != "radio" {
		t.Errorf("the application that has it: %+v", s)
	}
	if s := r.state("/json_test.js?app=live"); s.State == "live" {
		t.Errorf("the other one: %+v", s)
	}
	r.publish("live", "test").seconds(3)
	r.eventually("the first application has it", func() bool { return r.state("/json_test.js").App == "live" })
	if s := r.stateBecomes("/radio-only/json_test.js", "live"); s.App != "radio" || s.Source[0].RelURL != "../radio/test.m3u8" {
		t.Errorf("the one application that is shown: %+v", s)
	}
	for path, want := range map[string]int{
		"/radio-only/radio/test.html": 200, "/radio-only/live/test.html": 404, "/nohls/test.html": 404, "/none/test.html": 404, "/own/live/test.html": 200,
	} {
		if status, _ := r.call(path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	_, list := r.call("/")
	if strings.Count(list, `<a href="test.html">`) != 1 || strings.Count(list, `<a href="test.html?app=radio">`) != 1 {
		t.Errorf("the list: %s", list)
	}
	if _, list = r.call("/radio-only/live.m3u"); list != "#EXTM3U\n#EXTINF:-1,test\n"+r.web()+"/radio/test.m3u8\n" {
		t.Errorf("live.m3u: %q", list)
	}
}

// The base name of renditions is one stream.
func TestRenditionsAreOneStream(t *testing.T) {
	r := start(t, paged)
	r.publish("radio", "show_low").seconds(3)
	r.publish("radio", "show_high").seconds(3)
	r.eventually("both are there", func() bool { return r.state("/json_show.js?app=radio").Renditions == 2 })
	s := r.stateBecomes("/json_show.js?app=radio", "live")
	if s.Source[0].RelURL != "radio/show.m3u8" {
		t.Errorf("%+v", s)
	}
	if _, list := r.call("/"); !strings.Contains(list, `<a href="show.html">`) || strings.Contains(list, "show_low") {
		t.Errorf("the list: %s", list)
	}
	if status, b := r.call("/show.poster.mp4"); status != 200 || b[4:8] != "ftyp" {
		t.Errorf("its picture: %d", status)
	}
}

// Where a hook is asked about viewers, a stream is in no list and has no public picture.
func TestPagesOfStreamsThatAHookGuards(t *testing.T) {
	r := start(t, paged)
	r.publish("asked", "secret").seconds(3)
	r.stateBecomes("/json_secret.js?app=asked", "live")
	if _, list := r.call("/"); strings.Contains(list, "secret") {
		t.Errorf("the list: %s", list)
	}
	if status, _ := r.call("/secret.poster.mp4?app=asked"); status != 404 {
		t.Errorf("its picture: %d", status)
	}
}

func TestWhatAPlayersAttributesDo(t *testing.T) {
	r := start(t, paged)
	_, body := r.call("/own/test.html")
	res, err := http.Get(r.web() + "/own/test.html")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"<title>The show</title>", "Back on Friday", `data-autoplay="false"`, `content="https://img.example.org/p.jpg"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	for _, want := range []string{"frame-ancestors https://forum.example.org;", "img-src 'self' data: https://img.example.org;"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if _, body = r.call("/test.html"); !strings.Contains(body, `data-autoplay="true"`) || !strings.Contains(body, "<title>test – Live</title>") {
		t.Errorf("without attributes: %s", body)
	}
}

// named is metadata with a title.
func named(title, description string) rtmp.Message {
	return rtmp.Message{
		Type: rtmp.TypeDataAMF0, ChunkStreamID: 5, StreamID: 1,
		Payload: amf.Append(amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData"), amf.ECMAArray{{Name: "title", Value: title}, {Name: "description", Value: description}}),
	}
}

// What a proxy says of the public address stands in the page if it may be true, and is
// said to be what the answer depends on. Nothing of it becomes HTML.
func TestPagesBelieveNoHostileHeader(t *testing.T) {
	r := start(t, paged)
	r.publish("live", "test").seconds(3)
	r.stateBecomes("/json_test.js", "live")
	host := strings.TrimPrefix(r.web(), "http://")
	for header, base := range map[string]string{
		"X-Mst-Path: https://" + host + "/mist/":                            "https://" + host + "/mist",
		"X-Mst-Path: https://" + host + "/mist":                             "https://" + host + "/mist",
		"X-Forwarded-Proto: https":                                          "https://" + host,
		"X-Forwarded-Prefix: /a b":                                          r.web() + "/a%20b",
		"X-Mst-Path: https://evil.example/":                                 "",
		"X-Mst-Path: javascript:alert(1)":                                   "",
		"X-Mst-Path: http://" + host + `/"><script>alert(1)</script>`:       r.web() + "/%22%3E%3Cscript%3Ealert%281%29%3C/script%3E",
		"X-Mst-Path: http://" + host + "/a?x=<script>":                      "",
		"X-Forwarded-Host: " + host + `"><script>alert(1)</script>`:         "",
		"X-Forwarded-Prefix: " + `/"><script>alert(1)</script>`:             r.web() + "/%22%3E%3Cscript%3Ealert%281%29%3C/script%3E",
		"X-Forwarded-Prefix: //evil.example":                                "",
		`Forwarded: for=127.0.0.1;proto=https;host="` + host + `"`:          "https://" + host,
		`Forwarded: for=127.0.0.1;proto="java<script>";host="` + host + `"`: "",
	} {
		for _, path := range []string{"/test.html", "/embed/test", "/json_test.js", "/info_test.js", "/live.m3u", "/oembed?url=" + "http%3A%2F%2Fx%2Ftest.html"} {
			req, err := http.NewRequest("GET", r.web()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			name, value, _ := strings.Cut(header, ": ")
			req.Header.Set(name, value)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			for _, bad := range []string{"<script>", "evil.example", "javascript:"} {
				if strings.Contains(string(b), bad) {
					t.Errorf("%s with %s contains %q:\n%s", path, header, bad, b)
				}
			}
			if !strings.Contains(res.Header.Get("Vary"), "X-Mst-Path") && res.StatusCode == 200 {
				t.Errorf("%s with %s: Vary is %q", path, header, res.Header.Get("Vary"))
			}
			private := strings.HasPrefix(res.Header.Get("Cache-Control"), "private")
			if res.StatusCode == 200 && private != (base != "") {
				t.Errorf("%s with %s: Cache-Control is %q", path, header, res.Header.Get("Cache-Control"))
			}
			want := base
			if want == "" {
				want = r.web()
			}
			if path == "/test.html" && !strings.Contains(string(b), `<meta property="og:url" content="`+want+`/test.html">`) {
				t.Errorf("%s with %s: no address %s in\n%s", path, header, want, b)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// The operator's title counts, then the publisher's, then the configuration's.
func TestTitles(t *testing.T) {
	r := start(t, paged)
	p := r.publish("live", "test")
	p.seconds(3)
	if s := r.stateBecomes("/json_test.js", "live"); s.Title != "test" {
		t.Errorf("without any: %+v", s)
	}
	if s := r.state("/own/json_test.js"); s.Title != "The show" {
		t.Errorf("the configuration's: %+v", s)
	}
	if err := p.WriteMessage(named("A <b>\ttitle", "Two\nlines")); err != nil {
		t.Fatal(err)
	}
	p.seconds(0.1)
	r.eventually("the publisher's title", func() bool { return r.state("/own/json_test.js").Title == "A <b> title" })
	if s := r.state("/json_test.js"); s.Description != "Two\nlines" {
		t.Errorf("the publisher's: %+v", s)
	}
	if _, body := r.call("/test.html"); !strings.Contains(body, `<h1 id="title">A &lt;b&gt; title</h1>`) {
		t.Errorf("the page: %s", body)
	}
	r.count(1, "/control/title?app=live&name=test&title=Friday%20night")
	if s := r.state("/json_test.js"); s.Title != "Friday night" || s.Description != "Two\nlines" {
		t.Errorf("the operator's: %+v", s)
	}
	r.count(1, "/control/title?app=live&name=later&title=Tomorrow&description=At+20:00")
	if s := r.state("/json_later.js"); s.Title != "Tomorrow" || s.Description != "At 20:00" || s.State != "offline" {
		t.Errorf("of a stream that is to come: %+v", s)
	}
	r.count(1, "/control/title?app=live&name=test&title=")
	if s := r.state("/json_test.js"); s.Title != "A <b> title" {
		t.Errorf("taken back: %+v", s)
	}
	for call, want := range map[string]int{
		"title?app=live&title=x": 400, "title?name=test&title=x": 400, "title?app=live&name=a/b&title=x": 400,
		"title?app=nobody&name=test&title=x": 404, "title?app=live&name=test&title=a%0Ab": 400, "title?app=live&name=test&title=%ff": 400,
		"title?app=live&name=test&title=" + strings.Repeat("x", 257): 400, "title?app=live&name=test&description=" + strings.Repeat("x", 1025): 400,
		"title?app=live&name=test&title=x&title=y": 400, "title/x?app=live&name=test": 400,
	} {
		if status, body := r.call("/control/" + call); status != want {
			t.Errorf("%s: %d %s, want %d", call, status, body, want)
		}
	}
}

func TestTitlesAreBounded(t *testing.T) {
	r := start(t, paged)
	for i := range 1000 {
		r.count(1, fmt.Sprintf("/control/title?app=live&name=s%d&title=x", i))
	}
	if status, body := r.call("/control/title?app=live&name=more&title=x"); status != 409 || !strings.Contains(body, "take one back") {
		t.Errorf("%d %s", status, body)
	}
	r.count(1, "/control/title?app=live&name=s7&title=y") // another one for a stream that has one
	r.count(1, "/control/title?app=live&name=s7")
	r.count(1, "/control/title?app=live&name=more&title=x")
}

// A socket is a WebSocket.
type socket struct {
	net.Conn
	br *bufio.Reader
}

// openSocket asks for a WebSocket and returns the answer.
func (r *rig) openSocket(path string, headers ...string) (*socket, *http.Response) {
	r.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(r.web(), "http://"))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, nc.RemoteAddr(), strings.Join(headers, ""))
	s := &socket{nc, bufio.NewReader(nc)}
	res, err := http.ReadResponse(s.br, nil)
	if err != nil {
		r.Fatal(err)
	}
	return s, res
}

// next returns the next text, or the code of a close.
func (s *socket) next(t *testing.T) (text string, code int) {
	t.Helper()
	for {
		var head [2]byte
		if _, err := io.ReadFull(s.br, head[:]); err != nil {
			t.Fatal(err)
		}
		n := int(head[1])
		if n == 126 {
			var b [2]byte
			_, _ = io.ReadFull(s.br, b[:])
			n = int(binary.BigEndian.Uint16(b[:]))
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(s.br, b); err != nil {
			t.Fatal(err)
		}
		switch head[0] {
		case 0x81:
			return string(b), 0
		case 0x88:
			return "", int(binary.BigEndian.Uint16(b))
		}
	}
}

// until reads texts up to one that contains words.
func (s *socket) until(t *testing.T, words string) {
	t.Helper()
	for {
		text, code := s.next(t)
		if code != 0 {
			t.Fatalf("closed with %d before %q", code, words)
		}
		if strings.Contains(text, words) {
			return
		}
	}
}

func TestAWebSocketGetsEachChange(t *testing.T) {
	r := start(t, paged)
	s, res := r.openSocket("/json_test.js")
	if res.StatusCode != 101 {
		t.Fatal(res.Status)
	}
	s.until(t, `"error":"Stream is offline"`)
	p := r.publish("live", "test")
	p.seconds(3)
	s.until(t, `"relurl":"live/test.m3u8"`)
	r.count(1, "/control/title?app=live&name=test&title=Encore")
	s.until(t, `"title":"Encore"`)
	p.cut()
	s.until(t, `"state":"interrupted"`)
	reloaded, res := r.openSocket("/info_test.js")
	if res.StatusCode != 101 {
		t.Fatal(res.Status)
	}
	reloaded.until(t, `"state":"interrupted"`)
	// The pages after a reload are other ones: who waits is to ask those.
	r.reload(strings.Replace(paged, `"The show"`, `"Another show"`, 1))
	for _, s := range []*socket{s, reloaded} {
		if _, code := s.next(t); code != 1001 {
			t.Errorf("at a reload: code %d, want 1001", code)
		}
	}
	last, _ := r.openSocket("/json_test.js")
	last.until(t, `"state":`)
	if err := r.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, code := last.next(t); code != 1001 {
		t.Errorf("at the end: code %d, want 1001", code)
	}
}

// One address can't take all WebSockets, and who gets none can ask without.
func TestWebSocketsAreBounded(t *testing.T) {
	r := start(t, paged)
	for range 64 {
		if _, res := r.openSocket("/json_test.js"); res.StatusCode != 101 {
			t.Fatal(res.Status)
		}
	}
	if _, res := r.openSocket("/json_test.js"); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %s", res.Status)
	}
	if s := r.state("/json_test.js"); s.State != "offline" {
		t.Errorf("without one: %+v", s)
	}
}
