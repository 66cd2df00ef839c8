package pages

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config/value"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile("testdata/"+name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", name, got)
	}
}

func TestEveryURLAnswers(t *testing.T) {
	h, f := handler(t, defaults(), live("test"))
	f.keyframe = keyframe(t)
	for _, c := range []struct {
		what        string
		status      int
		contentType string
		cache       string
	}{
		{"GET ", 302, "", "no-cache"},
		{"GET /", 200, "text/html; charset=utf-8", "no-cache"},
		{"HEAD /", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /index.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /test.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"HEAD /test.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /show/test.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /nobody.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /test.html?app=show", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /test.html?app=none", 404, "text/plain; charset=utf-8", ""},
		{"GET /test.html?app=../x", 404, "text/plain; charset=utf-8", ""},
		{"GET /none/test.html", 404, "text/plain; charset=utf-8", ""},
		{"GET /show/sub/test.html", 404, "text/plain; charset=utf-8", ""},
		{"GET /.html", 404, "text/plain; charset=utf-8", ""},
		{"GET /a..b.html", 404, "text/plain; charset=utf-8", ""},
		{"GET /embed/test", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /embed/show/test", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET /embed/", 404, "text/plain; charset=utf-8", ""},
		{"GET /json_test.js", 200, "application/json", "no-store"},
		{"GET /show/json_test.js", 200, "application/json", "no-store"},
		{"GET /json_nobody.js", 200, "application/json", "no-store"},
		{"GET /info_test.js", 200, "text/javascript; charset=utf-8", "no-store"},
		{"GET /test.poster.mp4", 200, "video/mp4", "max-age=5"},
		{"GET /nobody.poster.mp4", 404, "text/plain; charset=utf-8", ""},
		{"GET /live.m3u", 200, "audio/x-mpegurl; charset=utf-8", "no-cache"},
		{"GET /oembed?url=https://tv.example/mist/watch/test.html", 200, "application/json; charset=utf-8", "no-cache"},
		{"GET /oembed", 404, "text/plain; charset=utf-8", ""},
		{"GET /player.js", 200, "text/javascript; charset=utf-8", "max-age=600"},
		{"GET /page.js", 200, "text/javascript; charset=utf-8", "max-age=600"},
		{"GET /page.css", 200, "text/css; charset=utf-8", "max-age=600"},
		{"GET /hls.min.js", 200, "text/javascript; charset=utf-8", "max-age=600"},
		{"GET /dash.min.js", 200, "text/javascript; charset=utf-8", "max-age=600"},
		{"GET /dash.min.js.LICENSE", 200, "text/plain; charset=utf-8", "max-age=600"},
		{"GET /hls.min.js.LICENSE", 200, "text/plain; charset=utf-8", "max-age=600"},
		{"GET /page.html.tmpl", 404, "text/plain; charset=utf-8", ""},
		{"GET /x", 404, "text/plain; charset=utf-8", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			resp, body := ask(t, h, c.what)
			differs(t, "status", resp.StatusCode, c.status)
			differs(t, "Content-Type", resp.Header.Get("Content-Type"), c.contentType)
			differs(t, "Cache-Control", resp.Header.Get("Cache-Control"), c.cache)
			differs(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), "nosniff")
			differs(t, "Set-Cookie", resp.Header.Get("Set-Cookie"), "")
			if strings.HasPrefix(c.what, "HEAD") != (body == "") && c.status == 200 {
				t.Errorf("%d bytes", len(body))
			}
			policy := resp.Header.Get("Content-Security-Policy")
			if html := strings.HasPrefix(c.contentType, "text/html"); html != strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self'; ") {
				t.Errorf("the policy is %q", policy)
			}
			if resp.StatusCode == 200 && strings.Contains(policy, "unsafe") {
				t.Errorf("the policy is %q", policy)
			}
		})
	}
}

func TestPagesInFull(t *testing.T) {
	s := live("test")
	s.Title, s.Description = "Friday night", "Demos & more\nfrom 20:00"
	cfg := defaults()
	cfg.Title, cfg.Poster, cfg.OfflineText = "Scanlines", "/poster.jpg", "Back on Friday"
	h, _ := handler(t, cfg, s)
	for name, what := range map[string]string{
		"page.html": "GET /test.html", "embed.html": "GET /embed/show/test", "index.html": "GET /", "offline.html": "GET /show/later.html",
		"json.js": "GET /json_test.js", "json-offline.js": "GET /json_later.js", "info.js": "GET /info_test.js", "live.m3u": "GET /live.m3u",
		"oembed.json": "GET /oembed?maxwidth=500&url=https%3A%2F%2Ftv.example%2Fmist%2Fwatch%2Ftest.html",
	} {
		t.Run(name, func(t *testing.T) {
			_, body := ask(t, h, what)
			golden(t, name, body)
		})
	}
	h, _ = handler(t, defaults())
	_, body := ask(t, h, "GET /")
	golden(t, "index-empty.html", body)
}

