package web

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/fdlimit"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// serveTree answers from the files of a root or alias.
func (x *exchange) serveTree(l *location, urlPath string) {
	t := l.tree
	name := t.name(urlPath)
	if t.secret(name) {
		x.notFound(l, urlPath)
		return
	}
	m, in := t.find(name)
	file := in != "" && !strings.HasSuffix(urlPath, "/")
	if live := x.site.deps.Live; live != nil && file {
		abs := strings.TrimSuffix(m.dir, "/") + "/" + in
		lf, ok := live.Lookup(abs)
		if !ok {
			if alt, found := wildcardFile(in, func(alt string) bool {
				lf, ok = live.Lookup(strings.TrimSuffix(m.dir, "/") + "/" + alt)
				return ok
			}); found {
				in, abs = alt, strings.TrimSuffix(m.dir, "/")+"/"+alt
			}
		}
		if !ok && isManifest(in) {
			lf, ok = x.demanded(abs)
		}
		if !ok && strings.HasSuffix(in, ".m4s") {
			lf, ok = x.hinted(abs)
		}
		if !ok {
			var done bool
			if in, lf, done = x.meant(l, urlPath, m, in); done {
				return
			}
			ok = lf.Stream != ""
		}
		if ok {
			x.serveLive(l, urlPath, m, in, &lf)
			return
		}
		if list, name, ok := x.clipOf(m, in); ok {
			x.serveClip(l, urlPath, m, &list, name)
			return
		}
		if src, f, ok := x.broadcastOf(m, in); ok {
			x.serveBroadcast(l, urlPath, src, f)
			return
		}
		if a := x.site.deps.Audience; a != nil && a.Guarding() && (a.Shut(strings.TrimSuffix(m.dir, "/")+"/"+in) || a.Shut(t.linked(m, in))) {
			x.notFound(l, urlPath)
			return
		}
	}
	f, fi, err := m.open(in, x.start)
	if live := x.site.deps.Live; err == nil && live != nil && file && isManifest(in) {
		// The stream may have begun meanwhile: not everybody may have its playlist, and
		// each has links of its own in it.
		if lf, ok := live.Lookup(strings.TrimSuffix(m.dir, "/") + "/" + in); ok {
			_ = f.Close()
			x.serveLive(l, urlPath, m, in, &lf)
			return
		}
	}
	if err == nil && fi.IsDir() {
		_ = f.Close()
		x.serveDir(l, urlPath, name, m, in)
		return
	}
	if err == nil && !file && in != "" { // "/x.ts/"
		_ = f.Close()
		err = fs.ErrNotExist
	}
	if err != nil {
		x.openFailed(l, urlPath, err)
		return
	}
	x.serveFile(l, in, f, fi)
}

// openFailed answers 404. It logs reasons other than that there is no such file: a
// link that leaves the directory, or permissions.
func (x *exchange) openFailed(l *location, urlPath string, err error) {
	if errors.Is(err, fdlimit.Error{}) {
		x.fail(l, http.StatusServiceUnavailable, "")
		return
	}
	if !absent(err) && x.site.warned.first("open "+urlPath) {
		x.site.log.Warn("file not served", zap.String("path", urlPath), zap.Error(err))
	}
	x.notFound(l, urlPath)
}

// absent reports whether an error means that there is no such file.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}

// serveDir answers with index.html or a list of the directory.
func (x *exchange) serveDir(l *location, urlPath, name string, m *mount, in string) {
	index := path.Join(in, "index.html")
	f, fi, err := m.open(index, x.start)
	switch {
	case err == nil && fi.Mode().IsRegular():
		x.serveFile(l, index, f, fi)
	case err == nil:
		_ = f.Close()
		x.notFound(l, urlPath)
	case l.autoindex && errors.Is(err, fs.ErrNotExist):
		x.list(l, urlPath, name, m, in)
	default:
		x.openFailed(l, urlPath, err)
	}
}

// serveFile serves a file that no application is writing, and closes it.
func (x *exchange) serveFile(l *location, name string, f *os.File, fi fs.FileInfo) {
	f, done := x.site.files.share(f, fi)
	defer done()
	h := x.Header()
	h["Content-Type"] = contentType(name)
	if l.cache != nil {
		h["Cache-Control"] = l.cache
	} else if l.tree.isKeys {
		h["Cache-Control"] = cacheNoStore
	} else if strings.HasSuffix(name, ".m3u8") || strings.HasSuffix(name, ".mpd") {
		h["Cache-Control"] = cacheNo // a stream that ended may begin again
	}
	h["Etag"] = []string{etagOf(fi)}
	l.setExtra(h)
	x.send(http1.NewSection(f, fi.Size()), fi.ModTime())
}

// etagOf makes an entity tag of time and size, as nginx does. Nanoseconds tell two
// versions of one second apart.
func etagOf(fi fs.FileInfo) string {
	b := append(make([]byte, 0, 40), '"')
	b = strconv.AppendInt(b, fi.ModTime().UnixNano(), 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, fi.Size(), 16)
	return string(append(b, '"'))
}

// serveLive serves a file that an application is writing.
func (x *exchange) serveLive(l *location, urlPath string, m *mount, in string, lf *segstore.File) {
	x.sendLive(l, urlPath, m, in, lf)
	if said, ok := x.said(); ok {
		x.tellSaid(lf, &said)
	}
}

