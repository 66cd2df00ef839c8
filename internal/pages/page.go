package pages

import (
	"bytes"
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/internal/media"
)

//go:embed page.html index.html calc.html
var templates embed.FS

// shown renders the pages. It escapes everything: names, titles and headers come from
// anybody.
var shown = template.Must(template.ParseFS(templates, "*.html"))

// A page is what page.html shows.
type page struct {
	Root        string // the way to the location
	Frame       bool   // the player alone
	Site        string // title of the site
	Title       string
	Description string
	Name        string // for the player: APP/NAME
	Info        string // for the player: its state as JSON
	Autoplay    bool
	Muted       bool
	Locked      bool   // it asks for the passphrase, and there is no player
	Unlock      string // for the form: where it asks
	Params      string // a query for all that the player asks for
	Playlist    string // or MPD, relative; empty: none now
	Engine      string // the script that plays it in most browsers

	// Absolute URLs, for other sites; empty if the public address is not known.
	URL, EmbedURL, OEmbedURL, PictureURL, PosterURL string
	Secure                                          bool // they are https
	Width, Height                                   int
	Code                                            string // HTML for other sites
}

// The size of a player where nothing else says one.
const (
	defaultWidth  = 1280
	defaultHeight = 720
)

func (h *Handler) servePage(w http.ResponseWriter, r *http.Request, v Visit, s *Stream, frame bool) {
	i := h.info(&v, s)
	p := page{
		Root: v.root(), Frame: frame, Title: i.Title, Site: cmp.Or(h.cfg.Title, "Live"), Description: s.Description,
		Name: s.App + "/" + s.Name, Info: string(encode(i)), Autoplay: h.cfg.Autoplay,
		Width: cmp.Or(i.Width, defaultWidth), Height: cmp.Or(i.Height, defaultHeight),
	}
	if p.Locked = s.Locked && !h.streams.Opens(s.App, s.Name, r.URL.RawQuery); p.Locked {
		p.Unlock = v.root() + h.ref(s, "unlock_"+url.PathEscape(s.Name)+".js")
	}
	p.options(r.URL.Query())
	if len(i.Source) > 0 {
		p.Playlist, p.Engine = v.root()+i.Source[0].RelURL, "hls.min.js"
		if i.Source[0].Type == typeDASH {
			p.Engine = "dash.min.js"
		}
	}
	if p.URL = v.absolute(h.page(s)); p.URL != "" {
		p.EmbedURL = v.absolute(h.frame(s))
		p.OEmbedURL = v.absolute("oembed?url=" + url.QueryEscape(p.URL))
		p.Secure = strings.HasPrefix(p.URL, "https:")
		p.Code = frameCode(p.EmbedURL, p.Title, 640, 360)
		if i.Picture != "" {
			p.PictureURL = v.absolute(i.Picture)
		}
		switch {
		case h.poster != nil:
			p.PosterURL = h.posterURL(&v)
		case i.Picture != "" && s.Video.Codec == media.CodecAV1:
			p.PosterURL = v.absolute(h.image(s))
		}
	}
	h.render(w, r, &v, "page.html", h.policyFor(s), p)
}

// maxParams bounds the query of a page that is passed on.
const maxParams = 1024

// options takes what the query of a page says: autoplay and muted, as MistServer has them;
// the rest is for on_play, and is added to what the player asks for.
func (p *page) options(q url.Values) {
	off := func(s string) bool { return s == "0" || s == "false" }
	if s := q.Get("autoplay"); s != "" {
		p.Autoplay = !off(s)
	}
	p.Muted = q.Has("muted") && !off(q.Get("muted"))
	for _, name := range []string{"app", "autoplay", "muted"} {
		q.Del(name)
	}
	if p.Params = q.Encode(); len(p.Params) > maxParams {
		p.Params = ""
	}
}

// posterURL is the public URL of the poster.
func (h *Handler) posterURL(v *Visit) string {
	switch {
	case h.poster.Host != "":
		return h.poster.String()
	case h.poster.Path != "" && h.poster.Path[0] == '/':
		return v.Base() + h.poster.String()
	}
	return v.absolute(h.poster.String())
}

// render answers with a page.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, v *Visit, name, policy string, data any) {
	var b bytes.Buffer
	if err := shown.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "the page can't be made", http.StatusInternalServerError) // a test rules it out
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	setDefault(header, "Cache-Control", "no-cache")
	v.Mark(header)
	sendText(w, r, "text/html; charset=utf-8", b.Bytes())
}

// frameCode is the HTML that shows a stream in another page.
func frameCode(src, title string, width, height int) string {
	var b strings.Builder
	_ = shown.ExecuteTemplate(&b, "frame", map[string]any{"Src": src, "Title": title, "Width": width, "Height": height}) // into memory, and a test renders it
	return b.String()
}

// An entry is one stream of the index.
type entry struct {
	Name, Title, Description, URL, Picture string
}

func (h *Handler) serveIndex(w http.ResponseWriter, r *http.Request, v Visit) {
	data := struct {
		Root, Site, Offline, Poster string
		Streams                     []entry
	}{Root: v.root(), Site: cmp.Or(h.cfg.Title, "Live"), Offline: h.cfg.OfflineText, Poster: h.posterFrom(&v, v.root())}
	for _, s := range h.listed(&v) {
		e := entry{Name: s.Name, Title: cmp.Or(s.Title, s.Name), Description: s.Description, URL: v.root() + h.page(&s)}
		if s.Video != nil {
			e.Picture = v.root() + h.picture(&s)
		}
		data.Streams = append(data.Streams, e)
	}
	h.render(w, r, &v, "index.html", h.policyFor(nil), data)
}

// listed returns the live streams that the visitor can watch.
func (h *Handler) listed(v *Visit) []Stream {
	var out []Stream
	for _, s := range h.streams.All(h.cfg.Applications) {
		if s.watchable() && !s.Guarded && s.path(v) != "" {
			out = append(out, s)
		}
	}
	return out
}

// serveM3U answers with a list for players that are no browsers. Their URLs are
// absolute: some of these players know no other ones.
func (h *Handler) serveM3U(w http.ResponseWriter, r *http.Request, v Visit) {
	var b bytes.Buffer
	b.WriteString("#EXTM3U\n")
	for _, s := range h.listed(&v) {
		to := s.path(&v)
		if base := v.Base(); base != "" {
			to = base + to
		} else {
			to = v.relative(to)
		}
		// A comma ends the attributes and a line end the title.
		b.WriteString("#EXTINF:-1," + strings.Map(printable, cmp.Or(s.Title, s.Name)) + "\n" + to + "\n")
	}
	header := w.Header()
	setDefault(header, "Cache-Control", "no-cache")
	header.Set("Content-Disposition", `inline; filename="live.m3u"`)
	v.Mark(header)
	sendText(w, r, "audio/x-mpegurl; charset=utf-8", b.Bytes())
}

// printable replaces control characters by a blank.
func printable(c rune) rune {
	if c < ' ' || c == 0x7f || c == '\u2028' || c == '\u2029' {
		return ' '
	}
	return c
}
