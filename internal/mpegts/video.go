package mpegts

import (
	"bytes"

	"github.com/rtmpd/rtmpd/internal/media"
)

// An accessUnit is what AppendVideo needs to know about a frame before it writes.
type accessUnit struct {
	track *media.Track
	aud   string // our access unit delimiter, start code included

	random bool // IDR or IRAP, or marked as a keyframe by the publisher
	own    bool // the frame contains a complete group of parameter sets
	size   int  // of all that is written, Annex B
}

// Access unit delimiters that allow any slice type (ISO 14496-10 §7.3.2.4,
// 23008-2 §7.3.2.5). HLS wants one before every frame.
const (
	audH264 = "\x00\x00\x00\x01\x09\xf0"
	audHEVC = "\x00\x00\x00\x01\x46\x01\x50"
)

const startCodeSize = 4

// A role is how the muxer treats a NAL unit.
type role uint8

const (
	roleOther role = iota
	roleRandom
	roleDelimiter
	roleVPS
	roleSPS
	rolePPS
)

func roleOf(c media.Codec, header byte) role {
	if c == media.CodecHEVC {
		switch t := header >> 1 & 0x3f; {
		case t >= 16 && t <= 23:
			return roleRandom
		case t == 32:
			return roleVPS
		case t == 33:
			return roleSPS
		case t == 34:
			return rolePPS
		case t == 35:
			return roleDelimiter
		}
		return roleOther
	}
	switch header & 0x1f {
	case 5:
		return roleRandom
	case 7:
		return roleSPS
	case 8:
		return rolePPS
	case 9:
		return roleDelimiter
	}
	return roleOther
}

// keep reports whether a unit of the frame is written. Delimiters are not, because the
// muxer writes its own. Parameter sets that repeat the track's are not, unless the
// frame contains a complete group: then those are written in their order, and the
// track's are not inserted.
func (a *accessUnit) keep(unit []byte, r role) bool {
	var known [][]byte
	switch r {
	case roleDelimiter:
		return false
	case roleVPS:
		known = a.track.VPS
	case roleSPS:
		known = a.track.SPS
	case rolePPS:
		known = a.track.PPS
	}
	if a.own {
		return true
	}
	for _, set := range known {
		if bytes.Equal(set, unit) {
			return false
		}
	}
	return true
}

// survey reads the frame's units once to compute its size. A frame without a unit to
// write has size 0. intact is false if a length was wrong; the units before that
// count.
func survey(t *media.Track, p *media.Packet) (a accessUnit, intact bool) {
	a = accessUnit{track: t, aud: audH264, random: p.Keyframe}
	if t.Codec == media.CodecHEVC {
		a.aud = audHEVC
	}
	intact = true
	var seen [rolePPS + 1]bool
	for unit, err := range media.NALUs(p.Data, t.NALULength) {
		if err != nil {
			intact = false
			break
		}
		r := roleOf(t.Codec, unit[0])
		seen[r] = true
	}
	a.random = a.random || seen[roleRandom]
	a.own = seen[roleSPS] && seen[rolePPS] && (seen[roleVPS] || t.Codec != media.CodecHEVC)
	for unit, err := range media.NALUs(p.Data, t.NALULength) {
		if err == nil && a.keep(unit, roleOf(t.Codec, unit[0])) {
			a.size += startCodeSize + len(unit)
		}
	}
	if a.size == 0 {
		return a, intact
	}
	a.size += len(a.aud)
	if a.insert() {
		for _, sets := range a.sets() {
			for _, set := range sets {
				a.size += startCodeSize + len(set)
			}
		}
	}
	return a, intact
}

// insert reports whether the track's parameter sets are written before the frame, so
// that a decoder can begin there.
func (a *accessUnit) insert() bool { return a.random && !a.own }

func (a *accessUnit) sets() [3][][]byte {
	return [3][][]byte{a.track.VPS, a.track.SPS, a.track.PPS}
}

// AppendVideo appends one frame as a PES packet: length-prefixed NAL units
// become Annex B, with our own access unit delimiter, and the track's parameter
// sets before each frame that a decoder can begin with. A frame whose NAL unit
// lengths do not fit is cut off there and counted.
//
// The output is at most 3 bytes for each of p.Data, the parameter sets, some
// 400 bytes, and up to 21 kB of clock references after a gap.
func (m *Muxer) AppendVideo(dst []byte, p *media.Packet) []byte {
	track := trackOf(p, m.video)
	if track == nil {
		m.Malformed++
		return dst
	}
	a, intact := survey(track, p)
	if !intact {
		m.Malformed++
	}
	if a.size == 0 {
		return dst
	}
	pts := ticks(p.DTS + p.CTS)
	dts := min(ticks(p.DTS), pts) // never shown before it is decoded; when it is shown is what counts
	dst = m.clock.fill(dst, pidVideo, m.videoCount, dts)

	header, n := pesHeader(streamIDVideo, pts, dts, a.size)
	w := packetizer{
		m: m, pid: pidVideo, count: &m.videoCount,
		first: true, random: a.random, pcr: true, begin: dts,
	}
	w.open(dst, n+a.size)
	w.put(header[:n])
	w.put([]byte(a.aud))
	code := [startCodeSize]byte{0, 0, 0, 1}
	if a.insert() {
		for _, sets := range a.sets() {
			for _, set := range sets {
				w.put(code[:])
				w.put(set)
			}
		}
	}
	for unit, err := range media.NALUs(p.Data, track.NALULength) {
		if err == nil && a.keep(unit, roleOf(track.Codec, unit[0])) {
			w.put(code[:])
			w.put(unit)
		}
	}
	return w.b
}
