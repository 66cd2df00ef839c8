package hls

import (
	"fmt"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A playlistWriter writes one playlist and its fragments. It belongs to the goroutine of
// its packager. When the path changes the packager opens another one.
type playlistWriter struct {
	d     *Directory
	owner *Packager
	cfg   config.HLS
	names names
	list  playlist
	// gone are entries that the playlist on disk still names and the next
	// one will not.
	gone    []entry
	keys    *keyring
	nextID  uint64 // sequential names: the ID of the next fragment is not below
	follows bool   // there were fragments before the next one
	unsaved bool   // the playlist on disk is older than list
	renew   bool   // the first fragment begins a new playlist, without the entries of list
	variant *rendition
}

// openPlaylistWriter makes owner the writer of its playlist in d. A playlist that is
// there is continued.
func openPlaylistWriter(owner *Packager, d *Directory, cfg config.HLS) (*playlistWriter, error) {
	n, err := namesFor(owner.app, owner.name, &cfg)
	if err != nil {
		return nil, err
	}
	if err := d.main.Settle(); err != nil {
		return nil, err
	}
	keys, err := openKeyring(d, cfg.Keys)
	if err != nil {
		return nil, err
	}
	if err := d.claim(n.playlist, owner); err != nil {
		return nil, err
	}
	o := &playlistWriter{d: d, owner: owner, cfg: cfg, names: n, keys: keys}
	o.list, o.gone = d.resume(&n, cfg.Continuous)
	// Players that load a playlist with ENDLIST do not load it again, so ENDLIST is
	// removed at once. The first fragment then begins a new playlist, which only
	// continues the numbers.
	o.renew = o.list.ended
	o.unsaved = o.list.ended && len(o.list.entries) > 0
	o.list.ended = false
	o.follows = o.list.next() > 0 || o.list.disc > 0
	if o.list.target > 0 && !o.renew {
		// RFC 8216 §4.3.3.1: TARGETDURATION must not change. Only a longer
		// hls.fragment raises it, between two runs.
		o.list.target = max(o.list.target, targetFor(cfg.Fragment, 0))
	}
	o.list.event = cfg.Type == "event"
	o.findKeys()
	o.variant = newRendition(&n, &cfg)
	return o, nil
}

// target is the TARGETDURATION in seconds; 0: it depends on the first fragment.
func (o *playlistWriter) target() int {
	if o.renew {
		return 0
	}
	return o.list.target
}

func (o *playlistWriter) findKeys() {
	if o.keys != nil {
		o.keys.adopt(&o.names, o.list.entries)
		o.keys.adopt(&o.names, o.gone)
	}
}

// carry makes o continue the numbers of the playlist that it replaces. Players may load
// both under the same URL, and numbers must not go back.
func (o *playlistWriter) carry(from *playlist) {
	if from.next() > o.list.next() {
		o.gone = append(o.gone, o.list.remove(len(o.list.entries))...)
		o.list.seq = from.next()
		o.list.disc = max(o.list.disc, from.nextDisc())
	}
	if from.target > 0 && !o.renew {
		o.list.target = max(o.list.target, from.target, targetFor(o.cfg.Fragment, 0))
	}
	o.follows = o.follows || from.next() > 0
}

// change applies settings that need no other playlist.
func (o *playlistWriter) change(cfg config.HLS) error {
	n, err := namesFor(o.names.app, o.names.stream, &cfg)
	if err != nil {
		return err
	}
	if !equalKeys(o.cfg.Keys, cfg.Keys) {
		keys, err := openKeyring(o.d, cfg.Keys)
		if err != nil {
			return err
		}
		o.keys = keys
	}
	o.names, o.cfg = n, cfg
	o.list.event = cfg.Type == "event"
	if v := newRendition(&n, &cfg); v != nil {
		if o.variant != nil {
			v.measured = o.variant.measured
		}
		o.variant = v
	} else if o.variant != nil {
		o.d.dropVariant(segstore.Entry{Name: n.playlist})
		o.variant = nil
	}
	return nil
}

func equalKeys(a, b *config.Keys) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// keep is how long the files stay after the end of the stream, 0 for ever.
func (o *playlistWriter) keep() time.Duration {
	if !o.cfg.Cleanup || o.list.event {
		return 0
	}
	return 2 * o.cfg.PlaylistLength
}

func (o *playlistWriter) ledgerEntry(name, kind string) segstore.Entry {
	return segstore.Entry{Name: name, Kind: kind, App: o.names.app, Stream: o.names.stream, Keep: o.keep().Milliseconds()}
}

// add writes g as a file and adds it to the list. It returns the file's size.
func (o *playlistWriter) add(g *segmenter.Segment, date time.Time, x segmenter.Container) (int, error) {
	if err := o.d.main.Settle(); err != nil {
		return 0, err
	}
	seq := o.list.next()
	id := o.names.id(seq, g)
	if o.names.naming != "timestamp" && o.names.naming != "system" {
		id = max(id, o.nextID)
	}
	id, name := o.names.free(o.d.main, id)
	rec := o.ledgerEntry(name, kindSegment)
	rec.Seq = seq
	var k *key
	if o.keys != nil {
		var err error
		if err = o.keys.store.Settle(); err != nil {
			return 0, err
		}
		if k, err = o.keys.next(&o.names, id, o.ledgerEntry("", kindKey), o.d.now()); err != nil {
			return 0, err
		}
	}
	size, err := o.writeSegment(rec, g, k, x)
	if err != nil {
		return 0, err
	}
	o.nextID = id + 1
	if o.renew {
		o.renew = false
		o.gone = append(o.gone, o.list.remove(len(o.list.entries))...)
		o.list.target = 0
	}
	if o.list.target == 0 {
		o.list.target = targetFor(o.cfg.Fragment, g.Duration)
	}
	e := entry{
		uri:  o.names.uri + strconv.FormatUint(id, 10) + ".ts",
		name: name, duration: g.Duration, independent: g.Independent, key: k,
		discontinuity: g.Discontinuity && (o.follows || len(o.list.entries) > 0),
	}
	if o.cfg.Datetime {
		e.date = date
	}
	o.follows = true
	o.list.entries = append(o.list.entries, e)
	o.list.ended = false
	o.gone = append(o.gone, o.list.trim(o.cfg.PlaylistLength)...)
	o.unsaved = true
	if o.variant != nil {
		o.variant.measure(g, size, o.list.target)
	}
	return size, nil
}

// writeSegment muxes g in one of the directory's scratch buffers.
func (o *playlistWriter) writeSegment(rec segstore.Entry, g *segmenter.Segment, k *key, x segmenter.Container) (int, error) {
	buf := <-o.d.slots
	if need := x.Size(g); cap(buf) < need {
		buf = make([]byte, 0, need)
	}
	b := x.Append(buf[:0], g)
	if k != nil {
		b = k.encrypt(b)
	}
	live := liveFile(rec, int64(len(b)), o.d.now(), 2*o.cfg.PlaylistLength)
	err := o.d.main.Write(rec, b, live)
	if cap(b) > maxScratch {
		b = nil
	}
	o.d.slots <- b
	return len(b), err
}

// maxScratch is the largest buffer kept between two fragments.
const maxScratch = 8 << 20

// publish writes the playlist, then schedules the removal of what it no longer names.
func (o *playlistWriter) publish() error {
	l := &o.list
	o.dropMissing()
	if len(l.entries) == 0 {
		return nil
	}
	body := l.text()
	rec := o.ledgerEntry(o.names.playlist, kindPlaylist)
	live := o.d.livePlaylist(rec, body, o.d.now(), l.target)
	if err := o.d.main.Write(rec, body, live); err != nil {
		return fmt.Errorf("playlist: %w", err)
	}
	o.unsaved = false
	o.d.main.SetNumbers(o.names.playlist, segstore.Numbers{Next: l.next(), Disc: l.nextDisc()})
	sum := l.duration()
	for i := range l.entries {
		l.entries[i].longest = max(l.entries[i].longest, sum)
	}
	o.letGo()
	if o.variant != nil {
		return o.d.updateMaster(o, o.variant)
	}
	return nil
}

// codecsOf are the RFC 6381 names of a segment's tracks; empty when one is unknown.
func codecsOf(tracks [2]*media.Track) string {
	var s string
	for _, t := range tracks {
		if t == nil {
			continue
		}
		if t.CodecString == "" {
			return ""
		}
		if s != "" {
			s += ","
		}
		s += t.CodecString
	}
	return s
}
