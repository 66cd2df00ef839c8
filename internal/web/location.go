package web

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"sort"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// location is one location block, compiled. It does not change.
type location struct {
	cfg   config.Location
	path  string
	exact bool
	rules value.Rules

	token  *[sha256.Size]byte // hash of the bearer token; nil: none
	scoped []scopedToken      // tokens of an api block
	users  map[string][]byte  // user to bcrypt hash

	cors      cors
	cache     []string // Cache-Control instead of ours; nil: ours
	headers   []header // for answers that are no error
	onError   []header // for errors and OPTIONS: the same without what is about a body
	serve     func(*exchange, *location, string)
	tree      *tree // root and alias
	autoindex bool
	redirect  string
	inner     http.Handler // stat, control, metrics
	pages     PageFunc     // player
	api       APIFunc      // api
	control   bool         // acts: pages of other sites must not reach it
}

// header is a header line whose value slice is shared by all answers.
type header struct {
	name  string
	value []string
}

func (s *Site) newLocation(c config.Location, places []place) (*location, error) {
	if !strings.HasPrefix(c.Path, "/") {
		return nil, errors.New("a path starts with /")
	}
	if clean, status := cleanPath(&url.URL{Path: c.Path}); status != 0 || clean != c.Path {
		return nil, errors.New(`no request is ever for this path: it has "//", ".", ".." or a control character`)
	}
	l := &location{cfg: c, path: c.Path, exact: c.Exact, rules: c.Access, autoindex: c.Autoindex}
	if err := l.setServe(s, c, places); err != nil {
		return nil, err
	}
	if err := l.setAuth(c); err != nil {
		return nil, err
	}
	l.cors = newCORS(c.CORSOrigins, l.tree != nil || c.Player != nil)
	if c.CacheControl != "" {
		if err := value.CheckHeaderValue(string(c.CacheControl)); err != nil {
			return nil, fmt.Errorf("cache_control: %w", err)
		}
		l.cache = []string{string(c.CacheControl)}
	}
	return l, l.setHeaders(c.Headers)
}

func (l *location) setServe(s *Site, c config.Location, places []place) error {
	switch {
	case c.Root != "":
		l.tree, l.serve = s.newTree(string(c.Root), false, c.Path, places), (*exchange).serveTree
	case c.Alias != "":
		l.tree, l.serve = s.newTree(string(c.Alias), true, c.Path, places), (*exchange).serveTree
	case c.Redirect != "":
		if _, err := url.Parse(string(c.Redirect)); err != nil {
			return fmt.Errorf("redirect: %w", err)
		}
		l.redirect, l.serve = string(c.Redirect), (*exchange).serveRedirect
	case c.Health:
		l.serve = (*exchange).serveHealth
	case c.Stat != nil && s.deps.Stat != nil:
		l.inner, l.serve = s.deps.Stat(*c.Stat), (*exchange).serveStat
	case c.Control != nil && s.deps.Control != nil:
		if len(l.rules) == 0 && c.Token == "" && len(c.BasicAuth) == 0 {
			return errors.New("control needs access, token or basic_auth")
		}
		l.control, l.inner, l.serve = true, s.deps.Control(*c.Control), (*exchange).serveInner
	case c.API != nil && s.deps.API != nil:
		if len(l.rules) == 0 && c.Token == "" && len(c.BasicAuth) == 0 && len(c.API.Tokens) == 0 {
			return errors.New("api needs access, token or basic_auth, or a token in its block")
		}
		l.control, l.api, l.serve = true, s.deps.API(*c.API, c.Path), (*exchange).serveAPI
	case c.Metrics && s.deps.Metrics != nil:
		l.inner, l.serve = s.deps.Metrics, (*exchange).serveStat
	case c.Player != nil && s.deps.Player != nil:
		var err error
		if l.pages, err = s.deps.Player(*c.Player); err != nil {
			return err
		}
		l.serve = (*exchange).servePages
	default:
		return errors.New("this kind of location is not built into this server")
	}
	return nil
}

// setHeaders prepares the headers attribute. An empty value removes the header: its
// slice is nil, which net/http leaves out.
func (l *location) setHeaders(m map[string]string) error {
	for name, text := range m {
		if err := value.CheckHeader(name, text); err != nil {
			return fmt.Errorf("headers: %q: %w", name, err)
		}
		h := header{textproto.CanonicalMIMEHeaderKey(name), []string{text}}
		if text == "" {
			h.value = nil
		}
		l.headers = append(l.headers, h)
		switch h.name {
		case "Cache-Control", "Expires", "Content-Type", "Content-Encoding", "Content-Disposition", "Content-Language", "Content-Length", "Etag", "Last-Modified", "Vary":
		default:
			l.onError = append(l.onError, h)
		}
	}
	sort.Slice(l.headers, func(i, j int) bool { return l.headers[i].name < l.headers[j].name })
	return nil
}

// setExtra adds the headers attribute. It replaces our headers, except Vary, to which it
// adds.
func (l *location) setExtra(h http.Header) {
	for _, a := range l.headers {
		if a.name == "Vary" && a.value != nil {
			h.Add("Vary", a.value[0])
			continue
		}
		h[a.name] = a.value
	}
}

// setCache sets the location's Cache-Control, else ours.
func (l *location) setCache(h http.Header, ours []string) {
	if l.cache != nil {
		ours = l.cache
	}
	h["Cache-Control"] = ours
}
