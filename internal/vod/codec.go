package vod

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/rtmpd/rtmpd/internal/bmff"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A coding is how the samples of a track go into RTMP messages.
type coding struct {
	kind   media.Kind
	track  media.Track // what its header says
	legacy byte        // SoundFormat or CodecID; 0: Enhanced RTMP
	fourCC uint32
	flags  byte   // audio: first byte of every body
	config []byte // of the sequence header; nil: there is none
}

// errCodec says that a track can't be played; others may.
type errCodec struct{ what string }

func (e errCodec) Error() string { return e.what + " does not go over RTMP" }

// readCoding reads the first sample entry in stsd that is known.
func readCoding(r io.ReaderAt, stsd box, kind media.Kind) (c coding, err error) {
	err = errCodec{"a track without a codec"}
	found := false
	walk := bmff.ChildrenFrom(r, stsd, stsd.Body+8, func(entry box) error {
		if found {
			return nil
		}
		c, err = readEntry(r, entry, kind)
		found = err == nil
		var unknown errCodec
		if errors.As(err, &unknown) {
			return nil
		}
		return err
	})
	if walk != nil {
		return c, walk
	}
	return c, err
}

func readEntry(r io.ReaderAt, entry box, kind media.Kind) (coding, error) {
	c := coding{kind: kind}
	inner := entry.Body + bmff.VisualEntry
	var codec media.Codec
	var config string
	switch entry.Kind {
	case "avc1", "avc3":
		c.legacy, codec, config = codecAVC, media.CodecH264, "avcC"
	case "hvc1", "hev1":
		c.fourCC, codec, config = flv.FourCCHEVC, media.CodecHEVC, "hvcC"
	case "av01":
		c.fourCC, codec, config = flv.FourCCAV1, media.CodecAV1, "av1C"
	case "vp09":
		c.fourCC, codec, config = flv.FourCCVP9, media.CodecVP9, "vpcC"
	case "mp4a", ".mp3":
		return readAudioEntry(r, entry, c)
	case "Opus":
		c.fourCC, codec, config = flv.FourCCOpus, media.CodecOpus, "dOps"
	case "fLaC":
		c.fourCC, codec, config = flv.FourCCFLAC, media.CodecFLAC, "dfLa"
	case "ac-3":
		c.fourCC, codec = flv.FourCCAC3, media.CodecAC3
	case "ec-3":
		c.fourCC, codec = flv.FourCCEAC3, media.CodecEAC3
	default:
		return c, errCodec{fmt.Sprintf("codec %q", bmff.Printable(entry.Kind))}
	}
	if kind == media.Audio {
		inner = entry.Body + bmff.AudioEntry
		c.flags = soundEx<<4 | byte(flv.PacketCodedFrames)
	}
	if config == "" {
		c.track = media.Track{Kind: kind, Codec: codec}
		return c, nil
	}
	b, err := bmff.Find(r, entry, inner, config)
	if err != nil {
		return c, err
	}
	if c.config, err = bmff.Content(r, b, 1); err != nil {
		return c, err
	}
	switch codec {
	case media.CodecOpus:
		if c.config, err = opusHead(c.config); err != nil {
			return c, err
		}
	case media.CodecFLAC:
		if len(c.config) < 8+34 {
			return c, errors.New("box \"dfLa\" is too short")
		}
		// Enhanced RTMP v2 "FlacSequenceHeader": behind the signature of a file.
		c.config = append([]byte("fLaC"), c.config[4:8+34]...)
	}
	if c.track, err = media.ParseConfig(codec, c.config); err != nil && !errors.Is(err, media.ErrNoSPS) {
		return c, fmt.Errorf("box %q: %w", config, err)
	}
	return c, nil
}

