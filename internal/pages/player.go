// Package pages serves the web page that plays one live HLS stream: a few kilobytes of
// HTML, CSS and JavaScript and a vendored hls.js, all embedded. The page loads nothing
// from other servers and sets no cookies.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// hls.min.js is dist/hls.light.min.js of the npm package hls.js 1.7.4, without
// its source map line: playback of live TS and AES-128, no DRM, subtitles or
// alternate audio.
//
//go:embed index.html player.js player.css hls.min.js hls.min.js.LICENSE
var files embed.FS

// policy lets the page load its own files and nothing else. hls.js hands the
// video a blob: (Media Source Extensions) and runs its demuxer in a blob:
// worker; data: is the empty icon.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"media-src 'self' blob:; worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// A Page says what the page plays, and its title.
type Page struct {
	Title       string // heading and window title; "Live" when empty
	Playlist    string // URL of the .m3u8, relative to the page; of the same origin
	OfflineText string // shown while there is nothing to play; a default when empty
}

// An asset is one file as it is served.
type asset struct {
	contentType string
	etag        string
	body        []byte
}

// Handler serves the page at "/" and its files beside it. All references are
// relative, so it may be mounted below a prefix that ends in a slash
// (http.StripPrefix). Other paths are 404, other methods than GET and HEAD 405.
//
// Errors: the template does not render, which a test rules out.
func Handler(p Page) (http.Handler, error) {
	if p.Title == "" {
		p.Title = "Live"
	}
	if p.OfflineText == "" {
		p.OfflineText = "Nothing is on air. This page looks again every few seconds."
	}
	page, err := template.ParseFS(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("player page: %w", err)
	}
	var html bytes.Buffer
	if err := page.Execute(&html, p); err != nil {
		return nil, fmt.Errorf("player page: %w", err)
	}

	assets := map[string]asset{"/": newAsset("text/html; charset=utf-8", html.Bytes())}
	for name, contentType := range map[string]string{
		"player.js":          "text/javascript; charset=utf-8",
		"player.css":         "text/css; charset=utf-8",
		"hls.min.js":         "text/javascript; charset=utf-8",
		"hls.min.js.LICENSE": "text/plain; charset=utf-8",
	} {
		body, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("player file: %w", err)
		}
		assets["/"+name] = newAsset(contentType, body)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := assets["/"+strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		a.serve(w, r)
	}), nil
}

func newAsset(contentType string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{contentType: contentType, etag: `"` + hex.EncodeToString(sum[:8]) + `"`, body: body}
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // a new binary may have new files; the ETag makes revalidation cheap
	h.Set("ETag", a.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
