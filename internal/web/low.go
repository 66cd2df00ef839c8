package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// lowQuery is what a request wants of a low-latency playlist (RFC 8216bis §6.2.5).
type lowQuery struct {
	plain   bool   // the playlist without parts
	segment uint64 // wait for that one; see part
	part    int    // wait for that part of it; -1: for all of it
	waits   bool
	delta   bool // leave out what is old
}

var errDirective = errors.New("a delivery directive makes no sense")

// lowQueryOf reads the delivery directives. The query _ll=0 asks for the playlist without
// parts. VLC gets that one: it does not know parts, and keeps a whole playlist in memory.
func lowQueryOf(query, agent string) (q lowQuery, err error) {
	q = lowQuery{part: -1, plain: strings.Contains(agent, "VLC/")}
	if !strings.Contains(query, "_HLS_") && !strings.Contains(query, "_ll=") {
		return q, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return q, errDirective
	}
	switch values.Get("_ll") {
	case "0":
		q.plain = true
	case "1":
		q.plain = false
	}
	if text := values.Get("_HLS_msn"); text != "" {
		q.waits, q.plain = true, false
		if q.segment, err = strconv.ParseUint(text, 10, 63); err != nil {
			return q, errDirective
		}
	}
	if text := values.Get("_HLS_part"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || !q.waits {
			return q, errDirective
		}
		q.part = int(n)
	}
	switch values.Get("_HLS_skip") {
	case "YES", "v2":
		q.delta, q.plain = true, false
	}
	return q, nil
}

// serveLow answers with a version of a low-latency playlist or MPD. It returns false if the
// plain one is wanted.
func (x *exchange) serveLow(l *location, in string, lf *segstore.File) bool {
	agent := ""
	if line := x.r.Header["User-Agent"]; len(line) > 0 {
		agent = line[0]
	}
	q, err := lowQueryOf(x.r.URL.RawQuery, agent)
	if strings.HasSuffix(in, ".mpd") { // which has no directives
		q.waits, q.delta, err = false, false, nil
	}
	if err != nil {
		x.fail(l, http.StatusBadRequest, "")
		return true
	}
	e := lf.Low.Newest()
	if q.plain || e == nil {
		return false
	}
	target := max(lf.Target, time.Second)
	if q.waits && !e.Ended {
		// RFC 8216bis §6.2.5.2: no longer than three target durations.
		switch e, err = lf.Low.Wait(x.r.Context(), q.segment, q.part, lowWait*target); {
		case errors.Is(err, segstore.ErrAhead):
			x.fail(l, http.StatusBadRequest, "")
			return true
		case err != nil:
			x.fail(l, http.StatusServiceUnavailable, "")
			return true
		}
	}
	x.sendEdition(l, in, lf, e, q, target)
	return true
}

var varyEncoding = []string{"Accept-Encoding"}

// lowWait is for how many target durations a request is held at most.
const lowWait = 3

func (x *exchange) sendEdition(l *location, in string, lf *segstore.File, e *segstore.Edition, q lowQuery, target time.Duration) {
	h := x.Header()
	h["Content-Type"] = contentType(in)
	cache := cacheNo
	switch {
	case x.guarded(lf):
		cache = cacheGuarded
	case q.waits:
		// RFC 8216bis appendix B.1: what was asked for does not change.
		cache = maxAge(6 * target)
	case strings.HasSuffix(in, ".mpd"): // there is another one as soon as a segment begins
	case target/2 >= time.Second:
		cache = maxAge(target / 2)
	}
	l.setCache(h, cache)
	body := e.Body()
	tag, tagGzip := e.Tag()
	delta := q.delta && e.Delta() != nil
	if delta {
		body, tag = e.Delta(), ""
	}
	if vary := h["Vary"]; vary == nil {
		h["Vary"] = varyEncoding
	} else {
		h["Vary"] = append(vary[:len(vary):len(vary)], "Accept-Encoding")
	}
	// Players find a playlist among the reports by the URL that they have of it.
	if own := withReports(body, x.reports); len(own) != len(body) {
		body = own
	} else if x.r.Header["Range"] == nil && acceptsGzip(x.r.Header["Accept-Encoding"]) {
		body = e.Gzip(delta)
		if tag != "" {
			tag = tagGzip
		}
		h["Content-Encoding"] = encodingGzip
	}
	if tag != "" {
		h["Etag"] = []string{tag}
	}
	l.setExtra(h)
	x.send(bytes.NewReader(body), time.Time{})
}

// servePart serves a part of a segment: from memory, or from the segment's file.
func (x *exchange) servePart(l *location, urlPath string, m *mount, in string, lf *segstore.File) {
	if !x.mayHave(l, urlPath, lf) {
		return
	}
	var body content = bytes.NewReader(lf.Body)
	if lf.Body == nil {
		name := path.Join(path.Dir(in), path.Base(lf.Range.Name))
		of, err := x.site.files.get(m, name, lf, x.start)
		if err != nil {
			x.openFailed(l, urlPath, err)
			return
		}
		defer x.site.files.put(of)
		body = io.NewSectionReader(of.f, lf.Range.Offset, lf.Size)
	}
	h := x.Header()
	h["Content-Type"] = contentType(in)
	h["Etag"] = []string{lf.ETag}
	cache := maxAge(lf.MaxAge)
	if x.guarded(lf) {
		cache = []string{"private, " + cache[0]}
	}
	l.setCache(h, cache)
	l.setExtra(h)
	x.send(body, lf.ModTime)
}

// A Hinter is a Live that knows parts which will be there soon: playlists announce them.
type Hinter interface {
	// Hinted waits for the part of that path, if it was announced, until ctx ends.
	Hinted(ctx context.Context, absPath string) (segstore.File, bool)
}

// hinted waits for a part that a playlist announced (EXT-X-PRELOAD-HINT).
func (x *exchange) hinted(abs string) (segstore.File, bool) {
	h, can := x.site.deps.Live.(Hinter)
	if !can {
		return segstore.File{}, false
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), hintWait)
	defer cancel()
	return h.Hinted(ctx, abs)
}

// hintWait is how long a request for such a part is held at most.
const hintWait = 10 * time.Second
