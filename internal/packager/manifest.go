package packager

import (
	"errors"
	"time"

	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Spec is a manifest as the configuration describes it.
type Spec interface {
	// Files are the files that only this manifest of the stream writes, relative to the
	// directory. The first is the one that players ask for.
	Files(app, stream string) []string
	// Open makes the manifest of w's stream. It writes nothing.
	Open(w *Writer) Manifest
}

// A Manifest names the segments of one stream. All methods are called by the goroutine in
// Run, and may look at the Writer that it was opened with.
type Manifest interface {
	// Resume reads what an earlier process left: the segments that the manifest on disk
	// names, oldest first. The removal of the manifest is cancelled.
	//
	// Errors: fs.ErrNotExist: there is none. ErrForeign: the numbers are right, but the
	// segments can't be named again. Any other error: nothing of it can be used, and
	// players may know its numbers.
	Resume() (Window, error)
	// Follow makes the manifest go on where old ends: with the same writer and other
	// settings, or in another place.
	Follow(old Manifest)
	// Limits are what the manifest requires of the segments.
	Limits() Limits
	// Add notes a segment that was written and is now the last of the window. It may
	// fill in s's URIs.
	Add(s *Segment, g *segmenter.Segment)
	// Publish writes the manifest, with the window as it is.
	Publish() error
	// Settle notes the n oldest segments of the window, which was published. They then are
	// past, and nobody else knows them.
	Settle(n int)
}

// Limits are what a manifest requires of segments; 0: nothing.
type Limits struct {
	Fragment time.Duration // the longest Rules.Fragment
	Longest  time.Duration // the longest segment
	Least    time.Duration // the window is not shorter
	Late     time.Duration // how much longer than it must a file stays that left the manifest
	// Refresh is how long a manifest is valid: if there is no segment for so long, it is
	// published again as it is.
	Refresh time.Duration
}

// and is what both a and b require.
func (a Limits) and(b Limits) Limits {
	least := func(x, y time.Duration) time.Duration {
		if x == 0 || y == 0 {
			return max(x, y)
		}
		return min(x, y)
	}
	return Limits{
		Fragment: least(a.Fragment, b.Fragment), Longest: least(a.Longest, b.Longest),
		Least: max(a.Least, b.Least), Late: max(a.Late, b.Late), Refresh: least(a.Refresh, b.Refresh),
	}
}

// ErrForeign is returned by Manifest.Resume.
var ErrForeign = errors.New("the manifest uses what is not written here")

// A Format is what a directory must know about the manifests of one kind to clean up
// after an earlier process, and after streams that have ended. Its methods may be called
// from any goroutine.
type Format interface {
	// Attach is called first, with the directory.
	Attach(d *Directory)
	// Names returns which files the manifest of rec, with that content, names, and where
	// its numbers go on; ok is false if it is not of this format.
	Names(rec segstore.Entry, body []byte) (files []string, n segstore.Numbers, ok bool)
	// Removed is called when a file of a manifest has been removed.
	Removed(rec segstore.Entry)
	// Moved is called when the path names another directory than before.
	Moved()
}
