package nginxconf

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// site is an http block that is written: one or more servers of nginx that share an
// address.
type site struct {
	block     *item
	plain     []string // addresses as value.ParseAddress reads them, or HCL that reads the environment
	secure    []string
	locations map[string]*directive // by path
	redirect  bool                  // the plain listeners only redirect to https
	proxy     bool
}

// http maps the servers that serve something of rtmp: HLS, DASH, keys, recordings,
// stat, control. Their other files come along, other servers stay with nginx.
func (im *importer) http(root *item, d *directive) {
	d.done = true
	main := &scope{block: d.block}
	if html := im.htmlDirectory(); html != "" {
		im.defaultRoots(d.block, main, html)
	}
	var sites []*site
	var redirects []*directive
	formats := make(map[string]*directive)
	for _, f := range d.block {
		if f.name == "log_format" && len(f.args) > 0 {
			formats[f.arg(0)] = f
		}
	}
	for _, s := range d.block {
		if s.name != "server" || !s.isBlock {
			continue
		}
		sc := &scope{block: s.block, parent: main}
		switch {
		case toHTTPS(s):
			redirects = append(redirects, s)
		case !im.relevant(s.block, sc, "/"):
			im.note(s, lost, "it serves nothing of rtmp: leave it to nginx, on another port")
			im.forget(s)
		default:
			sites = im.httpServer(root, sites, s, sc, formats)
		}
	}
	for _, s := range redirects {
		im.redirectServer(sites, s)
	}
	for _, f := range formats {
		if !f.done {
			im.note(f, unneeded, "no access_log of what was imported names it")
		}
	}
	for _, s := range sites {
		im.finish(s)
	}
	if len(sites) == 0 {
		im.forgetQuietly(d)
		return
	}
	leftover(sites[0].block, d.block, d.tail)
	sites[0].block.comments = append(d.comments, sites[0].block.comments...)
	d.comments = nil
}

// forgetQuietly marks what an http block says beside its servers as done: none of
// them was imported.
func (im *importer) forgetQuietly(d *directive) {
	for _, c := range d.block {
		c.done = true
	}
}

// relevant says whether a server, or a location in it, serves something of rtmp.
func (im *importer) relevant(list []*directive, s *scope, at string) bool {
	if dir := served(s, at); dir != "" && im.reaches(dir) {
		return true
	}
	for _, d := range list {
		switch {
		case d.name == "rtmp_stat" || d.name == "rtmp_control" || d.name == "flv_live":
			return true
		case d.name == "location" && d.isBlock:
			modifier, path := locationPath(d)
			if strings.HasPrefix(modifier, "~") && len(im.expressed(&scope{block: d.block, parent: s}, path)) > 0 {
				return true
			}
			if im.relevant(d.block, &scope{block: d.block, parent: s}, path) {
				return true
			}
		}
	}
	return false
}

// served is the directory that a path of a location leads to; empty if to none.
func served(s *scope, at string) string {
	if a := (&scope{block: s.block}).get("alias"); a != nil && !variable(a) {
		return filepath.Clean(a.arg(0))
	}
	if r := s.get("root"); r != nil && !variable(r) {
		return filepath.Clean(r.arg(0) + "/" + at)
	}
	return ""
}

// reaches says whether a directory holds, or lies in, one that rtmp writes to.
func (im *importer) reaches(dir string) bool {
	for _, app := range im.applied {
		for _, p := range []string{app.hls, app.dash, app.keys} {
			if p != "" && (within(p, dir) || within(dir, p)) {
				return true
			}
		}
	}
	return false
}

// within says whether path is dir or lies in it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

var https = regexp.MustCompile(`^https://(\$[a-z_]+|[A-Za-z0-9.:-]+)\$request_uri$`)

// toHTTPS says whether a server does nothing but redirect to https.
func toHTTPS(s *directive) bool {
	found := false
	var walk func(list []*directive) bool
	walk = func(list []*directive) bool {
		for _, d := range list {
			switch {
			case d.name == "return" && len(d.args) == 2 && strings.HasPrefix(d.arg(0), "30") && https.MatchString(d.arg(1)):
				found = true
			case d.name == "rewrite" && len(d.args) > 1 && strings.HasPrefix(d.arg(1), "https://$"):
				found = true
			case d.name == "location" && d.isBlock:
				if !challenges(d) && !walk(d.block) {
					return false
				}
			case slices.Contains([]string{"root", "alias", "rtmp_stat", "rtmp_control", "proxy_pass"}, d.name):
				return false
			}
		}
		return true
	}
	return walk(s.block) && found
}

// challenges says whether a location serves the files by which certbot proves that a
// name is the server's.
func challenges(d *directive) bool {
	_, path := locationPath(d)
	return strings.HasPrefix(path, "/.well-known")
}

// httpServer maps a server of http into the site that has one of its addresses.
func (im *importer) httpServer(root *item, sites []*site, d *directive, s *scope, formats map[string]*directive) []*site {
	plain, secure, proxy := im.httpListen(d, s)
	var at *site
	for _, x := range sites {
		if overlap(slices.Concat(x.plain, x.secure), slices.Concat(plain, secure)) {
			at = x
			im.note(d, changed, "it shares an address with another server: there are no virtual hosts, every request finds its location by its path")
			d.done = false
		}
	}
	if at == nil {
		at = &site{block: root.block(d, "http"), locations: make(map[string]*directive)}
		sites = append(sites, at)
	}
	d.done = true
	at.proxy = at.proxy || proxy
	at.plain = im.join(at.plain, plain)
	at.secure = im.join(at.secure, secure)
	for _, l := range s.own("listen") {
		at.block.take(l)
	}
	for _, n := range s.own("server_name") {
		im.note(n, unneeded, "every name that leads here is served; paths are relative, so that none is needed")
	}
	if len(secure) > 0 && !at.block.hasBlock("tls") {
		t := at.block.block(nil, "tls")
		im.certificates(t, s)
	} else if len(secure) > 0 {
		s.drop("ssl_certificate", "ssl_certificate_key", "ssl_protocols")
	}
	im.httpAttributes(at, s, formats)
	im.locations(at, d, s, "/")
	leftover(at.block, d.block, d.tail)
	return sites
}

