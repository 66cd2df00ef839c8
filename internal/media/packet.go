// Package media holds what flows through rtmpd: packets, the tracks they were
// coded with, and the codec headers that describe a track.
package media

import "time"

// Kind is the medium of a track.
type Kind uint8

// The kinds of media.
const (
	Video Kind = iota
	Audio
	Data // AMF data messages other than onMetaData (onTextData, onCuePoint, onFI)
)

// Codec identifies how a track is coded.
type Codec uint8

// The codecs that rtmpd distinguishes. Every legacy FLV codec without a better name is
// CodecOther: it passes from publisher to player untouched.
const (
	CodecNone Codec = iota
	CodecOther
	CodecH264
	CodecHEVC
	CodecAV1
	CodecVP9
	CodecVP8
	CodecVVC
	CodecAAC
	CodecMP3
	CodecOpus
	CodecAC3
	CodecEAC3
	CodecFLAC
	CodecSpeex
)

// A Track is how a run of packets was coded. It is immutable: a sequence header
// with other bytes makes a new Track, a repeated identical one keeps the
// pointer, so comparing pointers tells a reader when to write headers again.
type Track struct {
	Kind  Kind
	Codec Codec
	ID    uint8 // Enhanced RTMP trackId; 0 outside multitrack

	// LegacyID is the FLV SoundFormat or CodecID for stat's codec names;
	// 255 for an Enhanced RTMP track, which has FourCC instead.
	LegacyID uint8
	FourCC   uint32 // Enhanced RTMP codec; 0 for a legacy track

	// Config is the decoder configuration without FLV framing: avcC, hvcC,
	// av1C, vpcC, AudioSpecificConfig, OpusHead, fLaC STREAMINFO. Nil for
	// codecs without one (MP3, AC-3).
	Config []byte `json:"-"`
	// Tag is the whole sequence header message body as the publisher sent
	// it; Config aliases its tail. Nil when the codec has none.
	Tag []byte `json:"-"`

	CodecString string // RFC 6381, "avc1.64001f"; empty when unknown

	// Video, from Config; zero when unknown.
	Width, Height int     // luma samples after cropping
	FrameRate     float64 // from the VUI; 0 unknown
	Profile       uint8   // profile_idc
	Compat        uint8
	Level         uint8 // level_idc
	NALULength    int   // bytes of a NAL unit's length prefix: 1, 2 or 4
	// SPS, PPS and VPS without start codes, aliasing Config.
	VPS, SPS, PPS [][]byte `json:"-"`

	// Audio.
	SampleRate      int   // Hz; AAC: the core's, see OutputRate
	OutputRate      int   // AAC with SBR: Hz after SBR; 0 otherwise
	Channels        int   // as coded; 0 unknown
	ChannelConfig   uint8 // AAC: ISO 14496-3 table 1.19; 0: ProgramConfig says it, or nothing does
	AudioObjectType int   // AAC: ISO 14496-3 object type: 2 LC, 5 with SBR, 29 with PS
	// ProgramConfig is the AAC program_config_element of a channel layout that
	// has no ChannelConfig, as it stands at the beginning of a raw data block:
	// ID_PCE(3) the element, byte aligned.
	ProgramConfig []byte `json:"-"`
	FrameSamples  int    // samples per packet when fixed: 1024 AAC (960 too), 1152 MP3, 1536 AC-3; else 0
}

// FrameDuration is the duration of an audio packet where it is fixed, else 0.
func (t *Track) FrameDuration() time.Duration {
	if t.FrameSamples == 0 || t.SampleRate == 0 {
		return 0
	}
	return time.Duration(t.FrameSamples) * time.Second / time.Duration(t.SampleRate)
}

// A Packet is one coded frame on its way through the server. It is immutable
// and shared from the moment it is written to a stream.
type Packet struct {
	Track *Track
	// DTS counts from the stream's first packet and never wraps. A new
	// publisher of the same stream goes on one frame after the last. Timestamps
	// that can't be right have been mended: see flv.Repairs.
	DTS time.Duration
	CTS time.Duration // composition time offset; PTS = DTS + CTS

	// Epoch counts the publishers of this stream: when it differs from the
	// packet before, an encoder (re)started and decoders need a discontinuity.
	Epoch uint32

	Timestamp uint32 // the publisher's RTMP timestamp, mended as DTS is, ms modulo 2^32
	// Keyframe: video of track 0 that begins an IDR/IRAP or FLV key frame. Of
	// the messages of one picture only the first that says so has it.
	Keyframe   bool
	Disposable bool // video: no other frame refers to it
	// Continues: one more message of the picture that the video packet before
	// belongs to: further slices, or what follows parameter sets sent apart.
	// It has the same DTS. Pictures and Join make whole pictures.
	Continues bool
	// ADTS: Data is not one raw AAC frame but several in ADTS, one after the other
	// from DTS on: see SplitADTS.
	ADTS bool

	Tag []byte // the whole RTMP message body
	// Data is the coded frame, aliasing Tag: length-prefixed NAL units, one
	// raw AAC frame, … Nil in a packet of other tracks than 0: it may hold
	// several, and goes to RTMP players and, by Other, to renditions.
	Data []byte
	// Other is the first of the frames of other video tracks in the message; nil:
	// there is none.
	Other *Frame
	// Extra is what players of Enhanced RTMP need to know before the packet
	// beside Track.Tag; nil: nothing.
	Extra *Extra
}

// A Frame is what a message has of a video track other than 0. Its times are the
// packet's. It is immutable like the packet.
type Frame struct {
	Next  *Frame // of the same message
	Track *Track // as if it were the only one of a stream: its ID is 0
	CTS   time.Duration
	Data  []byte // aliasing Packet.Tag
	ID    uint8  // Enhanced RTMP trackId

	Keyframe, Disposable, Continues bool
}

// A Rendition is a video track of several that can be shown by itself.
type Rendition struct {
	ID    uint8  // Enhanced RTMP trackId
	Track *Track // its size is known
}

// Extra is what one medium of a publisher has beside the sequence header of
// track 0: other tracks, colour information, channel maps. It is immutable, and
// whatever changes makes a new one, so the pointer tells, as with Track.
type Extra struct {
	// Headers are all message bodies that a decoder needs before it can begin,
	// in the order of their coming, the track's own included.
	Headers [][]byte
	// Multitrack: some bodies are Multitrack ones.
	Multitrack bool
	// FourCCs are the codecs of the tracks other than 0, each once.
	FourCCs []uint32
	// Renditions are the video tracks of several that have headers and frames: track 0,
	// then those that Packet.Other has frames of. Nil: there are no others.
	Renditions []Rendition
}
