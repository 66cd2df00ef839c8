package web

import "strings"

// wildcardFile finds the file that a path means which has the name of a wildcard stream
// (BASE+NAME) written in another way: with a space for the +, as proxies decode it, or as
// BASE/NAME. there reports whether a file is there.
//
//	live/base x.m3u8          live/base+x.m3u8
//	live/base/x.m3u8          live/base+x.m3u8
//	live/base/x/index.m3u8    live/base+x/index.m3u8
//	live/base/base+x-0.ts     live/base+x-0.ts: what a playlist at live/base/x.m3u8 names
func wildcardFile(in string, there func(alt string) bool) (alt string, found bool) {
	if len(in) > maxWildcardPath {
		return "", false
	}
	if plain := strings.ReplaceAll(in, " ", "+"); plain != in && there(plain) {
		return plain, true
	}
	tries := 0
	for i := len(in) - 1; i > 0 && tries < maxWildcardTries; i-- {
		if in[i] != '/' {
			continue
		}
		tries++
		base := in[strings.LastIndexByte(in[:i], '/')+1 : i]
		rest := in[i+1:]
		if own, ok := strings.CutPrefix(rest, base); ok && base != "" && (strings.HasPrefix(own, "+") || strings.HasPrefix(own, " ")) {
			if alt := in[:i-len(base)] + base + "+" + own[1:]; there(alt) {
				return alt, true
			}
		}
		if alt := in[:i] + "+" + rest; base != "" && rest != "" && there(alt) {
			return alt, true
		}
	}
	return "", false
}

const (
	maxWildcardPath  = 1024 // bytes
	maxWildcardTries = 4    // slashes, from the end
)
