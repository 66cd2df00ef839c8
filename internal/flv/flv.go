// Package flv turns the bodies of RTMP audio and video messages, which are FLV
// tags, into packets (FLV 10.1 annex E, Enhanced RTMP v2), and reads and
// writes FLV files.
//
// Nothing is copied: a packet's Tag is the message body, its Data a part of
// it. The caller must not use a body after passing it in.
package flv

import "errors"

// Errors of single messages. None is a reason to close a connection: the
// message was left out, Drops counts it, and the caller may log the first.
// Test with errors.Is.
var (
	// ErrNoHeader is a frame of a codec that cannot be decoded before its
	// sequence header has come.
	ErrNoHeader = errors.New("frame before its sequence header")
	// ErrMalformed is a body that ends early or contradicts itself, or a
	// sequence header that could not be decoded.
	ErrMalformed = errors.New("malformed")
	// ErrUnsupported is a packet type that neither FLV nor Enhanced RTMP v2
	// defines.
	ErrUnsupported = errors.New("unsupported packet type")
)

// LegacyNone is Track.LegacyID of an Enhanced RTMP track.
const LegacyNone = 255

// Sound formats and codec ids of legacy FLV (annex E.4.2.1, E.4.3.1) that are
// more than CodecOther.
const (
	soundMP3   = 2
	soundEx    = 9 // Enhanced RTMP: ExAudioTagHeader
	soundAAC   = 10
	soundSpeex = 11
	soundMP38K = 14

	videoAVC  = 7
	videoHEVC = 12 // in no specification; sent by encoders made before Enhanced RTMP
)

// AVCPacketType and AACPacketType (annex E.4.3.2, E.4.2.2).
const (
	legacyHeader = 0
	legacyFrame  = 1
	legacyEnd    = 2
)

// Frame types (annex E.4.3.1).
const (
	frameKey        = 1
	frameDisposable = 3
	frameGenerated  = 4
	frameCommand    = 5
)

// PacketType is the VideoPacketType or AudioPacketType of Enhanced RTMP v2.
type PacketType uint8

// The packet types. Numbers above 3 differ between video and audio; Part
// holds the constants below, which are the video numbers where both exist.
const (
	PacketSequenceStart        PacketType = 0
	PacketCodedFrames          PacketType = 1
	PacketSequenceEnd          PacketType = 2
	PacketCodedFramesX         PacketType = 3    // video: composition time 0, not sent
	PacketMetadata             PacketType = 4    // video
	PacketMPEG2TSSequenceStart PacketType = 5    // video
	PacketMultichannelConfig   PacketType = 0x84 // audio; 4 on the wire
)

const (
	videoMultitrack = 6
	audioMultitrack = 5
	modEx           = 7
)
