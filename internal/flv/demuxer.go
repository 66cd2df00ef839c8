package flv

import (
	"errors"
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Demuxer turns the audio and video messages of one publisher session into
// packets. It belongs to a single goroutine.
type Demuxer struct {
	epoch        uint32
	clock        clock
	video, audio *media.Track
	extras       [2]extra // of video and audio
	renditions   renditions
	data         *media.Track
	heads        [2]*media.Track // of video and audio, by their newest valid header
	lengthSize   int             // a NAL unit's length by a header without parameter sets; 0: none
	adts         [2]byte         // of the ADTS header that the audio track was made of
	picture      picture
	defects      media.Defects
	started      time.Time // arrival of the first message; zero: unknown
}

// NewDemuxer makes the demuxer of one session: the first packet gets DTS base,
// every packet gets epoch.
func NewDemuxer(base time.Duration, epoch uint32) *Demuxer {
	return &Demuxer{epoch: epoch, clock: clock{base: base}}
}

// Restart begins another run of the same publisher's packets, with a DTS and an
// epoch as of a new Demuxer: the tracks stay, whose headers an encoder sends once.
func (d *Demuxer) Restart(base time.Duration, epoch uint32) {
	d.epoch, d.clock, d.picture = epoch, clock{base: base}, picture{}
	d.renditions.restart()
}

// Arrived sets the arrival time of the following messages. It lets the demuxer tell
// timestamps that are wrong from pauses.
func (d *Demuxer) Arrived(now time.Time) {
	if d.started.IsZero() {
		d.started = now
	}
	d.clock.arrived(now.Sub(d.started))
}

// Repairs returns what was wrong with the timestamps.
func (d *Demuxer) Repairs() Repairs { return d.clock.repairs }

// Defects returns the defects of the bit stream, without the header defects
// that are over.
func (d *Demuxer) Defects() media.Defects { return d.defects }

// Video takes the body of a video message with its absolute timestamp in ms
// modulo 2^32. body becomes the packet's: it must not be written again.
//
// Track 0 makes packets of the stream. A body with other tracks alone makes one of
// the first of them, with its Track.ID and without Data.
//
// Without an error a nil packet means that there was nothing to send on: a
// sequence header, metadata (the next packets carry them), the end of a
// sequence, a command frame, an empty body. Errors wrap ErrNoHeader,
// ErrMalformed or ErrUnsupported.
func (d *Demuxer) Video(timestamp uint32, body []byte) (*media.Packet, error) {
	if len(body) == 0 {
		return nil, nil
	}
	body = body[:len(body):len(body)]
	var p *media.Packet
	var err error
	if body[0]&0x80 != 0 {
		p, err = d.exVideo(timestamp, body)
	} else {
		p, err = d.legacyVideo(timestamp, body)
	}
	return p, d.count("video", err)
}

// Audio takes the body of an audio message; see Video.
func (d *Demuxer) Audio(timestamp uint32, body []byte) (*media.Packet, error) {
	if len(body) == 0 {
		return nil, nil
	}
	body = body[:len(body):len(body)]
	var p *media.Packet
	var err error
	if body[0]>>4 == soundEx {
		p, err = d.exAudio(timestamp, body)
	} else {
		p, err = d.legacyAudio(timestamp, body)
	}
	return p, d.count("audio", err)
}

// count notes the defect that err is and adds which medium it was.
func (d *Demuxer) count(kind string, err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, errHeader) { // which is a defect of its own
		d.defects |= media.Dropped
	}
	if err == ErrNoHeader {
		return err // bare: a publisher can send these by the thousand
	}
	return fmt.Errorf("%s: %w", kind, err)
}

// packet makes the packet of a frame of t.
func (d *Demuxer) packet(t *media.Track, timestamp uint32, body, data []byte) *media.Packet {
	dts, stamp := d.clock.dts(t, timestamp)
	return d.packetAt(t, dts, stamp, body, data)
}

// packetAt makes the one allocation of a frame.
func (d *Demuxer) packetAt(t *media.Track, dts time.Duration, stamp uint32, body, data []byte) *media.Packet {
	if t.Kind == media.Video && d.renditions.any {
		d.listRenditions(dts)
	}
	return &media.Packet{
		Track:     t,
		DTS:       dts,
		Epoch:     d.epoch,
		Timestamp: stamp,
		Tag:       body,
		Data:      data[:len(data):len(data)],
		Extra:     d.extras[t.Kind].now,
	}
}

// sameCoding reports whether t, which may be nil, is what a codec without
// sequence header says of itself in its frames.
func sameCoding(t *media.Track, codec media.Codec, legacyID uint8, fourCC uint32) bool {
	return t != nil && t.Codec == codec && t.LegacyID == legacyID && t.FourCC == fourCC
}

// si24 is a signed 24-bit integer.
func si24(b []byte) int32 {
	return int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8) >> 8
}