// Options of the player stand in the query of a page; the rest of it is for a hook.
func TestTheQueryOfAPage(t *testing.T) {
	h, _ := handler(t, defaults(), live("test"))
	for query, want := range map[string]string{
		"":                                  `data-autoplay="true"></div>`,
		"?autoplay=0":                       `data-autoplay="false"></div>`,
		"?muted":                            `data-autoplay="true" data-muted="true"></div>`,
		"?muted=false&app=show":             `data-autoplay="true"></div>`,
		"?token=a%26b&x=%22%3E%3Cscript%3E": `data-autoplay="true" data-params="token=a%26b&amp;x=%22%3E%3Cscript%3E"></div>`,
		"?x=" + strings.Repeat("x", 1100):   `data-autoplay="true"></div>`,
	} {
		if _, body := ask(t, h, "GET /test.html"+query); !strings.Contains(body, want) {
			t.Errorf("%s: no %s in %s", query, want, body)
		}
	}
}

// What stands in a page is found from where the browser is, however deep, and behind a
// proxy that keeps or strips a prefix.
func TestReferencesAreRelativeAndRight(t *testing.T) {
	for _, location := range []string{"", "/watch", "/a/b"} {
		for _, public := range []string{"", "/mist"} {
			for _, path := range []string{"/", "/test.html", "/show/test.html", "/embed/test", "/embed/show/test"} {
				t.Run(public+location+path, func(t *testing.T) {
					cfg := defaults()
					cfg.Poster = "/poster.jpg"
					h, f := handler(t, cfg, live("test"))
					f.keyframe = keyframe(t)
					r := httptest.NewRequest("GET", location+path, nil)
					_, body := serve(t, h, r, visit(location, path))
					here, _ := url.Parse("https://tv.example" + public + location + path)
					found := regexp.MustCompile(`(?: src| href|"relurl": ?)="?([^" >]*)"`).FindAllStringSubmatch(body, -1)
					if len(found) < 4 {
						t.Fatalf("found %d references", len(found))
					}
					for _, m := range found {
						ref, err := url.Parse(m[1])
						if err != nil {
							t.Fatal(err)
						}
						if ref.IsAbs() {
							continue
						}
						at := here.ResolveReference(ref).Path
						in, ok := strings.CutPrefix(at, public)
						if in == "/live/test.m3u8" || in == "/poster.jpg" {
							continue
						}
						in, ok2 := strings.CutPrefix(in, location)
						if !ok || !ok2 {
							t.Errorf("%s leads to %s, out of the location", m[1], at)
							continue
						}
						if resp, _ := serve(t, h, httptest.NewRequest("GET", location+in, nil), visit(location, in)); resp.StatusCode != 200 {
							t.Errorf("%s leads to %s: %d", m[1], at, resp.StatusCode)
						}
					}
				})
			}
		}
	}
}

// The page without a slash at its end would have its references a directory too high.
func TestTheLocationWithoutItsSlash(t *testing.T) {
	h, _ := handler(t, defaults())
	resp, _ := ask(t, h, "GET ?a=b")
	differs(t, "Location", resp.Header.Get("Location"), "watch/?a=b")
}

// hostile are texts that would do harm if they were not escaped.
var hostile = []string{
	`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `" onload="alert(1)`, `' onload='alert(1)`, `</textarea><script>alert(1)</script>`,
	`{{.Root}}`, `javascript:alert(1)`, `\u003cscript\u003ealert(1)`, "a\u2028alert(1)", "</script><script>alert(1)", `<!--<script>`, `&quot; onload=&quot;`, "\x00\x1b",
}

func TestHostileTitlesDoNoHarm(t *testing.T) {
	for _, text := range hostile {
		s := live("test")
		s.Title, s.Description = text, text
		cfg := defaults()
		cfg.Title, cfg.OfflineText = text, text
		h, _ := handler(t, cfg, s)
		for _, what := range []string{"GET /", "GET /test.html", "GET /embed/test", "GET /none.html"} {
			_, body := ask(t, h, what)
			for _, bad := range []string{"<script>", `onload="`, `onload='`, "<!--", "\u2028alert"} {
				if strings.Contains(strings.ReplaceAll(body, `<script src=`, ""), bad) && !strings.Contains(bad, "\u2028") {
					t.Errorf("%s with %q contains %q", what, text, bad)
				}
			}
		}
		_, body := ask(t, h, "GET /info_test.js")
		if strings.Contains(body, "<") || strings.Contains(body, "\u2028") {
			t.Errorf("info_test.js with %q: %s", text, body)
		}
		_, body = ask(t, h, "GET /json_test.js")
		var i info
		if err := json.Unmarshal([]byte(body), &i); err != nil || i.Title != text {
			t.Errorf("json_test.js with %q: %v, %q", text, err, i.Title)
		}
		_, body = ask(t, h, "GET /live.m3u")
		if lines := strings.Count(body, "\n"); lines != 3 {
			t.Errorf("live.m3u with %q has %d lines: %q", text, lines, body)
		}
		_, body = ask(t, h, "GET /oembed?url=https://tv.example/mist/watch/test.html")
		var e oEmbed
		if err := json.Unmarshal([]byte(body), &e); err != nil || strings.Contains(e.HTML, "<script>") || strings.Contains(e.HTML, ` onload="`) {
			t.Errorf("oembed with %q: %v, %s", text, err, e.HTML)
		}
	}
}