// readAudioEntry reads mp4a: AAC, or MP3, as its esds says (ISO 14496-1 §7.2.6.6). That
// of QuickTime may have more fields, and esds in a box of its own.
func readAudioEntry(r io.ReaderAt, entry box, c coding) (coding, error) {
	var h [bmff.AudioEntry]byte
	if entry.Size() < bmff.AudioEntry {
		return c, errors.New("box \"mp4a\" is too short")
	}
	if _, err := r.ReadAt(h[:], entry.Body); err != nil {
		return c, err
	}
	channels, rate := be.Uint16(h[16:]), be.Uint16(h[24:])
	mp3 := func() (coding, error) {
		c.legacy, c.track = soundMP3, media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: int(rate), Channels: int(channels)}
		c.flags = soundMP3<<4 | 2 | soundRate(int(rate))<<2
		if channels > 1 {
			c.flags |= 1
		}
		return c, nil
	}
	if entry.Kind == ".mp3" {
		return mp3()
	}
	inner := entry.Body + bmff.AudioEntry
	switch be.Uint16(h[8:]) { // version of QuickTime's sound description
	case 1:
		inner += 16
	case 2:
		inner += 36
	}
	parent := entry
	if wave, err := bmff.Find(r, entry, inner, "wave"); err == nil {
		parent, inner = wave, wave.Body
	}
	b, err := bmff.Find(r, parent, inner, "esds")
	if err != nil {
		return c, err
	}
	body, err := bmff.Content(r, b, 4)
	if err != nil {
		return c, err
	}
	object, config, err := bmff.ReadESDS(body[4:])
	if err != nil {
		return c, err
	}
	switch object {
	case 0x69, 0x6b:
		return mp3()
	case 0x40, 0x66, 0x67, 0x68:
		c.legacy, c.config, c.flags = soundAAC, config, 0xaf
		if c.track, err = media.ParseAACConfig(config); err != nil {
			return c, fmt.Errorf("box \"esds\": %w", err)
		}
		return c, nil
	}
	return c, errCodec{fmt.Sprintf("MPEG-4 object type %#x", object)}
}

// soundRate is FLV's number for a sample rate.
func soundRate(rate int) byte {
	switch {
	case rate >= 44100 || rate == 0:
		return 3
	case rate >= 22050:
		return 2
	case rate >= 11025:
		return 1
	}
	return 0
}

// opusHead makes an OpusHead (RFC 7845 §5.1) of a dOps (Opus in ISOBMFF §4.3.2).
func opusHead(b []byte) ([]byte, error) {
	if len(b) < 11 {
		return nil, errors.New("box \"dOps\" is too short")
	}
	out := append([]byte("OpusHead"), 1, b[1])
	out = binary.LittleEndian.AppendUint16(out, be.Uint16(b[2:]))
	out = binary.LittleEndian.AppendUint32(out, be.Uint32(b[4:]))
	out = binary.LittleEndian.AppendUint16(out, be.Uint16(b[8:]))
	return append(out, b[10:]...), nil
}

// header is the sequence header; ok is false for a codec without one.
func (c *coding) header() (t flv.FileTag, ok bool) {
	if c.config == nil {
		return t, false
	}
	t.Type = flv.TagAudio
	var head []byte
	switch {
	case c.kind == media.Video && c.legacy != 0:
		t.Type, head = flv.TagVideo, []byte{frameKey<<4 | c.legacy, legacyHeader, 0, 0, 0}
	case c.kind == media.Video:
		t.Type, head = flv.TagVideo, be.AppendUint32([]byte{0x80 | frameKey<<4 | byte(flv.PacketSequenceStart)}, c.fourCC)
	case c.legacy != 0:
		head = []byte{c.flags, legacyHeader}
	default:
		head = be.AppendUint32([]byte{soundEx<<4 | byte(flv.PacketSequenceStart)}, c.fourCC)
	}
	t.Body = append(head, c.config...)
	return t, true
}

// appendHead appends what stands before a frame in a message. cts is in ms.
func (c *coding) appendHead(b []byte, sync bool, cts int32) []byte {
	if c.kind == media.Audio {
		b = append(b, c.flags)
		switch {
		case c.legacy == 0:
			b = be.AppendUint32(b, c.fourCC)
		case c.legacy == soundAAC:
			b = append(b, legacyFrame)
		}
		return b
	}
	frame := byte(frameInter)
	if sync {
		frame = frameKey
	}
	if c.legacy != 0 {
		return append(b, frame<<4|c.legacy, legacyFrame, byte(cts>>16), byte(cts>>8), byte(cts))
	}
	b = be.AppendUint32(append(b, 0x80|frame<<4|byte(flv.PacketCodedFrames)), c.fourCC)
	if c.fourCC == flv.FourCCHEVC {
		b = append(b, byte(cts>>16), byte(cts>>8), byte(cts))
	}
	return b
}
