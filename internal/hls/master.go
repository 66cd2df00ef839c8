package hls

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A master is the multivariant playlist of the renditions of one base name.
// Its fields are guarded by Directory.mu.
type master struct {
	rec        segstore.Entry
	renditions map[string]rendition // by playlist name
	target     time.Duration        // the longest TARGETDURATION of the renditions
	text       multivariant         // on disk; empty: not known
	writing    bool                 // a goroutine writes it, and will write what changes meanwhile
	warned     bool                 // the log has the warning that the base name is published
	since      time.Time            // the first rendition came
	ends       map[string]listEnd   // by media playlist with parts
}

// A rendition is one stream in a master: the values of a variant block, and measured
// values where that has none.
type rendition struct {
	base      string // empty: the master is that of the stream itself
	index     int    // of the variant in the config
	uris      [2]string
	audioOnly bool // the sound alone is offered, too
	block     config.Variant
	rung      bool      // all renditions are of one publisher
	at        time.Time // its playlist was written
	ended     bool      // and says that nothing follows
	measured
	listed [2]bool // which of the media playlists there are
}

// newRendition makes the rendition of a stream; nil if the stream is none. rung, if it is
// not nil, says so.
func newRendition(n *names, cfg *config.HLS, rung *Rung) *rendition {
	r := &rendition{audioOnly: cfg.AudioOnly}
	if rung != nil {
		r.base, r.index, r.rung = rung.Base, rung.Index, true
		for i := range cfg.Variants {
			if cfg.Variants[i].Suffix == rung.Suffix {
				r.block = cfg.Variants[i]
			}
		}
	} else {
		base, index, ok := variantOf(cfg, n.stream)
		if !ok {
			return nil
		}
		r.base, r.index, r.block = base, index, cfg.Variants[index]
	}
	for kind, list := range n.lists {
		if list != "" {
			r.uris[kind] = n.variantURI(list, cfg)
		}
		if r.rung && n.nested && cfg.BaseURL == "" && list != "" {
			r.uris[kind] = "../" + r.uris[kind]
		}
	}
	return r
}

// master is the file of the multivariant playlist that r is in. That of one publisher is
// where the stream's own would be.
func (r *rendition) master(cfg *config.HLS) string {
	if r.rung {
		return PlaylistName(r.base, cfg)
	}
	return masterName(r.base)
}

// ownRendition makes what is in the stream's own multivariant playlist.
func ownRendition(n *names, cfg *config.HLS) *rendition {
	r := &rendition{audioOnly: cfg.AudioOnly}
	for kind, list := range n.lists {
		r.uris[kind] = n.ownURI(list, cfg)
	}
	return r
}

// updateMaster puts the rendition of o, whose playlist was just written, into its master.
func (d *Directory) updateMaster(o *manifest) error {
	r := *o.variant
	r.measured, r.listed = o.measured, o.listed
	r.at, r.ended = d.Now(), o.w.Window.Ended
	name := r.master(&o.cfg)
	d.Store().KeepIfDue(name)
	d.mu.Lock()
	m := d.masters[name]
	if m == nil {
		m = &master{renditions: make(map[string]rendition), since: r.at}
		d.masters[name] = m
	}
	m.rec = o.w.Entry(name, packager.KindMaster)
	if !r.rung {
		m.rec.Stream = r.base
	}
	m.renditions[o.names.lists[media.Video]] = r
	m.target = max(m.target, time.Duration(o.target)*time.Second)
	wait := r.rung && m.tidy(r.at, o.w.Siblings())
	d.mu.Unlock()
	if wait {
		return nil
	}
	return d.writeMaster(m)
}

// tidy takes the renditions of one publisher out that do not go on. It returns whether the
// playlist is to wait: players load it once, so all renditions should be in it, of which
// there are so many.
func (m *master) tidy(now time.Time, all int) (wait bool) {
	maps.DeleteFunc(m.renditions, func(_ string, r rendition) bool { return !r.ended && now.Sub(r.at) > 3*m.target })
	return m.text.plain == nil && len(m.renditions) < all && now.Sub(m.since) < 2*m.target
}

