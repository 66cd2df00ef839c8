package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// minPatience is how much later than due a picture may be before the last picture
	// is taken to stand still, in a stream whose pictures stood still before.
	minPatience = 500 * time.Millisecond
	// maxPatience is the longest such time, in a stream whose pictures were late.
	maxPatience = 8 * time.Second
	// maxLate is how long pictures may have timestamps before the end of the picture
	// that was taken to stand. After that the timestamps count as a jump: the encoder's
	// clock had stopped.
	maxLate = 2 * time.Second
)

// A pictureWait decides how long to wait for a picture. In a stream without sound a
// picture that stands still looks like one that is delayed. If a camera's network hangs
// for two seconds, these two seconds must not be missing from the segments.
type pictureWait struct {
	arrived time.Duration // when the newest picture was read, on the clock of elapsed
	stands  bool          // a picture stood still, and the next one was not late
	times   int           // how often pictures were late since then
	late    time.Duration // when the first late picture in a row came; 0: the newest is not late
}

func (w *pictureWait) long(fragment time.Duration) time.Duration {
	if w.stands {
		return minPatience
	}
	return min(max(fragment, 2*time.Second)<<min(w.times, 2), maxPatience)
}

// moves notes a picture at t, read at elapsed, before the timeline advances. It returns
// false if the timestamps of pictures stopped while one was taken to stand.
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

// Due returns when Tick has something to do, on the clock of elapsed in Push; false: not
// before the next packet.
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

// Overslept notes that the process did not run for d: that time does not count as
// waiting for a picture.
func (s *Segmenter) Overslept(d time.Duration) { s.wait.arrived += d }

// Tick notes that no packet came until elapsed. In a stream without sound the newest
// picture goes on then, and segments that are over end: players wait for them, and the
// next picture may be many seconds away.
func (s *Segmenter) Tick(elapsed time.Duration) {
	for at, ok := s.Due(); ok && elapsed >= at; at, ok = s.Due() {
		s.line.stand(s.pieceEnd())
		s.goOnFrom(s.pieceEnd())
	}
}

// piece is the duration of a segment whose picture stands still.
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

// pieceEnd is where the open segment ends if its last picture stands still.
func (s *Segmenter) pieceEnd() time.Duration {
	return max(s.open.Start+s.piece(), s.open.end.Round(time.Millisecond))
}

// goOnFrom ends the open segment at t, and begins one without a picture of its own.
func (s *Segmenter) goOnFrom(t time.Duration) {
	g := s.open
	timestamp, opened, delay := g.Timestamp+uint32((t-g.Start).Milliseconds()), g.Opened.Add(t-g.Start), g.Delay
	s.split(t)
	atKey := s.atKey
	s.atKey = false
	s.close(t)
	s.atKey = atKey
	g = s.begin(timestamp, t, opened)
	s.addDelayed(g)
	g.Delay, g.head, g.end = delay, t, t
}
