// Package pages serves what people open in a browser: a page with a player for each
// stream, a list of the live ones, the script that puts a player into other sites,
// and what those and chat programs ask about a stream.
//
//	/                        the live streams             /live.m3u   the same for VLC and TV boxes
//	/NAME.html               a stream; /APP/NAME.html or /NAME.html?app=APP, if several applications have it
//	/embed/NAME              the player alone, for frames /player.js  for scripts of other sites
//	/json_NAME.js            its state; as a WebSocket: each change of it
//	/info_NAME.js            the same as a script         /NAME.poster.mp4  its newest keyframe; .avif of AV1
//	/oembed?url=…            what to embed, for forums
//	/calc                    what so many streams and viewers take
//
// All references in pages are relative, so that a proxy may take a prefix off or keep
// it. Nothing is loaded from elsewhere, no cookie is set, and no script or style stands
// in the HTML: the content security policy forbids it.
//
// The package knows no streams and no locations: it asks Streams, and the Visit says
// what the server knows about the request.
package pages

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
)

// State says what a viewer of a stream can expect.
type State string

// The states of a stream.
const (
	Offline     State = "offline"     // nobody publishes
	Waiting     State = "waiting"     // somebody does, and there is no playlist yet
	Live        State = "live"        // it can be watched
	Interrupted State = "interrupted" // the same, and its publisher has lost the connection
	OnDemand    State = "on demand"   // it comes when somebody asks for its playlist
)

// A Stream is what there is under a public name. Values are comparable: a Stream that is
// equal to an earlier one looks the same.
type Stream struct {
	App, Name string
	State     State
	// Title and Description are the operator's or else the publisher's, in one line
	// each; may be empty.
	Title, Description string
	// Dir is the directory of the playlist and Playlist its name in it; empty: there is
	// no HLS.
	Dir, Playlist string
	// ManifestDir and Manifest are the same of DASH; empty: there is none.
	ManifestDir, Manifest string
	// Elsewhere is where fragments are, if they are not beside the playlist: an
	// origin.
	Elsewhere string
	// Guarded: a hook is asked about each viewer. Such a stream has no public picture
	// and is in no list.
	Guarded bool
	// Locked: a passphrase opens it.
	Locked bool
	// Fragmented: its fragments are MP4, not MPEG-TS.
	Fragmented bool
	// Renditions are how many qualities its playlist names; 0 or 1: one.
	Renditions int
	// Outputs are files beside the playlist that last as long as the stream; the rest of
	// them are empty.
	Outputs      [8]Output
	Video, Audio *media.Track // of the best rendition; nil: none
	FrameRate    float64      // measured; 0: not known
}

// An Output is a stream as one file.
type Output struct {
	File string // its name
	Kind string // what MistServer's players call it
	Name string // for people
	Rank int    // among the sources
	// Tracks are how many of the stream's it has.
	Tracks int
}

// watchable reports whether there is a playlist to ask for.
func (s *Stream) watchable() bool {
	return s.State == Live || s.State == Interrupted || s.State == OnDemand
}

// path is that of the playlist, else of the MPD; empty: the visitor can have neither.
func (s *Stream) path(v *Visit) string {
	if s.Playlist != "" {
		if p := v.PlaylistPath(s.Dir, s.Playlist); p != "" {
			return p
		}
	}
	if s.Manifest != "" {
		return v.PlaylistPath(s.ManifestDir, s.Manifest)
	}
	return ""
}

// Streams is what the pages show. Its methods are called by many goroutines.
type Streams interface {
	// Find returns what there is under a name in one of the applications; nil
	// means all. With an empty app it is the first that has such a stream, or
	// could have. ok is false if none has a place for it.
	Find(apps []string, app, name string) (s Stream, ok bool)
	// Instead reports whether another stream is shown in the place of one that is not
	// there, by its name. Find returns that from then on.
	Instead(ctx context.Context, s Stream, from netip.Addr, url string) bool
	// All returns the streams that are live, by name.
	All(apps []string) []Stream
	// Unlock returns a token for who knows the passphrase of a stream. The error is ErrLocked
	// or ErrTooMany.
	Unlock(app, name, passphrase string, from netip.Addr) (token string, err error)
	// Opens reports whether the query of a page has a token for a stream.
	Opens(app, name, query string) bool
	// Keyframe returns the newest keyframe, a whole picture; nil: there is none.
	Keyframe(app, name string) *media.Packet
}

