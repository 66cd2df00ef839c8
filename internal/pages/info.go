package pages

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"net/http"

	"github.com/rtmpd/rtmpd/internal/media"
)

// An info is what json_NAME.js says: the fields that MistServer's players and the scripts
// around them read, and our own.
type info struct {
	// MistServer's.
	Type       string    `json:"type,omitempty"` // live
	Width      int       `json:"width,omitempty"`
	Height     int       `json:"height,omitempty"`
	Selver     int       `json:"selver,omitempty"` // version of the choice of a source
	Capa       *struct{} `json:"capa,omitempty"`
	UnixOffset *int64    `json:"unixoffset,omitempty"`
	Meta       *infoMeta `json:"meta,omitempty"`
	Source     []source  `json:"source,omitempty"`
	Error      string    `json:"error,omitempty"` // why there is no source
	OnError    string    `json:"on_error,omitempty"`

	// Ours.
	App         string `json:"app"`
	Name        string `json:"name"`
	State       State  `json:"state"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Poster      string `json:"poster,omitempty"`  // a picture, relative to player.js
	Picture     string `json:"picture,omitempty"` // the newest keyframe as a video, relative to player.js
	Renditions  int    `json:"renditions,omitempty"`
}

type infoMeta struct {
	Tracks map[string]infoTrack `json:"tracks"`
	Live   int                  `json:"live"`
}

type infoTrack struct {
	Codec       string `json:"codec"` // as MistServer calls it
	Type        string `json:"type"`
	TrackID     int    `json:"trackid"`
	Index       int    `json:"idx"`
	CodecString string `json:"codecstring,omitempty"` // RFC 6381
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	FPKS        int    `json:"fpks,omitempty"` // frames in 1000 s
	Channels    int    `json:"channels,omitempty"`
	Rate        int    `json:"rate,omitempty"` // Hz
}

// A source is one way to play. url is missing where the public address is not known.
type source struct {
	Type         string `json:"type"`
	HRN          string `json:"hrn"` // for people
	RelURL       string `json:"relurl"`
	URL          string `json:"url,omitempty"`
	Priority     int    `json:"priority"`
	SimulTracks  int    `json:"simul_tracks"`
	TotalMatches int    `json:"total_matches"`
}

// What MistServer calls HLS in MPEG-TS and in fragmented MP4, and DASH, and how it ranks
// them.
const (
	typeTS, rankTS                 = "html5/application/vnd.apple.mpegurl", 9
	typeFragmented, rankFragmented = "html5/application/vnd.apple.mpegurl;version=7", 8
	typeDASH, rankDASH             = "dash/video/mp4", 8
)

// info describes s to a visitor.
func (h *Handler) info(v *Visit, s *Stream) *info {
	i := &info{
		App: s.App, Name: s.Name, State: s.State, Title: h.title(s), Description: s.Description, OnError: h.cfg.OfflineText,
		Poster: h.posterFrom(v, ""), Renditions: s.Renditions,
	}
	playlist, manifest := "", ""
	if s.watchable() && s.Playlist != "" {
		playlist = v.PlaylistPath(s.Dir, s.Playlist)
	}
	if s.watchable() && s.Manifest != "" {
		manifest = v.PlaylistPath(s.ManifestDir, s.Manifest)
	}
	there := playlist != "" || manifest != ""
	switch {
	case there:
	case s.State == Waiting:
		i.Error = "Stream is waiting for data"
	case s.watchable():
		i.Error, i.State = "Stream can't be watched here: no location serves its playlist", Offline
	default:
		i.Error = "Stream is offline"
	}
	if !there {
		return i
	}
	if s.Video != nil && !s.Guarded {
		i.Picture = h.picture(s)
	}
	add := func(kind, hrn, path string, rank int) { i.add(v, source{Type: kind, HRN: hrn, Priority: rank}, path) }
	switch {
	case playlist == "":
	case s.Fragmented:
		add(typeFragmented, "HLS (CMAF)", playlist, rankFragmented)
	default:
		add(typeTS, "HLS (TS)", playlist, rankTS)
	}
	if manifest != "" {
		add(typeDASH, "DASH", manifest, rankDASH)
	}
	h.addOutputs(i, v, s)
	i.Type, i.Selver, i.Capa, i.UnixOffset = "live", 2, &struct{}{}, new(int64)
	i.Meta = &infoMeta{Tracks: make(map[string]infoTrack), Live: 1}
	if t := s.Video; t != nil {
		i.Width, i.Height = t.Width, t.Height
		fps := cmp.Or(t.FrameRate, s.FrameRate)
		i.Meta.Tracks["video_"+mistCodec(t.Codec)] = infoTrack{
			Codec: mistCodec(t.Codec), Type: "video", TrackID: 1, CodecString: t.CodecString,
			Width: t.Width, Height: t.Height, FPKS: int(math.Round(fps * 1000)),
		}
	}
	if t := s.Audio; t != nil {
		i.Meta.Tracks["audio_"+mistCodec(t.Codec)] = infoTrack{
			Codec: mistCodec(t.Codec), Type: "audio", TrackID: 2, Index: len(i.Meta.Tracks), CodecString: t.CodecString,
			Channels: t.Channels, Rate: cmp.Or(t.OutputRate, t.SampleRate),
		}
	}
	for j := range i.Source {
		if i.Source[j].SimulTracks == 0 {
			i.Source[j].SimulTracks = len(i.Meta.Tracks)
		}
		i.Source[j].TotalMatches = i.Source[j].SimulTracks
	}
	return i
}

// add adds a source at a path of the site.
func (i *info) add(v *Visit, src source, path string) {
	src.RelURL = v.relative(path)
	if base := v.Base(); base != "" {
		src.URL = base + path
	}
	i.Source = append(i.Source, src)
}

// addOutputs adds the files that last as long as the stream: after the others, which
// browsers play better.
func (h *Handler) addOutputs(i *info, v *Visit, s *Stream) {
	dir := s.Dir
	if s.Playlist == "" {
		dir = s.ManifestDir
	}
	for _, o := range s.Outputs {
		if o.File == "" {
			return
		}
		if path := v.PlaylistPath(dir, o.File); path != "" {
			i.add(v, source{Type: o.Kind, HRN: o.Name + " progressive", Priority: o.Rank, SimulTracks: o.Tracks}, path)
		}
	}
}

// mistCodec returns MistServer's name of a codec.
func mistCodec(c media.Codec) string {
	switch c {
	case media.CodecH264:
		return "H264"
	case media.CodecOpus:
		return "opus"
	}
	return c.String()
}

// title is what a stream is called: its own title, else that of the page, else its name.
func (h *Handler) title(s *Stream) string { return cmp.Or(s.Title, h.cfg.Title, s.Name) }

// posterFrom returns the poster's URL from a place below the location whose root is
// given; empty: none.
func (h *Handler) posterFrom(v *Visit, root string) string {
	switch {
	case h.poster == nil:
		return ""
	case h.poster.Host != "":
		return h.poster.String()
	case h.poster.Path != "" && h.poster.Path[0] == '/':
		return root + v.relative(h.poster.String())
	}
	return root + h.poster.String()
}

// encode writes JSON that may stand in a script: <, > and & and the line ends that only
// JavaScript knows are escaped.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of texts and numbers
	}
	return b
}

// serveJSON answers with the state of a stream; a WebSocket gets each change of it.
func (h *Handler) serveJSON(w http.ResponseWriter, r *http.Request, v Visit, s Stream) {
	if wantsSocket(r) {
		h.serveSocket(w, r, v, s)
		return
	}
	h.serveState(w, r, v, "application/json", encode(h.info(&v, &s)))
}

// serveInfo answers as MistServer's info_NAME.js does.
func (h *Handler) serveInfo(w http.ResponseWriter, r *http.Request, v Visit, s Stream) {
	if wantsSocket(r) {
		h.serveSocket(w, r, v, s)
		return
	}
	var b bytes.Buffer
	b.WriteString("if (!window.mistvideo) { window.mistvideo = {}; }\nmistvideo[")
	b.Write(encode(s.Name))
	b.WriteString("] = ")
	b.Write(encode(h.info(&v, &s)))
	b.WriteString(";\n")
	h.serveState(w, r, v, "text/javascript; charset=utf-8", b.Bytes())
}

func (h *Handler) serveState(w http.ResponseWriter, r *http.Request, v Visit, contentType string, body []byte) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	v.Mark(header)
	sendText(w, r, contentType, body)
}
