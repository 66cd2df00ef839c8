package doctor

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// defects are the findings that a demuxer makes.
var defects = [...]struct {
	defect  media.Defects
	finding int
}{
	{media.NoVideoHeader, videoHeaderMissing},
	{media.NoAudioHeader, audioHeaderMissing},
	{media.BadVideoHeader, videoHeaderMalformed},
	{media.BadAudioHeader, audioHeaderMalformed},
	{media.BrokenUnits, nalUnitsMalformed},
	{media.Dropped, messagesMalformed},
	{media.SetsInFrames, parameterSetsInBand},
	{media.StartCodes, startCodes},
	{media.BrokenADTS, adtsBroken},
	{media.ADTSFrames, adtsHeaders},
}

// Bitstream takes what is wrong with the bit stream as of now. It returns the
// findings that are new and have not been reported for a while: they are
// certain at the first message, and Examine does not return them again.
func (d *Doctor) Bitstream(set media.Defects, now time.Time) (found []Finding) {
	d.defects = set
	at := now.Sub(d.start)
	for _, x := range defects {
		f := &d.findings[x.finding]
		if set&x.defect == 0 || f.active {
			continue
		}
		d.judge(x.finding, at, bad)
		f.advice = d.advice(x.finding, 0)
		if f.fresh {
			f.fresh, f.told, f.said = false, at, true
			found = append(found, d.finding(x.finding))
		}
	}
	return found
}

// judgeBitstream keeps the findings of Bitstream as long as what they are about.
func (d *Doctor) judgeBitstream(at time.Duration) {
	for _, x := range defects {
		wrong := d.defects&x.defect != 0
		d.judge(x.finding, at, between(wrong, !wrong))
	}
}

// judgeCodecs says who can't see or hear the HLS output because of its codecs.
func (d *Doctor) judgeCodecs(at, fragment time.Duration) {
	for kind, findings := range [2][2]int{{videoNotInHLS, videoFewBrowsers}, {audioNotInHLS, audioFewBrowsers}} {
		t := d.tracks[kind].coded
		hls := fragment > 0 && t != nil && t.HasHeader() // without one there is a finding about that
		carried := hls && (d.Carries == nil || d.Carries(t))
		nobody, few := hls && !carried, carried && fewBrowsers(t)
		d.judge(findings[0], at, between(nobody, !nobody))
		d.judge(findings[1], at, between(few, !few))
	}
}

// fewBrowsers says whether Chrome, Edge and Firefox refuse t in MPEG-TS: their
// media source extensions know no HEVC, AC-3 and E-AC-3 there, and no AAC whose
// layout an ADTS header can't say.
func fewBrowsers(t *media.Track) bool {
	switch t.Codec {
	case media.CodecHEVC, media.CodecAC3, media.CodecEAC3:
		return true
	case media.CodecAAC:
		return t.ProgramConfig != nil
	}
	return false
}
