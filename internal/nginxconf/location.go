package nginxconf

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// handlers are directives by which nginx gives a request to something else.
var handlers = strings.Fields("proxy_pass fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass flv_live js_content content_by_lua content_by_lua_block content_by_lua_file " +
	"perl echo dav_methods mp4 flv stub_status push_stream_publisher push_stream_subscriber nchan_publisher nchan_subscriber vod hls_proxy rewrite_by_lua_block")

// locationPath is what a location matches: how, and which path.
func locationPath(d *directive) (modifier, path string) {
	switch {
	case len(d.args) >= 2:
		return d.arg(0), d.arg(1)
	case strings.HasPrefix(d.arg(0), "="):
		return "=", d.arg(0)[1:]
	case strings.HasPrefix(d.arg(0), "^~"):
		return "^~", d.arg(0)[2:]
	case strings.HasPrefix(d.arg(0), "~"):
		return "~", d.arg(0)[1:]
	}
	return "", d.arg(0)
}

// locations maps the locations of a server or of a location, and its own root.
func (im *importer) locations(at *site, d *directive, s *scope, prefix string) {
	whole := false
	for _, l := range d.block {
		if l.name != "location" || !l.isBlock {
			continue
		}
		modifier, p := locationPath(l)
		whole = whole || p == prefix && modifier != "~"
		im.location(at, l, &scope{block: l.block, parent: s}, modifier, p)
		im.locations(at, l, &scope{block: l.block, parent: s}, p)
	}
	if d.name != "server" || whole {
		return
	}
	own := &scope{block: d.block}
	if r := own.get("return"); r != nil {
		if target := fixedTarget(r); target != "" {
			im.serve(at, r, s, "/", func(b *item) { im.redirect(b, r, target) })
		} else if redirects(r) {
			im.note(r, lost, variableTarget)
		}
		return
	}
	if r := s.get("root"); r != nil && !variable(r) {
		im.serve(at, r, s, "/", func(b *item) { im.root(b, r, s, "/") })
	}
}

// location maps one.
func (im *importer) location(at *site, d *directive, s *scope, modifier, p string) {
	own := &scope{block: d.block}
	stat, control := own.get("rtmp_stat"), own.get("rtmp_control")
	switch {
	case strings.HasPrefix(p, "@") || own.get("internal") != nil:
		im.lose(d, "a location for nginx itself has no counterpart")
		return
	case strings.HasPrefix(modifier, "~"):
		if found := im.expressed(s, p); len(found) > 0 && len(own.nearest(slices.Concat(handlers, []string{"return", "rewrite"})...)) == 0 {
			im.prefixed(at, d, s, found)
			return
		}
		im.regular(d, own, p)
		return
	case !strings.HasPrefix(p, "/"):
		im.lose(d, "it is no path")
		return
	}
	if h := own.nearest(handlers...); len(h) > 0 && stat == nil && control == nil {
		text := "what " + h[0].name + " does stays with nginx"
		if r, ok := reasons[h[0].name]; ok {
			text = r.Text
		}
		im.lose(d, text)
		return
	}
	if r := s.get("root"); own.get("alias") != nil && variable(own.get("alias")) || own.get("alias") == nil && r != nil && variable(r) {
		im.lose(d, "a path of files is fixed: it has no variables")
		return
	}
	if p = path.Clean(p); modifier == "=" {
		p = "= " + p
	}
	switch {
	case stat != nil && control != nil:
		im.note(control, lost, "a location has stat or control, not both: give control a location of its own")
		fallthrough
	case stat != nil:
		im.serve(at, d, s, p, func(b *item) { im.stat(b, d, stat, s) })
	case control != nil:
		im.serve(at, d, s, p, func(b *item) { im.control(b, d, control) })
	case own.get("return") != nil:
		im.returned(at, d, s, own.get("return"), p)
	case own.get("alias") != nil:
		im.serve(at, d, s, p, func(b *item) {
			im.pathNote(own.get("alias"))
			b.set(own.get("alias"), "alias", expression(strings.TrimSuffix(own.get("alias").arg(0), "/")+empty(own.get("alias").arg(0)), same))
		})
	case s.get("root") != nil:
		im.serve(at, d, s, p, func(b *item) { im.root(b, s.get("root"), s, p) })
	default:
		im.lose(d, "it has no root: nginx serves the directory html of its prefix")
	}
}

// empty is "/" if trimming a slash left nothing.
func empty(s string) string {
	if s == "/" {
		return "/"
	}
	return ""
}

