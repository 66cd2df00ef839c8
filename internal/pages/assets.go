package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// hls.min.js is dist/hls.min.js of the npm package hls.js 1.7.4, dash.min.js is
// dist/modern/umd/dash.mediaplayer.min.js of dashjs 5.2.1, both without their source map
// lines. Pages load only the one they need.
//
//go:embed player.js page.js page.css hls.min.js hls.min.js.LICENSE dash.min.js dash.min.js.LICENSE
var files embed.FS

// An asset is one file as it is served.
type asset struct {
	contentType string
	etag        string // without quotes
	body, gzip  []byte
}

// assets are the files by name.
var assets = sync.OnceValue(func() map[string]asset {
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".LICENSE": "text/plain; charset=utf-8"}
	list, err := files.ReadDir(".")
	if err != nil {
		panic(err) // what is embedded is there
	}
	out := make(map[string]asset, len(list))
	for _, f := range list {
		body, err := files.ReadFile(f.Name())
		if err != nil {
			panic(err)
		}
		var z bytes.Buffer
		w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression) // the level is valid
		_, _ = w.Write(body)                                  // into memory: can't fail
		_ = w.Close()
		sum := sha256.Sum256(body)
		out[f.Name()] = asset{contentType: types[path.Ext(f.Name())], etag: hex.EncodeToString(sum[:8]), body: body, gzip: z.Bytes()}
	}
	return out
})

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	setDefault(h, "Cache-Control", "max-age=600")         // short: another rtmpd has other files that belong together
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // for pages of other sites that load player.js
	h.Add("Vary", "Accept-Encoding")
	body, etag := a.body, `"`+a.etag+`"`
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body, etag = a.gzip, `"`+a.etag+`-gz"`
		h.Set("Content-Encoding", "gzip")
	}
	send(w, r, body, etag)
}

// send answers with a body, or with 304 if the client has it.
func send(w http.ResponseWriter, r *http.Request, body []byte, etag string) {
	h := w.Header()
	h.Set("ETag", etag)
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if tag = strings.TrimSpace(tag); strings.TrimPrefix(tag, "W/") == etag || tag == "*" {
			h.Del("Content-Encoding")
			h.Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// sendText is send for an answer that is made for the request.
func sendText(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	sum := sha256.Sum256(body)
	send(w, r, body, `"`+hex.EncodeToString(sum[:8])+`"`)
}

// setDefault sets a header that the location did not set.
func setDefault(h http.Header, name, value string) {
	if len(h[name]) == 0 {
		h.Set(name, value)
	}
}
