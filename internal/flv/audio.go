package flv

import (
	"bytes"

	"github.com/rtmpd/rtmpd/internal/media"
)

// legacyAudio reads an AUDIODATA (FLV annex E.4.2):
//
//	soundFormat(4) rate(2) size(1) stereo(1) [AAC: packetType(8)] data…
func (d *Demuxer) legacyAudio(timestamp uint32, body []byte) (*media.Packet, error) {
	id := body[0] >> 4
	if id == soundAAC {
		return d.legacyAAC(timestamp, body)
	}
	data := body[1:]
	if len(data) == 0 {
		return nil, nil
	}
	codec := media.CodecOther
	switch id {
	case soundMP3, soundMP38K:
		codec = media.CodecMP3
	case soundSpeex:
		codec = media.CodecSpeex
	}
	t := media.Track{
		Kind: media.Audio, Codec: codec, LegacyID: id,
		SampleRate: [4]int{5512, 11025, 22050, 44100}[body[0]>>2&3],
		Channels:   int(body[0]&1) + 1,
	}
	switch id {
	case 4, soundSpeex: // Nellymoser 16 kHz; Speex is always that
		t.SampleRate, t.Channels = 16000, 1
	case 5, 7, 8: // Nellymoser 8 kHz, G.711: the rate bits do not apply
		t.SampleRate = 8000
	}
	d.selfDescribed(t, data)
	return d.packet(d.audio, timestamp, body, data), nil
}

func (d *Demuxer) legacyAAC(timestamp uint32, body []byte) (*media.Packet, error) {
	if len(body) < 2 {
		return nil, malformed("AAC tag header")
	}
	switch data := body[2:]; body[1] {
	case legacyHeader:
		if err := d.setHeader(media.Audio, media.CodecAAC, soundAAC, 0, body, data); err != nil {
			return nil, err
		}
		d.extras[media.Audio].header(body)
		return nil, nil
	case legacyFrame:
		if len(data) == 0 {
			return nil, nil
		}
		if _, err := d.frameTrack(media.Audio, media.CodecAAC, soundAAC, 0); err != nil {
			return nil, err
		}
		return d.audioPacket(timestamp, body, data), nil
	}
	return nil, ErrUnsupported
}

// exAudio reads an Enhanced RTMP audio body.
func (d *Demuxer) exAudio(timestamp uint32, body []byte) (*media.Packet, error) {
	x, err := parseEx(media.Audio, body)
	if err != nil {
		return nil, err
	}
	p, found, err := findTrackZero(x)
	if err != nil {
		return nil, err
	}
	e := &d.extras[media.Audio]
	if x.multi != notMultitrack {
		if err := e.multitrack(x, d.audio); err != nil {
			return nil, err
		}
	}

	codec := codecOf(media.Audio, p.FourCC)
	switch x.typ {
	case PacketSequenceStart, PacketMultichannelConfig:
		if found && codec == media.CodecOpus && bytes.HasPrefix(p.Data, []byte("OpusTags")) {
			return nil, nil // RFC 7845 §5.2: comments, allowed here beside the header
		}
		err := checkHeader(body)
		switch {
		case err != nil || !found:
		case x.typ == PacketMultichannelConfig:
			err = checkMultichannel(p.Data)
		case codec.NeedsConfig() || codec == media.CodecOther: // else the frames say it: MP3, AC-3
			err = d.setHeader(media.Audio, codec, LegacyNone, p.FourCC, body, p.Data)
		}
		if err != nil {
			return nil, err
		}
		e.keep(x, body, d.audio)
		return nil, nil
	case PacketCodedFrames:
		if !found {
			return d.otherTracks(timestamp, body, x)
		}
		if len(p.Data) == 0 {
			return nil, nil
		}
		if !codec.NeedsConfig() {
			d.selfDescribed(media.Track{Kind: media.Audio, Codec: codec, LegacyID: LegacyNone, FourCC: p.FourCC}, p.Data)
		} else if _, err := d.frameTrack(media.Audio, codec, LegacyNone, p.FourCC); err != nil {
			return nil, err
		}
		return d.audioPacket(timestamp, body, p.Data), nil
	}
	return nil, nil // SequenceEnd
}

// audioPacket makes the packet of a frame of d.audio. AAC loses its ADTS header,
// which also says what a missing sequence header would. Several ADTS frames in one
// message stay together: RTMP players get one message.
func (d *Demuxer) audioPacket(timestamp uint32, body, data []byte) *media.Packet {
	several := false
	if d.audio.Codec == media.CodecAAC && media.IsADTS(data) {
		raw, one := media.ParseADTS(data)
		if !one {
			frames, whole := media.SplitADTS(data)
			if !whole {
				d.defects |= media.BrokenADTS
			}
			if several = len(frames) > 0; several {
				raw = frames[0]
			}
		}
		if raw != nil {
			d.defects |= media.ADTSFrames
			d.takeADTS(data, raw)
		}
		if !several {
			data = raw
		}
	}
	d.judgeHeader(media.Audio)
	p := d.packet(d.audio, timestamp, body, data)
	p.ADTS = several
	return p
}

// takeADTS makes the audio track of an ADTS header, unless a sequence header
// has made it.
func (d *Demuxer) takeADTS(frame, raw []byte) {
	says := [2]byte{frame[2] &^ 2, frame[3] & 0xc0} // but for the private bit
	if head := d.heads[media.Audio]; head != nil && head.HasHeader() || d.audio.HasHeader() && says == d.adts {
		return
	}
	t, err := media.ParseAACConfig(media.ADTSConfig(frame, raw))
	if err != nil {
		return
	}
	t.LegacyID, t.FourCC, t.Tag = d.audio.LegacyID, d.audio.FourCC, d.audio.Tag
	d.audio, d.adts = &t, says
}

// selfDescribed makes d.audio the track of a codec without sequence header.
// guess is what the tag header says; the frame knows better if it can be
// read, and one that can't does not undo what an earlier one said.
func (d *Demuxer) selfDescribed(guess media.Track, frame []byte) {
	var t media.Track
	var err error
	switch guess.Codec {
	case media.CodecMP3:
		t, err = media.ParseMP3(frame)
	case media.CodecAC3:
		t, err = media.ParseAC3(frame)
	case media.CodecEAC3:
		t, err = media.ParseEAC3(frame)
	default:
		t = guess
	}
	same := sameCoding(d.audio, guess.Codec, guess.LegacyID, guess.FourCC)
	if err != nil {
		if same {
			return
		}
		t = guess
	}
	if same && d.audio.SampleRate == t.SampleRate && d.audio.Channels == t.Channels && d.audio.FrameSamples == t.FrameSamples {
		return
	}
	changed := t // only now on the heap
	changed.LegacyID, changed.FourCC = guess.LegacyID, guess.FourCC
	d.audio = &changed
}

// checkMultichannel validates a MultichannelConfig:
//
//	order(8) channels(8) [custom: map(8×channels)] [native: flags(32)]
//
// Players get it as it is; nothing here needs it, the codecs say it themselves.
func checkMultichannel(b []byte) error {
	if len(b) < 2 {
		return malformed("multichannel configuration")
	}
	need := 2
	switch b[0] {
	case 1: // Native
		need += 4
	case 2: // Custom
		need += int(b[1])
	}
	if len(b) < need {
		return malformed("multichannel configuration")
	}
	return nil
}
