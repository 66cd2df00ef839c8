package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// lookEvery is how often a directory that nobody writes to is compared with
// what its path names.
const lookEvery = 2 * time.Second

// moving keeps the numbers of the playlists in from that are not in to: players may know
// them.
func (d *Directory) moving(from, to *segstore.Dir) {
	from.Each(func(r segstore.Entry, n segstore.Numbers) {
		if (r.Kind == KindPlaylist || r.Kind == KindMPD) && !to.Ours(r.Name) {
			d.retire(to, r, n)
		}
	})
}

// moved tells the formats that the files are in another directory.
func (d *Directory) moved(s *segstore.Dir) {
	d.moves.Add(1)
	if s != d.main {
		return
	}
	for _, f := range d.formats {
		f.Moved()
	}
}

// Look checks whether paths still name the directories in use.
func (d *Directory) Look() {
	for _, s := range d.stores() {
		s.Look()
	}
}