// An address that a header of a proxy made up was checked before, and is escaped all the
// same.
func TestHostileAddressesDoNoHarm(t *testing.T) {
	h, f := handler(t, defaults(), live("test"))
	f.keyframe = keyframe(t)
	for _, base := range hostile {
		v := visit("", "/test.html")
		v.Base = func() string { return base }
		_, body := serve(t, h, httptest.NewRequest("GET", "/test.html", nil), v)
		for _, bad := range []string{"<script>", `onload="`, "<!--"} {
			if strings.Contains(body, bad) {
				t.Errorf("an address of %q: the page contains %q", base, bad)
			}
		}
	}
}

func TestAnswersSayWhatTheyDependOn(t *testing.T) {
	h, _ := handler(t, defaults(), live("test"))
	for _, what := range []string{"GET /test.html", "GET /embed/test", "GET /", "GET /json_test.js", "GET /info_test.js", "GET /live.m3u", "GET /oembed?url=https://tv.example/mist/watch/test.html"} {
		resp, _ := ask(t, h, what)
		differs(t, what+": Vary", resp.Header.Get("Vary"), "X-Mst-Path")
	}
	resp, _ := ask(t, h, "GET /player.js")
	differs(t, "player.js: Vary", resp.Header.Get("Vary"), "Accept-Encoding")
}

func TestWhoMayShowThePagesInAFrame(t *testing.T) {
	for want, from := range map[string]value.Origins{
		"*":                               {"*"},
		"https://a.example https://b.org": {"https://a.example", "https://b.org"},
		"'none'":                          {},
	} {
		cfg := defaults()
		cfg.EmbedFrom = from
		h, _ := handler(t, cfg)
		for _, what := range []string{"GET /embed/test", "GET /test.html", "GET /"} {
			resp, _ := ask(t, h, what)
			if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy+";", "frame-ancestors "+want+";") {
				t.Errorf("%s: %s", what, policy)
			}
		}
	}
}

// What is elsewhere is named in the policy, and nothing else.
func TestThePolicyFollowsTheConfiguration(t *testing.T) {
	cfg := defaults()
	cfg.Poster = "https://img.example/a.jpg"
	s := live("test")
	s.Elsewhere = "https://cdn.example"
	h, _ := handler(t, cfg, s)
	resp, _ := ask(t, h, "GET /test.html")
	for _, want := range []string{"img-src 'self' data: https://img.example;", "connect-src 'self' https://cdn.example;", "media-src blob: data: 'self' https://cdn.example"} {
		if got := resp.Header.Get("Content-Security-Policy"); !strings.Contains(got, want) {
			t.Errorf("%s lacks %q", got, want)
		}
	}
	for _, bad := range []string{"https://img.example; script-src *", "//img.example/x.jpg", "javascript:alert(1)", "https://u:p@img.example/x", "ftp://a/b", "https://a b/c", "?x"} {
		cfg.Poster = bad
		if _, err := New(cfg, &fakeStreams{}); err == nil {
			t.Errorf("the poster %q is taken", bad)
		}
	}
}

