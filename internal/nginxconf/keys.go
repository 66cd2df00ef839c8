package nginxconf

import (
	"path"
	"slices"
	"strings"
)

// place is a location that serves files.
type place struct {
	site *site
	item *item
	path string // of the location
	dir  string // what it serves there
}

// url is the path under which a place serves a directory; empty if it does not.
func (p place) url(dir string) string {
	if !within(dir, p.dir) {
		return ""
	}
	return path.Join(p.path, strings.TrimPrefix(dir, p.dir))
}

// serveKeys gives the keys of HLS locations of their own: root never serves them.
func (im *importer) serveKeys() {
	for _, app := range im.applied {
		if app.keys == "" {
			continue
		}
		served := slices.ContainsFunc(im.places, func(p place) bool { return p.item.has("alias") && p.url(app.keys) != "" })
		for _, p := range im.places {
			at := p.url(app.keys)
			if app.movedKeys {
				if at = p.url(app.hls); at != "" {
					at = strings.TrimSuffix(at, "/") + "-keys"
				}
			}
			if at == "" || served {
				continue
			}
			served = true
			if _, taken := p.site.locations[at]; taken {
				break
			}
			l := p.site.block.block(nil, "location", at)
			l.from = p.item.from
			l.set(nil, "alias", quote(app.keys))
			for _, x := range p.item.items {
				if x.head == "access" || x.head == "basic_auth" {
					l.items = append(l.items, &item{head: x.head, value: x.value, from: x.from})
				}
			}
			p.site.locations[at] = p.item.from
			if app.movedKeys {
				app.keysBlock.replace("url", quote(at+"/"), nil)
			}
		}
		if !served {
			im.note(app.keysFrom, changed, "no location serves the keys: write a location with alias = %s, and its path into url", quote(app.keys))
		}
	}
}
