package lint

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// onePacket is what a packet has room for beside the headers of an answer: less of it is
// not sooner there.
const onePacket = 1000

// checkPlaylistHTTP holds the headers of a playlist against RFC 8216 §4 and §6.2.1 and
// what browsers and caches need. fresh is how long caches may keep it at most; 0: for as
// long as they like.
func checkPlaylistHTTP(r *response, fresh time.Duration) (faults []fault) {
	add := func(rule, format string, args ...any) {
		faults = append(faults, fault{rule: rule, says: fmt.Sprintf(format, args...)})
	}
	media := mediaType(r.header)
	typed := media == "application/vnd.apple.mpegurl" || media == "audio/mpegurl"
	ext := strings.ToLower(path.Ext(r.url.Path))
	named := ext == ".m3u8" || ext == ".m3u"
	switch {
	case !typed && !named:
		add("playlist-type", "Content-Type is %s, and the path does not end in .m3u8", quote(r.header.Get("Content-Type")))
	case !typed:
		add("playlist-content-type", "Content-Type is %s, not application/vnd.apple.mpegurl", quote(r.header.Get("Content-Type")))
	}
	if !r.gzipped && len(r.body) > onePacket {
		add("playlist-gzip", "it is not compressed, though the request allows gzip")
	}
	faults = append(faults, checkCORS(r)...)
	if age, ok := freshness(r.header); fresh > 0 {
		switch {
		case !ok:
			add("playlist-cache", "neither Cache-Control nor Expires says how long caches may keep it")
		case age > fresh:
			add("playlist-stale-cache", "caches may keep it for %s, it is out of date after %s", seconds(age), seconds(fresh))
		}
	}
	return faults
}

// checkSegmentHTTP holds the headers of a segment against what players need. It may be
// one that will be removed.
func checkSegmentHTTP(r *response, removed bool) (faults []fault) {
	faults = checkCORS(r)
	if _, ok := freshness(r.header); removed && !ok {
		faults = append(faults, fault{rule: "segment-expires", says: "neither Expires nor Cache-Control says how long it can be had"})
	}
	switch media := mediaType(r.header); {
	case media == "":
		faults = append(faults, fault{rule: "segment-content-type", says: "there is no Content-Type"})
	case strings.HasPrefix(media, "text/") && media != "text/vtt" && media != "text/plain", strings.HasSuffix(media, "mpegurl"):
		faults = append(faults, fault{rule: "segment-content-type", says: "Content-Type is " + quote(media)})
	}
	return faults
}

func checkCORS(r *response) []fault {
	switch allowed := r.header.Get("Access-Control-Allow-Origin"); allowed {
	case "*", origin:
		return nil
	case "":
		return []fault{{rule: "cors", says: "there is no Access-Control-Allow-Origin"}}
	default:
		return []fault{{rule: "cors", says: "Access-Control-Allow-Origin is " + quote(allowed)}}
	}
}

func mediaType(h http.Header) string {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return strings.ToLower(strings.TrimSpace(h.Get("Content-Type")))
	}
	return media
}

// freshness is how long a cache may keep an answer (RFC 9111 §4.2.1); false: it is not
// said.
func freshness(h http.Header) (time.Duration, bool) {
	age, ok := time.Duration(0), false
	for item := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		switch name {
		case "no-store", "no-cache", "private":
			return 0, true
		case "max-age", "s-maxage":
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err == nil && (!ok || name == "s-maxage") {
				age, ok = time.Duration(n)*time.Second, true
			}
		}
	}
	if ok {
		return age, true
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0, h.Get("Expires") != ""
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0, true
	}
	return max(expires.Sub(date), 0), true
}
