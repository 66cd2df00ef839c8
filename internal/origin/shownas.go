package origin

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A shownTable has the streams that are shown to HTTP viewers under another name, often a
// secret one: the files of one are found under the other, and its playlists name them so.
// Both have their files in the same directory.
type shownTable struct {
	any atomic.Bool // there is one
	mu  sync.Mutex
	all map[string]shownAs // by what begins the path of a file: directory and name
}

type shownAs struct {
	dir       string // of both
	name      string // that viewers see
	stream    string // that it is
	until     time.Time
	addresses bool // segments have absolute URLs: they are somewhere else
}

const (
	// shownFor is how long a name lasts after the last request for a playlist: longer
	// than players wait between two.
	shownFor = time.Minute
	maxShown = 10000
)

// enter shows stream under a name, whose playlist or MPD was asked for. ok is false if
// their files would be called differently.
func (t *shownTable) enter(manifest, name, stream string, cfg *config.Application, now time.Time) (s viewers.Substitute, ok bool) {
	dir, file := manifestOf(name, path.Ext(manifest), cfg)
	if file == "" || path.Clean(dir)+"/"+file != manifest || strings.Contains(name, "/") {
		return s, false
	}
	h := cfg.HLS
	as := shownAs{dir: path.Clean(dir), name: name, stream: stream, until: now.Add(shownFor), addresses: h != nil && h.BaseURL != ""}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= maxShown {
		t.makeRoom(now)
	}
	if t.all == nil {
		t.all = make(map[string]shownAs)
	}
	t.any.Store(true)
	t.all[as.dir+"/"+name] = as
	if h != nil && h.Keys != nil {
		keys := as
		keys.dir = path.Clean(string(h.Keys.Path))
		t.all[keys.dir+"/"+name] = keys
	}
	return as.file(manifest), true
}

// makeRoom drops the names that nobody asks for any more, at least one: its viewers ask for
// the playlist again. A viewer who was redirected instead would learn the stream's name. mu
// is held.
func (t *shownTable) makeRoom(now time.Time) {
	for key, as := range t.all {
		if now.After(as.until) {
			delete(t.all, key)
		}
	}
	for key := range t.all {
		if len(t.all) < maxShown {
			return
		}
		delete(t.all, key)
	}
}

// find returns what the file of a path is called really.
func (t *shownTable) find(file string, now time.Time) (s viewers.Substitute, ok bool) {
	if !t.any.Load() || len(file) > maxShownPath {
		return s, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	slashes := 0
	for i := len(file) - 1; i > 0 && slashes < 2; i-- {
		switch file[i] {
		case '/':
			slashes++
		case '.', '-', '_':
		default:
			continue
		}
		as, there := t.all[file[:i]]
		if !there || now.After(as.until) {
			continue
		}
		if ext := path.Ext(file); ext == ".m3u8" || ext == ".mpd" {
			as.until = now.Add(shownFor)
			t.all[file[:i]] = as
		}
		return as.file(file), true
	}
	return s, false
}

const maxShownPath = 4096

// of returns the stream that is shown under a name in a directory; empty: none.
func (t *shownTable) of(dir, name string, now time.Time) string {
	if !t.any.Load() {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if as, there := t.all[path.Clean(dir)+"/"+name]; there && now.Before(as.until) {
		return as.stream
	}
	return ""
}

// file is what a file whose path begins with the name is really.
func (as *shownAs) file(shown string) viewers.Substitute {
	s := viewers.Substitute{Dir: as.dir, Name: as.stream + shown[len(as.dir)+1+len(as.name):], Rename: as.renameMPD}
	if path.Ext(shown) != ".mpd" {
		s.Rename = as.renamePlaylist
	}
	return s
}

// renamePlaylist has the URIs of a playlist begin with the name (RFC 8216 §4.1): the lines
// that are one, and the attributes.
func (as *shownAs) renamePlaylist(body []byte) []byte {
	from, to := []byte(url.PathEscape(as.stream)), []byte(url.PathEscape(as.name))
	var out []byte
	for line := range bytes.Lines(body) {
		at := 0
		if line[0] == '#' {
			const attribute = `URI="`
			if at = bytes.Index(line, []byte(attribute)); at < 0 {
				out = append(out, line...)
				continue
			}
			at += len(attribute)
		}
		out = append(out, line[:at]...)
		uri, end := line[at:], line[at:]
		if n := bytes.IndexAny(uri, "\"\r\n?#"); n >= 0 {
			uri, end = uri[:n], uri[n:]
		}
		if !as.addresses || line[0] == '#' {
			uri = renameURI(uri, from, to)
		}
		out = append(append(out, uri...), end...)
	}
	return out
}

// renameURI renames the file that a URI names, else its directory.
func renameURI(uri, from, to []byte) []byte {
	last := bytes.LastIndexByte(uri, '/') + 1
	before := bytes.LastIndexByte(uri[:max(last-1, 0)], '/') + 1
	for _, at := range []int{last, before} {
		if rest, is := bytes.CutPrefix(uri[at:], from); is && len(rest) > 0 && strings.IndexByte(".-_/", rest[0]) >= 0 {
			return slices.Concat(uri[:at], to, rest)
		}
	}
	return uri
}

// renameMPD does so with the templates of an MPD, which stand in attributes.
func (as *shownAs) renameMPD(body []byte) []byte {
	from, to := inMPD(as.stream), inMPD(as.name)
	for _, next := range []string{"-", "_", ".", "/"} {
		body = bytes.ReplaceAll(body, []byte(`="`+from+next), []byte(`="`+to+next))
		body = bytes.ReplaceAll(body, []byte(`>`+from+next), []byte(`>`+to+next))
	}
	return body
}

// inMPD is a name as the beginning of a URI in an MPD (package dash).
func inMPD(name string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(strings.NewReplacer("$", "%24", ":", "%3A").Replace(url.PathEscape(name))))
	return b.String()
}
