package lint

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// Headers of a playlist with one fault each.
var playlistHeaders = []struct {
	name   string
	path   string
	change map[string]string // empty: delete
	want   string
}{
	{"as they should be", "/a.m3u8", nil, ""},
	{"without a name, with a type", "/a", nil, ""},
	{"half a target duration", "/a.m3u8", map[string]string{"Cache-Control": "public, max-age=3"}, ""},
	{"Expires in place of Cache-Control", "/a.m3u8", map[string]string{"Cache-Control": "", "Date": "Mon, 30 Nov 2026 08:00:00 GMT", "Expires": "Mon, 30 Nov 2026 08:00:02 GMT"}, ""},
	{"our origin", "/a.m3u8", map[string]string{"Access-Control-Allow-Origin": origin}, ""},
	{"neither name nor type", "/a", map[string]string{"Content-Type": "text/plain"}, "playlist-type"},
	{"nginx without mime types", "/a.m3u8", map[string]string{"Content-Type": "text/plain"}, "playlist-content-type"},
	{"the type of old servers", "/a.m3u8", map[string]string{"Content-Type": "application/x-mpegURL"}, "playlist-content-type"},
	{"no compression", "/a.m3u8", map[string]string{"Content-Encoding": ""}, "playlist-gzip"},
	{"nothing for caches", "/a.m3u8", map[string]string{"Cache-Control": ""}, "playlist-cache"},
	{"an hour in caches", "/a.m3u8", map[string]string{"Cache-Control": "max-age=0, s-maxage=3600"}, "playlist-stale-cache"},
	{"another origin", "/a.m3u8", map[string]string{"Access-Control-Allow-Origin": "https://other.example"}, "cors"},
	{"no origin", "/a.m3u8", map[string]string{"Access-Control-Allow-Origin": ""}, "cors"},
}

func showHTTP(t *testing.T, all seen) {
	for _, c := range playlistHeaders {
		t.Run("playlist headers: "+c.name, func(t *testing.T) {
			h := http.Header{}
			for name, v := range map[string]string{
				"Content-Type": "application/vnd.apple.mpegurl", "Content-Encoding": "gzip", "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*",
			} {
				h.Set(name, v)
			}
			for name, v := range c.change {
				if h.Set(name, v); v == "" {
					h.Del(name)
				}
			}
			r := &response{url: &url.URL{Path: c.path}, header: h, body: make([]byte, 2*onePacket), gzipped: h.Get("Content-Encoding") == "gzip"}
			all.check(t, checkPlaylistHTTP(r, 6*time.Second), want{c.want, 0})
		})
	}
	for media, rule := range map[string]string{
		"video/mp2t": "", "video/mp4; codecs=avc1": "", "application/octet-stream": "", "text/vtt; charset=utf-8": "",
		"": "segment-content-type", "text/html": "segment-content-type", "application/vnd.apple.mpegurl": "segment-content-type",
	} {
		t.Run("a segment as "+media, func(t *testing.T) {
			h := http.Header{"Content-Type": {media}, "Access-Control-Allow-Origin": {"*"}}
			all.check(t, checkSegmentHTTP(&response{header: h}, false), want{rule, 0})
		})
	}
	t.Run("a segment that will be removed, nobody knows when", func(t *testing.T) {
		h := http.Header{"Content-Type": {"video/mp2t"}, "Access-Control-Allow-Origin": {"*"}}
		all.check(t, checkSegmentHTTP(&response{header: h}, true), want{"segment-expires", 0})
		h.Set("Cache-Control", "max-age=60")
		all.check(t, checkSegmentHTTP(&response{header: h}, true), want{})
	})
}