func (i *item) hasBlock(head string) bool {
	return slices.ContainsFunc(i.items, func(x *item) bool { return x.isBlock && x.head == head })
}

// httpListen are the addresses of a server.
func (im *importer) httpListen(d *directive, s *scope) (plain, secure []string, proxy bool) {
	sslOn := s.on("ssl")
	for _, l := range s.own("listen") {
		l.done = true
		ssl := sslOn
		for _, o := range l.args[min(1, len(l.args)):] {
			ssl = ssl || o.text == "ssl"
			proxy = proxy || o.text == "proxy_protocol"
			if o.text == "quic" {
				im.note(l, lost, "there is no HTTP/3")
			}
		}
		port := "80"
		if ssl {
			port = "443"
		}
		addr, _ := im.normal(l, port)
		if ssl {
			secure = append(secure, addr)
		} else {
			plain = append(plain, addr)
		}
	}
	if len(plain)+len(secure) == 0 {
		plain = append(plain, ":80")
	}
	return plain, secure, proxy
}

func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			p, e := value.ParseAddress(x)
			q, f := value.ParseAddress(y)
			if x == y || e == nil && f == nil && p.Overlaps(q) {
				return true
			}
		}
	}
	return false
}

// join adds addresses that overlap none.
func (im *importer) join(list, more []string) []string {
	for _, a := range more {
		if !overlap(list, []string{a}) {
			list = append(list, a)
		}
	}
	return list
}

// redirectServer maps a server that redirects to https.
func (im *importer) redirectServer(sites []*site, d *directive) {
	s := &scope{block: d.block}
	plain, _, _ := im.httpListen(d, s)
	for _, at := range sites {
		if len(at.secure) == 0 || len(at.plain) > 0 && !at.redirect {
			continue
		}
		at.plain, at.redirect = im.join(at.plain, plain), true
		at.block.take(d)
		for _, l := range d.block {
			if l.name == "location" && l.isBlock && challenges(l) {
				im.note(l, changed, "the plain listeners only redirect: give tls domains instead of certificate and key, and rtmpd gets certificates by itself; or let certbot prove names in another way than with files")
			}
		}
		im.forget(d)
		return
	}
	im.note(d, lost, "no server with TLS was imported to which it could redirect")
	im.forget(d)
}

// httpAttributes maps what holds for a whole server.
func (im *importer) httpAttributes(at *site, s *scope, formats map[string]*directive) {
	b := at.block
	for _, d := range s.nearest("access_log") {
		if b.has("access_log") {
			if !d.done {
				im.note(d, lost, "an http block has one access log")
			}
			continue
		}
		if im.logPath(b, d) && len(d.args) > 1 {
			im.logFormat(b, d, formats[d.arg(1)], httpLogVariables)
		}
	}
	if trusted := s.nearest("set_real_ip_from"); len(trusted) > 0 && !b.has("trusted_proxies") {
		var nets []string
		for _, d := range trusted {
			if a := address(d.arg(0)); a != "" && a != "all" {
				nets = append(nets, a)
				b.take(d)
			} else {
				im.note(d, lost, "%q is no network", d.arg(0))
			}
		}
		b.set(nil, "trusted_proxies", list(nets...))
	}
	for _, d := range s.nearest("real_ip_header", "real_ip_recursive") {
		if d.name == "real_ip_header" && !slices.Contains([]string{"x-forwarded-for", "x-real-ip", "proxy_protocol", "forwarded"}, strings.ToLower(d.arg(0))) {
			im.note(d, lost, "rtmpd reads Forwarded, X-Forwarded-For, X-Real-IP and the PROXY header")
		} else {
			im.note(d, unneeded, "rtmpd reads Forwarded, X-Forwarded-For and X-Real-IP of trusted_proxies")
		}
	}
}

// finish writes the listeners, once all servers of the site are known.
func (im *importer) finish(at *site) {
	free := func(list []string) (out []string) {
		for _, a := range list {
			switch {
			case strings.HasPrefix(a, "env("):
				out = append(out, a)
			case strings.Contains(a, "${"):
				out = append(out, a)
			case im.free(a):
				im.listens = append(im.listens, a)
				out = append(out, quote(a))
			}
		}
		return out
	}
	plain, secure := free(at.plain), free(at.secure)
	listen := &item{head: "listen", value: one(plain)}
	if len(plain) == 0 {
		listen.value = "[]"
	}
	at.block.items = slices.Insert(at.block.items, 0, listen)
	for _, t := range at.block.items {
		if !t.isBlock || t.head != "tls" {
			continue
		}
		t.items = slices.Insert(t.items, 0, &item{head: "listen", value: one(secure)})
		if at.redirect {
			t.set(nil, "redirect", "true")
		}
	}
	if at.proxy {
		at.block.set(nil, "proxy_protocol", list("loopback", "private"))
	}
	if !at.block.has("trusted_proxies") {
		at.block.set(nil, "trusted_proxies", list("loopback"))
		at.block.items[len(at.block.items)-1].comments = []string{" a proxy on this machine says for whom it asks, by X-Forwarded-For"}
	}
}
