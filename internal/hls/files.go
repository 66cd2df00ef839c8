package hls

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// The kinds of files in ledgers.
const (
	kindPlaylist  = "playlist"
	kindMaster    = "master"
	kindSegment   = "segment"
	kindKey       = "key"
	kindRetired   = "retired" // no file: where the numbers of a removed playlist go on
	retiredSuffix = ".m3u8.next"
)

// kinds: a playlist goes before the files it names.
var kinds = []segstore.EntryKind{
	{Name: kindMaster, Suffix: ".m3u8", Order: 0},
	{Name: kindPlaylist, Suffix: ".m3u8", Order: 1},
	{Name: kindSegment, Suffix: ".ts", Order: 2},
	{Name: kindKey, Suffix: ".key", Order: 2},
	{Name: kindRetired, Suffix: retiredSuffix, Order: 2, Marker: true},
}

// liveFile describes a segment or key for Lookup.
func liveFile(rec segstore.Entry, size int64, mod time.Time, maxAge time.Duration) segstore.File {
	kind := segstore.Segment
	if rec.Kind == kindKey {
		kind = segstore.Key
	}
	return rec.MediaFile(kind, size, mod, maxAge)
}

// livePlaylist describes a playlist for Lookup; target in seconds, 0 unknown.
func (d *Directory) livePlaylist(rec segstore.Entry, body []byte, mod time.Time, target int) segstore.File {
	kind := segstore.Playlist
	if rec.Kind == kindMaster {
		kind = segstore.Master
	}
	f := rec.TextFile(kind, body, mod, &d.gzip)
	// RFC 8216 §6.3.4: players poll after one target duration, or half
	// of one if nothing changed; a cache must not hold it longer. 0: at
	// all.
	f.MaxAge = time.Duration(target/2) * time.Second
	f.Target = time.Duration(target) * time.Second
	return f
}
