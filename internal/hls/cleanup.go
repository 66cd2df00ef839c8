package hls

import (
	"context"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
	"go.uber.org/zap"
)

// sweptMaxAge is how long caches may keep a segment of an earlier process.
const sweptMaxAge = 30 * time.Second

// Run deletes what is due until ctx ends, and checks whether the path still names the
// directory in use. The next OpenDirectory schedules what is not due by then.
func (d *Directory) Run(ctx context.Context) error {
	stuck := false // a file can't be deleted; that is logged once
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
		at, e := s.Clean(ctx)
		if e != nil {
			err = e
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, err
}

// removed is called when s has removed a file.
func (d *Directory) removed(s *segstore.Dir, rec segstore.Entry, n segstore.Numbers) {
	if rec.Kind != kindPlaylist {
		return
	}
	d.retire(s, rec, n)
	d.dropVariant(rec)
}

func (d *Directory) stores() []*segstore.Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []*segstore.Dir{d.main}
	for _, s := range d.keyStores {
		all = append(all, s)
	}
	return all
}

// retire keeps the numbers of a removed playlist for as long as the playlist stayed:
// caches may have old content under the names of its fragments.
func (d *Directory) retire(s *segstore.Dir, rec segstore.Entry, n segstore.Numbers) {
	if n.Next == 0 {
		return
	}
	at := d.now().Add(time.Duration(rec.Keep) * time.Millisecond)
	old := retiredName(rec.Name)
	r := segstore.Entry{Name: old, Kind: kindRetired, App: rec.App, Stream: rec.Stream, Seq: n.Next, Disc: n.Disc}
	if s.Mark(r) == nil {
		s.Schedule(at, old)
	}
}

func retiredName(playlist string) string {
	return strings.TrimSuffix(playlist, ".m3u8") + retiredSuffix
}

// sweep schedules the removal of what an earlier process left in s. Temporary files go
// at once. Playlists and what they name stay long enough for their publisher to return.
func (d *Directory) sweep(s *segstore.Dir) {
	now := d.now()
	named := make(map[string]time.Time) // files that a playlist names: when the playlist goes
	var gone []string
	for _, rec := range entriesOf(s) {
		if rec.Kind == kindRetired || rec.Kind == segstore.KindDirectory {
			continue
		}
		name := rec.Name
		s.RemoveTemporary(name)
		if rec.Kind != kindPlaylist && rec.Kind != kindMaster {
			info, err := s.Stat(name)
			if err != nil || !info.Mode().IsRegular() {
				gone = append(gone, name)
				continue
			}
			s.Show(name, liveFile(rec, info.Size(), info.ModTime(), sweptMaxAge))
			continue
		}
		body, info, err := s.Read(name, maxPlaylistSize)
		if err != nil {
			gone = append(gone, name)
			continue
		}
		s.Show(name, d.livePlaylist(rec, body, info.ModTime(), 0))
		if rec.Kind == kindPlaylist {
			old, _ := parsePlaylist(body)
			s.SetNumbers(name, segstore.Numbers{Next: old.next(), Disc: old.nextDisc()})
			for _, e := range old.entries {
				named[localName(name, e.uri)] = rec.GraceFrom(now)
			}
		}
	}
	s.Forget(gone...)

	dates := make(map[time.Time][]string)
	for _, rec := range entriesOf(s) {
		at := rec.Removal()
		switch grace := rec.GraceFrom(now); rec.Kind {
		case kindPlaylist, kindMaster, kindKey:
			at = later(at, grace)
		case kindSegment:
			playlistGoes, isNamed := named[rec.Name]
			switch {
			case isNamed:
				at = playlistGoes
			case at.IsZero() && rec.Keep == 0:
				s.Forget(rec.Name) // it stays, as the user's
				continue
			case at.IsZero():
				at = grace
			}
		case segstore.KindDirectory:
			at = time.Time{}
			if !s.Occupied(rec.Name) {
				at = now
			}
		}
		dates[at] = append(dates[at], rec.Name)
	}
	for at, names := range dates {
		s.Schedule(at, names...)
	}
}

func entriesOf(s *segstore.Dir) (all []segstore.Entry) {
	s.Each(func(r segstore.Entry, _ segstore.Numbers) { all = append(all, r) })
	return all
}

// later returns the later of two dates, where zero grace means never.
func later(at, grace time.Time) time.Time {
	if grace.IsZero() || grace.After(at) {
		return grace
	}
	return at
}
