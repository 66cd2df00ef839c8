package packager

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// resume takes over what the first manifest on disk names, and cancels the removal of the
// files. Numbers never go back: if the manifest can't be used they begin beyond every
// number that it or its segments may have used. What is not taken over goes to w.gone.
func (w *Writer) resume() {
	l, err := w.readBack()
	defer func() { w.Window.Epoch = l.Epoch }()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.Window = w.afresh(false)
		return
	case err != nil && !errors.Is(err, ErrForeign):
		w.Window = w.afresh(true)
		return
	}
	sum := l.Duration()
	last := -1 // newest segment whose files have gone
	for i := range l.Segments {
		s := &l.Segments[i]
		s.longest = sum
		if !w.take(s) {
			last = i
		}
	}
	if err != nil || !w.set.Continuous {
		last = len(l.Segments) - 1
	}
	w.gone = l.remove(last + 1)
	w.Window = l
}

// readBack is the window of the first manifest on disk, with what the others know of it.
// Errors: those of Manifest.Resume.
func (w *Writer) readBack() (Window, error) {
	l, err := w.manifests[0].Resume()
	w.Window = l
	for _, m := range w.manifests[1:] {
		other, _ := m.Resume() // it keeps for itself what it wants
		l.learn(&other)
	}
	return l, err
}

// learn takes over what only other knows: when the media of files is.
func (l *Window) learn(other *Window) {
	if l.Epoch.IsZero() {
		l.Epoch = other.Epoch
	}
	known := make(map[string]*File)
	for i := range other.Segments {
		for k := range other.Segments[i].Files {
			f := &other.Segments[i].Files[k]
			known[f.Name] = f
		}
	}
	for i := range l.Segments {
		for k := range l.Segments[i].Files {
			if f := &l.Segments[i].Files[k]; f.Timescale == 0 && known[f.Name] != nil {
				o := known[f.Name]
				f.Start, f.Duration, f.Timescale = o.Start, o.Duration, o.Timescale
			}
		}
	}
}

// take cancels the removal of the files of s, and says whether they are there.
func (w *Writer) take(s *Segment) bool {
	there := false
	for i := range s.Files {
		f := &s.Files[i]
		if f.Name == "" {
			if f.URI != "" {
				return false
			}
			continue
		}
		if w.d.main.Ours(f.Name) {
			w.d.main.Keep(f.Name)
		}
		if !w.d.main.Whole(f.Name) || f.Init != nil && !w.d.main.Whole(f.Init.Name) {
			return false
		}
		there = true
	}
	return there
}

// afresh is an empty window whose numbers were not used before. garbage: there is a
// manifest that can't be read, and players may know its numbers.
func (w *Writer) afresh(garbage bool) Window {
	var l Window
	n := &w.names
	w.d.main.Each(func(r segstore.Entry, _ segstore.Numbers) {
		if r.App != n.app || r.Stream != n.public || n.public != n.stream && !strings.HasPrefix(r.Name, n.stream) {
			return // of another stream, or of another rendition
		}
		switch r.Kind {
		case kindSegment, kindFragment, kindVideo, kindAudio:
			l.Seq = max(l.Seq, r.Seq+1)
		case kindRetired:
			l.Seq, l.Disc = max(l.Seq, r.Seq), max(l.Disc, r.Disc)
		}
	})
	if !garbage {
		return l
	}
	// The next discontinuity sequence number is unknown. It is not above the one that
	// every segment would have led to.
	if n.naming == "sequential" {
		l.Seq = max(l.Seq, w.highest()+1)
	} else if l.Seq == 0 {
		// The names of files say nothing about numbers here. One number a second
		// since 2020 is more than any manifest has used.
		l.Seq = uint64(max(w.d.now().Unix()-1577836800, 0))
	}
	l.Disc = max(l.Disc, l.Seq)
	return l
}

// maxSequence: larger numbers may be too large for players.
const maxSequence = 1 << 31

// highest is the highest number of a segment of the stream, ours or not.
func (w *Writer) highest() uint64 {
	dir := "."
	if w.names.nested {
		dir = w.names.stream
	}
	files, err := w.d.main.List(dir)
	if err != nil {
		return 0
	}
	var top uint64
	for _, f := range files {
		if w.names.nested {
			f = w.names.stream + "/" + f
		}
		tail, ok := strings.CutPrefix(f, w.names.prefix)
		if w.names.fmp4 {
			tail = strings.TrimPrefix(strings.TrimPrefix(tail, trackNames[0]), trackNames[1])
		}
		if id, number := idOf(tail); ok && number && id < maxSequence-1 {
			top = max(top, id)
		}
	}
	return top
}
