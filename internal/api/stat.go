package api

import (
	_ "embed" // the stylesheet
	"io"
	"net/http"
)

//go:embed stat.xsl
var stylesheet string

// Stat is the handler of a stat location: nginx-rtmp's XML, or with ?format=json
// the same tree as JSON. href is the stylesheet that browsers show the XML with;
// empty: our own, which the location serves itself as ?stylesheet.
func Stat(take func() *Snapshot, href string) http.Handler {
	if href == "" {
		href = "?stylesheet" // of the location, by whatever path it was reached
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		query := r.URL.Query()
		show := func() error { return WriteXML(w, take(), href) }
		switch {
		case query.Has("stylesheet"):
			h.Set("Content-Type", "text/xsl; charset=utf-8")
			h.Set("Cache-Control", "max-age=3600")
			show = func() error { _, err := io.WriteString(w, stylesheet); return err }
		case query.Get("format") == "json":
			h.Set("Content-Type", "application/json")
			show = func() error { return WriteJSON(w, take()) }
		default:
			h.Set("Content-Type", "text/xml")
		}
		if r.Method != http.MethodHead {
			_ = show() // a reader that went away
		}
	})
}
