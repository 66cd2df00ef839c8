package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/cmcd"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// Audience counts HTTP viewers and decides, by on_play and max_players, who may
// watch. Its methods are called by many goroutines.
type Audience interface {
	// Playlist decides on a request for a live playlist and counts its viewer. An error
	// is a *Denial, or ctx's.
	Playlist(ctx context.Context, v viewers.Visit) (viewers.Grant, error)
	// Media decides on a request for a live fragment or key. An error is a *Denial. The
	// Meter counts what the viewer is sent; nil: nobody does.
	Media(f segstore.File, addr netip.Addr, agent string, now time.Time) (*viewers.Meter, error)
	// Shows reports whether a request for a live fragment or key has a token of its own
	// that opens the stream, where no hook decides. It is asked after Media has refused.
	Shows(v viewers.Visit) bool
	// Guards reports whether on_play is asked for viewers of f.
	Guards(f segstore.File) bool
	// Guarding reports whether on_play is asked for any file.
	Guarding() bool
	// Shut reports whether a file that is not live must not be served because
	// fragments and keys beside it need a verdict.
	Shut(absPath string) bool
}

// Referer implements viewers.Request.
func (x *exchange) Referer() string { return x.r.Referer() }

// PublicURL implements viewers.Request.
func (x *exchange) PublicURL(urlPath string) string {
	base, _ := x.site.PublicURL(x.r)
	return base + (&url.URL{Path: path.Dir(urlPath)}).EscapedPath()
}

