package packager

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// MaxManifestSize is more than a day of an event's segments.
const MaxManifestSize = 16 << 20

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
			d.Look()
		case <-d.wake:
		case <-timer.C:
		}
		at, err := d.Clean(ctx)
		if err != nil && !stuck {
			d.log.Error(d.what+" file can't be deleted", zap.String("path", d.path), zap.Error(err))
		}
		stuck = err != nil
		if at.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(at.Sub(d.now()), time.Millisecond))
	}
}

// Clean removes what is due in every store and returns when the next is.
func (d *Directory) Clean(ctx context.Context) (next time.Time, err error) {
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
	if !isManifest(rec.Kind) {
		return
	}
	d.retire(s, rec, n)
	for _, f := range d.formats {
		f.Removed(rec)
	}
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

// retire keeps the numbers of a removed manifest for as long as the manifest stayed:
// caches may have old content under the names of its segments.
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
// at once. Manifests and what they name stay long enough for their publisher to return.
func (d *Directory) sweep(s *segstore.Dir) {
	now := d.now()
	named := make(map[string]time.Time) // files that a manifest names: when the manifest goes
	var gone []string
	for _, rec := range entriesOf(s) {
		if rec.Kind == kindRetired || rec.Kind == segstore.KindDirectory {
			continue
		}
		name := rec.Name
		s.RemoveTemporary(name)
		if !isManifest(rec.Kind) {
			info, err := s.Stat(name)
			if err != nil || !info.Mode().IsRegular() {
				gone = append(gone, name)
				continue
			}
			s.Show(name, liveFile(rec, info.Size(), info.ModTime(), sweptMaxAge))
			continue
		}
		body, info, err := s.Read(name, MaxManifestSize)
		if err != nil {
			gone = append(gone, name)
			continue
		}
		s.Show(name, d.TextFile(rec, body, info.ModTime(), 0))
		for _, f := range d.formats {
			files, n, ok := f.Names(rec, body)
			if !ok {
				continue
			}
			s.SetNumbers(name, n)
			for _, file := range files {
				named[file] = rec.GraceFrom(now)
				if rec.Keep == 0 && !s.Ours(file) {
					s.Left(file, rec.App, rec.Stream, sweptMaxAge)
				}
			}
		}
	}
	s.Forget(gone...)

	dates := make(map[time.Time][]string)
	for _, rec := range entriesOf(s) {
		at := rec.Removal()
		switch grace := rec.GraceFrom(now); rec.Kind {
		case KindPlaylist, KindMaster, KindMPD, kindKey:
			at = later(at, grace)
		case kindSegment, kindFragment, kindInit, kindVideo, kindAudio:
			manifestGoes, isNamed := named[rec.Name]
			switch {
			case isNamed:
				at = manifestGoes
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
