package nginxconf

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// guarded maps who may see a location. What can't be mapped closes it: an import opens
// nothing that was closed.
func (im *importer) guarded(b *item, s *scope) {
	closed := b.has("access")
	var entries []string
	for _, d := range s.nearest("allow", "deny") {
		if a := address(d.arg(0)); a != "" {
			entries = append(entries, d.name+" "+a)
			b.take(d)
		} else if d.arg(0) == "unix:" {
			im.note(d, unneeded, "who comes by a unix socket is judged by \"all\"")
		} else {
			im.note(d, lost, "%q is no address", d.arg(0))
		}
	}
	if r := rules(entries); r != nil && !closed {
		b.set(nil, "access", list(r...))
		closed = true
	}
	if !im.basicAuth(b, s) {
		b.replace("access", list("deny all"), nil)
		closed = true
	}
	for _, g := range im.guards(s) {
		first := !g.done
		if first {
			im.note(g, lost, "what it forbids can't be said here: the locations that it guards are closed (access = [\"deny all\"]); on_play asks a hook about viewers")
			im.forget(g)
		}
		b.replace("access", list("deny all"), nil)
		closed = true
	}
	if b.hasBlock("control") && !closed && !b.has("basic_auth") {
		b.set(nil, "access", list("allow loopback", "deny all"))
		for _, x := range b.items {
			if x.isBlock && x.head == "control" {
				im.note(x.from, better, "it obeys this machine alone: nothing guarded it; give it access, token or basic_auth")
			}
		}
	}
	if sat := s.get("satisfy"); sat != nil {
		if sat.arg(0) == "any" && b.has("access") && b.has("basic_auth") {
			im.note(sat, changed, "address and password must both be right")
		} else {
			sat.done = true
		}
	}
}

var harmlessCondition = regexp.MustCompile(`^\(?\s*!?\$(request_method|http_user_agent|host|http_host|scheme|ssl_protocol|http_origin|server_port|http_x_forwarded_proto)\b`)

