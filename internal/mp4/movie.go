package mp4

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Track is one track of a file.
type Track struct {
	ID    uint32
	Media *media.Track
	Frame []byte // one of it, of video a keyframe: AC-3 and VP9 say with it what they are
}

// movieTimescale is that of mvhd, tkhd and elst.
const movieTimescale = 1000

// epoch1904 is from where mvhd counts to 1970, in s.
const epoch1904 = 2082844800

// AppendInit appends the moov of an initialisation segment (§8.16.3): tracks
// without samples, and mvex, which announces fragments.
func AppendInit(b []byte, created time.Time, tracks ...Track) ([]byte, error) {
	b, at := open(b, "moov")
	b = appendMovieHeader(b, created, 0, tracks[len(tracks)-1].ID+1)
	var err error
	for _, t := range tracks {
		var boxes [5]int
		if b, boxes, err = appendTrack(b, &t, movieTrack{}); err != nil {
			return b, err
		}
		for _, kind := range [...]string{"stts", "stsc", "stco"} {
			var table int
			b, table = openFull(b, kind, 0, 0)
			b = be.AppendUint32(b, 0)
			shut(b, table, 0)
		}
		var table int
		b, table = openFull(b, "stsz", 0, 0)
		b = zeros(b, 8)
		shut(b, table, 0)
		shutAll(b, boxes, 0)
	}
	b, mvex := open(b, "mvex")
	for _, t := range tracks {
		var trex int
		b, trex = openFull(b, "trex", 0, 0)
		b = be.AppendUint32(b, t.ID)
		b = be.AppendUint32(b, 1) // sample description
		b = zeros(b, 12)
		shut(b, trex, 0)
	}
	shut(b, mvex, 0)
	shut(b, at, 0)
	return b, nil
}

// AppendTrackInit appends the initialisation segment of a track in a file of its own, a
// CMAF header (ISO 23000-19 §7.3.1). The same track makes the same bytes.
func AppendTrackInit(b []byte, t Track) ([]byte, error) {
	b = AppendFileType(b, "iso6", "cmfc", "dash")
	return AppendInit(b, time.Unix(-epoch1904, 0), t)
}

// appendMovieHeader appends mvhd (§8.2.2). duration is in movieTimescale.
func appendMovieHeader(b []byte, created time.Time, duration int64, nextID uint32) []byte {
	when := uint64(created.Unix() + epoch1904)
	b, at := openFull(b, "mvhd", 1, 0)
	b = be.AppendUint64(b, when)
	b = be.AppendUint64(b, when)
	b = be.AppendUint32(b, movieTimescale)
	b = be.AppendUint64(b, uint64(duration))
	b = be.AppendUint32(b, 0x10000) // rate 1
	b = append(b, 1, 0, 0, 0)       // volume 1
	b = unityMatrix(zeros(b, 8))
	b = be.AppendUint32(zeros(b, 24), nextID)
	shut(b, at, 0)
	return b
}

// A movieTrack is when a track is to be played, in its own ticks.
type movieTrack struct {
	delay    int64 // from the beginning of the movie to its first picture or sound
	lead     int64 // composition offset of that one
	duration int64
}

// appendTrack appends trak (§8.3.1) up to stsd. The boxes that it returns are open:
// the tables of samples go to its end.
func appendTrack(b []byte, t *Track, m movieTrack) (out []byte, boxes [5]int, err error) {
	scale := Timescale(t.Media)
	movie := func(ticks int64) uint64 { return uint64(ticks) * movieTimescale / uint64(scale) }
	video := t.Media.Kind == media.Video
	b, boxes[0] = open(b, "trak")
	b = appendTrackHeader(b, t, movie(m.delay+m.duration))
	if m.delay > 0 || m.lead > 0 {
		b = appendEdits(b, movie(m.delay), movie(m.duration), m.lead)
	}
	b, boxes[1] = open(b, "mdia")
	b, at := openFull(b, "mdhd", 1, 0)
	b = be.AppendUint32(zeros(b, 16), scale)
	b = be.AppendUint64(b, uint64(m.duration))
	b = append(b, 0x55, 0xc4, 0, 0) // language: und
	shut(b, at, 0)
	handler, name := "soun", "SoundHandler\x00"
	if video {
		handler, name = "vide", "VideoHandler\x00"
	}
	b, at = openFull(b, "hdlr", 0, 0)
	b = append(zeros(b, 4), handler...)
	b = append(zeros(b, 12), name...)
	shut(b, at, 0)
	b, boxes[2] = open(b, "minf")
	if video {
		b, at = openFull(b, "vmhd", 0, 1)
		b = zeros(b, 8)
	} else {
		b, at = openFull(b, "smhd", 0, 0)
		b = zeros(b, 4)
	}
	shut(b, at, 0)
	b, at = open(b, "dinf")
	b, dref := openFull(b, "dref", 0, 0)
	b = be.AppendUint32(b, 1)
	b, url := openFull(b, "url ", 0, 1) // in this file
	shut(b, url, 0)
	shut(b, dref, 0)
	shut(b, at, 0)
	b, boxes[3] = open(b, "stbl")
	b, boxes[4] = openFull(b, "stsd", 0, 0)
	b = be.AppendUint32(b, 1)
	b, err = appendSampleEntry(b, t.Media, t.Frame)
	shut(b, boxes[4], 0)
	return b, boxes, err
}

// shutAll ends what appendTrack left open.
func shutAll(b []byte, boxes [5]int, extra int) {
	for _, at := range boxes[:4] {
		shut(b, at, extra)
	}
}

// appendTrackHeader appends tkhd (§8.3.2): enabled, in the movie, in the preview.
func appendTrackHeader(b []byte, t *Track, duration uint64) []byte {
	b, at := openFull(b, "tkhd", 1, 7)
	b = be.AppendUint32(zeros(b, 16), t.ID)
	b = be.AppendUint64(zeros(b, 4), duration)
	b = zeros(b, 12)
	if t.Media.Kind == media.Audio {
		b = append(b, 1, 0, 0, 0)
	} else {
		b = zeros(b, 4)
	}
	b = unityMatrix(b)
	width, height := 0, 0
	if t.Media.Kind == media.Video {
		if width, height = t.Media.Width, t.Media.Height; width == 0 {
			width, height, _ = media.FrameSize(t.Media.Codec, t.Frame)
		}
	}
	b = be.AppendUint32(b, uint32(width)<<16)
	b = be.AppendUint32(b, uint32(height)<<16)
	shut(b, at, 0)
	return b
}

// appendEdits appends edts (§8.6.5): nothing for the time delay, then the track
// from lead on.
func appendEdits(b []byte, delay, duration uint64, lead int64) []byte {
	b, at := open(b, "edts")
	b, list := openFull(b, "elst", 1, 0)
	edit := func(duration uint64, from int64) {
		b = be.AppendUint64(b, duration)
		b = be.AppendUint64(b, uint64(from))
		b = append(b, 0, 1, 0, 0) // at normal speed
	}
	if delay > 0 {
		b = be.AppendUint32(b, 2)
		edit(delay, -1)
	} else {
		b = be.AppendUint32(b, 1)
	}
	edit(duration, lead)
	shut(b, list, 0)
	shut(b, at, 0)
	return b
}
