package packager

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// names are the segments and keys of one stream (docs/nginx-rtmp.md):
//
//	            plain                    nested
//	segment     NAME-ID.ts               NAME/ID.ts
//	fmp4        NAME-video-ID.m4s        NAME/video-ID.m4s       and audio
//	its init    NAME-video-init-ID.mp4   NAME/video-init-ID.mp4
//	dash        NAME-ID.m4v              NAME/ID.m4v             and .m4a
//	its init    NAME-init.m4v            NAME/init.m4v           then NAME-init-ID.m4v
//	key         NAME-ID.key              NAME/ID.key             below keys.path
type names struct {
	app, stream string
	public      string // Settings.Public
	nested      bool
	fmp4        bool
	dash        bool
	naming      string
	granularity uint64

	prefix string // of segments and keys: followed by the ID
	keyURI string
}

var errBadName = errors.New("stream name can't be a file name")

// namesFor returns the names of the stream's files.
func namesFor(app, stream string, s *Settings) (names, error) {
	if stream == "" || strings.HasPrefix(stream, ".") || strings.Contains(stream, "..") ||
		strings.ContainsFunc(stream, func(r rune) bool { return r <= ' ' || r == '/' || r == '\\' || r == 0x7f }) {
		return names{}, fmt.Errorf("%w: %q", errBadName, stream)
	}
	n := names{app: app, stream: stream, public: cmp.Or(s.Public, stream), nested: s.Nested, fmp4: s.Format == "fmp4", dash: s.NginxDASH, naming: s.Naming, granularity: uint64(max(s.Granularity, 0)), prefix: Prefix(stream, s.Nested)}
	if s.Keys == nil {
		return n, nil
	}
	// Names may have letters beyond ASCII; URIs may not.
	escaped := url.PathEscape(stream)
	switch {
	case !s.Nested:
		n.keyURI = string(s.Keys.URL) + escaped + "-"
	case s.Keys.URL != "":
		n.keyURI = string(s.Keys.URL) + escaped + "/"
	}
	return n, nil
}

// Prefix begins the names of a stream's segments.
func Prefix(stream string, nested bool) string {
	if nested {
		return stream + "/"
	}
	return stream + "-"
}

// NamingMedia has files of fragmented MP4 named by the time of their first frame, in the
// ticks of their track: $Time$ in a template of DASH.
const NamingMedia = "media"

// id is the number of a segment's name, as in nginx (docs/nginx-rtmp.md): its media
// sequence number, the publisher's timestamp in 90 kHz units, or the wall clock in
// milliseconds; then rounded down.
func (n *names) id(seq uint64, g *segmenter.Segment) uint64 {
	id := seq
	switch n.naming {
	case "timestamp":
		id = uint64(g.Timestamp) * 90
	case "system":
		id = uint64(g.Opened.UnixMilli())
	}
	if n.granularity > 1 {
		id -= id % n.granularity
	}
	return id
}

// numbered says that IDs are media sequence numbers.
func (n *names) numbered() bool {
	return n.naming != "timestamp" && n.naming != "system" && n.naming != NamingMedia
}

// Parts of names: the track of a file of fragmented MP4.
var trackNames = [2]string{media.Video: "video-", media.Audio: "audio-"}

// TrackPrefix begins the names of a track's files of fragmented MP4.
func TrackPrefix(stream string, nested bool, kind media.Kind) string {
	return Prefix(stream, nested) + trackNames[kind]
}

// file is the name of a segment's file.
func (n *names) file(kind media.Kind, id uint64) string {
	if n.dash {
		return n.prefix + strconv.FormatUint(id, 10) + dashSuffix[kind]
	}
	if n.fmp4 {
		return n.prefix + trackNames[kind] + strconv.FormatUint(id, 10) + ".m4s"
	}
	return n.prefix + strconv.FormatUint(id, 10) + ".ts"
}

var dashSuffix = [2]string{media.Video: ".m4v", media.Audio: ".m4a"}

// init is the name of an initialisation section.
func (n *names) init(kind media.Kind, id uint64) string {
	if n.dash {
		return n.prefix + initMark + strconv.FormatUint(id, 10) + dashSuffix[kind]
	}
	return n.prefix + trackNames[kind] + initMark + strconv.FormatUint(id, 10) + ".mp4"
}

const initMark = "init-"

// kinds are those of a segment's files, and of their initialisation sections, in the
// ledger.
func (n *names) kinds(kind media.Kind) (segment, init string) {
	switch {
	case n.dash && kind == media.Video:
		return kindVideo, kindVideo
	case n.dash:
		return kindAudio, kindAudio
	case n.fmp4:
		return kindFragment, kindInit
	}
	return kindSegment, kindInit
}

// free returns the first ID from id on whose names are not used: a name that a manifest
// may have used for other content is not used again.
func (n *names) free(s *segstore.Dir, id uint64) uint64 {
	for s.Taken(n.file(media.Video, id)) || n.fmp4 && s.Taken(n.file(media.Audio, id)) {
		id++
	}
	return id
}

// LocalName is the name, in the directory, of the segment or key that uri refers to in a
// manifest of a stream, whose segments have that prefix; empty if it can't be one of ours.
func LocalName(prefix, uri string) string {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		uri = uri[:i]
	}
	base, err := url.PathUnescape(uri[strings.LastIndexByte(uri, '/')+1:])
	if err != nil {
		return ""
	}
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	id, ok := strings.CutPrefix(base, prefix[len(dir):])
	if _, number := idOf(id); !ok || !number {
		return ""
	}
	return dir + base
}

// idOf is the number in a name, which is digits and one of our suffixes.
func idOf(s string) (id uint64, ok bool) {
	digits, suffix, _ := strings.Cut(s, ".")
	switch suffix {
	case "ts", "key", "m4s":
	case "mp4":
		if digits, ok = strings.CutPrefix(digits, initMark); !ok {
			return 0, false
		}
	default:
		return 0, false
	}
	if digits == "" || len(digits) > 20 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	if id, err := strconv.ParseUint(digits, 10, 64); err == nil {
		return id, true
	}
	return math.MaxUint64, true
}
