package lint

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// tsTime converts ticks of 90 kHz.
func tsTime(ticks int64) time.Duration { return time.Duration(ticks * 100000 / 9) }

// tsWrap is where 33 bits of them begin again.
const tsWrap = (1 << 33) * 100000 / 9 * time.Nanosecond

// readTS reads the contents of a transport stream.
func readTS(r *mpegts.Reader, b []byte) (contents, mpegts.Summary) {
	readers := make(map[uint16]*tsTrack)
	s := r.Read(b, func(p *mpegts.PES) {
		t := readers[p.PID]
		if t == nil {
			t = &tsTrack{}
			readers[p.PID] = t
		}
		t.pes(p)
	})
	c := contents{container: "MPEG-TS"}
	for _, stream := range s.Streams {
		out := &trackContents{id: uint32(stream.PID), wrap: tsWrap}
		if !tsCodec(stream, out) {
			continue
		}
		if t := readers[stream.PID]; t != nil {
			t.read(out)
		}
		c.tracks = append(c.tracks, out)
	}
	return c, s
}

// tsCodec says what a stream of a PMT is; false: neither picture nor sound.
func tsCodec(s mpegts.Stream, t *trackContents) bool {
	t.kind = media.Audio
	switch {
	case s.Type == mpegts.TypeH264:
		t.kind, t.codec, t.name = media.Video, media.CodecH264, "avc1"
	case s.Type == mpegts.TypeHEVC:
		t.kind, t.codec, t.name = media.Video, media.CodecHEVC, "hvc1"
	case s.Type == mpegts.TypeADTS:
		t.codec, t.name = media.CodecAAC, "mp4a.40.2"
	case s.Type == mpegts.TypeMPEG1Audio || s.Type == mpegts.TypeMPEG2Audio:
		t.codec, t.name = media.CodecMP3, "mp4a.40.34"
	case s.Type == mpegts.TypeAC3:
		t.codec, t.name = media.CodecAC3, "ac-3"
	case s.Type == mpegts.TypeEAC3:
		t.codec, t.name = media.CodecEAC3, "ec-3"
	case s.Type == mpegts.TypePrivate && s.Format == "Opus":
		t.codec, t.name = media.CodecOpus, "opus"
	default:
		return false
	}
	return true
}

// A tsTrack gathers what is needed of a stream's PES packets before its type is known:
// a PMT may come after them.
type tsTrack struct {
	times []pesTime
	first []byte // the first PES packets' data, as much as headers need
	all   []pesUnits
}

type pesTime struct{ dts, pts int64 }

// pesUnits is what a PES packet of H.264 or HEVC has in it.
type pesUnits struct{ h264, hevc pictureUnits }

const (
	maxTimes = 100000 // PES packets of a stream in a segment
	maxFirst = 128 << 10
)

func (t *tsTrack) pes(p *mpegts.PES) {
	if !p.HasPTS || len(t.times) >= maxTimes {
		return
	}
	t.times = append(t.times, pesTime{p.DTS, p.PTS})
	if room := maxFirst - len(t.first); room > 0 && (len(t.times) < 3 || p.Random) {
		t.first = append(t.first, p.Data[:min(room, len(p.Data))]...)
	}
	u := pesUnits{}
	if media.IsAnnexB(p.Data) {
		media.AnnexB(p.Data, func(n []byte) {
			u.h264.add(media.CodecH264, n)
			u.hevc.add(media.CodecHEVC, n)
		})
	}
	t.all = append(t.all, u)
}

// read fills out, whose codec is known.
func (t *tsTrack) read(out *trackContents) {
	for i, at := range t.times {
		out.put(tsTime(at.dts), tsTime(at.pts))
		u := t.all[i].h264
		if out.codec == media.CodecHEVC {
			u = t.all[i].hevc
		}
		if out.kind == media.Video {
			if u.key {
				out.keys++
				out.beginsKey = out.beginsKey || i == 0
			}
			out.captions = out.captions || u.captions
		}
	}
	switch out.codec {
	case media.CodecH264, media.CodecHEVC:
		t.parameters(out)
	case media.CodecAAC:
		t.adts(out)
	case media.CodecMP3:
		t.about(out, media.ParseMP3)
	case media.CodecAC3:
		t.about(out, media.ParseAC3)
	case media.CodecEAC3:
		t.about(out, media.ParseEAC3)
	}
	if out.about != nil && out.about.CodecString != "" {
		out.name = out.about.CodecString
	}
}

// parameters reads the parameter sets of a picture.
func (t *tsTrack) parameters(out *trackContents) {
	var sets media.Sets
	if media.IsAnnexB(t.first) {
		media.AnnexB(t.first, func(n []byte) { sets.Put(out.codec, n) })
	}
	record := sets.Record(out.codec, 4)
	if record == nil {
		return
	}
	if track, err := media.ParseConfig(out.codec, record); err == nil {
		out.about = &track
	}
}

func (t *tsTrack) adts(out *trackContents) {
	if !media.IsADTS(t.first) {
		return
	}
	track, err := media.ParseConfig(media.CodecAAC, media.ADTSConfig(t.first, t.first[media.ADTSHeaderSize:]))
	if err == nil {
		out.about = &track
	}
}

func (t *tsTrack) about(out *trackContents, parse func([]byte) (media.Track, error)) {
	if track, err := parse(t.first); err == nil {
		out.about = &track
	}
}
