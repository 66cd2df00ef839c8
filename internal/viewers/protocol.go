package viewers

import (
	"slices"
	"strings"
)

// A Protocol is how a viewer watches: one bit each.
type Protocol uint16

// protocols are their names, in the order of the bits: the two that ask for playlists, then
// those that are one answer as long as the stream.
var protocols = []string{"HLS", "DASH", "FLV", "TS", "MP4", "MKV", "WEBM", "MP3", "AAC", "JSON"}

// The protocols of playlists.
const (
	HLS Protocol = 1 << iota
	DASH
)

// AllProtocols are all of them.
const AllProtocols = ^Protocol(0)

// ProtocolNamed returns the protocol of that name, in any case; 0: there is none.
func ProtocolNamed(name string) Protocol {
	i := slices.IndexFunc(protocols, func(p string) bool { return strings.EqualFold(p, name) })
	if i < 0 {
		return 0
	}
	return 1 << i
}

// Names returns the names of all protocols in p.
func (p Protocol) Names() (names []string) {
	for i, name := range protocols {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
