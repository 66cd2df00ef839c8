package flv

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// Metadata holds the publisher's onMetaData. Nothing in
// it is relied upon: encoders omit it, repeat it and get it wrong.
type Metadata struct {
	// Raw is the message from the string "onMetaData" on, verbatim, without
	// the @setDataFrame in front: what players get. It aliases the message.
	Raw []byte

	Width, Height                int     // 0 unknown
	FrameRate                    float64 // frames a second; 0 unknown
	VideoDataRate, AudioDataRate float64 // kbit/s; 0 unknown
	Encoder                      string  // at most maxEncoder bytes
	// Title and Description are what the publisher calls the stream; at most
	// MaxTitle and MaxDescription bytes.
	Title, Description string
}

// maxEncoder bounds a text that ends up in status pages.
const maxEncoder = 256

// MaxTitle and MaxDescription bound texts about a stream, which stand in pages.
const (
	MaxTitle       = 256
	MaxDescription = 1024
)

// MaxMetadata bounds onMetaData: every player that joins is sent it. Encoders
// send about half a KiB.
const MaxMetadata = 64 << 10

// ParseMetadata reads the payload of an AMF0 data message (behind the format
// byte in one of type 15), or of an FLV script tag:
//
//	["@setDataFrame"] "onMetaData" object-or-array
//
// ok is false for any other data message, which is no error: onTextData,
// onCuePoint, @clearDataFrame. Errors wrap ErrMalformed, or ErrUnsupported for
// an onMetaData of more than MaxMetadata.
func ParseMetadata(payload []byte) (m Metadata, ok bool, err error) {
	name, rest, err := scriptName(payload)
	if err == nil && name == "@setDataFrame" {
		payload = rest
		name, rest, err = scriptName(payload)
	}
	if err != nil {
		return m, false, fmt.Errorf("script data: name: %w: %w", ErrMalformed, err)
	}
	if name != "onMetaData" {
		return m, false, nil
	}
	if len(payload) > MaxMetadata {
		return m, false, fmt.Errorf("onMetaData of %d bytes, at most %d are taken: %w", len(payload), MaxMetadata, ErrUnsupported)
	}
	v, _, err := amf.Decode(rest)
	if err != nil {
		return m, false, fmt.Errorf("onMetaData: %w: %w", ErrMalformed, err)
	}
	m.Raw = payload[:len(payload):len(payload)]
	var o amf.Object
	switch v := v.(type) {
	case amf.Object:
		o = v
	case amf.ECMAArray:
		o = amf.Object(v)
	case amf.TypedObject:
		o = v.Object
	}
	for _, p := range o {
		switch p.Name {
		case "width":
			m.Width = pixels(p.Value)
		case "height":
			m.Height = pixels(p.Value)
		case "framerate", "fps":
			if f := number(p.Value); f <= 1000 {
				m.FrameRate = f
			}
		case "videodatarate":
			m.VideoDataRate = number(p.Value)
		case "audiodatarate":
			m.AudioDataRate = number(p.Value)
		case "encoder":
			m.Encoder = bounded(p.Value, maxEncoder)
		case "title":
			m.Title = bounded(p.Value, MaxTitle)
		case "description":
			m.Description = bounded(p.Value, MaxDescription)
		}
	}
	return m, true, nil
}

// bounded returns at most n bytes of a text, and nothing of any other value.
func bounded(v amf.Value, n int) string {
	s, _ := v.(string)
	return strings.ToValidUTF8(s[:min(len(s), n)], "")
}

// maxName is far longer than the name of any data message.
const maxName = 1 << 10

// scriptName reads the string that a data message begins with. It decodes no
// value that is something else: the message may have ten megabytes.
func scriptName(b []byte) (name string, rest []byte, err error) {
	if whole := b; len(b) > maxName {
		name, rest, err = scriptName(b[:maxName:maxName])
		return name, whole[maxName-len(rest):], err
	}
	v, rest, err := amf.Decode(b)
	if err != nil {
		return "", nil, err
	}
	name, ok := v.(string)
	if !ok {
		return "", nil, fmt.Errorf("%T in place of a string", v)
	}
	return name, rest, nil
}

// number takes a number, or one that the encoder wrote as text; 0 for what is
// negative, infinite or neither.
func number(v amf.Value) float64 {
	f, ok := v.(float64)
	if s, text := v.(string); text {
		var err error
		f, err = strconv.ParseFloat(strings.TrimSpace(s), 64)
		ok = err == nil
	}
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
		return 0
	}
	return f
}

func pixels(v amf.Value) int {
	if f := number(v); f <= 0xffff {
		return int(f)
	}
	return 0
}
