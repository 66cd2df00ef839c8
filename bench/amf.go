//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// The AMF0 that a client needs to say (AMF0 §2).

func amfString(s string) []byte { return append([]byte{2}, amfName(s)...) }

func amfName(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func amfNumber(f float64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0}, math.Float64bits(f))
}

func amfNull() []byte { return []byte{5} }

// amfObject is an object of strings: name, value, name, value.
func amfObject(pairs ...string) []byte {
	b := []byte{3}
	for i := 0; i < len(pairs); i += 2 {
		b = append(append(b, amfName(pairs[i])...), amfString(pairs[i+1])...)
	}
	return append(b, 0, 0, 9)
}

// metadata is the onMetaData of the synthetic stream.
func metadata(bitsPerSecond int64) []byte {
	b := slices.Concat(amfString("@setDataFrame"), amfString("onMetaData"), []byte{8, 0, 0, 0, 7})
	for _, p := range []struct {
		name  string
		value float64
	}{
		{"width", 1280},
		{"height", 720},
		{"framerate", videoRate},
		{"videocodecid", 7},
		{"audiocodecid", 10},
		{"audiosamplerate", sampleRate},
		{"videodatarate", float64(bitsPerSecond) / 1000},
	} {
		b = append(append(b, amfName(p.name)...), amfNumber(p.value)...)
	}
	return append(b, 0, 0, 9)
}

// amfProperty finds a string property in encoded AMF0 by its name; "" when
// there is none. Good enough to read a status.
func amfProperty(b []byte, name string) string {
	_, value, ok := bytes.Cut(b, append(amfName(name), 2))
	if !ok || len(value) < 2 {
		return ""
	}
	n := int(binary.BigEndian.Uint16(value))
	return string(value[2:min(2+n, len(value))])
}

// amfText reads a string.
func amfText(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 2 {
		return "", nil, false
	}
	n := 3 + int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < n {
		return "", nil, false
	}
	return string(b[3:n]), b[n:], true
}
