// Package dash names the segments of streams in MPDs (ISO/IEC 23009-1), laid out as
// nginx-rtmp does it. internal/packager writes segments and decides when an MPD is
// written.
//
//	packager.Writer → Manifest → MPD
package dash

import (
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config"
)

// ManifestName is the name of a stream's MPD in cfg.Path (docs/nginx-rtmp.md):
//
//	plain      nested
//	NAME.mpd   NAME/index.mpd
func ManifestName(stream string, cfg *config.DASH) string {
	if cfg.Nested {
		return stream + "/index.mpd"
	}
	return stream + ".mpd"
}

// escape is a file's name as a relative URL in a template: $ is special there (§5.3.9.4.4),
// and : would end a scheme (RFC 3986 §4.2).
func escape(name string) string {
	return strings.NewReplacer("$", "%24", ":", "%3A").Replace(url.PathEscape(name))
}

// unescape is the name that escape was given; empty: nobody gave it that.
func unescape(uri string) string {
	name, err := url.PathUnescape(uri)
	if err != nil || strings.ContainsAny(uri, "?#/") || strings.Contains(name, "/") {
		return ""
	}
	return name
}

// uri is what an MPD beside a file calls it.
func uri(file string) string { return escape(file[strings.LastIndexByte(file, '/')+1:]) }
