package packager

import "time"

// A Past is the segments of an event that its manifests have noted for good. There may be
// days of them: they are counted, and not kept.
type Past struct {
	Count uint64 // how many there are
	Disc  uint64 // how many of them are discontinuities
	lasts time.Duration
	ends  [2]Segment // the oldest and the newest
}

// Begins is the media sequence number and the discontinuity sequence number of the first
// segment that manifests name.
func (l *Window) Begins() (seq, disc uint64) { return l.Seq - l.Past.Count, l.Disc - l.Past.Disc }

// settle moves the n oldest segments to the past.
func (l *Window) settle(n int) {
	p, disc := l.Past, l.Disc
	if p.Count == 0 {
		p.ends[0] = l.Segments[0]
	}
	p.ends[1] = l.Segments[n-1]
	for _, s := range l.remove(n) {
		p.lasts += s.Duration
	}
	p.Count, p.Disc = p.Count+uint64(n), p.Disc+l.Disc-disc
	l.Past = p
}

const (
	// keptSegments is how many segments of an event are kept at least, and how many become
	// past at a time.
	keptSegments = 64
	// keptWindows is how long they are together at least, in windows of a live stream.
	// Low-latency updates name two (rfc8216bis §4.4.3.8: CAN-SKIP-UNTIL).
	keptWindows = 4
)

// recall takes the past into the window again, as the manifests on disk have it, without
// what somebody has deleted and all before that. It returns how many segments are gone.
func (w *Writer) recall() (gone uint64) {
	now := w.Window
	past := now.Past
	old, err := w.readBack()
	w.Window = now
	l := &w.Window
	l.Past = Past{}
	if err != nil || old.Seq+past.Count != l.Seq || uint64(len(old.Segments)) < past.Count {
		return past.Count
	}
	all := old.Segments[:past.Count]
	n := len(all)
	for n > 0 && w.thereOf(all[n-1:n]) {
		n--
	}
	all = all[n:]
	for i := range all {
		all[i].longest = past.lasts + now.Duration()
		if all[i].Discontinuity {
			l.Disc--
		}
	}
	l.Seq -= uint64(len(all))
	l.Segments = append(all[:len(all):len(all)], l.Segments...)
	return uint64(n)
}

// settle has the manifests note what is old of an event, and forgets it. The files stay.
func (w *Writer) settle() {
	l := &w.Window
	if !l.Event {
		return
	}
	// What a reload makes of it may be a live stream.
	keep := max(keptWindows*w.limits().Least, w.set.PlaylistLength, w.set.DVR)
	n := min(l.older(keep), len(l.Segments)-keptSegments)
	if n < keptSegments {
		return
	}
	for _, m := range w.manifests {
		m.Settle(n)
	}
	var names []string
	for i := range l.Segments[:n] {
		for _, f := range l.Segments[i].Files {
			if f.Name != "" {
				names = append(names, f.Name)
			}
		}
	}
	w.d.main.Leave(names...)
	l.settle(n)
}
