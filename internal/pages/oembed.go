package pages

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// An oEmbed is an answer of the type "video" (oEmbed 1.0 §2.3.4).
type oEmbed struct {
	Version      string `json:"version"`
	Type         string `json:"type"`
	Title        string `json:"title"`
	ProviderName string `json:"provider_name"`
	ProviderURL  string `json:"provider_url"`
	CacheAge     int    `json:"cache_age"` // s
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	HTML         string `json:"html"`
	Thumbnail    string `json:"thumbnail_url,omitempty"`
	ThumbWidth   int    `json:"thumbnail_width,omitempty"`
	ThumbHeight  int    `json:"thumbnail_height,omitempty"`
}

// serveOEmbed says how to embed the page of a URL. Only pages of this location are
// known; the URL's own host counts for nothing.
func (h *Handler) serveOEmbed(w http.ResponseWriter, r *http.Request, v Visit) {
	q := r.URL.Query()
	if f := q.Get("format"); f != "" && f != "json" {
		http.Error(w, "the format is json", http.StatusNotImplemented) // oEmbed §2.2
		return
	}
	self := v.absolute("")
	s, ok := h.streamOf(q.Get("url"), self)
	if !ok || self == "" {
		http.Error(w, "url is not the page of a stream here", http.StatusNotFound)
		return
	}
	width, height := fit(q, s)
	title := h.title(&s)
	e := oEmbed{
		Version: "1.0", Type: "video", Title: title, ProviderName: cmp.Or(h.cfg.Title, "Live"), ProviderURL: self, CacheAge: 60,
		Width: width, Height: height, HTML: frameCode(v.absolute(h.frame(&s)), title, width, height),
	}
	if h.poster != nil {
		e.Thumbnail, e.ThumbWidth, e.ThumbHeight = h.posterURL(&v), width, height
	}
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	v.Mark(header)
	sendText(w, r, "application/json; charset=utf-8", encode(e))
}

// streamOf returns the stream whose page or frame a URL is. self is the public URL of the
// location.
func (h *Handler) streamOf(text, self string) (Stream, bool) {
	u, err := url.Parse(text)
	base, err2 := url.Parse(self)
	if err != nil || err2 != nil || u.Host == "" {
		return Stream{}, false
	}
	in, ok := strings.CutPrefix(u.Path, base.Path)
	if !ok {
		return Stream{}, false
	}
	kind, app, name := route(value.NormalName("/"+in), value.NormalName(u.Query().Get("app")))
	if kind != kindPage && kind != kindEmbed {
		return Stream{}, false
	}
	return h.streams.Find(h.cfg.Applications, app, name)
}

// fit returns the size of a player in the bounds maxwidth and maxheight of a query, in the
// shape of the picture.
func fit(q url.Values, s Stream) (width, height int) {
	width, height = defaultWidth, defaultHeight
	if s.Video != nil && s.Video.Width > 0 && s.Video.Height > 0 {
		width, height = s.Video.Width, s.Video.Height
	}
	shrink := func(to, from int) {
		if to > 0 && to < from {
			width, height = max(1, width*to/from), max(1, height*to/from)
		}
	}
	shrink(bound(q, "maxwidth"), width)
	shrink(bound(q, "maxheight"), height)
	return width, height
}

// maxSize is larger than any screen.
const maxSize = 1 << 14

func bound(q url.Values, name string) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 || n > maxSize {
		return 0
	}
	return n
}
