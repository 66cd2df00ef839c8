package hls

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// names are the files and URIs of one stream (docs/nginx-rtmp.md):
//
//	            plain         nested
//	playlist    NAME.m3u8     NAME/index.m3u8
//	fragment    NAME-ID.ts    NAME/ID.ts
//	key         NAME-ID.key   NAME/ID.key       below keys.path
type names struct {
	app, stream string
	nested      bool
	naming      string
	granularity uint64

	playlist string // relative to the directory
	prefix   string // of fragments and keys: followed by the ID
	uri      string // of fragments: the same as players are to ask for it
	keyURI   string
}

var errBadName = errors.New("stream name can't be a file name")

// PlaylistName is the name of a stream's playlist in cfg.Path.
func PlaylistName(app, stream string, cfg *config.HLS) (string, error) {
	n, err := namesFor(app, stream, cfg)
	return n.playlist, err
}

// namesFor returns the names of the stream's files.
func namesFor(app, stream string, cfg *config.HLS) (names, error) {
	if stream == "" || strings.HasPrefix(stream, ".") || strings.Contains(stream, "..") ||
		strings.ContainsFunc(stream, func(r rune) bool { return r <= ' ' || r == '/' || r == '\\' || r == 0x7f }) {
		return names{}, fmt.Errorf("%w: %q", errBadName, stream)
	}
	n := names{
		app: app, stream: stream, nested: cfg.Nested,
		naming: cfg.FragmentNaming, granularity: uint64(max(cfg.FragmentNamingGranularity, 0)),
	}
	// Names may have letters beyond ASCII; URIs may not.
	escaped := url.PathEscape(stream)
	if !n.nested {
		n.playlist, n.prefix = stream+".m3u8", stream+"-"
		n.uri = string(cfg.BaseURL) + escaped + "-"
		if cfg.Keys != nil {
			n.keyURI = string(cfg.Keys.URL) + escaped + "-"
		}
		return n, nil
	}
	n.playlist, n.prefix = stream+"/index.m3u8", stream+"/"
	if cfg.BaseURL != "" {
		n.uri = string(cfg.BaseURL) + escaped + "/"
	}
	if cfg.Keys != nil && cfg.Keys.URL != "" {
		n.keyURI = string(cfg.Keys.URL) + escaped + "/"
	}
	return n, nil
}

// id is the number of a fragment's name, as in nginx (docs/nginx-rtmp.md): its media
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

// free returns the first ID from id on whose name is not used: a name that a playlist
// may have used for other content is not used again.
func (n *names) free(s *segstore.Dir, id uint64) (uint64, string) {
	for ; ; id++ {
		name := n.prefix + strconv.FormatUint(id, 10) + ".ts"
		if !s.Taken(name) {
			return id, name
		}
	}
}

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

// variantURI is what a multivariant playlist calls the stream's playlist.
func (n *names) variantURI(cfg *config.HLS) string {
	if n.nested {
		return string(cfg.BaseURL) + path.Join(url.PathEscape(n.stream), "index.m3u8")
	}
	return string(cfg.BaseURL) + url.PathEscape(n.stream) + ".m3u8"
}
