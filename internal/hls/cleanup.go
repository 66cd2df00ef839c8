package hls

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"
)

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
		at, e := s.clean(ctx)
		if e != nil {
			err = e
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, err
}

// removed follows the removal of a file by its store.
func (d *Directory) removed(s *store, rec record, n numbers) {
	if rec.Kind != kindPlaylist {
		return
	}
	d.retire(s, rec, n)
	d.dropVariant(rec)
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

// retire keeps the numbers of a removed playlist for as long again: the names
// of its fragments may still be in caches with their old content.
func (d *Directory) retire(s *store, rec record, n numbers) {
	if n.next == 0 {
		return
	}
	at := d.now().Add(time.Duration(rec.Keep) * time.Millisecond)
	old := retiredName(rec.Name)
	r := record{Name: old, Kind: kindRetired, App: rec.App, Stream: rec.Stream, Seq: n.next, Disc: n.disc}
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
	var gone []string
	for _, rec := range entriesOf(s) {
		if rec.Kind == kindRetired || rec.Kind == kindDirectory {
			continue
		}
		name := rec.Name
		s.removeTemporary(name)
		if rec.Kind != kindPlaylist && rec.Kind != kindMaster {
			info, err := s.stat(name)
			if err != nil || !info.Mode().IsRegular() {
				gone = append(gone, name)
				continue
			}
			s.show(name, liveFile(rec, info.Size(), info.ModTime(), sweptMaxAge))
			continue
		}
		body, info, err := s.read(name, maxPlaylistSize)
		if err != nil {
			gone = append(gone, name)
			continue
		}
		s.show(name, d.livePlaylist(rec, body, info.ModTime(), 0))
		if rec.Kind == kindPlaylist {
			old, _ := parsePlaylist(body)
			s.setNumbers(name, numbers{old.next(), old.nextDisc()})
			for _, e := range old.entries {
				named[localName(name, e.uri)] = rec.graceFrom(now)
			}
		}
	}
	s.forget(gone...)

	dates := make(map[time.Time][]string)
	for _, rec := range entriesOf(s) {
		at := rec.removal()
		switch grace := rec.graceFrom(now); rec.Kind {
		case kindPlaylist, kindMaster, kindKey:
			at = later(at, grace)
		case kindSegment:
			playlistGoes, isNamed := named[rec.Name]
			switch {
			case isNamed:
				at = playlistGoes
			case at.IsZero() && rec.Keep == 0:
				s.forget(rec.Name) // it stays, as the user's
				continue
			case at.IsZero():
				at = grace
			}
		case kindDirectory:
			at = time.Time{}
			if !s.occupied(rec.Name) {
				at = now
			}
		}
		dates[at] = append(dates[at], rec.Name)
	}
	for at, names := range dates {
		s.schedule(at, names...)
	}
}

func entriesOf(s *store) (all []record) {
	s.each(func(r record, _ numbers) { all = append(all, r) })
	return all
}

// later returns the later of two dates, where zero grace means never.
func later(at, grace time.Time) time.Time {
	if grace.IsZero() || grace.After(at) {
		return grace
	}
	return at
}