// dropVariant removes a playlist that is gone from its master. A master without
// renditions is removed.
func (d *Directory) dropVariant(playlist string) {
	d.mu.Lock()
	var left *master
	gone := ""
	for name, m := range d.masters {
		if _, ok := m.renditions[playlist]; !ok {
			continue
		}
		delete(m.renditions, playlist)
		if left = m; len(m.renditions) == 0 {
			left, gone = nil, name
			delete(d.masters, name)
		}
		break
	}
	d.mu.Unlock()
	if gone != "" && !d.Claimed(gone) { // else it is the base name's own playlist by now
		d.Store().Schedule(d.Now(), gone)
	}
	if left != nil {
		if err := d.writeMaster(left); err != nil {
			d.Log().Warn("hls multivariant playlist is out of date", zap.String("path", d.Path()), zap.Error(err))
		}
	}
}

// writeMaster writes m if its text is not what is on disk.
func (d *Directory) writeMaster(m *master) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if m.writing || len(m.renditions) == 0 {
			return nil
		}
		if d.Claimed(m.rec.Name) {
			if !m.warned && !m.rung() {
				m.warned = true
				d.Log().Warn("hls multivariant playlist not written: a stream is published under the base name itself",
					zap.String("app", m.rec.App), zap.String("stream", m.rec.Stream))
			}
			m.text = multivariant{}
			return nil
		}
		text, rec, target := m.build(), m.rec, m.target
		if text.same(m.text) {
			return nil
		}
		m.writing = true
		d.mu.Unlock()
		live := d.TextFile(rec, text.plain, d.Now(), target)
		live.Full = text.full
		err := d.Store().Write(rec, text.plain, live)
		d.mu.Lock()
		m.writing = false
		if err != nil {
			return fmt.Errorf("multivariant playlist: %w", err)
		}
		m.text = text
	}
}

// rung reports whether the renditions are those of one publisher. Its own playlist, from
// before it was known to have several, is about to go.
func (m *master) rung() bool {
	for _, r := range m.renditions {
		return r.rung
	}
	return false
}

// build is the multivariant playlist, in the config's order.
func (m *master) build() multivariant {
	all := slices.SortedFunc(maps.Values(m.renditions), func(a, b rendition) int { return a.index - b.index })
	return multivariantOf(all)
}

// A multivariant is the text of a multivariant playlist (RFC 8216 §4.3.4).
type multivariant struct {
	plain []byte // what is on disk
	// full offers the sound alone as well; nil: plain does for all. VLC 3 can't have it:
	// it stays with the sound, or has none once it has changed to the pictures.
	full []byte
}

func (m multivariant) same(n multivariant) bool {
	return bytes.Equal(m.plain, n.plain) && bytes.Equal(m.full, n.full)
}

// multivariantOf writes renditions. Each has its own sound, in a group of its own; those of
// one publisher have the same sound: that of the first one that goes on, so that players
// keep it when they change the size.
func multivariantOf(all []rendition) multivariant {
	version := "3"
	for i := range all {
		if all[i].uris[media.Audio] != "" {
			version = "7"
		}
	}
	b := append([]byte("#EXTM3U\n#EXT-X-VERSION:"), version...)
	b = append(b, '\n')
	shared := sharedSound(all)
	for i := range all {
		if r := &all[i]; r.apart() && (!r.rung || r == shared) {
			b = r.appendSound(b)
		}
		b = all[i].appendCaptions(b)
	}
	for i := range all {
		sound := &all[i]
		if sound.rung {
			sound = shared
		}
		b = all[i].appendStream(b, sound)
	}
	for i := range all {
		if r := &all[i]; r.apart() && r.audioOnly && (!r.rung || r == shared) {
			return multivariant{b, r.appendAudioOnly(slices.Clone(b))}
		}
	}
	return multivariant{plain: b}
}

// sharedSound is the rendition of one publisher that has the sound of all; nil: there is
// none.
func sharedSound(all []rendition) (found *rendition) {
	for i := range all {
		if r := &all[i]; r.rung && r.apart() && (found == nil || found.ended && !r.ended) {
			found = r
		}
	}
	return found
}

// apart says whether sound and pictures are in playlists of their own.
func (r *rendition) apart() bool { return r.listed[media.Video] && r.listed[media.Audio] }

// appendGroup appends the ID of one of the rendition's groups.
func (r *rendition) appendGroup(b []byte, name string) []byte {
	b = append(append(b, '"'), name...)
	if r.base != "" {
		b = strconv.AppendInt(b, int64(r.index), 10)
	}
	return append(b, '"')
}