// lose makes a note about a location, which speaks for all that is in it.
func (im *importer) lose(d *directive, text string) {
	im.note(d, lost, "%s", text)
	for _, c := range d.block {
		if c.name != "location" {
			im.forget(c)
		}
	}
}

// variable says whether a path has variables of nginx.
func variable(d *directive) bool {
	return strings.Contains(fromEnvironment.ReplaceAllString(d.arg(0), ""), "$")
}

var (
	literalPrefix = regexp.MustCompile(`^\^(/[A-Za-z0-9_./-]*)/`)
	firstGroup    = regexp.MustCompile(`^(/[^$]*)/\$1$`)
)

// expressed are the paths that a location with a regular expression serves HLS or DASH
// at, each with the root or alias of a location that does the same.
func (im *importer) expressed(s *scope, p string) [][3]string {
	own := &scope{block: s.block}
	if a := own.get("alias"); a != nil {
		prefix, dir := literalPrefix.FindStringSubmatch(p), firstGroup.FindStringSubmatch(a.arg(0))
		if prefix != nil && dir != nil && im.reaches(dir[1]) {
			return [][3]string{{prefix[1], "alias", dir[1]}}
		}
		return nil
	}
	r := s.get("root")
	if r == nil || variable(r) {
		return nil
	}
	var out [][3]string
	root := path.Clean(r.arg(0))
	for _, app := range im.applied {
		for _, dir := range []string{app.hls, app.dash} {
			if dir == "" || !within(dir, root) || dir == root || own.get("root") == nil {
				continue
			}
			at := strings.TrimPrefix(dir, strings.TrimSuffix(root, "/"))
			if prefix := literalPrefix.FindStringSubmatch(p); prefix == nil && !strings.HasPrefix(p, "^") || prefix != nil && (within(prefix[1], at) || within(at, prefix[1])) {
				out = append(out, [3]string{at, "root", r.arg(0)})
			}
		}
	}
	return out
}

// prefixed writes locations in place of one with a regular expression.
func (im *importer) prefixed(at *site, d *directive, s *scope, found [][3]string) {
	im.note(d, changed, "there are no regular expressions: all files of the directory are served")
	for _, f := range found {
		if _, taken := at.locations[f[0]]; taken {
			continue
		}
		im.serve(at, d, s, f[0], func(b *item) { b.set(nil, f[1], quote(f[2])) })
	}
	for _, name := range []string{"root", "alias"} {
		for _, x := range (&scope{block: d.block}).own(name) {
			x.done, x.written = true, true
		}
	}
}

// regular speaks of a location with a regular expression.
func (im *importer) regular(d *directive, own *scope, p string) {
	switch {
	case len(own.nearest(slices.Concat(handlers, []string{"root", "alias", "rewrite", "try_files"})...)) > 0:
		im.lose(d, "there are no regular expressions: write a location \"/PATH\"")
	case strings.Contains(p, `/\.`) || strings.HasPrefix(p, `\.ht`) || strings.HasPrefix(p, `^\.`):
		im.note(d, unneeded, "files whose names begin with a dot are never served")
		im.forget(d)
	case len(own.nearest("deny", "return", "auth_basic", "secure_link", "auth_request")) > 0 || len(im.guards(own)) > 0:
		im.lose(d, "there are no regular expressions, and what it forbids IS SERVED: move these files elsewhere, or give the location of their path access = [\"deny all\"]")
	default:
		im.note(d, unneeded, "types, CORS and cache headers are right by themselves")
		im.forget(d)
	}
}

// serve writes a location, unless its path is taken. what says what it serves.
func (im *importer) serve(at *site, d *directive, s *scope, p string, what func(*item)) {
	if other, taken := at.locations[p]; taken {
		if d.isBlock {
			im.lose(d, "the path "+p+" is served already, by "+other.file.name+":"+strconv.Itoa(other.line))
		} else {
			d.done = true
		}
		return
	}
	at.locations[p] = d
	var from *directive
	if d.isBlock {
		from = d
	}
	b := at.block.block(from, "location", p)
	if b.from == nil {
		b.from = d
	}
	what(b)
	if s.on("autoindex") && (b.has("root") || b.has("alias")) {
		b.set(s.get("autoindex"), "autoindex", "true")
	}
	im.guarded(b, s)
	im.headers(b, d, s, p)
	if (b.has("root") || b.has("alias")) && !strings.HasPrefix(p, "=") {
		im.places = append(im.places, place{at, b, p, served(s, p)})
	}
	if d.isBlock {
		leftover(b, d.block, d.tail)
	}
}

