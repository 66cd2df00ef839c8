package hooks

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// maxRelayURL bounds the URL of a stream on another server, in bytes.
const maxRelayURL = 2048

// isRelay reports whether a Location is the URL of a stream on an RTMP server.
func isRelay(location string) bool {
	scheme, _, ok := strings.Cut(location, "://")
	return ok && (strings.EqualFold(scheme, "rtmp") || strings.EqualFold(scheme, "rtmps"))
}

// relayURL checks a Location for which isRelay is true. A $ in it stands for itself.
// The error does not contain it.
func relayURL(location string) (value.RTMPURL, error) {
	if len(location) > maxRelayURL {
		return "", errors.New("it is too long")
	}
	scheme, rest, _ := strings.Cut(location, "://")
	authority, _, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(authority, "@"):
		return "", errors.New("it has a user or a password, which RTMP servers do not ask for")
	case strings.ContainsFunc(rest, isBlank):
		return "", errors.New("it contains a blank, and nothing may stand behind the URL")
	}
	u, err := url.Parse("rtmp://" + authority)
	if err != nil || u.Host != authority || u.Hostname() == "" {
		return "", errors.New("it names no host")
	}
	return value.RTMPURL(strings.ToLower(scheme) + "://" + strings.ReplaceAll(rest, "$", "$$")), nil
}

// isBlank reports whether no URL may contain r.
func isBlank(r rune) bool { return r <= ' ' || r == 0x7f }

// sharedName is what notify_relay_redirect calls a stream after its URL, as nginx-rtmp
// does (ngx_rtmp_notify_set_name): all that have the same URL share the stream.
func sharedName(location string) string {
	sum := md5.Sum([]byte(location)) // a name, not a protection
	return hex.EncodeToString(sum[:])
}

// SourceURL checks the source that STREAM_SOURCE has answered. The error does not
// contain it.
func SourceURL(answer string) (value.RTMPURL, error) {
	if !isRelay(answer) {
		return "", errors.New("it is no URL of rtmp or rtmps")
	}
	return relayURL(answer)
}

// StreamURL is the URL of a stream that a client has asked for, without a key= in it.
func StreamURL(tcURL, name, args string) string {
	u := strings.TrimRight(tcURL, "/")
	if name != "" {
		u += "/" + name
	}
	if args != "" {
		u += "?" + args
	}
	return withoutKey(u)
}
