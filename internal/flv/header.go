package flv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// errHeader is wrapped by the error of a sequence header that can't be decoded.
var errHeader = errors.New("sequence header")

// setHeader takes a sequence header of track 0. It makes another track only if
// the decoder configuration is another: encoders repeat their header with other
// bits around it (composition time, frame type, SoundType) or zeros behind it.
//
// One that can't be decoded leaves a track in force that can. Where there is
// none, players get the header as it is.
func (d *Demuxer) setHeader(kind media.Kind, codec media.Codec, legacyID uint8, fourCC uint32, body, config []byte) error {
	cur, head := d.track(kind), d.heads[kind]
	same := sameCoding(*cur, codec, legacyID, fourCC) && sameCoding(head, codec, legacyID, fourCC)
	if same && (bytes.Equal(head.Tag, body) || bytes.Equal(trimmed(head.Config), trimmed(config)) && head.Config != nil) {
		return nil
	}
	record, mended := media.RepairRecord(codec, config)
	if mended {
		d.defects |= media.StartCodes
	}
	t, err := media.ParseConfig(codec, record[:len(record):len(record)])
	t.Kind, t.LegacyID, t.FourCC, t.Tag = kind, legacyID, fourCC, body
	switch {
	case errors.Is(err, media.ErrNoSPS):
		d.lengthSize = t.NALULength
		t.NALULength = 0 // nothing can be decoded until the sets have come
	case err != nil:
		d.defects |= media.BadHeader(kind)
		if !sameCoding(*cur, codec, legacyID, fourCC) || !(*cur).HasHeader() {
			if t.NALULength == 0 || len(t.SPS) == 0 || len(t.SPS[0]) < 4 { // else the size alone is unknown
				t = media.Track{Kind: kind, Codec: codec, LegacyID: legacyID, FourCC: fourCC, Tag: body}
			}
			*cur, d.heads[kind] = &t, &t
			d.lengthSize = 0
		}
		return fmt.Errorf("%w: %w: %w", ErrMalformed, errHeader, err)
	default:
		d.lengthSize = 0
	}
	d.defects &^= media.BadHeader(kind) | media.NoHeader(kind)
	if same && sameConfig(head, &t) {
		return nil
	}
	*cur, d.heads[kind] = &t, &t
	return nil
}

// track is where the track of a kind is.
func (d *Demuxer) track(kind media.Kind) **media.Track {
	if kind == media.Audio {
		return &d.audio
	}
	return &d.video
}

// trimmed is a configuration without what encoders pad it with.
func trimmed(config []byte) []byte { return bytes.TrimRight(config, "\x00") }

// sameConfig reports whether two sequence headers of one coding say the same to
// a decoder.
func sameConfig(a, b *media.Track) bool {
	if a.Codec == media.CodecH264 || a.Codec == media.CodecHEVC {
		same := func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
		return a.NALULength == b.NALULength && same(a.VPS, b.VPS) && same(a.SPS, b.SPS) && same(a.PPS, b.PPS)
	}
	return bytes.Equal(trimmed(a.Config), trimmed(b.Config))
}

// frameTrack is the track of frames of a codec with sequence headers. Without
// one they get a track that only RTMP players can make use of. It is
// ErrNoHeader if what is in force is another coding.
func (d *Demuxer) frameTrack(kind media.Kind, codec media.Codec, legacyID uint8, fourCC uint32) (*media.Track, error) {
	cur := d.track(kind)
	if !sameCoding(*cur, codec, legacyID, fourCC) {
		if *cur != nil && (*cur).HasHeader() {
			return nil, ErrNoHeader
		}
		*cur = &media.Track{Kind: kind, Codec: codec, LegacyID: legacyID, FourCC: fourCC}
		d.heads[kind] = nil
		d.lengthSize = 0
	}
	return *cur, nil
}

// judgeHeader notes whether the next packet of a kind can be decoded.
func (d *Demuxer) judgeHeader(kind media.Kind) {
	if (*d.track(kind)).HasHeader() {
		d.defects &^= media.NoHeader(kind)
	} else if d.defects&media.BadHeader(kind) == 0 { // else that is said
		d.defects |= media.NoHeader(kind)
	}
}