// root maps the root that is in force. Keys are served by alias only.
func (im *importer) root(b *item, r *directive, s *scope, p string) {
	im.pathNote(r)
	dir := served(s, strings.TrimPrefix(p, "= "))
	for _, app := range im.applied {
		if app.keys != "" && app.keys == dir {
			im.note(r, changed, "keys are served by alias: root never serves them")
			b.set(r, "alias", quote(dir))
			return
		}
	}
	b.set(r, "root", expression(r.arg(0), same))
}

func (im *importer) stat(b *item, d, stat *directive, s *scope) {
	st := b.block(stat, "stat")
	im.set(st, s.get("rtmp_stat_stylesheet"), attribute{"stylesheet", text, 0})
	if len(stat.args) > 0 && stat.arg(0) != "all" {
		im.note(stat, better, "stat shows all there is")
	}
	if len((&scope{block: d.block}).nearest("allow", "deny")) == 0 && len(s.nearest("allow", "deny", "auth_basic")) == 0 {
		im.note(stat, better, "it answers this machine alone, because it shows the addresses of viewers; access = [\"allow all\"] shows it to everybody")
	}
}

func (im *importer) control(b *item, d, control *directive) {
	c := b.block(control, "control")
	var allow []string
	for _, a := range control.strings() {
		if slices.Contains([]string{"record", "drop", "redirect"}, a) {
			allow = append(allow, a)
		}
	}
	if len(allow) > 0 && !slices.Contains(control.strings(), "all") {
		c.set(nil, "allow", list(allow...))
	}
}

// returned maps return.
func (im *importer) returned(at *site, d *directive, s *scope, r *directive, p string) {
	code := r.arg(0)
	target := fixedTarget(r)
	switch {
	case im.yes[d]:
		im.note(d, unneeded, "no hook asks it any more")
	case target != "":
		im.serve(at, d, s, p, func(b *item) { im.redirect(b, r, target) })
	case redirects(r):
		im.lose(d, variableTarget)
	case code == "200" || code == "204":
		if strings.Contains(p, "health") || strings.Contains(p, "ping") || strings.Contains(p, "alive") {
			im.serve(at, d, s, p, func(b *item) { b.block(r, "health") })
			return
		}
		im.lose(d, "rtmpd has no answers of its own: root serves a file, health {} says whether all is well")
	case strings.HasPrefix(code, "4") && s.get("root") != nil:
		im.serve(at, d, s, p, func(b *item) {
			b.take(r)
			b.set(nil, "root", expression(s.get("root").arg(0), same))
			b.set(nil, "access", list("deny all"))
		})
	default:
		im.lose(d, "rtmpd has no answers of its own")
	}
}

const variableTarget = "a redirect leads to one address, without variables: write redirect = \"/PATH\", or \"https://NAME/PATH\""

// redirects says whether a return sends the client elsewhere: a code of these with an
// address, or an address alone (302).
func redirects(r *directive) bool {
	switch r.arg(0) {
	case "301", "302", "303", "307", "308":
		return len(r.args) == 2
	}
	return len(r.args) == 1 && strings.Trim(r.arg(0), "0123456789") != ""
}

// sameServer is how an address begins that leads to the server that was asked.
var sameServer = regexp.MustCompile(`^\$scheme://\$(host|http_host|host:\$server_port)/`)

// fixedTarget is where a return leads; empty: nowhere that is fixed.
func fixedTarget(r *directive) string {
	if !redirects(r) {
		return ""
	}
	target := r.arg(len(r.args) - 1)
	if m := sameServer.FindString(target); m != "" {
		target = target[len(m)-1:]
	}
	if strings.Contains(target, "$") || !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "http://") && !strings.HasPrefix(target, "https://") {
		return ""
	}
	return target
}

// redirect maps a return whose target is fixed. The status is always 302.
func (im *importer) redirect(b *item, r *directive, target string) {
	b.set(r, "redirect", quote(target))
	switch r.arg(0) {
	case "301", "308":
		im.note(r, better, "the status is 302: a browser would keep %s for ever, whatever the configuration says later", r.arg(0))
	case "303", "307":
		im.note(r, unneeded, "the status is 302: only GET and HEAD are answered, for which it is the same as %s", r.arg(0))
	}
}