// Bearer implements viewers.Request. At a location with a token of its own the header is
// for that.
func (x *exchange) Bearer() string {
	line := x.r.Header["Authorization"]
	if len(line) == 0 || x.tokenGuarded {
		return ""
	}
	scheme, token, _ := strings.Cut(line[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Password implements viewers.Request.
func (x *exchange) Password() string {
	if x.tokenGuarded || x.r.Header["Authorization"] == nil {
		return ""
	}
	_, password, _ := x.r.BasicAuth()
	return password
}

const (
	viewerParam = viewers.Parameter
	// viewerToken is the length of a token of package viewers. A value of
	// another length is the client's own argument and is passed to the hook.
	viewerToken = 32
	// maxQuery bounds what is remembered of a viewer, and what a master
	// playlist repeats in each line.
	maxQuery = 4096
)

// admit decides on a playlist request; false: it was answered.
func (x *exchange) admit(l *location, urlPath string, lf *segstore.File) (v viewers.Visit, grant viewers.Grant, ok bool) {
	if len(x.r.URL.RawQuery) > maxQuery {
		x.fail(l, http.StatusRequestURITooLong, "")
		return v, grant, false
	}
	if x.serveWaitFile() {
		return v, grant, false
	}
	v = x.visit(urlPath, lf)
	x.tokenGuarded = l.guarded()
	grant, err := x.site.deps.Audience.Playlist(x.r.Context(), v)
	if err != nil {
		x.deny(l, urlPath, lf, err)
		return v, grant, false
	}
	x.measure(grant.Meter)
	x.countFor(lf)
	x.setTokenCookie(&grant)
	return v, grant, true
}

// admitOnce is admit for a request that is no part of watching: nobody is counted.
func (x *exchange) admitOnce(l *location, urlPath string, lf *segstore.File) (v viewers.Visit, grant viewers.Grant, ok bool) {
	x.once = true
	return x.admit(l, urlPath, lf)
}

// visit describes the request for a playlist.
func (x *exchange) visit(urlPath string, lf *segstore.File) viewers.Visit {
	v := viewers.Visit{
		File: *lf, Addr: x.client, Poll: x.r.Method == http.MethodGet && !x.once, Now: x.start, Path: urlPath, Request: x,
	}
	if agent := x.r.Header["User-Agent"]; len(agent) > 0 {
		v.Agent = agent[0]
	}
	v.Scope, v.Local = x.door()
	v.Query, v.Token = splitViewer(x.r.URL.RawQuery)
	return v
}

// mayHave decides on a request for a fragment or key; false: it was answered.
func (x *exchange) mayHave(l *location, urlPath string, lf *segstore.File) bool {
	if x.site.deps.Audience == nil {
		return true
	}
	agent := ""
	if line := x.r.Header["User-Agent"]; len(line) > 0 {
		agent = line[0]
	}
	meter, err := x.site.deps.Audience.Media(*lf, x.client, agent, x.start)
	if err != nil && len(x.r.URL.RawQuery) <= maxQuery {
		x.tokenGuarded = l.guarded()
		if x.site.deps.Audience.Shows(x.visit(urlPath, lf)) {
			x.countFor(lf)
			return true
		}
	}
	if err != nil {
		x.deny(l, urlPath, lf, err)
		return false
	}
	x.measure(meter)
	x.countFor(lf)
	return true
}

// guarded reports whether on_play is asked for each viewer of a file: a shared cache
// must not give it to another viewer.
func (x *exchange) guarded(lf *segstore.File) bool {
	a := x.site.deps.Audience
	return a != nil && a.Guards(*lf)
}

// deny answers a viewer that may not have a live file.
func (x *exchange) deny(l *location, urlPath string, lf *segstore.File, err error) {
	var d *viewers.Denial
	if !errors.As(err, &d) {
		d = &viewers.Denial{Status: http.StatusServiceUnavailable} // the server stops
	}
	if d.Status == http.StatusNotFound {
		x.notFound(l, urlPath)
		return
	}
	if d.RetryAfter > 0 {
		x.Header().Set("Retry-After", strconv.Itoa(d.RetryAfter))
	}
	if d.Full && x.serveWait(l, *lf, d) {
		return
	}
	// Players that are no browser ask for a password (VLC does), as does a browser that
	// was given the address itself. The script of a page is told no.
	if mode := x.r.Header.Get("Sec-Fetch-Mode"); d.Login && !l.guarded() && (mode == "" || mode == "navigate") {
		x.Header().Set("Www-Authenticate", `Basic realm="rtmpd", charset="UTF-8"`)
		d = &viewers.Denial{Status: http.StatusUnauthorized, Reason: d.Reason}
	}
	x.fail(l, d.Status, d.Reason)
}

// splitViewer removes our viewer=TOKEN from a query, and what changes with each request:
// the position of a low-latency player (RFC 8216bis §6.2.5), and what a player says of
// itself (CTA-5004).
func splitViewer(query string) (rest, token string) {
	query = cmcd.Strip(query)
	if !strings.Contains(query, viewerParam+"=") && !strings.Contains(query, "_HLS_") {
		return query, ""
	}
	kept := make([]string, 0, 4)
	for part := range strings.SplitSeq(query, "&") {
		if t, ok := strings.CutPrefix(part, viewerParam+"="); ok && len(t) == viewerToken {
			token = t
		} else if !strings.HasPrefix(part, "_HLS_") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&"), token
}

var (
	cachePersonal = []string{"private, no-store"}
	cacheGuarded  = []string{"private, no-cache"} // playlists
)

// servePersonal answers with a multivariant playlist made for one viewer: every
// URI carries links and the query that it came with, because
// players drop the query. It differs for every viewer, so it has no entity tag and no
// cache may keep it, whatever the location says.
func (x *exchange) servePersonal(l *location, v viewers.Visit, links string) {
	query := linkQuery(v, links)
	body := v.File.Body
	if v.File.Full != nil && !strings.Contains(v.Agent, "VLC/") {
		body = v.File.Full
	}
	if query != "" {
		body = withQuery(body, query)
	}
	h := x.Header()
	l.setExtra(h)
	h["Content-Type"] = typePlaylist
	h["Cache-Control"] = cachePersonal
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	delete(h, "Etag")
	delete(h, "Last-Modified")
	delete(h, "Expires")
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.Write(body)
	}
}

// linkQuery is what the links of a playlist to other playlists carry.
func linkQuery(v viewers.Visit, links string) string {
	query := string(appendQuery(nil, v.Query))
	if query != "" && links != "" {
		query += "&"
	}
	return query + links
}

// withReports adds a query to the links of a media playlist to others: those of rendition
// reports (RFC 8216bis §4.4.5.4). The URIs of segments stay what they are for every viewer.
func withReports(playlist []byte, query string) []byte {
	if query == "" || !bytes.Contains(playlist, reportTag) {
		return playlist
	}
	var out []byte
	for line := range bytes.Lines(playlist) {
		if bytes.HasPrefix(line, reportTag) {
			line = withQuery(line, query)
		}
		out = append(out, line...)
	}
	return out
}

var reportTag = []byte("#EXT-X-RENDITION-REPORT:")

// withQuery adds a query to every URI of a multivariant playlist: the lines that are one
// (RFC 8216 §4.1), and the URI attributes of tags. Players take two URIs for two
// playlists, so all must have it.
func withQuery(playlist []byte, query string) []byte {
	out := make([]byte, 0, len(playlist)+(len(query)+1)*(1+bytes.Count(playlist, []byte("\n"))))
	for line := range bytes.Lines(playlist) {
		uri := bytes.TrimRight(line, "\r\n")
		before, rest := []byte(nil), line[len(uri):]
		if len(uri) > 0 && uri[0] == '#' {
			before, uri, rest = uriAttribute(line)
		}
		out = append(out, before...)
		out = append(out, uri...)
		if len(uri) > 0 {
			if bytes.IndexByte(uri, '?') < 0 {
				out = append(out, '?')
			} else {
				out = append(out, '&')
			}
			out = append(out, query...)
		}
		out = append(out, rest...)
	}
	return out
}

// uriAttribute finds the URI attribute of a tag (RFC 8216 §4.2); without one, uri is
// empty.
func uriAttribute(line []byte) (before, uri, rest []byte) {
	for _, start := range []string{`,URI="`, `:URI="`} {
		if i := bytes.Index(line, []byte(start)); i >= 0 {
			from := i + len(start)
			if n := bytes.IndexByte(line[from:], '"'); n >= 0 {
				return line[:from], line[from : from+n], line[from+n:]
			}
		}
	}
	return line, nil, nil
}

// appendQuery escapes the bytes of a query that could end a line or a URI.
func appendQuery(b []byte, query string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(query) {
		c := query[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>\\^`{|}", c) >= 0 {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}
