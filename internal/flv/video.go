package flv

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// legacyVideo reads a VIDEODATA (FLV annex E.4.3):
//
//	frameType(4) codecId(4) [AVC, HEVC: packetType(8) compositionTime(24)] data…
func (d *Demuxer) legacyVideo(timestamp uint32, body []byte) (*media.Packet, error) {
	frame, id := body[0]>>4, body[0]&0xf
	if frame == frameCommand {
		return nil, nil
	}
	codec := media.CodecOther
	switch id {
	case videoAVC:
		codec = media.CodecH264
	case videoHEVC:
		codec = media.CodecHEVC
	default:
		if len(body) == 1 {
			return nil, nil
		}
		if !sameCoding(d.video, codec, id, 0) {
			d.video = &media.Track{Kind: media.Video, Codec: codec, LegacyID: id}
		}
		return d.videoPacket(timestamp, body, body[1:], frame, 0), nil
	}

	if len(body) >= 2 && body[1] == legacyEnd {
		return nil, nil // some encoders leave out its composition time
	}
	if len(body) < 5 {
		return nil, malformed("video tag header")
	}
	switch data := body[5:]; body[1] {
	case legacyHeader:
		if err := d.setHeader(media.Video, codec, id, 0, body, data); err != nil {
			return nil, err
		}
		d.extras[media.Video].header(body)
		return nil, nil
	case legacyFrame:
		if len(data) == 0 {
			return nil, nil
		}
		if _, err := d.frameTrack(media.Video, codec, id, 0); err != nil {
			return nil, err
		}
		return d.videoPacket(timestamp, body, data, frame, si24(body[2:])), nil
	}
	return nil, ErrUnsupported
}

// exVideo reads an Enhanced RTMP video body.
func (d *Demuxer) exVideo(timestamp uint32, body []byte) (*media.Packet, error) {
	x, err := parseEx(media.Video, body)
	frame := body[0] >> 4 & 7
	if frame == frameCommand && x.typ != PacketMetadata {
		return nil, nil // a VideoCommand follows, no FourCC
	}
	if err != nil {
		return nil, err
	}
	p, found, err := findTrackZero(x)
	if err != nil {
		return nil, err
	}
	if x.multi != notMultitrack {
		if err := d.extras[media.Video].multitrack(x, d.video); err != nil {
			return nil, err
		}
	}

	codec := codecOf(media.Video, p.FourCC)
	switch data := p.Data; x.typ {
	case PacketSequenceStart, PacketMPEG2TSSequenceStart, PacketMetadata:
		err := checkHeader(body)
		switch {
		case err != nil || !found:
		case x.typ == PacketSequenceStart:
			err = d.setHeader(media.Video, codec, LegacyNone, p.FourCC, body, data)
		case x.typ == PacketMPEG2TSSequenceStart:
			err = d.videoDescriptor(codec, p, body)
		}
		if err != nil {
			return nil, err
		}
		d.extras[media.Video].keep(x, body, d.video)
		d.renditions.headers(x, body)
		return nil, nil
	case PacketCodedFrames, PacketCodedFramesX:
		var packet *media.Packet
		if found {
			data, cts, err := d.exFrame(p, codec)
			if err != nil || len(data) == 0 {
				return nil, err
			}
			packet = d.videoPacket(timestamp, body, data, frame, cts)
		} else if packet, err = d.otherTracks(timestamp, body, x); err != nil {
			return nil, err
		}
		packet.Other = d.renditions.frames(x, timestamp, frame, packet.DTS)
		return packet, nil
	}
	d.renditions.end(x)
	return nil, nil // SequenceEnd
}

// exFrame is the coded frame of p, with its composition time in ms; d.video is its track
// from here on.
func (d *Demuxer) exFrame(p Part, codec media.Codec) (data []byte, cts int32, err error) {
	data = p.Data
	if p.Type == PacketCodedFrames && hasCompositionTime(codec) {
		if len(data) < 3 {
			return nil, 0, malformed("composition time")
		}
		cts, data = si24(data), data[3:]
	}
	if len(data) == 0 {
		return nil, 0, nil
	}
	if codec.NeedsConfig() {
		if _, err := d.frameTrack(media.Video, codec, LegacyNone, p.FourCC); err != nil {
			return nil, 0, err
		}
	} else if !sameCoding(d.video, codec, LegacyNone, p.FourCC) {
		d.video = &media.Track{Kind: media.Video, Codec: codec, LegacyID: LegacyNone, FourCC: p.FourCC}
	}
	return data, cts, nil
}

// videoDescriptor takes an MPEG2TSSequenceStart: for AV1 a descriptor
// (tag(8)=0x80 length(8)) around the four bytes that an av1C begins with, for
// others nothing is defined.
func (d *Demuxer) videoDescriptor(codec media.Codec, p Part, body []byte) error {
	if codec != media.CodecAV1 {
		return ErrUnsupported
	}
	if len(p.Data) < 6 || p.Data[0] != 0x80 || p.Data[1] < 4 {
		return malformed("AV1 video descriptor")
	}
	return d.setHeader(media.Video, codec, LegacyNone, p.FourCC, body, p.Data[2:6])
}

// videoPacket makes the packet of a frame of d.video.
func (d *Demuxer) videoPacket(timestamp uint32, body, data []byte, frame byte, cts int32) *media.Packet {
	f := d.videoFrame(timestamp, data, frame, cts)
	dts, stamp := d.clock.position(d.clock.tracks[media.Video].out)
	if !f.Continues {
		dts, stamp = d.clock.dts(d.video, timestamp)
	}
	p := d.packetAt(d.video, dts, stamp, body, f.Data)
	p.CTS, p.Continues, p.Keyframe, p.Disposable = f.CTS, f.Continues, f.Keyframe, f.Disposable
	return p
}

// videoFrame examines and mends a frame of d.video.
func (d *Demuxer) videoFrame(timestamp uint32, data []byte, frame byte, cts int32) media.Frame {
	key := frame == frameKey || frame == frameGenerated
	if key && d.video.Width == 0 {
		d.learnSize(data)
	}
	data, u := d.units(data)
	// The frame type counts when it says key: open GOPs and recovery
	// points are cut there too. When it does not, an IDR or IRAP slice says so
	// nevertheless, and so does an SPS, which stands before one.
	key = key || u.Random || u.SPS && !u.Slices
	continues, key := d.picture.add(u, timestamp, key)
	d.takeSets(data, u)
	d.judgeHeader(media.Video)
	return media.Frame{
		Track: d.video, CTS: time.Duration(cts) * time.Millisecond, Data: data[:len(data):len(data)],
		Keyframe: key, Disposable: frame == frameDisposable, Continues: continues,
	}
}

// learnSize takes the picture size from a keyframe of a codec whose header
// did not say it, before the first packet of the track goes out.
func (d *Demuxer) learnSize(data []byte) {
	if w, h, ok := media.FrameSize(d.video.Codec, data); ok {
		t := *d.video
		t.Width, t.Height = w, h
		d.video = &t
	}
}
