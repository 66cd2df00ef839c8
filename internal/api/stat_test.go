package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestWhatAStatLocationAnswers(t *testing.T) {
	const (
		firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
		plain   = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<rtmp>"
		mine    = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<?xml-stylesheet type=\"text/xsl\" href=\"/my.xsl\" ?>"
		html    = "<!DOCTYPE html>"
	)
	taken := 0
	take := func() *Snapshot { taken++; return snapshot() }
	for _, c := range []struct {
		stylesheet, accept, what string
		kind, begin              string
	}{
		{"", "", "GET /stat", "text/xml", plain},
		{"", "*/*", "GET /stat", "text/xml", plain},
		{"", firefox, "GET /stat", "text/html; charset=utf-8", html},
		{"", "TEXT/HTML", "GET /stat", "text/html; charset=utf-8", html},
		{"", "text/html; q=0, */*", "GET /stat", "text/xml", plain},
		{"", "application/xml, text/html;q=0.5", "GET /stat", "text/xml", plain},
		{"", "application/json, text/plain, */*", "GET /stat", "text/xml", plain},
		{"", ";;,text/", "GET /stat", "text/xml", plain},
		{"", firefox, "GET /stat?format=xml", "text/xml", plain},
		{"", firefox, "GET /stat?format=json", "application/json", `{"rtmp":{"nginx_version":"rtmpd/1.2.3",`},
		{"", "", "GET /stat?format=html", "text/html; charset=utf-8", html},
		{"/my.xsl", firefox, "GET /stat?x=1", "text/xml", mine},
		{"/my.xsl", "", "GET /stat", "text/xml", mine},
		{"", "", "HEAD /stat", "text/xml", ""},
		{"", firefox, "HEAD /stat", "text/html; charset=utf-8", ""},
		{"", "", "HEAD /stat?format=json", "application/json", ""},
	} {
		taken = 0
		method, target, _ := strings.Cut(c.what, " ")
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, target, nil)
		if c.accept != "" {
			r.Header.Set("Accept", c.accept)
		}
		Stat(take, c.stylesheet).ServeHTTP(w, r)
		h := w.Header()
		if got := h.Get("Content-Type"); got != c.kind || w.Code != 200 || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Vary") != "Accept" {
			t.Errorf("%s, accepting %q: %d %s, want %s; %v", c.what, c.accept, w.Code, got, c.kind, h)
		}
		body := w.Body.String()
		if !strings.HasPrefix(body, c.begin) || method == "HEAD" && (body != "" || taken > 0) {
			t.Errorf("%s, accepting %q, begins with %.120q, want %q", c.what, c.accept, body, c.begin)
		}
	}
}

func TestThePageForPeople(t *testing.T) {
	var b strings.Builder
	if err := WriteHTML(&b, snapshot()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"<h1>rtmpd/1.2.3</h1>", "up 1 d 1 h", "42 connections", "<td>test</td>", "2.50 Mb/s", "H264 High 1920×1080 30 fps", "AAC LC 48000 Hz 2 ch",
		`<div class="warning">gop_long: A keyframe &lt;interval&gt; of 4 s &amp; more</div>`, `<div class="error">reload_failed: the file has a mistake</div>`,
		"3 connected", "192.0.2.1", "no streams", "HEVC 3840×2160 60 fps", "MP3 44100 Hz 1 ch", "</html>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s\n%s", want, page)
		}
	}
	if !strings.Contains(page, "&lt;b&gt;&#34;x&#34; &amp; &#39;y&#39;&lt;/b&gt;") {
		t.Error("the hostile name is not shown")
	}
	for _, bad := range []string{"<b>", "<script", "<a ", "\x1b", "\x00", "\u202e", "not shown"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q: a client's words could become one", bad)
		}
	}
	if err := WriteHTML(&failingWriter{}, snapshot()); err == nil {
		t.Error("a reader that went away is no error")
	}
}

func TestWriteJSONIsTheGoldenPage(t *testing.T) {
	const golden = "testdata/stat.golden.json"
	var b strings.Builder
	if err := WriteJSON(&b, snapshot()); err != nil {
		t.Fatal(err)
	}
	var tree map[string]map[string]any
	if err := json.Unmarshal([]byte(b.String()), &tree); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(tree["rtmp"]["pid"]), fmt.Sprint(float64(os.Getpid())); got != want {
		t.Errorf("pid %s, want %s", got, want)
	}
	tree["rtmp"]["pid"], tree["rtmp"]["compiler"] = 1, "go"
	pretty, err := json.MarshalIndent(tree, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got := string(pretty) + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.ContainsAny(b.String(), "<>\x00\x1b\u2028") {
		t.Error("a page that takes the JSON for HTML or a script would misread it")
	}
}

func TestListsAreListsWhenTheyAreEmpty(t *testing.T) {
	var b strings.Builder
	s := &Snapshot{Servers: []Server{{}, {Applications: []Application{{Live: true}, {Live: true, Streams: []Stream{{}}}}}}}
	if err := WriteJSON(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"servers":[[],[`, `"streams":[]`, `"clients":[]`, `"findings":[]`, `"findings":[]}}`} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("no %s in %s", part, b.String())
		}
	}
	if b.Reset(); WriteJSON(&b, &Snapshot{}) != nil || !strings.Contains(b.String(), `"servers":[]`) {
		t.Errorf("an empty server: %s", b.String())
	}
}

// crowd is 1000 streams with 5 players each.
func crowd() *Snapshot {
	one := snapshot().Servers[0].Applications[2].Streams[0]
	c := one.Clients[1]
	c.PageURL = "https://chat.example/room?of=many"
	one.Clients = []Client{one.Clients[0], c, c, c, c, c}
	app := Application{Name: "live", Live: true}
	for i := range 1000 {
		one.Name = fmt.Sprintf("stream%d", i)
		app.Streams = append(app.Streams, one)
	}
	return &Snapshot{Servers: []Server{{Applications: []Application{app}}}}
}

func BenchmarkStatXML(b *testing.B) {
	s := crowd()
	for b.Loop() {
		if err := WriteXML(io.Discard, s, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStatHTML(b *testing.B) {
	s := crowd()
	for b.Loop() {
		if err := WriteHTML(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStatJSON(b *testing.B) {
	s := crowd()
	for b.Loop() {
		if err := WriteJSON(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}
