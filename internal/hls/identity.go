package hls

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// lookEvery is how often a directory that nobody writes to is compared with
// what its path names.
const lookEvery = 2 * time.Second

// moving retires the playlists that stay behind when a store goes on in another
// directory: players may remember their numbers.
func (d *Directory) moving(from, to *segstore.Dir) {
	from.Each(func(r segstore.Entry, n segstore.Numbers) {
		if r.Kind == kindPlaylist && !to.Ours(r.Name) {
			d.retire(to, r, n)
		}
	})
}

// moved forgets the renditions: they come back with their next playlists.
func (d *Directory) moved(s *segstore.Dir) {
	if s != d.main {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.masters)
}

// look finds directories that were exchanged while nobody writes there.
func (d *Directory) look() {
	for _, s := range d.stores() {
		s.Look()
	}
}
