package nginxconf

import (
	"slices"
	"strings"
)

// htmlDirectory is the directory html of nginx's prefix, which nginx serves where no root is
// said: the one below which rtmp writes HLS or DASH. Empty if it writes below none, or several.
func (im *importer) htmlDirectory() (html string) {
	for _, app := range im.applied {
		for _, dir := range []string{app.hls, app.dash} {
			at := strings.Index(dir+"/", "/html/")
			if at < 0 {
				continue
			}
			if found := dir[:at+len("/html")]; html != "" && html != found {
				return ""
			} else {
				html = found
			}
		}
	}
	return html
}

// defaultRoots says the roots that nginx takes from its prefix: "root html", and none at all in
// a location of a directory that rtmp writes to.
func (im *importer) defaultRoots(list []*directive, s *scope, html string) {
	for _, d := range list {
		switch {
		case d.name == "root" && len(d.args) == 1 && strings.TrimSuffix(d.arg(0), "/") == "html":
			im.note(d, changed, "html is a directory of nginx's prefix, taken to be %s, below which rtmp writes", html)
			d.args[0].text = html
		case d.name == "server" && d.isBlock:
			im.defaultRoots(d.block, &scope{block: d.block, parent: s}, html)
		case d.name == "location" && d.isBlock:
			own := &scope{block: d.block, parent: s}
			modifier, p := locationPath(d)
			says := slices.Concat(handlers, []string{"alias", "root", "return", "rewrite", "rtmp_stat", "rtmp_control", "internal"})
			if own.get("root") == nil && len((&scope{block: d.block}).nearest(says...)) == 0 && strings.HasPrefix(p, "/") && !strings.HasPrefix(modifier, "~") && im.writesBelow(html, p) {
				im.note(d, changed, "it has no root: nginx serves the directory html of its prefix, taken to be %s, below which rtmp writes", html)
				d.done = false // it is still to be taken over
				d.block = append(d.block, &directive{name: "root", args: []word{{text: html}}, file: d.file, line: d.line})
			}
			im.defaultRoots(d.block, &scope{block: d.block, parent: s}, html)
		}
	}
}

// writesBelow reports whether rtmp writes to the directory that a path of html leads to, to one
// above or below it.
func (im *importer) writesBelow(html, p string) bool {
	at := strings.TrimSuffix(html+p, "/")
	return slices.ContainsFunc(im.applied, func(app *application) bool {
		return slices.ContainsFunc([]string{app.hls, app.dash}, func(dir string) bool {
			return dir != "" && (within(dir, at) || within(at, dir) && p != "/")
		})
	})
}
