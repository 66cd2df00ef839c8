package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// minPatience is how much later than due a picture may come, before the one
	// before is let stand, in a stream that has shown that its pictures stand.
	minPatience = 500 * time.Millisecond
	// maxPatience is the most, where pictures were late.
	maxPatience = 8 * time.Second
	// maxLate is how long pictures may come that are behind what was let stand
	// before them. Timestamps that are behind for longer stopped meanwhile.
	maxLate = 2 * time.Second
)

// A patience says how long to wait for a picture. In a stream without sound
// nothing tells a picture that stands still from one that is on its way: a camera
// whose network hangs for two seconds must not have them cut out.
type pictureWait struct {
	arrived time.Duration // when the newest picture was read, on the clock of elapsed
	stands  bool          // there was a picture that stood, and the next was in time
	times   int           // how often pictures were late since
	late    time.Duration // when the first of those that are late now came; 0: none is
}

func (w *pictureWait) long(fragment time.Duration) time.Duration {
	if w.stands {
		return minPatience
	}
	return min(max(fragment, 2*time.Second)<<min(w.times, 2), maxPatience)
}

// moves is told of a picture at t, read at elapsed, before the timeline moves. It
// returns false if the pictures' timestamps stopped while one was let stand.
func (w *pictureWait) moves(l *timeline, t, elapsed time.Duration) bool {
	v := &l.clocks[media.Video]
	if t > v.t {
		if v.known && (l.stood > 0 || l.soundless() && t-v.t >= still) {
			w.stands, w.times = true, 0
		}
		w.late = 0
		return true
	}
	if l.stood == 0 {
		return true
	}
	if w.late == 0 {
		w.late = max(elapsed, 1)
		w.stands = false
		w.times++
	}
	return elapsed-w.late < maxLate
}

// Due says when tick has something to do, on the clock of elapsed.
func (s *Segmenter) Due() (at time.Duration, ok bool) {
	v := &s.line.clocks[media.Video]
	if s.open == nil || s.waiting || !v.known || !s.line.soundless() || s.has(media.Video) == nil {
		return 0, false
	}
	shown, end := v.t-s.line.stood, s.pieceEnd() // when the newest picture is shown, and the fragment ends
	if end-shown > maxStill {
		return 0, false
	}
	return s.wait.arrived + max(end-shown+s.wait.long(s.rules.Fragment), still), true
}

// Overslept notes that the process stood still for d: the wait for a picture begins
// anew.
func (s *Segmenter) Overslept(d time.Duration) { s.wait.arrived += d }

// Tick is told that nothing came until elapsed. It lets the newest picture of a
// stream without sound stand, and ends the fragments that are over, which players
// wait for: the next picture may be many seconds away.
func (s *Segmenter) Tick(elapsed time.Duration) {
	for at, ok := s.Due(); ok && elapsed >= at; at, ok = s.Due() {
		s.line.stand(s.pieceEnd())
		s.goOnFrom(s.pieceEnd())
	}
}

// piece is how long a fragment is in which the picture stands.
func (s *Segmenter) piece() time.Duration {
	piece := s.rules.Fragment
	if s.rules.Aligned {
		length := uint32(max(s.rules.Fragment.Milliseconds(), 1))
		piece = time.Duration(length-s.open.Timestamp%length) * time.Millisecond
	}
	if s.limit > 0 {
		piece = min(piece, s.limit)
	}
	return piece
}

// pieceEnd is where the open fragment ends if its last picture stands.
func (s *Segmenter) pieceEnd() time.Duration {
	return max(s.open.Start+s.piece(), s.open.end.Round(time.Millisecond))
}

// goOnFrom ends the fragment at t, and begins one without a picture of its own.
func (s *Segmenter) goOnFrom(t time.Duration) {
	g := s.open
	timestamp, opened, delay := g.Timestamp+uint32((t-g.Start).Milliseconds()), g.Opened.Add(t-g.Start), g.Delay
	s.close(t)
	g = s.begin(timestamp, t, opened)
	g.Delay, g.head, g.end = delay, t, t
}
