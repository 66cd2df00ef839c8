package viewers

import (
	"math/bits"
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

// Watches notes how a viewer watches that has joined.
func (c *Counter) Watches(id ID, by Protocol) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.byID[id]; el != nil {
		el.Value.(*entry).Sums.Protocols |= by
	}
}

// Watching returns how many viewers watch by each protocol, by name; one of whom nothing
// else was noted watches HLS.
func (c *Counter) Watching() map[string]int {
	c.mu.Lock()
	var counts [1 << 4]int
	for el := c.joined.Front(); el != nil; el = el.Next() {
		p := el.Value.(*entry).Sums.Protocols
		if p == 0 {
			p = HLS
		}
		for ; p != 0; p &= p - 1 {
			counts[bits.TrailingZeros16(uint16(p))]++
		}
	}
	c.mu.Unlock()
	out := make(map[string]int)
	for i, name := range protocols {
		if counts[i] > 0 {
			out[name] = counts[i]
		}
	}
	return out
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
