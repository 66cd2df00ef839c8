package media

import "fmt"

// HasHeader reports whether the frames of t can be decoded with what is known
// of it: its sequence header has come and says enough, or it needs none.
func (t *Track) HasHeader() bool {
	if t.Codec == CodecH264 || t.Codec == CodecHEVC {
		return t.NALULength > 0
	}
	return t.Config != nil || !t.Codec.NeedsConfig()
}

// CodecName returns the common name of the codec of t, "H.264".
func (t *Track) CodecName() string {
	switch t.Codec {
	case CodecH264:
		return "H.264"
	case CodecAAC:
		if t.ChannelConfig == 0 || t.ChannelConfig > 7 {
			return "AAC with this channel layout"
		}
		if t.AudioObjectType != aotLC {
			return fmt.Sprintf("AAC of object type %d", t.AudioObjectType)
		}
	case CodecAC3:
		return "AC-3"
	case CodecEAC3:
		return "E-AC-3"
	case CodecOther, CodecNone:
		if t.FourCC != 0 {
			return fmt.Sprintf("the codec %q", []byte{byte(t.FourCC >> 24), byte(t.FourCC >> 16), byte(t.FourCC >> 8), byte(t.FourCC)})
		}
		if t.Kind == Audio {
			return fmt.Sprintf("FLV audio codec %d", t.LegacyID)
		}
		return fmt.Sprintf("FLV video codec %d", t.LegacyID)
	}
	return t.Codec.String()
}
