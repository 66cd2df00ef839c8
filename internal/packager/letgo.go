package packager

import (
	"slices"
	"time"

	"go.uber.org/zap"
)

// dropMissing removes segments whose files were deleted by somebody else, and all
// segments before them: media sequence numbers have no gaps (RFC 8216 §6.2.2).
func (w *Writer) dropMissing() {
	l := &w.Window
	past, missing := l.Past.Count, w.missing()
	switch {
	case missing > 0:
		w.gone = append(w.gone, l.remove(missing)...)
	case past > 0 && !w.thereOf(l.Past.ends[:]):
		past = w.recall()
	default:
		return
	}
	w.owner.log.Warn(w.set.What+" fragments were deleted under us: they leave the playlist", zap.String("path", w.d.path), zap.Uint64("entries", past+uint64(missing)))
	if len(l.Segments) > 0 && l.Segments[0].longest == 0 { // no manifest has named it so far
		l.Segments[0].Discontinuity = true
	}
}

// lookedAt is how many segments are looked at before the manifests are written, of n: the
// oldest, and so many of the others, in turn. There may be thousands.
func lookedAt(n int) int { return min(max(n/16, 2), 128) }

// missing is how many of the oldest segments can't be named any more.
func (w *Writer) missing() (n int) {
	l := &w.Window
	moves := w.d.moves.Load()
	// In another directory each must be looked at, and in manifests that stay.
	all := moves != w.moves || l.Ended
	w.moves = moves
	if end := l.Next(); w.looked < l.Seq || w.looked >= end {
		w.looked = l.Seq
	}
	from, some := int(w.looked-l.Seq), lookedAt(len(l.Segments))
	w.looked += uint64(some)
	var seen [2]*Init
	if n := len(l.Segments); n > 0 && !all {
		for kind := range seen {
			seen[kind] = l.Segments[n-1].Files[kind].Init // initFor has looked at it
		}
	}
	for i := len(l.Segments) - 1; i >= 0; i-- {
		if !all && i > 0 && (i < from || i >= from+some) {
			continue
		}
		if w.there(&l.Segments[i], &seen) {
			continue
		}
		for n = i + 1; n < len(l.Segments) && !w.there(&l.Segments[n], &seen); n++ {
		}
		return n
	}
	return 0
}

func (w *Writer) thereOf(segments []Segment) bool {
	var seen [2]*Init
	for i := range segments {
		if !w.there(&segments[i], &seen) {
			return false
		}
	}
	return true
}

// there says whether the files of s exist: its media, its initialisation sections other
// than seen, and its key if that is ours. It cancels their removal, which sweep may have
// scheduled in a new directory.
func (w *Writer) there(s *Segment, seen *[2]*Init) bool {
	if s.Lost {
		return true
	}
	some := false
	for i := range s.Files {
		name := s.Files[i].Name
		if init := s.Files[i].Init; init != nil && init != seen[i] {
			if !w.d.main.Whole(init.Name) {
				return false
			}
			w.d.main.KeepIfDue(init.Name)
			seen[i] = init
		}
		switch {
		case name != "" && w.d.main.Whole(name):
			some = true
			w.d.main.KeepIfDue(name)
		case name != "" || s.Files[i].URI != "":
			return false
		}
	}
	if k := s.Key; k != nil && k.store != nil {
		if !k.store.Whole(k.name) {
			return false
		}
		k.store.KeepIfDue(k.name)
	}
	return some
}

// lateness is how much longer a file stays than RFC 8216 §6.2.2 requires: a player may
// have the manifest from a cache, and may be slow.
func (w *Writer) lateness() time.Duration { return max(w.limits().Late, minLateness) }

const minLateness = 5 * time.Second

// letGo schedules the removal of files that no manifest names any more. RFC 8216 §6.2.2:
// each stays for its duration plus that of the longest playlist that named it. It stays
// longer by lateness.
func (w *Writer) letGo() {
	now := w.d.now()
	var at time.Time
	for i := range w.gone {
		s := &w.gone[i]
		at = now.Add(s.Duration + s.longest + w.lateness())
		w.release(at, s)
	}
	w.stayFor(w.gone)
	for _, k := range unused(w.gone, w.Window.Segments, w.currentKey()) {
		w.releaseKey(at, k)
	}
	if len(w.gone) > 0 {
		for _, i := range unusedInits(w.gone, w.Window.Segments) {
			if !w.stay[i.Name] && !slices.ContainsFunc(w.inits[:], func(own *Init) bool { return own != nil && own.Name == i.Name }) {
				w.d.main.Release(at, w.keep(), i.Name)
			}
		}
	}
	w.gone = nil
	w.retireParts(now)
	w.dropParts(false)
}

func (w *Writer) release(at time.Time, s *Segment) {
	for i := range s.Files {
		if name := s.Files[i].Name; name != "" {
			w.d.main.Release(at, w.keep(), name)
		}
	}
}

// stayFor has the initialisation sections and keys stay that those of segments need which
// are the user's, and stay themselves.
func (w *Writer) stayFor(segments []Segment) {
	for i := range segments {
		for _, f := range segments[i].Files {
			if f.Name != "" && !w.d.main.Ours(f.Name) {
				w.stayWith(&segments[i])
			}
		}
	}
}

func (w *Writer) stayWith(s *Segment) {
	if w.stay == nil {
		w.stay = make(map[string]bool)
	}
	for _, f := range s.Files {
		if f.Init != nil {
			w.stay[f.Init.Name] = true
		}
	}
	if s.Key != nil {
		w.stay[s.Key.name] = true
	}
}

func (w *Writer) releaseKey(at time.Time, k *Key) {
	if !w.stay[k.name] {
		k.store.Release(at, w.keep(), k.name)
	}
}

func (w *Writer) currentKey() *Key {
	if w.keys == nil {
		return nil
	}
	return w.keys.current
}

// end schedules the removal of all files at the end of the stream, or when next goes on
// with it: after twice the window's length, unless it is an event or clean-up is off.
func (w *Writer) end(next *Writer) {
	files := w.files
	if next != nil && next.d == w.d {
		files = slices.DeleteFunc(slices.Clone(files), func(name string) bool { return slices.Contains(next.files, name) })
	}
	defer w.d.unclaim(files, w.owner)
	w.endParts()
	if w.Window.Event {
		return
	}
	w.letGo()
	sum := w.Window.Duration()
	at := w.d.now().Add(max(w.keep(), sum))
	names := append(make([]string, 0, len(w.Window.Segments)+len(files)), files...)
	for i := range w.Window.Segments {
		s := &w.Window.Segments[i]
		for k := range s.Files {
			if name := s.Files[k].Name; name != "" {
				names = append(names, name)
			}
		}
		at = later(at, w.d.now().Add(s.Duration+sum+w.lateness()))
	}
	w.stayFor(w.Window.Segments)
	for _, i := range unusedInits(w.Window.Segments, nil) {
		names = append(names, i.Name)
	}
	for _, i := range w.inits { // written for a segment that was not
		if i != nil {
			names = append(names, i.Name)
		}
	}
	keys := unused(w.Window.Segments, nil, nil)
	if k := w.currentKey(); k != nil {
		keys = append(keys, k)
	}
	for _, k := range keys {
		w.releaseKey(at, k)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return w.stay[name] })
	w.d.main.Release(at, w.keep(), names...)
}