// guards are directives in force that keep somebody out and have no counterpart.
func (im *importer) guards(s *scope) []*directive {
	var out []*directive
	for ; s != nil; s = s.parent {
		for _, d := range s.block {
			switch {
			case slices.Contains([]string{"secure_link", "auth_request", "auth_jwt", "access_by_lua", "access_by_lua_block", "access_by_lua_file", "auth_digest", "auth_pam"}, d.name) && d.arg(0) != "off":
				out = append(out, d)
			case d.name == "if" && d.isBlock && !harmlessCondition.MatchString(strings.Join(d.strings(), " ")):
				if slices.ContainsFunc(d.block, func(c *directive) bool {
					return c.name == "deny" || c.name == "return" && (strings.HasPrefix(c.arg(0), "4") || strings.HasPrefix(c.arg(0), "5"))
				}) {
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// basicAuth maps auth_basic. It returns false if nobody could get in.
func (im *importer) basicAuth(b *item, s *scope) bool {
	d := s.get("auth_basic")
	if d == nil || d.arg(0) == "off" {
		if d != nil {
			d.done = true
		}
		return true
	}
	b.take(d)
	file := s.get("auth_basic_user_file")
	if file == nil {
		im.note(d, lost, "it has no auth_basic_user_file: the location is closed (access = [\"deny all\"])")
		return false
	}
	name := file.arg(0)
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(file.file.name), name)
	}
	text, err := im.o.Open(name)
	if err != nil {
		im.note(file, lost, "%s can't be read (%v): the location is closed; write basic_auth = { USER = \"BCRYPT HASH\" }, htpasswd -nB USER makes one", file.arg(0), cause(err))
		return false
	}
	var users []string
	seen := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		user, hash, ok := strings.Cut(strings.TrimSpace(line), ":")
		hash, _, _ = strings.Cut(hash, ":")
		switch {
		case !ok || strings.HasPrefix(user, "#") || seen[user]:
		case !bcrypted.MatchString(hash) || user == "" || clean(user) != user:
			im.note(file, lost, "the password of %s is not bcrypt: htpasswd -nB %s makes what basic_auth takes", user, user)
		default:
			seen[user] = true
			users = append(users, fmt.Sprintf("%s = %s", quote(user), quote(hash)))
		}
	}
	if len(users) == 0 {
		im.note(file, lost, "it has no password that rtmpd reads: the location is closed; write basic_auth = { USER = \"BCRYPT HASH\" }")
		return false
	}
	b.set(file, "basic_auth", "{\n"+strings.Join(users, "\n")+"\n}")
	return true
}

var bcrypted = regexp.MustCompile(`^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$`)

// headers maps add_header and expires.
func (im *importer) headers(b *item, d *directive, s *scope, p string) {
	files := b.has("root") || b.has("alias")
	var lines []string
	for _, h := range s.nearest("add_header") {
		name, v := h.arg(0), h.arg(1)
		switch lower := strings.ToLower(name); {
		case lower == "access-control-allow-origin":
			switch {
			case v == "*" || strings.Contains(v, "$") || v == "":
				if files {
					im.note(h, better, "files are for scripts of every page; cors_origins names those that may read them")
				} else if b.hasBlock("control") {
					im.note(h, better, "pages of other sites can't command this server")
				} else {
					b.replace("cors_origins", list("*"), h)
				}
			case !b.has("cors_origins"):
				b.set(h, "cors_origins", list(strings.TrimSuffix(v, "/")))
			}
		case strings.HasPrefix(lower, "access-control-"):
			im.note(h, better, "rtmpd answers CORS by itself")
		case lower == "cache-control" || lower == "pragma" || lower == "expires":
			if files && !im.plain(s, p) || !files || lower != "cache-control" {
				im.note(h, better, "playlists and fragments have the cache headers that fit them")
			} else if !b.has("cache_control") {
				b.set(h, "cache_control", quote(v))
			}
		case lower == "content-type" || lower == "content-length":
			im.note(h, unneeded, "every answer has it")
		case strings.Contains(v, "$") || !value.IsToken(name) || value.CheckHeaderValue(v) != nil:
			im.note(h, lost, "the value of a header is fixed text")
		case v == "":
			im.note(h, unneeded, "it adds nothing")
		default:
			lines = append(lines, fmt.Sprintf("%s = %s", quote(name), quote(v)))
			h.done = true
		}
	}
	if len(lines) > 0 {
		b.set(nil, "headers", "{\n"+strings.Join(slices.Compact(lines), "\n")+"\n}")
	}
	im.expires(b, s, p)
	for _, i := range d.block {
		if i.name == "if" && i.isBlock && !i.done && harmlessCondition.MatchString(strings.Join(i.strings(), " ")) && strings.Contains(strings.Join(i.strings(), " "), "$request_method") {
			im.note(i, better, "rtmpd answers OPTIONS and refuses other methods by itself")
			im.forget(i)
		}
	}
}

// plain says whether the location of a path serves files that have nothing to do with
// rtmp.
func (im *importer) plain(s *scope, p string) bool {
	return !im.reaches(served(s, strings.TrimPrefix(p, "= ")))
}

func (im *importer) expires(b *item, s *scope, p string) {
	e := s.get("expires")
	switch {
	case e == nil || e.done:
	case !im.plain(s, p):
		im.note(e, better, "playlists and fragments have the cache headers that fit them")
	case b.has("cache_control") || len(e.args) != 1 || strings.Contains(e.arg(0), "$"):
		im.note(e, lost, "cache_control says how long answers are kept, as in \"max-age=3600\"")
	case e.arg(0) == "off":
		e.done = true
	case e.arg(0) == "epoch" || strings.HasPrefix(e.arg(0), "-"):
		b.set(e, "cache_control", quote("no-cache"))
	case e.arg(0) == "max":
		b.set(e, "cache_control", quote("max-age=315360000"))
	default:
		if v, err := readDuration(e.arg(0)); err == nil {
			b.set(e, "cache_control", quote(fmt.Sprintf("max-age=%d", int64(v.Seconds()))))
		} else {
			im.note(e, lost, "%v", err)
		}
	}
}