// A Visit is what the server knows about a request.
type Visit struct {
	Location string // path of the location, without a slash at the end
	Path     string // of the request, below the location: "" or "/…"
	Depth    int    // how many directories of the location the browser sees the request in
	Client   netip.Addr
	// Base returns the public URL of the server, without a slash at the end; empty:
	// not known. It may depend on headers of a proxy: Mark says so in an answer.
	Base func() string
	Mark func(http.Header)
	// PlaylistPath returns the path of a file of an hls directory, escaped; empty:
	// the client can't have it.
	PlaylistPath func(dir, name string) string
	// Ending is closed when connections that stay open must end.
	Ending <-chan struct{}
}

// A Handler serves one player location.
type Handler struct {
	cfg     config.Player
	streams Streams
	policy  string // without what depends on the stream
	poster  *url.URL
	sockets sockets
}

// New returns the handler of a player block. The error says what is wrong with the
// block.
func New(cfg config.Player, streams Streams) (*Handler, error) {
	h := &Handler{cfg: cfg, streams: streams}
	if cfg.Poster != "" {
		u, err := config.ParsePoster(cfg.Poster)
		if err != nil {
			return nil, err
		}
		h.poster = u
	}
	h.policy = h.newPolicy()
	h.sockets.find = func(app, name string) Stream {
		if s, ok := streams.Find(cfg.Applications, app, name); ok {
			return s
		}
		return Stream{State: Offline} // its application is gone
	}
	return h, nil
}

// newPolicy is the Content-Security-Policy of the pages. hls.js hands the video a blob:
// (Media Source Extensions) and runs its demuxer in a worker from a blob:; data: is
// the empty icon, and the empty track that captions are put into.
func (h *Handler) newPolicy() string {
	images := "'self' data:"
	if h.poster != nil && h.poster.Host != "" {
		images += " " + h.poster.Scheme + "://" + h.poster.Host
	}
	frames := strings.Join(h.cfg.EmbedFrom, " ")
	if frames != "*" {
		frames = cmp.Or(frames, "'none'")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + images + "; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors " + frames
}

// policyFor is the policy of a page that plays s.
func (h *Handler) policyFor(s *Stream) string {
	from := "'self'"
	if s != nil && s.Elsewhere != "" {
		from += " " + s.Elsewhere
	}
	return h.policy + "; connect-src " + from + "; media-src blob: data: " + from
}

// Serve answers a GET or HEAD request.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, v Visit) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	switch v.Path {
	case "":
		// Relative, so that it is right behind a proxy. The browser has seen
		// ".../watch", and its references would be to the directory above.
		redirect(w, v.Location[strings.LastIndexByte(v.Location, '/')+1:]+"/", r.URL.RawQuery)
		return
	case "/", "/index.html":
		h.serveIndex(w, r, v)
		return
	case calcPath:
		h.serveCalc(w, r, v)
		return
	case "/live.m3u":
		h.serveM3U(w, r, v)
		return
	case "/oembed":
		h.serveOEmbed(w, r, v)
		return
	}
	if a, ok := assets()[v.Path[1:]]; ok {
		a.serve(w, r)
		return
	}
	kind, app, name := route(v.Path, value.NormalName(r.URL.Query().Get("app")))
	serve := h.byKind(kind)
	if serve == nil {
		http.NotFound(w, r)
		return
	}
	s, ok := h.streams.Find(h.cfg.Applications, app, name)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.State == Offline && kind != kindUnlock && h.streams.Instead(r.Context(), s, v.Client, v.Base()+r.URL.RequestURI()) {
		s, _ = h.streams.Find(h.cfg.Applications, app, name)
	}
	serve(w, r, v, s)
}

func redirect(w http.ResponseWriter, to, query string) {
	if query != "" {
		to += "?" + query
	}
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusFound)
}

// Why Unlock gives no token.
var (
	ErrLocked  = errors.New("that is not the passphrase")
	ErrTooMany = errors.New("too many wrong ones: try again in a minute")
)