// A stream about which a hook is asked is in no list and has no public picture; one that
// no location serves can't be watched.
func TestStreamsThatNotEverybodyMayWatch(t *testing.T) {
	guarded := live("guarded")
	guarded.Guarded = true
	h, f := handler(t, defaults(), guarded)
	f.keyframe = keyframe(t)
	_, body := ask(t, h, "GET /")
	if strings.Contains(body, "guarded") {
		t.Errorf("the list has it: %s", body)
	}
	if _, body = ask(t, h, "GET /live.m3u"); strings.Contains(body, "guarded") {
		t.Errorf("live.m3u has it: %s", body)
	}
	if resp, _ := ask(t, h, "GET /guarded.poster.mp4"); resp.StatusCode != 404 {
		t.Errorf("its picture: %d", resp.StatusCode)
	}
	_, body = ask(t, h, "GET /json_guarded.js")
	if !strings.Contains(body, `"relurl":"../live/guarded.m3u8"`) || strings.Contains(body, "poster.mp4") {
		t.Errorf("json: %s", body)
	}

	h, f = handler(t, defaults(), live("test"))
	f.keyframe = keyframe(t)
	v := visit("", "/json_test.js")
	v.PlaylistPath = func(string, string) string { return "" }
	_, body = serve(t, h, httptest.NewRequest("GET", "/json_test.js", nil), v)
	if !strings.Contains(body, "no location serves its playlist") || strings.Contains(body, "source") {
		t.Errorf("json: %s", body)
	}
	v.Path = "/test.poster.mp4"
	if resp, _ := serve(t, h, httptest.NewRequest("GET", "/test.poster.mp4", nil), v); resp.StatusCode != 404 {
		t.Errorf("its picture: %d", resp.StatusCode)
	}
	v.Path = "/"
	if _, body = serve(t, h, httptest.NewRequest("GET", "/", nil), v); strings.Contains(body, "test.html") {
		t.Errorf("the list has it: %s", body)
	}
}

func TestStates(t *testing.T) {
	for state, want := range map[State]string{
		Offline: `"error":"Stream is offline"`, Waiting: `"error":"Stream is waiting for data"`,
		Live: `"source":[{`, Interrupted: `"source":[{`, OnDemand: `"source":[{`,
	} {
		s := live("test")
		s.State = state
		h, _ := handler(t, defaults(), s)
		_, body := ask(t, h, "GET /json_test.js")
		if !strings.Contains(body, want) || !strings.Contains(body, `"state":"`+string(state)+`"`) {
			t.Errorf("%s: %s", state, body)
		}
	}
}

func TestUnchangedAnswersAre304(t *testing.T) {
	h, _ := handler(t, defaults(), live("test"))
	for _, what := range []string{"GET /hls.min.js", "GET /test.html", "GET /json_test.js"} {
		resp, _ := ask(t, h, what)
		again, body := ask(t, h, what, "If-None-Match: "+resp.Header.Get("ETag"))
		if again.StatusCode != 304 || body != "" {
			t.Errorf("%s: %d with %d bytes, want 304 with none", what, again.StatusCode, len(body))
		}
	}
}

func TestFilesAreCompressed(t *testing.T) {
	h, _ := handler(t, defaults())
	_, plain := ask(t, h, "GET /hls.min.js")
	resp, small := ask(t, h, "GET /hls.min.js", "Accept-Encoding: gzip, br")
	differs(t, "Content-Encoding", resp.Header.Get("Content-Encoding"), "gzip")
	r, err := gzip.NewReader(strings.NewReader(small))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != plain {
		t.Errorf("%v, %d bytes, want %d", err, len(b), len(plain))
	}
}

func TestOurOwnFilesStaySmall(t *testing.T) {
	total := 0
	for name, a := range assets() {
		if !strings.HasPrefix(name, "hls.") && !strings.HasPrefix(name, "dash.") {
			total += len(a.body)
		}
	}
	h, _ := handler(t, defaults(), live("test"))
	_, body := ask(t, h, "GET /test.html")
	if total += len(body); total >= 60<<10 {
		t.Errorf("%d bytes, want less than 60 KiB", total)
	}
}

func TestPlayersKeepTheirLicences(t *testing.T) {
	h, _ := handler(t, defaults())
	_, body := ask(t, h, "GET /hls.min.js.LICENSE")
	if !strings.Contains(body, "Copyright (c) 2017 Dailymotion") || !strings.Contains(body, "Apache License, Version 2.0") {
		t.Errorf("the licence of hls.js reads %q", body)
	}
	_, body = ask(t, h, "GET /dash.min.js.LICENSE")
	if !strings.Contains(body, "Copyright (c) 2015, Dash Industry Forum") || !strings.Contains(body, "Redistributions in binary form") {
		t.Errorf("the licence of dash.js reads %q", body)
	}
}

// Names go into paths as they are or escaped, and lead back to the stream.
func TestNamesOfAllKinds(t *testing.T) {
	for _, name := range []string{"a+b", "käse", "日本", "a.b", "a=b@c~d", "json_x", "x.html", "x.poster.mp4"} {
		h, _ := handler(t, defaults(), live(name))
		_, body := ask(t, h, "GET /")
		m := regexp.MustCompile(`<a href="([^"]*)"><video`).FindStringSubmatch(body)
		if m == nil {
			t.Errorf("%s: %s", name, body)
			continue
		}
		resp, body := ask(t, h, "GET /"+strings.ReplaceAll(m[1], "&#43;", "+"))
		if resp.StatusCode != 200 || !strings.Contains(body, `data-rtmpd="show/`) {
			t.Errorf("%s: %s: %d", name, m[1], resp.StatusCode)
		}
	}
}
