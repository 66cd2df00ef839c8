package rtmp

import (
	"encoding/binary"
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Takes reports whether a peer that announced c takes t. Legacy codecs are not
// announced by FourCC, except HEVC, which no legacy peer knows.
func (c *Connect) Takes(t *media.Track) bool {
	fourCC := t.FourCC
	if fourCC == 0 {
		if t.Codec != media.CodecHEVC {
			return true
		}
		fourCC = fourCCLegacyHEVC
	}
	return c.TakesCodec(t.Kind, fourCC)
}

const fourCCLegacyHEVC = 'h'<<24 | 'v'<<16 | 'c'<<8 | '1'

// TakesCodec reports whether a peer that announced c takes a codec. The map of the
// medium decides (E-RTMP v2 "videoFourCcInfoMap", "audioFourCcInfoMap"), then the
// list; "*" in either is any codec. A player decodes and a relay forwards; a peer
// that can only encode the codec does not take it. One that announced no codecs
// takes them all, as far as is known.
func (c *Connect) TakesCodec(kind media.Kind, fourCC uint32) bool {
	if !c.AnnouncesCodecs() {
		return true
	}
	name := string(binary.BigEndian.AppendUint32(nil, fourCC))
	m := c.VideoFourCC
	if kind == media.Audio {
		m = c.AudioFourCC
	}
	flags, said := m[name]
	switch {
	case (flags|m["*"])&(CanDecode|CanForward) != 0:
		return true
	case said:
		return false
	}
	return slices.Contains(c.FourCCs, name) || slices.Contains(c.FourCCs, "*")
}

// AnnouncesCodecs reports whether the peer said which codecs it takes.
func (c *Connect) AnnouncesCodecs() bool {
	return c != nil && (c.FourCCs != nil || c.VideoFourCC != nil || c.AudioFourCC != nil)
}