// What a path asks for.
const (
	kindUnlock = "unlock"
	kindPage   = "page"
	kindEmbed  = "embed"
	kindJSON   = "json"
	kindInfo   = "info"
	kindPoster = "poster"
	kindImage  = "image"
)

// byKind returns what serves a stream in one form; nil: nothing.
func (h *Handler) byKind(kind string) func(http.ResponseWriter, *http.Request, Visit, Stream) {
	switch kind {
	case kindPage, kindEmbed:
		return func(w http.ResponseWriter, r *http.Request, v Visit, s Stream) {
			h.servePage(w, r, v, &s, kind == kindEmbed)
		}
	case kindUnlock:
		return h.serveUnlock
	case kindJSON:
		return h.serveJSON
	case kindInfo:
		return h.serveInfo
	case kindPoster, kindImage:
		f := asMP4
		if kind == kindImage {
			f = asAVIF
		}
		return func(w http.ResponseWriter, r *http.Request, v Visit, s Stream) { h.servePoster(w, r, &v, &s, f) }
	}
	return nil
}

// route takes the path of a stream's page or file apart. kind is empty for any other
// path. The application is that of the path or else asked, which may be empty.
func route(path, asked string) (kind, app, name string) {
	rest, app := path[1:], asked
	if in, ok := strings.CutPrefix(rest, "embed/"); ok {
		kind, rest = kindEmbed, in
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		app, rest = rest[:i], rest[i+1:]
	}
	if app != "" && value.ValidStreamName(app) != nil {
		return "", "", ""
	}
	if kind == "" {
		kind, rest = fileKind(rest)
	}
	rest = strings.ReplaceAll(rest, " ", "+") // which proxies have decoded
	if value.ValidStreamName(rest) != nil {
		return "", "", ""
	}
	return kind, app, rest
}

// fileKind tells the files of a stream apart: NAME.html, NAME.poster.mp4, json_NAME.js,
// NAME.poster.avif, info_NAME.js, unlock_NAME.js.
func fileKind(file string) (kind, name string) {
	for _, k := range [...]struct{ kind, before, behind string }{
		{kindPoster, "", ".poster.mp4"}, {kindImage, "", ".poster.avif"}, {kindPage, "", ".html"}, {kindJSON, "json_", ".js"}, {kindUnlock, "unlock_", ".js"}, {kindInfo, "info_", ".js"},
	} {
		if in, ok := strings.CutPrefix(file, k.before); ok {
			if name, ok := strings.CutSuffix(in, k.behind); ok {
				return k.kind, name
			}
		}
	}
	return "", file
}

// ref returns a reference to a file of a stream below the location: escaped, and with the
// application unless the name alone leads to the same stream. The application stands in
// the query: a location for its fragments may have the path that begins with its name.
func (h *Handler) ref(s *Stream, file string) string {
	if other, ok := h.streams.Find(h.cfg.Applications, "", s.Name); ok && other.App == s.App {
		return file
	}
	return file + "?app=" + url.QueryEscape(s.App)
}

func (h *Handler) page(s *Stream) string { return h.ref(s, url.PathEscape(s.Name)+".html") }

func (h *Handler) frame(s *Stream) string { return h.ref(s, "embed/"+url.PathEscape(s.Name)) }

func (h *Handler) image(s *Stream) string { return h.ref(s, url.PathEscape(s.Name)+".poster.avif") }

func (h *Handler) picture(s *Stream) string { return h.ref(s, url.PathEscape(s.Name)+".poster.mp4") }

// root returns the way from a request to the location: "", "../" …
func (v *Visit) root() string { return strings.Repeat("../", v.Depth) }

// relative returns a path of the server as a reference from the location's own
// directory.
func (v *Visit) relative(path string) string {
	return strings.Repeat("../", strings.Count(v.Location, "/")) + strings.TrimPrefix(path, "/")
}

// absolute returns the public URL of what is below the location; empty: not known.
func (v *Visit) absolute(in string) string {
	base := v.Base()
	if base == "" {
		return ""
	}
	return base + (&url.URL{Path: v.Location}).EscapedPath() + "/" + in
}
