package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch calls changed after the content of one of paths() has changed and then
// been quiet for debounce, until ctx ends. A directory among the paths stands
// for its *.hcl files. paths is asked again after every call.
//
// It watches names, not inodes: editors write aside and rename, and Kubernetes
// swaps a symlink. So it listens to the directories that hold the names and every
// symlink on the way to them, and compares contents when something has moved.
func Watch(ctx context.Context, paths func() []string, debounce time.Duration, changed func()) error {
	fw, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	defer fw.Close()
	w := &watcher{fs: fw, dirs: make(map[string]bool), seen: make(map[string][32]byte)}
	if err := w.follow(paths(), true); err != nil {
		return err
	}
	// The first look comes by itself: it finds what changed while this began.
	timer := time.NewTimer(debounce)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-fw.Events:
			if !ok {
				return errors.New("watch the configuration: closed")
			}
			if w.concerns(e.Name) {
				timer.Reset(debounce)
			}
		case err, ok := <-fw.Errors:
			if !ok {
				return errors.New("watch the configuration: closed")
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				timer.Reset(debounce) // whatever it was
				continue
			}
			return fmt.Errorf("watch the configuration: %w", err)
		case <-timer.C:
			now := paths()
			if w.fresh(now) {
				changed()
				now = paths()
				timer.Reset(debounce) // what moved meanwhile may not have been watched
			}
			if err := w.follow(now, false); err != nil {
				return err
			}
		}
	}
}

type watcher struct {
	fs    *fsnotify.Watcher
	names map[string]bool     // whose events count
	whole map[string]bool     // directories whose *.hcl files count
	dirs  map[string]bool     // that are watched
	seen  map[string][32]byte // contents as changed() last saw them
}

// follow watches what the paths lead through just now. A path it has not met
// before counts as seen as it is.
func (w *watcher) follow(paths []string, must bool) error {
	w.names, w.whole = make(map[string]bool), make(map[string]bool)
	want := make(map[string]bool)
	for _, p := range paths {
		if _, met := w.seen[p]; !met {
			w.seen[p] = contents(p)
		}
		w.trace(p, want, 0)
	}
	for dir := range w.dirs {
		if !want[dir] {
			_ = w.fs.Remove(dir) // it may be gone, and its watch with it
			delete(w.dirs, dir)
		}
	}
	for dir := range want {
		// Adding a directory again is how a new one of the same name is found.
		if err := w.fs.Add(dir); err != nil {
			if must && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			continue
		}
		w.dirs[dir] = true
	}
	return nil
}

// trace adds the directories that hold a path's name and every symlink on the
// way. What does not exist yet is waited for in the nearest directory that does.
func (w *watcher) trace(path string, want map[string]bool, depth int) {
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
			w.names[next] = true
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
			w.trace(filepath.Join(append([]string{target}, parts[i+1:]...)...), want, depth+1)
			return
		}
		at = next
		if last && fi.IsDir() {
			want[next] = true
			w.whole[next] = true
		}
	}
}

// concerns says whether an event's name is one of ours.
func (w *watcher) concerns(name string) bool {
	return w.names[name] || w.whole[filepath.Dir(name)] && isConfigName(filepath.Base(name)) || w.dirs[name]
}

// fresh reports whether some content is not what changed() last saw, and notes
// it as seen: what changes from here on counts as new.
func (w *watcher) fresh(paths []string) bool {
	found := false
	for _, p := range paths {
		sum := contents(p)
		if old, met := w.seen[p]; !met || old != sum {
			found = true
		}
		w.seen[p] = sum
	}
	return found
}

// contents is a digest of a file, or of the names of a directory's *.hcl files
// and what they hold. A missing file has one too.
func contents(path string) [32]byte {
	fi, err := os.Stat(path)
	if err != nil {
		return sha256.Sum256([]byte("missing"))
	}
	if !fi.IsDir() {
		data, err := readRegular(path)
		if err != nil {
			return sha256.Sum256([]byte("unreadable"))
		}
		return sha256.Sum256(append([]byte("file "), data...))
	}
	h := sha256.New()
	names, _ := configNames(path)
	for _, name := range names {
		sum := contents(name)
		fmt.Fprintf(h, "%q %x\n", name, sum)
	}
	return [32]byte(h.Sum(nil))
}
