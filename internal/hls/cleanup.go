package hls

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"go.uber.org/zap"
)

// removeRetry is how long a file that can't be deleted is left alone.
const removeRetry = 30 * time.Second

// sweptMaxAge is how long caches may keep a segment of an earlier process.
const sweptMaxAge = 30 * time.Second

// Run deletes what is due until ctx ends, and looks whether the path still names
// the directory in use. What is not due by then is swept by the next
// OpenDirectory.
func (d *Directory) Run(ctx context.Context) error {
	stuck := false // some file can't be deleted; said once
	timer := time.NewTimer(0)
	defer timer.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			d.look()
		case <-d.wake:
		case <-timer.C:
		}
		at, err := d.clean(ctx)
		if err != nil && !stuck {
			d.log.Error("hls file can't be deleted", zap.String("path", d.path), zap.Error(err))
		}
		stuck = err != nil
		if at.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(at.Sub(d.now()), time.Millisecond))
	}
}

// clean removes what is due in every store and returns when the next is.
func (d *Directory) clean(ctx context.Context) (next time.Time, err error) {
	for _, s := range d.stores() {
		for ctx.Err() == nil {
			name, at := s.next(d.now())
			if name == "" {
				if !at.IsZero() && (next.IsZero() || at.Before(next)) {
					next = at
				}
				break
			}
			if e := d.remove(s, name); e != nil {
				err = e
				s.schedule(d.now().Add(removeRetry), name)
			}
		}
	}
	return next, err
}

func (d *Directory) stores() []*store {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []*store{d.main}
	for _, s := range d.keyStores {
		all = append(all, s)
	}
	return all
}

// remove deletes one file of ours that is due, and its directory with the last.
func (d *Directory) remove(s *store, name string) error {
	s.removing.Lock()
	defer s.removing.Unlock()
	s.mu.Lock()
	f := s.files[name]
	if f == nil || f.removeAt.IsZero() || f.removeAt.After(d.now()) {
		s.mu.Unlock()
		return nil // taken over meanwhile
	}
	rec, next, disc := f.rec, f.next, f.nextDisc
	f.visible = false // HTTP first
	s.mu.Unlock()

	switch rec.Kind {
	case kindRetired:
		s.forget(name)
		return nil
	case kindDirectory:
		if s.occupied(name) {
			s.schedule(time.Time{}, name) // the last file out tries again
			return nil
		}
		// Not empty: someone else's files; then the directory is theirs too.
		if err := s.disk.remove(name); err != nil && !isNotEmpty(err) {
			return err
		}
	default:
		if rec.Keep == 0 {
			s.forget(name) // cleanup is off: it stays, as the user's
			return nil
		}
		if err := s.disk.remove(name); err != nil {
			return err
		}
	}
	if rec.Kind == kindPlaylist {
		d.retire(s, rec, next, disc)
	}
	s.forget(name)
	if rec.Kind == kindPlaylist {
		d.dropVariant(rec)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		s.mu.RLock()
		ours := s.files[dir] != nil
		s.mu.RUnlock()
		if !ours || s.occupied(dir) {
			break
		}
		s.schedule(d.now(), dir)
	}
	return nil
}

// occupied says whether files of ours are left below dir.
func (s *store) occupied(dir string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, f := range s.files {
		if f.rec.Kind != kindRetired && strings.HasPrefix(name, dir) && len(name) > len(dir) && name[len(dir)] == '/' {
			return true
		}
	}
	return false
}

func isNotEmpty(err error) bool {
	return errors.Is(err, fs.ErrExist) // ENOTEMPTY matches it
}

// retire keeps the numbers of a removed playlist for as long again: the names
// of its fragments may still be in caches with their old content.
func (d *Directory) retire(s *store, rec record, next, disc uint64) {
	if next == 0 {
		return
	}
	at := d.now().Add(time.Duration(rec.Keep) * time.Millisecond)
	old := retiredName(rec.Name)
	r := record{Name: old, Kind: kindRetired, App: rec.App, Stream: rec.Stream, Seq: next, Disc: disc}
	if s.reserve(r, false) == nil {
		s.schedule(at, old)
	}
}

func retiredName(playlist string) string {
	return strings.TrimSuffix(playlist, ".m3u8") + retiredSuffix
}

// sweep takes up what an earlier process left in s: half files and orphans go,
// playlists and what they name stay long enough for their publisher to return.
func (d *Directory) sweep(s *store) {
	now := d.now()
	named := make(map[string]time.Time) // by a playlist of ours: when that goes
	s.ledger.mu.Lock()
	for name, rec := range s.ledger.live {
		s.files[name] = &file{rec: rec}
	}
	s.ledger.mu.Unlock()

	var gone []string
	for name, f := range s.files {
		if f.rec.Kind == kindRetired || f.rec.Kind == kindDirectory {
			continue
		}
		_ = s.disk.remove(temporary(name))
		if f.rec.Kind != kindPlaylist && f.rec.Kind != kindMaster {
			info, err := s.disk.stat(name)
			if err != nil || !info.Mode().IsRegular() {
				gone = append(gone, name)
				continue
			}
			f.live, f.visible = liveFile(f.rec, info.Size(), info.ModTime(), sweptMaxAge), true
			continue
		}
		body, info, err := s.disk.read(name, maxPlaylistSize)
		if err != nil {
			gone = append(gone, name)
			continue
		}
		f.live, f.visible = d.livePlaylist(f.rec, body, info.ModTime(), 0), true
		if f.rec.Kind == kindPlaylist {
			old, _ := parsePlaylist(body)
			f.next, f.nextDisc = old.next(), old.nextDisc()
			for _, e := range old.entries {
				named[localName(name, e.uri)] = f.rec.graceFrom(now)
			}
		}
	}
	s.forget(gone...)

	dates := make(map[time.Time][]string)
	for name, f := range s.files {
		at := f.rec.removal()
		switch grace := f.rec.graceFrom(now); f.rec.Kind {
		case kindPlaylist, kindMaster, kindKey:
			at = later(at, grace)
		case kindSegment:
			playlistGoes, isNamed := named[name]
			switch {
			case isNamed:
				at = playlistGoes
			case at.IsZero() && f.rec.Keep == 0:
				s.forget(name) // it stays, as the user's
				continue
			case at.IsZero():
				at = grace
			}
		case kindDirectory:
			at = time.Time{}
			if !s.occupied(name) {
				at = now
			}
		}
		dates[at] = append(dates[at], name)
	}
	for at, names := range dates {
		s.schedule(at, names...)
	}
}

// graceFrom is when a file goes whose stream ended at t; zero for never.
func (r *record) graceFrom(t time.Time) time.Time {
	if r.Keep == 0 {
		return time.Time{}
	}
	return t.Add(time.Duration(r.Keep) * time.Millisecond)
}

func (r *record) removal() time.Time {
	if r.Remove == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.Remove)
}

// later returns the later of two dates, where zero grace means never.
func later(at, grace time.Time) time.Time {
	if grace.IsZero() || grace.After(at) {
		return grace
	}
	return at
}
