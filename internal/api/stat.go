package api

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Stat is the handler of a stat location: nginx-rtmp's XML; with ?format=json the
// same tree as JSON; a page of HTML for a client that asks for it, as browsers do.
//
// stylesheet is the XSL stylesheet that the XML names. With one, browsers get the
// XML too, as long as they support XSL. ?format=xml and ?format=html
// override what the client accepts.
func Stat(take func() *Snapshot, stylesheet string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Accept")
		format := r.URL.Query().Get("format")
		if format == "" && stylesheet == "" && prefersHTML(r.Header.Values("Accept")) {
			format = "html"
		}
		show := func() error { return WriteXML(w, take(), stylesheet) }
		switch format {
		case "json":
			h.Set("Content-Type", "application/json")
			show = func() error { return WriteJSON(w, take()) }
		case "html":
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'")
			show = func() error { return WriteHTML(w, take()) }
		default:
			h.Set("Content-Type", "text/xml")
		}
		if r.Method != http.MethodHead {
			_ = show() // a reader that went away
		}
	})
}

// prefersHTML reports whether the Accept header fields name text/html, and no XML or JSON
// with a higher quality (RFC 9110 §12.5.1). Scripts send */* or nothing.
func prefersHTML(accept []string) bool {
	html, other := 0., 0.
	for _, field := range accept {
		for item := range strings.SplitSeq(field, ",") {
			kind, params, err := mime.ParseMediaType(item)
			if err != nil {
				continue
			}
			q, err := strconv.ParseFloat(params["q"], 64)
			if err != nil {
				q = 1
			}
			switch kind {
			case "text/html":
				html = max(html, q)
			case "text/xml", "application/xml", "application/json":
				other = max(other, q)
			}
		}
	}
	return html > 0 && html >= other
}
