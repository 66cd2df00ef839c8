package hls

import (
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// names are the playlists of one stream, and what its segments are called in them
// (docs/nginx-rtmp.md). With fmp4 the main playlist is a multivariant one:
//
//	            plain             nested
//	main        NAME.m3u8         NAME/index.m3u8
//	fmp4        NAME-video.m3u8   NAME/video.m3u8    and audio
type names struct {
	stream string
	nested bool
	main   string    // relative to the directory
	lists  [2]string // the media playlists, by media.Kind; MPEG-TS has the first: main
	uri    uris      // of fragments and parts
}

// PlaylistName is the name of a stream's playlist in cfg.Path.
func PlaylistName(stream string, cfg *config.HLS) string {
	if cfg.Nested {
		return stream + "/index.m3u8"
	}
	return stream + ".m3u8"
}

// uris says how playlists name files.
type uris struct {
	before string
	cut    int // how much of a file's name stands in before: the stream's prefix
}

func (u uris) of(file string) string { return u.before + file[u.cut:] }

// match says whether uri is that of a file.
func (u uris) match(uri, file string) bool {
	before, ok := strings.CutSuffix(uri, file[u.cut:])
	return ok && before == u.before
}

// append appends the URI of a part.
func (u uris) append(b []byte, n segstore.PartName) []byte {
	return n.Append(append(b, u.before...), u.cut)
}

func namesFor(stream string, cfg *config.HLS) names {
	n := names{stream: stream, nested: cfg.Nested, main: PlaylistName(stream, cfg)}
	n.lists[media.Video] = n.main
	if fragmented(cfg) {
		for kind := range n.lists {
			n.lists[kind] = strings.TrimSuffix(packager.TrackPrefix(stream, cfg.Nested, media.Kind(kind)), "-") + ".m3u8"
		}
	}
	// Names may have letters beyond ASCII; URIs may not.
	escaped := url.PathEscape(stream)
	n.uri.cut = len(packager.Prefix(stream, cfg.Nested))
	switch {
	case !n.nested:
		n.uri.before = string(cfg.BaseURL) + escaped + "-"
	case cfg.BaseURL != "":
		n.uri.before = string(cfg.BaseURL) + escaped + "/"
	}
	return n
}

// MasterName is the file of a base name's multivariant playlist in cfg.Path.
func MasterName(base string) string { return masterName(base) }

// MediaPlaylists are the names of a stream's media playlists in cfg.Path: the playlist
// itself, or with fragmented MP4 those of the pictures and of the sound.
func MediaPlaylists(stream string, cfg *config.HLS) []string {
	if !fragmented(cfg) {
		return []string{PlaylistName(stream, cfg)}
	}
	n := namesFor(stream, cfg)
	return n.lists[:]
}

// fragmented says whether the segments of cfg are fragmented MP4.
func fragmented(cfg *config.HLS) bool { return cfg.Format == "fmp4" }

// masterName is the file of a base name's multivariant playlist.
func masterName(base string) string { return base + ".m3u8" }

// VariantBase returns the base name that a stream is a rendition of: the name
// without the first variant suffix that it ends in. A publisher of the base name itself
// would overwrite the playlist of the renditions.
func VariantBase(cfg config.HLS, name string) (base string, ok bool) {
	base, _, ok = variantOf(&cfg, name)
	return base, ok
}

func variantOf(cfg *config.HLS, name string) (base string, index int, ok bool) {
	for i := range cfg.Variants {
		suffix := cfg.Variants[i].Suffix
		if suffix != "" && len(name) > len(suffix) && strings.HasSuffix(name, suffix) {
			return strings.TrimSuffix(name, suffix), i, true
		}
	}
	return "", 0, false
}

// variantURI is what a multivariant playlist in the directory calls a media playlist.
func (n *names) variantURI(list string, cfg *config.HLS) string {
	if n.nested {
		return string(cfg.BaseURL) + path.Join(url.PathEscape(n.stream), path.Base(list))
	}
	return string(cfg.BaseURL) + url.PathEscape(list)
}

// ownURI is what the main playlist calls a media playlist.
func (n *names) ownURI(list string, cfg *config.HLS) string {
	if n.nested && cfg.BaseURL == "" {
		return path.Base(list)
	}
	return n.variantURI(list, cfg)
}

// beside is what one of the stream's media playlists calls one in the same directory, of
// the same settings.
func (n *names) beside(list string) string {
	dir, file := path.Split(list)
	switch {
	case !n.nested:
		return url.PathEscape(list)
	case strings.TrimSuffix(dir, "/") == n.stream:
		return url.PathEscape(file)
	}
	return "../" + url.PathEscape(strings.TrimSuffix(dir, "/")) + "/" + url.PathEscape(file)
}

// settings are what the packager needs to know of cfg.
func settings(cfg config.HLS) packager.Settings {
	format := cfg.Format
	if format == "" {
		format = "mpegts"
	}
	part := time.Duration(0)
	if cfg.LowLatency && format == "fmp4" {
		part = cfg.Part
	}
	return packager.Settings{
		What: "hls", Format: format, Part: part,
		Fragment: cfg.Fragment, MaxFragment: cfg.MaxFragment, Aligned: cfg.FragmentSlicing == "aligned",
		Sync: cfg.Sync, MaxAudioDelay: cfg.MaxAudioDelay, PlaylistLength: cfg.PlaylistLength, DVR: cfg.DVR,
		Nested: cfg.Nested, Naming: cfg.FragmentNaming, Granularity: cfg.FragmentNamingGranularity,
		Event: cfg.Type == "event", Continuous: cfg.Continuous, Cleanup: cfg.Cleanup, Endlist: cfg.Endlist, Keys: cfg.Keys,
	}
}
