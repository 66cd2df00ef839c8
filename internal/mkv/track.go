package mkv

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// codecIDs are the names of codecs in Matroska (draft-ietf-cellar-codec).
var codecIDs = map[media.Codec]string{
	media.CodecH264: "V_MPEG4/ISO/AVC",
	media.CodecHEVC: "V_MPEGH/ISO/HEVC",
	media.CodecAV1:  "V_AV1",
	media.CodecVP9:  "V_VP9",
	media.CodecVP8:  "V_VP8",
	media.CodecAAC:  "A_AAC",
	media.CodecMP3:  "A_MPEG/L3",
	media.CodecOpus: "A_OPUS",
	media.CodecFLAC: "A_FLAC",
	media.CodecAC3:  "A_AC3",
	media.CodecEAC3: "A_EAC3",
}

// Supports says whether Matroska can carry t, as far as it is known.
func Supports(t *media.Track) bool {
	if t == nil || codecIDs[t.Codec] == "" || !t.HasHeader() {
		return false
	}
	return t.Kind == media.Video || t.SampleRate > 0
}

// opusPreRoll is how much is decoded before a place that is sought (RFC 7845 §4.6).
const opusPreRoll = 80 * time.Millisecond

// appendTrack appends a TrackEntry. frame is one of t, of video a keyframe.
func appendTrack(b []byte, t *media.Track, frame []byte) []byte {
	b, at := open(b, idTrackEntry)
	number := uint64(t.Kind) + 1
	b = appendUint(b, idTrackNumber, number)
	b = appendUint(b, idTrackUID, number)
	b = appendUint(b, idTrackType, number) // 1 is video, 2 is audio
	b = appendUint(b, idFlagLacing, 0)
	b = appendBytes(b, idCodecID, codecIDs[t.Codec])
	if private := codecPrivate(t); private != nil {
		b = appendBytes(b, idCodecPrivate, private)
	}
	if t.Codec == media.CodecOpus {
		b = appendUint(b, idCodecDelay, uint64(codecDelay(t)))
		b = appendUint(b, idSeekPreRoll, uint64(opusPreRoll))
	}
	if d := t.FrameDuration(); d > 0 {
		b = appendUint(b, idDefaultDuration, uint64(d))
	}
	if t.Kind == media.Video {
		width, height := t.Width, t.Height
		if width == 0 {
			width, height, _ = media.FrameSize(t.Codec, frame)
		}
		var inner int
		b, inner = open(b, idVideo)
		b = appendUint(b, idPixelWidth, uint64(max(width, 1)))
		b = appendUint(b, idPixelHeight, uint64(max(height, 1)))
		shut(b, inner)
	} else {
		var inner int
		b, inner = open(b, idAudio)
		b = appendFloat(b, idSampling, float64(t.SampleRate))
		if t.OutputRate > t.SampleRate {
			b = appendFloat(b, idOutputSampling, float64(t.OutputRate))
		}
		b = appendUint(b, idChannels, uint64(max(t.Channels, 1)))
		shut(b, inner)
	}
	shut(b, at)
	return b
}

// codecPrivate is what a decoder needs before the first frame; nil: nothing.
func codecPrivate(t *media.Track) []byte {
	switch t.Codec {
	case media.CodecVP8, media.CodecVP9, media.CodecMP3, media.CodecAC3, media.CodecEAC3:
		return nil
	case media.CodecFLAC:
		info := bytes.TrimPrefix(t.Config, []byte("fLaC"))
		if len(info) >= 38 && be.Uint32(info)&0x7fffffff == 34 {
			info = info[4:]
		}
		return append([]byte{'f', 'L', 'a', 'C', 0x80, 0, 0, 34}, info[:34]...)
	}
	return t.Config
}

// codecDelay is what players take off each timestamp: the pre-skip of Opus.
func codecDelay(t *media.Track) time.Duration {
	if t.Codec != media.CodecOpus {
		return 0
	}
	return time.Duration(binary.LittleEndian.Uint16(t.Config[10:])) * time.Second / 48000
}