func (x *exchange) sendLive(l *location, urlPath string, m *mount, in string, lf *segstore.File) {
	switch {
	case lf.Kind == segstore.Key:
		if !l.tree.isKeys {
			x.notFound(l, urlPath)
			return
		}
		if !x.mayHave(l, urlPath, lf) {
			return
		}
		f, fi, err := m.open(in, x.start)
		if err != nil {
			x.openFailed(l, urlPath, err)
			return
		}
		defer func() { _ = f.Close() }()
		h := x.Header()
		h["Content-Type"] = typeBytes
		l.setCache(h, cacheNoStore)
		l.setExtra(h)
		x.send(http1.NewSection(f, fi.Size()), fi.ModTime())
	case lf.Body != nil && asksTime(x.r, in):
		x.serveTime(l)
	case lf.Growing != nil:
		x.serveGrowing(l, urlPath, in, lf)
	case lf.Kind == segstore.Part:
		x.servePart(l, urlPath, m, in, lf)
	case lf.Body != nil:
		if x.site.deps.Audience != nil && x.answeredViewer(l, urlPath, lf) {
			return
		}
		if lf.Low == nil || !x.serveLow(l, in, lf) {
			x.servePlaylist(l, lf, contentType(in))
		}
	default:
		if !x.mayHave(l, urlPath, lf) {
			return
		}
		of, err := x.site.files.get(m, in, lf, x.start)
		if err != nil {
			x.openFailed(l, urlPath, err)
			return
		}
		defer x.site.files.put(of)
		h := x.Header()
		h["Content-Type"] = of.ctype
		h["Etag"] = of.etag
		if x.guarded(lf) {
			l.setCache(h, of.private)
		} else {
			l.setCache(h, of.cache)
		}
		l.setExtra(h)
		x.send(http1.NewSection(of.f, of.size), of.modTime)
	}
}

// answeredViewer decides on a request for a playlist; true: it was answered.
func (x *exchange) answeredViewer(l *location, urlPath string, lf *segstore.File) bool {
	v, grant, ok := x.admit(l, urlPath, lf)
	if !ok {
		return true
	}
	if lf.Kind == segstore.Master {
		x.servePersonal(l, v, grant.Links)
		return true
	}
	if query := linkQuery(v, grant.Links); lf.Low != nil && strings.Contains(query, viewtoken.Parameter+"=") {
		x.reports = query // else all who wait for a playlist share its bytes
	}
	return false
}

// servePlaylist answers from memory. The plain and the compressed form have different
// entity tags because they are different bytes (RFC 9110 §8.8.3.3).
func (x *exchange) servePlaylist(l *location, lf *segstore.File, ctype []string) {
	h, r := x.Header(), x.r
	h["Content-Type"] = ctype
	cache := cacheNo
	if x.guarded(lf) {
		cache = cacheGuarded
	} else if lf.MaxAge >= time.Second {
		cache = maxAge(lf.MaxAge)
	}
	l.setCache(h, cache)
	body, etag := lf.Body, lf.ETag
	if lf.Gzip != nil {
		h["Vary"] = append(h["Vary"][:len(h["Vary"]):len(h["Vary"])], "Accept-Encoding")
		if r.Header["Range"] == nil && acceptsGzip(r.Header["Accept-Encoding"]) {
			body = lf.Gzip()
			if n := len(etag); n > 1 {
				etag = etag[:n-1] + `-gz"`
			}
			h["Content-Encoding"] = encodingGzip
		}
	}
	if etag != "" {
		h["Etag"] = []string{etag}
	}
	l.setExtra(h)
	x.send(bytes.NewReader(body), lf.ModTime)
}

// maxAge returns a Cache-Control without immutable: after a restart a name may stand
// for other bytes.
func maxAge(d time.Duration) []string {
	return []string{"max-age=" + strconv.FormatInt(int64(d/time.Second), 10)}
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3): gzip or * without q=0.
func acceptsGzip(lines []string) bool {
	star := false
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(item, ";")
			coding = strings.TrimSpace(coding)
			if !strings.EqualFold(coding, "gzip") && coding != "*" {
				continue
			}
			ok := true
			if q, has := strings.CutPrefix(strings.TrimSpace(params), "q="); has {
				f, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
				ok = err == nil && f > 0
			}
			if coding != "*" {
				return ok
			}
			star = ok
		}
	}
	return star
}

// content is what send sends: a *bytes.Reader, or an *http1.Section.
type content interface {
	io.ReadSeeker
	Size() int64
}

// send writes the answer. Requests with a range or a condition go to net/http, which
// knows all of them.
func (x *exchange) send(c content, modTime time.Time) {
	h, in := x.Header(), x.r.Header
	if in["Range"] != nil || in["If-None-Match"] != nil || in["If-Modified-Since"] != nil || in["If-Match"] != nil || in["If-Unmodified-Since"] != nil {
		if h["Content-Encoding"] != nil {
			// net/http leaves the length out of what is encoded.
			h["Content-Length"] = []string{strconv.FormatInt(c.Size(), 10)}
		}
		http.ServeContent(x, x.r, "", modTime, c)
		return
	}
	h["Accept-Ranges"] = acceptRanges
	h["Content-Length"] = []string{strconv.FormatInt(c.Size(), 10)}
	if !modTime.IsZero() {
		h["Last-Modified"] = []string{modTime.UTC().Format(http.TimeFormat)}
	}
	x.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead {
		return
	}
	if m, ok := c.(io.WriterTo); ok { // from memory, without a copy
		_, _ = m.WriteTo(x)
		return
	}
	_, _ = x.ReadFrom(&io.LimitedReader{R: c, N: c.Size()})
}

var acceptRanges = []string{"bytes"}
