package hls

import (
	"time"

	"go.uber.org/zap"
)

// dropMissing removes entries whose files were deleted by somebody else, and all entries
// before them: media sequence numbers have no gaps (RFC 8216 §6.2.2).
func (o *playlistWriter) dropMissing() {
	l := &o.list
	last := -1
	for i := len(l.entries) - 1; i >= 0 && last < 0; i-- {
		if !o.there(&l.entries[i]) {
			last = i
		}
	}
	if last < 0 {
		return
	}
	o.gone = append(o.gone, l.remove(last+1)...)
	o.owner.log.Warn("hls fragments were deleted under us: they leave the playlist", zap.String("path", o.d.path), zap.Int("entries", last+1))
	if len(l.entries) > 0 && l.entries[0].longest == 0 { // no playlist has named it so far
		l.entries[0].discontinuity = true
	}
}

// there says whether the files of e exist: its fragment, and its key if that is ours. It
// cancels their removal, which sweep may have scheduled in a new directory.
func (o *playlistWriter) there(e *entry) bool {
	name := e.name
	if name == "" {
		name = localName(o.names.playlist, e.uri)
	}
	if name == "" || !o.d.main.Whole(name) {
		return false
	}
	o.d.main.KeepIfDue(name)
	if k := e.key; k != nil && k.store != nil {
		if !k.store.Whole(k.name) {
			return false
		}
		k.store.KeepIfDue(k.name)
	}
	return true
}

// lateness is how much longer a fragment stays than RFC 8216 §6.2.2 requires: a player
// may have the playlist from a cache, and may be slow.
func (o *playlistWriter) lateness() time.Duration {
	return max(2*time.Duration(o.list.target)*time.Second, minLateness)
}

const minLateness = 5 * time.Second

// letGo schedules the removal of files that no playlist names any more. RFC 8216
// §6.2.2: each stays for its duration plus that of the longest playlist that named it.
// It stays longer by lateness.
func (o *playlistWriter) letGo() {
	now := o.d.now()
	var at time.Time
	for i := range o.gone {
		e := &o.gone[i]
		at = now.Add(e.duration + e.longest + o.lateness())
		o.d.main.Release(at, o.keep(), e.name)
	}
	for _, k := range unused(o.gone, o.list.entries, o.currentKey()) {
		k.store.Release(at, o.keep(), k.name)
	}
	o.gone = nil
}

func (o *playlistWriter) currentKey() *key {
	if o.keys == nil {
		return nil
	}
	return o.keys.current
}

// end schedules the removal of all files at the end of the stream, or when it goes on in
// another directory: after twice the playlist's length, unless it is an event or clean-up
// is off.
func (o *playlistWriter) end() {
	defer o.d.unclaim(o.names.playlist, o.owner)
	if o.list.event {
		return
	}
	o.letGo()
	sum := o.list.duration()
	at := o.d.now().Add(max(o.keep(), sum))
	files := make([]string, 0, len(o.list.entries)+1)
	files = append(files, o.names.playlist)
	for i := range o.list.entries {
		e := &o.list.entries[i]
		files = append(files, e.name)
		at = later(at, o.d.now().Add(e.duration+sum+o.lateness()))
	}
	keys := unused(o.list.entries, nil, nil)
	if k := o.currentKey(); k != nil {
		keys = append(keys, k)
	}
	for _, k := range keys {
		k.store.Release(at, o.keep(), k.name)
	}
	o.d.main.Release(at, o.keep(), files...)
}
