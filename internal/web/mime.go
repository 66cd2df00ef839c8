package web

import (
	"mime"
	"path"
	"strings"
)

// Header values shared by all answers: nobody writes to them.
var (
	typeText     = []string{"text/plain; charset=utf-8"}
	typeHTML     = []string{"text/html; charset=utf-8"}
	typePlaylist = []string{"application/vnd.apple.mpegurl"}
	typeBytes    = []string{"application/octet-stream"}

	cacheNo      = []string{"no-cache"}
	cacheNoStore = []string{"no-store"}
	encodingGzip = []string{"gzip"}
)

// types are those of streaming and of web pages; for others the system's table is used,
// which differs between machines.
var types = map[string][]string{
	".m3u8": typePlaylist, ".m3u": typePlaylist,
	".ts":  {"video/mp2t"},
	".m4s": {"video/iso.segment"}, ".cmfv": {"video/mp4"}, ".cmfa": {"audio/mp4"},
	".mp4": {"video/mp4"}, ".m4v": {"video/mp4"}, ".m4a": {"audio/mp4"}, ".mov": {"video/quicktime"},
	".mpd": {"application/dash+xml"},
	".aac": {"audio/aac"}, ".mp3": {"audio/mpeg"}, ".ogg": {"audio/ogg"}, ".opus": {"audio/ogg"}, ".flac": {"audio/flac"}, ".wav": {"audio/wav"},
	".flv": {"video/x-flv"}, ".mkv": {"video/x-matroska"}, ".webm": {"video/webm"},
	".key":  typeBytes,
	".html": typeHTML, ".htm": typeHTML, ".txt": typeText, ".log": typeText, ".md": typeText,
	".css": {"text/css; charset=utf-8"}, ".js": {"text/javascript; charset=utf-8"}, ".mjs": {"text/javascript; charset=utf-8"},
	".json": {"application/json"}, ".map": {"application/json"}, ".xml": {"text/xml; charset=utf-8"}, ".xsl": {"text/xml; charset=utf-8"},
	".vtt": {"text/vtt; charset=utf-8"}, ".srt": {"application/x-subrip"}, ".wasm": {"application/wasm"}, ".pdf": {"application/pdf"},
	".svg": {"image/svg+xml"}, ".png": {"image/png"}, ".jpg": {"image/jpeg"}, ".jpeg": {"image/jpeg"}, ".gif": {"image/gif"},
	".webp": {"image/webp"}, ".avif": {"image/avif"}, ".ico": {"image/x-icon"},
	".woff": {"font/woff"}, ".woff2": {"font/woff2"}, ".ttf": {"font/ttf"},
	".webmanifest": {"application/manifest+json"}, ".zip": {"application/zip"}, ".gz": {"application/gzip"},
}

// contentType returns the type of a file by its name. It is never empty: net/http would
// guess from the contents.
func contentType(name string) []string {
	ext := path.Ext(name)
	if t := types[ext]; t != nil {
		return t
	}
	ext = strings.ToLower(ext)
	if t := types[ext]; t != nil {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return []string{t}
	}
	return typeBytes
}
