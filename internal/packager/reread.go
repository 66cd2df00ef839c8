package packager

import (
	"bytes"
	"errors"
	"time"

	"github.com/rtmpd/rtmpd/internal/bmff"
)

// maxSegment is larger than the file of any segment.
const maxSegment = 64 << 20

var errNoTiming = errors.New("not a fragment of one track in the clear")

// Reread sets when the media of f begins and how long it lasts, from the file and its
// initialisation section: for a file of an earlier run that no manifest names.
func (w *Writer) Reread(f *File) error {
	if f.Init == nil {
		return errNoTiming
	}
	head, _, err := w.d.main.Read(f.Init.Name, maxInit)
	if err != nil {
		return err
	}
	body, _, err := w.d.main.Read(f.Name, maxSegment)
	if err != nil {
		return err
	}
	moov, err := findBox(head, "moov")
	if err != nil {
		return err
	}
	m, err := bmff.ReadMovie(bytes.NewReader(head), moov)
	if err != nil || len(m.Tracks) != 1 || m.Tracks[0].Scale == 0 {
		return errNoTiming
	}
	moof, err := findBox(body, "moof")
	if err != nil {
		return err
	}
	runs, err := bmff.ReadFragment(bytes.NewReader(body), moof, func(uint32) (bmff.Defaults, bool) { return bmff.Defaults{}, true })
	if err != nil || len(runs) != 1 {
		return errNoTiming
	}
	f.Start, f.Duration, f.Timescale = runs[0].DTS, runs[0].End()-runs[0].DTS, m.Tracks[0].Scale
	f.Lasts = f.at(f.Start+f.Duration) - f.at(f.Start)
	return nil
}

// Begins is when the media of f begins, in whole milliseconds of its own timeline.
func (f *File) Begins() time.Duration { return f.at(f.Start) }

func findBox(file []byte, kind string) (found bmff.Box, err error) {
	r, end := bytes.NewReader(file), int64(len(file))
	for at := int64(0); at < end; at = found.End {
		if found, err = bmff.At(r, at, end); err != nil || found.Kind == kind {
			return found, err
		}
	}
	return found, errNoTiming
}
