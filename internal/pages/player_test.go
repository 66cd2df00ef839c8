package pages

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func serve(t *testing.T, p Page, method, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Handler(p)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerAnswers(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		status             int
		contentType        string
	}{
		{"the page", "GET", "/", 200, "text/html; charset=utf-8"},
		{"the page by HEAD", "HEAD", "/", 200, "text/html; charset=utf-8"},
		{"its script", "GET", "/player.js", 200, "text/javascript; charset=utf-8"},
		{"its style", "GET", "/player.css", 200, "text/css; charset=utf-8"},
		{"hls.js", "GET", "/hls.min.js", 200, "text/javascript; charset=utf-8"},
		{"the licence of hls.js", "GET", "/hls.min.js.LICENSE", 200, "text/plain; charset=utf-8"},
		{"the template is not a file of the page", "GET", "/index.html", 404, "text/plain; charset=utf-8"},
		{"an unknown file", "GET", "/x", 404, "text/plain; charset=utf-8"},
		{"a method that changes things", "POST", "/", 405, "text/plain; charset=utf-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(t, Page{Playlist: "live/demo.m3u8"}, c.method, c.path, nil)
			if w.Code != c.status || w.Header().Get("Content-Type") != c.contentType {
				t.Errorf("%s %s: got %d %q, want %d %q", c.method, c.path, w.Code, w.Header().Get("Content-Type"), c.status, c.contentType)
			}
			if w.Code == 200 && !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: no content security policy", c.path)
			}
			if got := w.Header().Get("Set-Cookie"); got != "" {
				t.Errorf("%s sets the cookie %q", c.path, got)
			}
		})
	}
}

func TestPageNamesOnlyItsOwnFiles(t *testing.T) {
	p := Page{Title: "Demo", Playlist: "live/demo.m3u8"}
	body := serve(t, p, "GET", "/", nil).Body.String()
	own := map[string]bool{"data:,": true, p.Playlist: true}
	found := regexp.MustCompile(`(?:src|href|data-playlist)="([^"]*)"`).FindAllStringSubmatch(body, -1)
	if len(found) < 5 {
		t.Fatalf("found only %d references in the page", len(found))
	}
	for _, m := range found {
		if own[m[1]] {
			continue
		}
		if w := serve(t, p, "GET", "/"+m[1], nil); w.Code != 200 {
			t.Errorf("the page refers to %q, which answers %d", m[1], w.Code)
		}
	}
}

func TestPageEscapesWhatTheConfigSays(t *testing.T) {
	body := serve(t, Page{Title: `<script>alert(1)</script>`, Playlist: `"><script>alert(2)</script>`, OfflineText: `" onload="alert(3)`}, "GET", "/", nil).Body.String()
	for _, bad := range []string{"<script>alert", `onload="alert`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
}

func TestUnchangedFilesAnswer304(t *testing.T) {
	etag := serve(t, Page{}, "GET", "/hls.min.js", nil).Header().Get("ETag")
	if etag == "" {
		t.Fatal("no ETag")
	}
	w := serve(t, Page{}, "GET", "/hls.min.js", http.Header{"If-None-Match": {etag}})
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes, want 304 with none", w.Code, w.Body.Len())
	}
}

func TestHlsJsKeepsItsLicence(t *testing.T) {
	body := serve(t, Page{}, "GET", "/hls.min.js.LICENSE", nil).Body.String()
	if !strings.Contains(body, "Copyright (c) 2017 Dailymotion") || !strings.Contains(body, "Apache License, Version 2.0") {
		t.Errorf("the licence reads %q", body)
	}
}
