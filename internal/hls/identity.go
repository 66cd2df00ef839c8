package hls

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"
)

// lookEvery is how often a directory that nobody writes to is compared with
// what its path names.
const lookEvery = 2 * time.Second

// settle has s write to the directory that its path names now. That is another
// one than before when the path was renamed and made anew, when a file system
// was mounted over it or unmounted, or when it was deleted: then s begins anew
// there, with what an earlier process left.
//
// Errors: the directory can't be used. Nothing is written to the old one then.
func (d *Directory) settle(s *store) error {
	if s.disk.current() {
		return nil
	}
	s.settling.Lock()
	defer s.settling.Unlock()
	switch {
	case s.closed:
		return errUnusable
	case s.disk.current(): // another goroutine was faster
		return nil
	}
	fresh := newStore(s.disk.path, s.ledger.name, s.wake, s.disk.fault)
	err := fresh.open()
	if err == nil {
		d.sweep(fresh)
	}
	d.begin(s, fresh)
	path := zap.String("path", s.disk.path)
	switch {
	case err != nil && !s.failing:
		d.log.Error("hls path can't be used: outputs in it fail until it can", path, zap.Error(err))
	case err == nil && s.failing:
		d.log.Info("hls path can be used", path)
	case err == nil && s.opened:
		d.log.Warn("hls path was replaced: outputs go on in the directory that it names now", path)
	}
	s.failing = err != nil
	s.opened = s.opened || err == nil
	return err
}

// begin has s go on with what was opened aside, or with nothing. Players may
// remember the numbers of playlists that stay behind.
func (d *Directory) begin(s, fresh *store) {
	s.mu.RLock()
	for name, f := range s.files {
		if f.rec.Kind == kindPlaylist && fresh.files[name] == nil {
			d.retire(fresh, f.rec, f.next, f.nextDisc)
		}
	}
	s.mu.RUnlock()
	s.adopt(fresh)
	select {
	case s.wake <- struct{}{}: // other dates
	default:
	}
	if s != d.main {
		return
	}
	// Renditions come back with their next playlists.
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.masters)
}

// look finds directories that were exchanged while nobody writes there. It does
// not make one that is missing: whoever has moved it away may be about to put
// another one in its place. A packager does when it has something to write.
func (d *Directory) look() {
	for _, s := range d.stores() {
		if s.disk.current() {
			d.forgetDeleted(s)
			continue
		}
		if _, err := os.Stat(s.disk.path); !errors.Is(err, fs.ErrNotExist) {
			_ = d.settle(s) // it has logged why not
			continue
		}
		s.settling.Lock()
		if s.disk.held.Load() != nil && !s.disk.current() {
			d.begin(s, newStore(s.disk.path, s.ledger.name, s.wake, s.disk.fault))
		}
		s.settling.Unlock()
	}
}

// forgetDeleted drops the playlists of ended streams whose files somebody has
// deleted. They are in memory: HTTP would go on to serve them, and fragments that
// are gone. Those that are being written come back with the next fragment.
func (d *Directory) forgetDeleted(s *store) {
	s.mu.RLock()
	var all []*file
	for _, f := range s.files {
		if f.visible && f.live.Body != nil {
			all = append(all, f)
		}
	}
	s.mu.RUnlock()
	for _, f := range all {
		if _, err := s.disk.stat(f.rec.Name); !errors.Is(err, fs.ErrNotExist) || d.claimed(f.rec.Name) {
			continue
		}
		if f.rec.Kind == kindPlaylist {
			d.retire(s, f.rec, f.next, f.nextDisc)
			d.dropVariant(f.rec)
		}
		s.forget(f.rec.Name)
	}
}