// appendSound appends the EXT-X-MEDIA of the sound.
func (r *rendition) appendSound(b []byte) []byte {
	b = append(b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="...)
	b = r.appendGroup(b, "audio")
	b = append(b, `,NAME="audio",DEFAULT=YES,AUTOSELECT=YES`...)
	if r.sound != nil && r.sound.Channels > 0 {
		b = append(b, `,CHANNELS="`...)
		b = strconv.AppendInt(b, int64(r.sound.Channels), 10)
		b = append(b, '"')
	}
	b = append(b, `,URI="`...)
	b = append(b, r.uris[media.Audio]...)
	return append(b, "\"\n"...)
}

// appendCaptions appends the EXT-X-MEDIA of the captions in the pictures.
func (r *rendition) appendCaptions(b []byte) []byte {
	for _, c := range [...]struct {
		kind media.Captions
		id   string
	}{{media.CaptionsCC1, "CC1"}, {media.CaptionsCC3, "CC3"}, {media.CaptionsService, "SERVICE1"}} {
		if r.captions&c.kind == 0 {
			continue
		}
		b = append(b, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="...)
		b = r.appendGroup(b, "cc")
		b = append(append(append(b, `,NAME="`...), c.id...), `",AUTOSELECT=YES,INSTREAM-ID="`...)
		b = append(append(b, c.id...), "\"\n"...)
	}
	return b
}

// appendStream appends the EXT-X-STREAM-INF of all media. sound is the rendition whose
// sound belongs to it.
func (r *rendition) appendStream(b []byte, sound *rendition) []byte {
	b = append(b, "#EXT-X-STREAM-INF:BANDWIDTH="...)
	b = strconv.AppendInt(b, cmp.Or(int64(r.block.Bandwidth), r.bandwidth()), 10)
	if avg := cmp.Or(int64(r.block.AverageBandwidth), r.average()); avg > 0 {
		b = append(b, ",AVERAGE-BANDWIDTH="...)
		b = strconv.AppendInt(b, avg, 10)
	}
	if c := cmp.Or(r.block.Codecs, r.codecs); c != "" {
		b = append(append(append(b, `,CODECS="`...), c...), '"')
	}
	measured := ""
	if r.width > 0 && r.height > 0 {
		measured = strconv.Itoa(r.width) + "x" + strconv.Itoa(r.height)
	}
	if s := cmp.Or(string(r.block.Resolution), measured); s != "" {
		b = append(append(b, ",RESOLUTION="...), s...)
	}
	if f := cmp.Or(r.block.FrameRate, r.frameRate); f > 0 {
		b = append(b, ",FRAME-RATE="...)
		b = strconv.AppendFloat(b, f, 'f', 3, 64)
	}
	if r.apart() {
		b = append(b, ",AUDIO="...)
		b = sound.appendGroup(b, "audio")
	}
	uri := r.uris[media.Video]
	if r.listed[media.Audio] && !r.listed[media.Video] {
		uri = r.uris[media.Audio]
	}
	b = append(b, ",CLOSED-CAPTIONS="...)
	if r.captions == 0 {
		// RFC 8216 §4.3.4.2: without it players look for captions in the video.
		b = append(b, "NONE"...)
	} else {
		b = r.appendGroup(b, "cc")
	}
	b = append(b, '\n')
	b = append(b, uri...)
	return append(b, '\n')
}

// appendAudioOnly appends the EXT-X-STREAM-INF of the sound alone, for bad links.
func (r *rendition) appendAudioOnly(b []byte) []byte {
	rate := &r.files[media.Audio]
	b = append(b, "#EXT-X-STREAM-INF:BANDWIDTH="...)
	b = strconv.AppendInt(b, rate.peak, 10)
	b = append(b, ",AVERAGE-BANDWIDTH="...)
	b = strconv.AppendInt(b, rate.average, 10)
	if c := codecsOf(r.sound); c != "" {
		b = append(append(append(b, `,CODECS="`...), c...), '"')
	}
	b = append(b, ",AUDIO="...)
	b = r.appendGroup(b, "audio")
	b = append(b, ",CLOSED-CAPTIONS=NONE\n"...)
	b = append(b, r.uris[media.Audio]...)
	return append(b, '\n')
}
