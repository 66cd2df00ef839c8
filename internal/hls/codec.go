package hls

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A carrier says which of a stream's tracks go into its fragments, and tells
// the log once of each codec that can't.
type carrier struct {
	log    *zap.Logger
	judged [2]*media.Track // the newest of each kind
	takes  [2]bool
	told   map[media.Codec]bool
}

// carries is asked for every packet.
func (c *carrier) carries(t *media.Track) bool {
	if t.Kind > media.Audio || t.ID != 0 {
		return false // data, or another track of a multitrack stream
	}
	if c.judged[t.Kind] == t {
		return c.takes[t.Kind]
	}
	ok := mpegts.Supports(t)
	c.judged[t.Kind], c.takes[t.Kind] = t, ok
	if !ok && !c.told[t.Codec] {
		if c.told == nil {
			c.told = make(map[media.Codec]bool)
		}
		c.told[t.Codec] = true
		use := "H.264 or HEVC"
		if t.Kind == media.Audio {
			use = "AAC, MP3 or AC-3"
		}
		c.log.Warn(fmt.Sprintf("hls format mpegts can't carry %s; use %s", codecName(t), use))
	}
	return ok
}

func codecName(t *media.Track) string {
	switch t.Codec {
	case media.CodecH264:
		return "H.264 without a valid sequence header"
	case media.CodecHEVC:
		return "HEVC without a valid sequence header"
	case media.CodecAAC:
		return "AAC of this kind"
	case media.CodecAV1:
		return "AV1"
	case media.CodecVP9:
		return "VP9"
	case media.CodecVP8:
		return "VP8"
	case media.CodecVVC:
		return "VVC"
	case media.CodecOpus:
		return "Opus"
	case media.CodecFLAC:
		return "FLAC"
	case media.CodecSpeex:
		return "Speex"
	}
	if t.Kind == media.Audio {
		return fmt.Sprintf("FLV audio codec %d", t.LegacyID)
	}
	return fmt.Sprintf("FLV video codec %d", t.LegacyID)
}
