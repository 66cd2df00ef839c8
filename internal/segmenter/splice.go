package segmenter

import (
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// nal_unit_type of H.265 table 7-1.
const (
	hevcBLANoLeading = 18 // BLA_N_LP
	hevcCRA          = 21
)

// splices says whether decoders that have gone on beyond the keyframe p may meet it
// again. H.264 wants an IDR picture for that: the frame numbers and picture order
// counts of other I pictures go on from those before (§8.2.1, §8.2.5.2). Every
// IRAP picture of H.265 will do: see spliced. A key frame of AV1 and VP9 refreshes
// everything.
func splices(p *media.Packet) bool {
	c := p.Track.Codec
	if c == media.CodecAV1 || c == media.CodecVP9 {
		return true
	}
	return (c == media.CodecH264 || c == media.CodecHEVC) && media.ReadUnits(c, p.Data, p.Track.NALULength).Random
}

// spliced returns the data of a keyframe that is not where its encoder put it. A
// CRA picture of H.265 becomes a BLA picture without leading pictures, which is
// what the standard has for that (§3 "broken link access").
func spliced(p *media.Packet) []byte {
	if p.Track.Codec != media.CodecHEVC {
		return p.Data
	}
	data := slices.Clone(p.Data)
	for n, err := range media.NALUs(data, p.Track.NALULength) {
		if err != nil {
			break
		}
		if n[0]>>1&0x3f == hevcCRA {
			n[0] = n[0]&^0x7e | hevcBLANoLeading<<1
		}
	}
	return data
}
