package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Segment is one segment as manifests name it.
type Segment struct {
	Files         [2]File       // by media.Kind; MPEG-TS has all media in the first
	Duration      time.Duration // whole milliseconds
	Discontinuity bool
	Independent   bool
	Date          time.Time // of its beginning; zero: not known
	Key           *Key      // nil: in the clear
	Lost          bool      // it could not be written, but its parts were shown
	// longest is the duration of the longest window published that had it.
	longest time.Duration
}

// Size is the size of all files.
func (s *Segment) Size() (n int) {
	for i := range s.Files {
		n += s.Files[i].Size
	}
	return n
}

// mediaEnd is where the media of all files has ended.
func (s *Segment) mediaEnd() (end time.Duration) {
	for i := range s.Files {
		f := &s.Files[i]
		end = max(end, f.at(f.Start+f.Duration)+time.Millisecond)
	}
	return end
}

// A File is one file of a segment.
type File struct {
	Name string // in the directory; empty: the segment has no such file
	URI  string // as a playlist names it; other manifests do not use it
	Size int    // bytes; 0: of an earlier run
	Init *Init  // nil: the file needs none

	// Lasts is the duration of the media, in whole milliseconds: those of several
	// segments add up. Date is of its beginning; zero: not known.
	Lasts time.Duration
	Date  time.Time

	Parts []Part // as they were shown before the file was complete

	// What follows is not known of an earlier run.
	Track           *media.Track
	Start, Duration uint64 // of the media, in ticks
	Timescale       uint32 // 0: not known
}

// An Init is the initialisation section of a run of segments.
type Init struct {
	Name string // in the directory
	URI  string // as a playlist names it
	body []byte // nil: not known
}

// A Window is the segments that the manifests of a stream name.
type Window struct {
	Seq   uint64 // media sequence number of the first of Segments
	Disc  uint64 // discontinuity sequence number
	Past  Past   // what comes before; empty unless it is an event
	Event bool   // nothing leaves
	Ended bool   // no segment will follow
	// Epoch is when media times in the files are counted from, with NamingMedia. Zero: it
	// is the date of the first segment.
	Epoch time.Time
	// Segments that a manifest has named do not change any more, but for longest, and what it
	// has of the slice stays: it may be read later, in any goroutine.
	Segments []Segment
}

// Next is the media sequence number of the segment to come.
func (l *Window) Next() uint64 { return l.Seq + uint64(len(l.Segments)) }

// NextDisc is the discontinuity sequence number at the end.
func (l *Window) NextDisc() uint64 {
	n := l.Disc
	for i := range l.Segments {
		if l.Segments[i].Discontinuity {
			n++
		}
	}
	return n
}

// Duration is that of all segments.
func (l *Window) Duration() time.Duration {
	var sum time.Duration
	for i := range l.Segments {
		sum += l.Segments[i].Duration
	}
	return sum
}

// Trim takes the oldest segments out and returns them. What stays is at least keep long,
// and at least three segments. An event keeps all.
func (l *Window) Trim(keep time.Duration) []Segment {
	if l.Event {
		return nil
	}
	return l.remove(l.older(keep))
}

// older is how many of the oldest segments Trim takes out.
func (l *Window) older(keep time.Duration) (n int) {
	left := l.Duration()
	for len(l.Segments)-n > 3 && left-l.Segments[n].Duration >= keep {
		left -= l.Segments[n].Duration
		n++
	}
	return n
}

// Tail is l without what Trim would take out, if it is no event. It shares the segments
// of l.
func (l *Window) Tail(keep time.Duration) Window {
	t := *l
	if l.Event {
		return t
	}
	n := l.older(keep)
	for i := range n {
		t.Seq++
		if l.Segments[i].Discontinuity {
			t.Disc++
		}
	}
	t.Segments = l.Segments[n:]
	return t
}

// remove takes the first n segments out, with the past, and returns them.
func (l *Window) remove(n int) []Segment {
	out := l.Segments[:n:n]
	for i := range out {
		l.Seq++
		if out[i].Discontinuity {
			l.Disc++
		}
	}
	// A fresh array: the old one would keep every segment there ever was.
	if n > 0 {
		l.Past = Past{}
		l.Segments = append(make([]Segment, 0, len(l.Segments)-n+4), l.Segments[n:]...)
	}
	return out
}
