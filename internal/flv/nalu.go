package flv

import (
	"github.com/rtmpd/rtmpd/internal/media"
)

// units makes NAL units behind lengths of what a frame of H.264 or HEVC holds,
// and looks at them. Other codecs pass.
func (d *Demuxer) units(data []byte) ([]byte, media.Units) {
	c := d.video.Codec
	if c != media.CodecH264 && c != media.CodecHEVC {
		return data, media.Units{}
	}
	size := d.naluLength()
	u := media.ReadUnits(c, data, size)
	if !u.Broken && !u.Zeros {
		return data, u
	}
	if mended, ok := media.RepairUnits(data, size); ok {
		d.defects |= media.StartCodes
		data = mended
		u = media.ReadUnits(c, data, size)
	}
	if u.Broken {
		d.defects |= media.BrokenUnits
	}
	return data, u
}

// naluLength is the length of a NAL unit's length: the track's, or 4, which
// every encoder sends, if no header defines it.
func (d *Demuxer) naluLength() int {
	switch {
	case d.video.NALULength > 0:
		return d.video.NALULength
	case d.lengthSize > 0:
		return d.lengthSize
	}
	return 4
}

// takeSets makes another track of the video if parameter sets in its frames
// say something else than the track: a size that changes without a new
// sequence header, or a header that has none. Sets of one picture may come in
// several messages.
//
// Only another SPS makes a difference: encoders change the PPS at will, which
// decoders follow.
func (d *Demuxer) takeSets(data []byte, u media.Units) {
	t, c := d.video, &d.picture
	if !u.Sets {
		return
	}
	known := media.Sets{VPS: t.VPS, SPS: t.SPS, PPS: t.PPS}
	size := d.naluLength()
	for n, err := range media.NALUs(data, size) {
		if err == nil && !known.Has(t.Codec, n) {
			c.sets.Put(t.Codec, n)
		}
	}
	// An SPS begins to count with a random access point; one in another frame
	// is for a picture to come, and is sent again there.
	if c.sets.Empty() || !c.key && t.HasHeader() {
		return
	}
	other := known.PutAll(t.Codec, c.sets.SPS)
	c.otherSPS = c.otherSPS || other
	if c.otherSPS || len(t.PPS) == 0 {
		other = known.PutAll(t.Codec, c.sets.VPS) || other
		other = known.PutAll(t.Codec, c.sets.PPS) || other
	}
	if !other {
		return
	}
	next, err := media.ParseConfig(t.Codec, known.Record(t.Codec, size))
	if err != nil && (t.HasHeader() || len(next.SPS) == 0) {
		return
	}
	next.Kind, next.LegacyID, next.FourCC, next.Tag = t.Kind, t.LegacyID, t.FourCC, t.Tag
	if head := d.heads[media.Video]; head == nil || len(head.SPS) == 0 {
		d.defects |= media.SetsInFrames
	}
	d.video = &next
}
