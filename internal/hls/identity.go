package hls

import "time"

// lookEvery is how often a directory that nobody writes to is compared with
// what its path names.
const lookEvery = 2 * time.Second

// moving retires the playlists that stay behind when a store goes on in another
// directory: players may remember their numbers.
func (d *Directory) moving(from, to *store) {
	from.each(func(r record, n numbers) {
		if r.Kind == kindPlaylist && !to.ours(r.Name) {
			d.retire(to, r, n)
		}
	})
}

// moved forgets the renditions: they come back with their next playlists.
func (d *Directory) moved(s *store) {
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
		s.look()
	}
}
