package vod

import (
	"math"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// maxMetadata bounds onMetaData: an index of many keyframes is in it.
const maxMetadata = 1 << 20

// Metadata is what the onMetaData of a file says.
type metadata struct {
	message  []byte // for players: without the index and what else is for readers of files
	duration uint32 // ms
	keys     places
}

// readMetadata reads the body of a script tag. ok: it is onMetaData.
func readMetadata(body []byte) (m metadata, ok bool) {
	if len(body) > maxMetadata {
		return m, false
	}
	name, rest, err := amf.Decode(body)
	if err != nil || name != "onMetaData" {
		return m, false
	}
	v, _, err := amf.Decode(rest)
	if err != nil {
		return m, false
	}
	o, ok := amf.AsObject(v)
	if !ok {
		return m, false
	}
	m.keys = readKeyframes(o)
	m.duration = milliseconds(o.Get("duration"))
	out := make(amf.ECMAArray, 0, len(o))
	for _, p := range o {
		switch p.Name {
		case "keyframes", "filler", "filesize", "lastkeyframelocation", "duration":
		default:
			out = append(out, p)
		}
	}
	m.message = message(out)
	return m, true
}

func message(a amf.ECMAArray) []byte { return amf.Append(amf.Append(nil, "onMetaData"), a) }

// setDuration has an onMetaData say how long the file is; nil makes one that says
// nothing else.
func setDuration(msg []byte, ms uint32) []byte {
	var o amf.Object
	if _, rest, err := amf.Decode(msg); err == nil {
		if v, _, err := amf.Decode(rest); err == nil {
			o, _ = amf.AsObject(v)
		}
	}
	return message(append(amf.ECMAArray{{Name: "duration", Value: float64(ms) / 1000}}, o...))
}

// readKeyframes reads the index that Flash players and nginx-rtmp use.
func readKeyframes(o amf.Object) (p places) {
	index, ok := amf.AsObject(o.Get("keyframes"))
	if !ok {
		return p
	}
	times, ok1 := index.Get("times").(amf.StrictArray)
	at, ok2 := index.Get("filepositions").(amf.StrictArray)
	if !ok1 || !ok2 {
		return p
	}
	for i := range min(len(times), len(at)) {
		place, ok := at[i].(float64)
		if ok && place > 0 && place < math.MaxInt64/2 {
			p.add(milliseconds(times[i]), int64(place))
		}
	}
	return p
}

// milliseconds is a number of seconds that may be anything.
func milliseconds(v amf.Value) uint32 {
	f, ok := v.(float64)
	if !ok || !(f > 0 && f < math.MaxUint32/1000) {
		return 0
	}
	return uint32(math.Round(f * 1000))
}
