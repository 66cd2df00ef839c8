//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// A playlist holds what a viewer needs from an HLS media playlist.
type playlist struct {
	multivariant bool   // its segments are the playlists of renditions
	sequence     uint64 // media sequence number of segments[0]
	segments     []string
}

// parsePlaylist reads a media playlist, or a multivariant one (RFC 8216 §4).
func parsePlaylist(text string) (p playlist, err error) {
	if !strings.HasPrefix(text, "#EXTM3U") {
		return p, fmt.Errorf("playlist begins %.20q", text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if s, ok := strings.CutPrefix(line, "#EXT-X-MEDIA-SEQUENCE:"); ok {
			if p.sequence, err = strconv.ParseUint(s, 10, 64); err != nil {
				return p, fmt.Errorf("media sequence: %w", err)
			}
		}
		p.multivariant = p.multivariant || strings.HasPrefix(line, "#EXT-X-STREAM-INF:")
		if line != "" && line[0] != '#' {
			p.segments = append(p.segments, line)
		}
	}
	return p, nil
}

// playlist fetches the media playlist, nil if it is not there; the first time by way of
// the multivariant playlist, if there is one, whose link has what the server wrote into it.
func (v *viewer) playlist(ctx context.Context) (*playlist, error) {
	for range 2 {
		text, err := v.get(ctx, v.target, true)
		if err != nil || text == nil {
			return nil, err
		}
		p, err := parsePlaylist(string(text))
		if err != nil || !p.multivariant {
			return &p, err
		}
		if len(p.segments) == 0 {
			return nil, nil // no rendition has a playlist yet
		}
		v.target = sibling(v.target, p.segments[0])
	}
	return nil, errors.New("the link of a multivariant playlist leads to another one")
}

// sibling is the path, with its query, of what a playlist calls uri.
func sibling(playlist, uri string) string {
	playlist, _, _ = strings.Cut(playlist, "?")
	return path.Dir(playlist) + "/" + uri
}
