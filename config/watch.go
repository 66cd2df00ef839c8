package config

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A Watcher waits for files to change.
type Watcher struct {
	// Seen is what the last load has read: the files to watch, and what is no change
	// of them. It is asked before each look.
	Seen func() Reading
	// Changed is called when the files hold something else.
	Changed func()
	// Debounce is how long events must have been quiet before a look.
	Debounce time.Duration
	// Interval is the time between two looks without any event.
	Interval time.Duration
	// Blind is called once if there are no events: then only polling detects changes.
	Blind func(error)
}

// LookInterval is a Watcher's Interval: a change without an event is in force within
// 5 s, LoadStill's wait included.
const LookInterval = 2 * time.Second

// Run calls Changed after each change, until ctx ends.
//
// It watches names, not inodes: editors write aside and rename, and Kubernetes
// swaps a symlink. So it listens to the directories that hold the names and every
// symlink on the way to them. It listens to the files too: a file that is bind
// mounted, or has another hard link, is written by a name elsewhere. What no event
// tells of (NFS, a parent directory exchanged) is found by looks.
func (w *Watcher) Run(ctx context.Context) error {
	l := &lookout{watched: make(map[string]bool)}
	defer l.close()
	if err := l.open(); err != nil {
		w.Blind(err)
	}
	l.follow(w.Seen().Paths())
	// The first look comes by itself: it finds what changed while this began.
	timer := time.NewTimer(w.Debounce)
	defer timer.Stop()
	tick := time.NewTicker(w.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-l.events:
			if !ok {
				w.lost(l, errors.New("closed"))
			} else if l.concerns(e.Name) {
				timer.Reset(w.Debounce)
			}
			continue
		case err, ok := <-l.errs:
			if !ok {
				err = errors.New("closed")
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.lost(l, err)
			}
			timer.Reset(w.Debounce) // whatever it was
			continue
		case <-timer.C:
		case <-tick.C:
		}
		seen := w.Seen()
		if !Read(seen.Paths()).Equal(seen) {
			w.Changed()
			seen = w.Seen()
			timer.Reset(w.Debounce) // what moved meanwhile may not have been watched
		}
		l.follow(seen.Paths())
	}
}

// lost gives up events.
func (w *Watcher) lost(l *lookout, err error) {
	l.close()
	w.Blind(err)
}

// A lookout gets events of what happens to names.
type lookout struct {
	fs     *fsnotify.Watcher // nil: no events
	events chan fsnotify.Event
	errs   chan error

	names   map[string]bool // whose events count
	whole   map[string]bool // directories whose *.hcl files count
	watched map[string]bool
}

func (l *lookout) open() error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	l.fs, l.events, l.errs = w, w.Events, w.Errors
	return nil
}

func (l *lookout) close() {
	if l.fs != nil {
		_ = l.fs.Close()
	}
	l.fs, l.events, l.errs = nil, nil, nil
}

// follow watches what the paths lead through just now. What can't be watched is
// looked at.
func (l *lookout) follow(paths []string) {
	if l.fs == nil {
		return
	}
	l.names, l.whole = make(map[string]bool), make(map[string]bool)
	want := make(map[string]bool)
	for _, p := range paths {
		l.trace(p, want, 0)
	}
	for path := range l.watched {
		if !want[path] {
			_ = l.fs.Remove(path) // it may be gone, and its watch with it
			delete(l.watched, path)
		}
	}
	for path := range want {
		// Adding a path again is how a new file of the same name is found.
		if l.fs.Add(path) == nil {
			l.watched[path] = true
		}
	}
}

// trace adds a path's file, and the directories that hold its name and every symlink
// on the way. What does not exist yet is waited for in the nearest directory that
// does.
func (l *lookout) trace(path string, want map[string]bool, depth int) {
	if depth > 40 { // a ring of links
		return
	}
	path = AbsPath(path)
	at := string(filepath.Separator)
	parts := strings.Split(strings.TrimPrefix(path, at), at)
	for i, part := range parts {
		next := filepath.Join(at, part)
		fi, err := os.Lstat(next)
		last := i == len(parts)-1
		if err != nil || last || fi.Mode()&fs.ModeSymlink != 0 {
			l.names[next] = true
			want[at] = true
		}
		if err != nil {
			return
		}
		if fi.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(next)
			if err != nil {
				return
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(at, target)
			}
			l.trace(filepath.Join(append([]string{target}, parts[i+1:]...)...), want, depth+1)
			return
		}
		at = next
		if last {
			want[next] = true
			l.whole[next] = fi.IsDir()
		}
	}
}

// concerns reports whether an event's name is one of ours.
func (l *lookout) concerns(name string) bool {
	return l.names[name] || l.whole[filepath.Dir(name)] && isConfigName(filepath.Base(name)) || l.watched[name]
}
