package nginxconf

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// hooked is a hook that was written.
type hooked struct {
	from *directive
	at   *item
}

// answered looks for hooks that nginx itself answers, in one of its locations. Where
// that is a proxy, rtmpd asks what stands behind it.
func (im *importer) answered(http []*directive) {
	for _, h := range im.hooks {
		l, u := im.answers(http, h)
		if l == nil || h.at.gone {
			continue
		}
		proxy := (&scope{block: l.block}).get("proxy_pass")
		if target := behind(http, l, proxy, u); target != "" {
			h.at.value = quote(target)
			im.note(h.from, changed, "it asks %s now, to which nginx hands it (%s:%d)", target, l.file.name, l.line)
			continue
		}
		im.note(h.from, changed, "nginx itself answers it (%s:%d), rtmpd does not: without an answer it refuses; give publishers a stream_key \"NAME\" {} with a secret, or let nginx listen on another port", l.file.name, l.line)
	}
}

// answers is the location of nginx that answers a hook, and the hook's URL; nil if nginx
// does not.
func (im *importer) answers(http []*directive, h hooked) (*directive, *url.URL) {
	text := h.from.arg(0)
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" {
		return nil, nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return im.locationAt(http, port, u.Path), u
}

// alwaysYes leaves out hooks that nginx itself answers with 2xx, whatever they say: many
// guides have such a location for the time until somebody writes a script.
func (im *importer) alwaysYes(http []*directive) {
	harmless := []string{"return", "access_log", "add_header", "default_type", "types", "log_not_found"}
	for _, h := range im.hooks {
		l, _ := im.answers(http, h)
		if l == nil || slices.ContainsFunc(l.block, func(d *directive) bool { return !slices.Contains(harmless, d.name) }) {
			continue
		}
		if r := (&scope{block: l.block}).get("return"); r == nil || len(r.arg(0)) != 3 || r.arg(0)[0] != '2' {
			continue
		}
		h.at.gone, im.yes[l] = true, true
		for _, d := range l.block {
			d.done = true
		}
		im.note(h.from, unneeded, "nginx itself answered it, always with yes (%s:%d)", l.file.name, l.line)
	}
}

// locationAt is nginx's own location for a path of one of its servers.
func (im *importer) locationAt(http []*directive, port, path string) (found *directive) {
	for _, d := range http {
		for _, s := range d.block {
			if s.name != "server" || !s.isBlock || found != nil {
				continue
			}
			plain, secure, _ := im.httpListen(s, &scope{block: s.block})
			listens := false
			for _, a := range append(plain, secure...) {
				parsed, err := value.ParseAddress(a)
				listens = listens || err == nil && portOf(parsed) == port
			}
			if !listens {
				continue
			}
			length := -1
			for _, l := range s.block {
				modifier, p := locationPath(l)
				if l.name == "location" && l.isBlock && modifier != "~" && modifier != "~*" && strings.HasPrefix(path, p) && len(p) > length {
					found, length = l, len(p)
				}
			}
		}
	}
	return found
}

func portOf(a value.Address) string {
	s := a.String()
	return s[strings.LastIndexByte(s, ':')+1:]
}

// behind is the URL to which a location hands one of its own; empty if none.
func behind(http []*directive, l, proxy *directive, u *url.URL) string {
	if proxy == nil || strings.Contains(proxy.arg(0), "$") {
		return ""
	}
	p, err := url.Parse(proxy.arg(0))
	if err != nil || p.Scheme != "http" && p.Scheme != "https" {
		return ""
	}
	for _, d := range http {
		for _, up := range d.block {
			if up.name == "upstream" && up.arg(0) == p.Host {
				return ""
			}
		}
	}
	_, prefix := locationPath(l)
	out := *u
	out.Scheme, out.Host = p.Scheme, p.Host
	if p.Path != "" {
		out.Path = p.Path + strings.TrimPrefix(u.Path, prefix)
	}
	return out.String()
}
