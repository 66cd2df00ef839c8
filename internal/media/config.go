package media

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
)

// maxConfig bounds a decoder configuration. Real ones are below 1 KiB; the
// bound keeps what a hostile one makes us allocate in proportion.
const maxConfig = 64 << 10

// maxParameterSets bounds the VPS, SPS and PPS of one record. H.264 allows 32
// SPS and 256 PPS, H.265 16 and 64.
const maxParameterSets = 256

// ErrShort is wrapped by the errors of headers that end early.
var ErrShort = errors.New("ends early")

// ErrNoSPS is wrapped by the error of an avcC or hvcC that is sound but has no
// SPS: the parameter sets come in the frames.
var ErrNoSPS = errors.New("without an SPS")

// ParseConfig decodes the decoder configuration of codec c, without FLV
// framing, into a new Track. Codecs that have no configuration (MP3, AC-3,
// E-AC-3, Speex, CodecOther) and those we do not look into (VVC) get a Track
// with Kind, Codec and Config set and nothing else.
//
// The Track's Config, SPS, PPS and VPS alias b.
func ParseConfig(c Codec, b []byte) (Track, error) {
	if len(b) > maxConfig {
		return Track{}, fmt.Errorf("%v header of %d bytes: more than %d", c, len(b), maxConfig)
	}
	switch c {
	case CodecH264:
		return ParseAVCConfig(b)
	case CodecHEVC:
		return ParseHEVCConfig(b)
	case CodecAV1:
		return ParseAV1Config(b)
	case CodecVP8, CodecVP9:
		return ParseVPConfig(c, b)
	case CodecAAC:
		return ParseAACConfig(b)
	case CodecOpus:
		return ParseOpusConfig(b)
	case CodecFLAC:
		return ParseFLACConfig(b)
	}
	return Track{Kind: c.Kind(), Codec: c, Config: b}, nil
}

// Kind reports whether a codec codes video or audio; Video for CodecNone and
// CodecOther, whose makers know better.
func (c Codec) Kind() Kind {
	switch c {
	case CodecAAC, CodecMP3, CodecOpus, CodecAC3, CodecEAC3, CodecFLAC, CodecSpeex:
		return Audio
	}
	return Video
}

// NeedsConfig reports whether frames of c cannot be decoded without a
// sequence header before them.
func (c Codec) NeedsConfig() bool {
	switch c {
	case CodecH264, CodecHEVC, CodecVVC, CodecAV1, CodecAAC, CodecOpus, CodecFLAC:
		return true
	}
	return false
}

// String is the codec's usual name, "H264".
func (c Codec) String() string {
	names := [...]string{
		"none", "other", "H264", "HEVC", "AV1", "VP9", "VP8", "VVC",
		"AAC", "MP3", "Opus", "AC3", "EAC3", "FLAC", "Speex",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// checkSize refuses pictures that no output could name: MP4 sample entries
// hold 16-bit sizes, and a cropping larger than the picture wraps around.
func checkSize(width, height int) error {
	if width < 1 || height < 1 || width > 0xffff || height > 0xffff {
		return fmt.Errorf("picture of %d by %d", width, height)
	}
	return nil
}

// frameRate keeps a rate that can be meant and makes the others unknown (0):
// headers divide by zero and count ticks of a nanosecond.
func frameRate(fps float64) float64 {
	if fps > 0 && fps <= 1000 {
		return fps
	}
	return 0
}

// bitReader reads big-endian bit fields; the first read past the end makes
// err stick and every later value 0.
type bitReader struct {
	b   []byte
	pos int // bits
	err error
}

func (r *bitReader) u(n int) uint32 {
	if r.err != nil || n == 0 { // no bits at the very end make the library panic
		return 0
	}
	if err := bits.HasSpace(r.b, r.pos, n); err != nil {
		r.err = ErrShort
		return 0
	}
	return uint32(bits.ReadBitsUnsafe(r.b, &r.pos, n))
}

func (r *bitReader) flag() bool { return r.u(1) == 1 }

func (r *bitReader) golomb() uint32 {
	if r.err != nil {
		return 0
	}
	v, err := bits.ReadGolombUnsigned(r.b, &r.pos)
	if err != nil {
		r.err = ErrShort
	}
	return v
}

func (r *bitReader) left() int { return len(r.b)*8 - r.pos }
