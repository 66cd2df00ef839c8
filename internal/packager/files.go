package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// The kinds of files in ledgers. Playlists and multivariant playlists are manifests.
const (
	KindPlaylist  = "playlist"
	KindMaster    = "master"
	KindMPD       = "mpd"
	kindSegment   = "segment"  // MPEG-TS
	kindFragment  = "fragment" // fragmented MP4
	kindInit      = "init"     // its initialisation section
	kindVideo     = "video"    // the same, both, with names as of nginx-rtmp's dash
	kindAudio     = "audio"
	kindKey       = "key"
	kindRetired   = "retired" // no file: where the numbers of a removed playlist go on
	retiredSuffix = ".m3u8.next"
)

// kinds: a manifest goes before the files it names.
var kinds = []segstore.EntryKind{
	{Name: KindMaster, Suffix: ".m3u8", Order: 0},
	{Name: KindPlaylist, Suffix: ".m3u8", Order: 1},
	{Name: KindMPD, Suffix: ".mpd", Order: 1},
	{Name: kindSegment, Suffix: ".ts", Order: 2},
	{Name: kindFragment, Suffix: ".m4s", Order: 2},
	{Name: kindInit, Suffix: ".mp4", Order: 2},
	{Name: kindVideo, Suffix: ".m4v", Order: 2},
	{Name: kindAudio, Suffix: ".m4a", Order: 2},
	{Name: kindKey, Suffix: ".key", Order: 2},
	{Name: kindRetired, Suffix: retiredSuffix, Order: 2, Marker: true},
}

func isManifest(kind string) bool {
	return kind == KindPlaylist || kind == KindMaster || kind == KindMPD
}

// liveFile describes a segment or key for Lookup.
func liveFile(rec segstore.Entry, size int64, mod time.Time, maxAge time.Duration) segstore.File {
	kind := segstore.Segment
	if rec.Kind == kindKey {
		kind = segstore.Key
	}
	return rec.MediaFile(kind, size, mod, maxAge)
}

// TextFile describes a manifest for Lookup. target is how soon there will be a newer one;
// 0: nobody knows.
func (d *Directory) TextFile(rec segstore.Entry, body []byte, mod time.Time, target time.Duration) segstore.File {
	kind := segstore.Playlist
	if rec.Kind == KindMaster {
		kind = segstore.Master
	}
	f := rec.TextFile(kind, body, mod, &d.gzip)
	// RFC 8216 §6.3.4: players poll after one target duration, or half of one if nothing
	// changed; a cache must not hold it longer. 0: at all.
	f.MaxAge = (target / 2).Truncate(time.Second)
	f.Target = target
	return f
}
