package web

import (
	"net/url"
	"strings"
)

// hideKeys removes stream keys from the URLs that logs and counters keep. People paste
// the key in place of the stream's name (/live/KEY.m3u8) or into a call of control.
// No file has a key as its name, so files that were served are not examined. The
// Referer may be the page of such an address.
func (x *exchange) hideKeys() {
	if x.api && x.r.URL.RawQuery != "" { // commands, which may hold the keys of other servers
		r, u := *x.r, *x.r.URL
		path, _, _ := strings.Cut(r.RequestURI, "?")
		u.RawQuery = "***"
		r.URL, r.RequestURI = &u, path+"?***"
		x.r = &r
	}
	switch code := x.code(); {
	case x.site.deps.IsKey == nil, !x.names && (code >= 200 && code < 300 || code == 304):
		return
	}
	from := x.r.Header.Get("Referer")
	path, target, referer := x.site.withoutKeys(x.r.URL.Path), x.site.withoutKeys(x.r.RequestURI), x.site.withoutKeys(from)
	if path == x.r.URL.Path && target == x.r.RequestURI && referer == from {
		return
	}
	r, u := *x.r, *x.r.URL
	u.Path, u.RawPath, u.RawQuery = path, "", x.site.withoutKeys(u.RawQuery)
	r.URL, r.RequestURI = &u, target
	if referer != from {
		r.Header = r.Header.Clone()
		r.Header.Set("Referer", referer)
	}
	x.r = &r
}

const (
	// wordEnds are the characters between words of a URL; no key contains one.
	wordEnds = "/?&=;#"
	// maxWords bounds how many words are examined: clients choose them.
	maxWords = 64
)

// withoutKeys replaces the words of a URL that are stream keys by ***. It keeps a file
// extension.
func (s *Site) withoutKeys(uri string) string {
	if s.deps.IsKey == nil {
		return uri
	}
	var out strings.Builder
	rest := uri
	for range maxWords {
		end := strings.IndexAny(rest, wordEnds)
		word := rest
		if end >= 0 {
			word = rest[:end]
		}
		out.WriteString(s.withoutKey(word))
		if end < 0 {
			return out.String()
		}
		out.WriteByte(rest[end])
		rest = rest[end+1:]
	}
	return out.String() + rest
}

// keyed are the forms in which the name of a stream, or a key in its place, stands in a
// part of a URL, beside NAME.EXTENSION.
var keyed = [...]struct{ before, behind string }{
	{"", ""}, {"json_", ".js"}, {"info_", ".js"}, {"", ".poster.mp4"}, {"", ".poster.avif"},
}

func (s *Site) withoutKey(word string) string {
	plain, err := url.PathUnescape(word)
	if err != nil {
		plain = word
	}
	for _, f := range keyed {
		if in, ok := strings.CutPrefix(plain, f.before); ok {
			if name, ok := strings.CutSuffix(in, f.behind); ok && s.deps.IsKey(name) {
				return f.before + "***" + f.behind
			}
		}
	}
	if i := strings.LastIndexByte(plain, '.'); i > 0 && s.deps.IsKey(plain[:i]) {
		return "***" + (&url.URL{Path: plain[i:]}).EscapedPath()
	}
	if len(plain) < len(word) && strings.ContainsAny(plain, wordEnds) { // a URL in a URL
		if masked := s.withoutKeys(plain); masked != plain {
			return url.QueryEscape(masked)
		}
	}
	return word
}
