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

// Bitstream sets the present defects of the bit stream. It returns the findings that
// are new and were not reported for quietFor. One message is enough for these, and
// Examine does not return them again.
func (d *Doctor) Bitstream(set media.Defects, now time.Time) (found []Finding) {
	d.defects = set
	at := now.Sub(d.start)
	for _, x := range defects {
		f := &d.findings[x.finding]
		if set&x.defect == 0 || f.active {
			continue
		}
		d.update(x.finding, at, bad)
		f.advice = d.advice(x.finding, 0)
		if f.fresh {
			f.fresh, f.reported, f.logged = false, at, true
			found = append(found, d.finding(x.finding))
		}
	}
	return found
}

// checkBitstream keeps the findings of Bitstream as long as their defects.
func (d *Doctor) checkBitstream(at time.Duration) {
	for _, x := range defects {
		wrong := d.defects&x.defect != 0
		d.update(x.finding, at, between(wrong, !wrong))
	}
}

// checkCodecs finds codecs that HLS viewers, or most browsers, can't play.
func (d *Doctor) checkCodecs(at, fragment time.Duration) {
	for kind, findings := range [2][2]int{{videoNotInHLS, videoFewBrowsers}, {audioNotInHLS, audioFewBrowsers}} {
		t := d.tracks[kind].coded
		hls := fragment > 0 && t != nil && t.HasHeader() // a missing header is another finding
		carried := hls && (d.Carries == nil || d.Carries(t))
		none, few := hls && !carried, carried && d.fewBrowsers(t)
		d.update(findings[0], at, between(none, !none))
		d.update(findings[1], at, between(few, !few))
	}
}

// fewBrowsers reports whether Chrome, Edge and Firefox refuse t: in MPEG-TS their Media
// Source Extensions don't take HEVC, AC-3 and E-AC-3, nor AAC whose channel layout an
// ADTS header can't describe. In MP4 they take HEVC, where the hardware decodes it.
func (d *Doctor) fewBrowsers(t *media.Track) bool {
	fragmented := d.Fragmented != nil && d.Fragmented()
	switch t.Codec {
	case media.CodecAC3, media.CodecEAC3:
		return true
	case media.CodecHEVC:
		return !fragmented
	case media.CodecAAC:
		return t.ProgramConfig != nil && !fragmented
	}
	return false
}
