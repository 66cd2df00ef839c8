package mp4

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// pictureTicks is how long a picture lasts, in videoTimescale: a second, so that
// players which skip what is shorter than a frame show it.
const pictureTicks = videoTimescale

// AppendPicture appends an MP4 of one picture: data is a keyframe of t, whole. The file is
// complete before its media, so that players show it as it comes.
//
//	ftyp moov(…stbl(stsd stts stsc stsz stco)) mdat
func AppendPicture(b []byte, t *media.Track, data []byte) ([]byte, error) {
	start := len(b)
	b = AppendFileType(b, "isom", "iso6", "mp41", "mp42")
	b, moov := open(b, "moov")
	b = appendMovieHeader(b, time.Unix(0, 0), movieTimescale*pictureTicks/videoTimescale, 2)
	b, boxes, err := appendTrack(b, &Track{ID: 1, Media: t, Frame: data}, movieTrack{duration: pictureTicks})
	if err != nil {
		return b[:start], err
	}
	table := func(kind string, words ...uint32) {
		var at int
		b, at = openFull(b, kind, 0, 0)
		for _, w := range words {
			b = be.AppendUint32(b, w)
		}
		shut(b, at, 0)
	}
	table("stts", 1, 1, pictureTicks)
	table("stsc", 1, 1, 1, 1)
	table("stsz", uint32(min(len(data), math.MaxUint32)), 1)
	place := len(b) + boxHeader + 8 // of the last word of stco
	table("stco", 1, 0)
	shutAll(b, boxes, 0)
	shut(b, moov, 0)
	be.PutUint32(b[place:], uint32(len(b)-start+boxHeader))
	b, mdat := open(b, "mdat")
	b = append(b, data...)
	shut(b, mdat, 0)
	return b, nil
}
