// Package lint examines what a server delivers to players: HLS playlists and DASH
// manifests over their updates, and the segments that they name. It reads as a player
// does, over HTTP, and knows nothing of the server.
//
//	Run → fetcher.get → parsePlaylist → checkMedia, checkMultivariant
//	                  ↘ follower (one goroutine for each playlist): updates, segments
//	                  → report → Report
//
// Everything that comes from the server is bounded: bodies, lines, segments of a
// playlist, findings, playlists that are followed, requests in a second.
package lint

import (
	"slices"
	"strings"
)

// A Level says how binding a rule is.
type Level int

// The levels. A violated Must makes rtmpd lint fail.
const (
	Must   Level = iota // MUST, MUST NOT, REQUIRED
	Should              // SHOULD, SHOULD NOT, RECOMMENDED
	Advice              // no clause demands it; players do better with it
)

// String is the key word of RFC 2119.
func (l Level) String() string { return [...]string{"MUST", "SHOULD", "ADVICE"}[l] }

// MarshalText is for JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// A Rule is one sentence of a specification.
type Rule struct {
	ID      string `json:"rule"`
	Level   Level  `json:"level"`
	Clause  string `json:"clause"`
	Players string `json:"players"` // what players do when it is violated
}

// Rules are all rules that Run knows, by topic.
func Rules() []Rule {
	return slices.Concat(syntaxRules, mediaRules, multivariantRules, updateRules, lowRules, httpRules, segmentRules, dashRules)
}

// catalogue finds rules by their ID.
type catalogue map[string]*Rule

func newCatalogue() catalogue {
	all := Rules()
	c := make(catalogue, len(all))
	for i := range all {
		c[all[i].ID] = &all[i]
	}
	return c
}

// A fault is a violated rule in one resource.
type fault struct {
	rule string
	line int    // 1: the first; 0: the resource as a whole
	text string // the line, or part of it
	says string // what is wrong with it

	clause string // empty: the rule's
}

// maxText is how much of a line is shown.
const maxText = 200

// clip makes s fit to be shown: one line, no control characters, not too long. The
// result shares nothing with s, which may be part of a playlist.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	} else {
		s = strings.Clone(s)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
