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
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A master is the multivariant playlist of the renditions of one base name.
// Its fields are guarded by Directory.mu.
type master struct {
	rec        segstore.Entry
	renditions map[string]rendition // by playlist name
	target     time.Duration        // the longest TARGETDURATION of the renditions
	text       []byte               // on disk; nil: not known
	writing    bool                 // a goroutine writes it, and will write what changes meanwhile
	warned     bool                 // the log has the warning that the base name is published
}

// A rendition is one line of a master: the values of a variant block, and measured
// values where that has none.
type rendition struct {
	base  string
	index int // of the variant in the config
	uri   string
	block config.Variant
	measured
}

// newRendition makes the rendition of a stream; nil if the stream is no variant.
func newRendition(n *names, cfg *config.HLS) *rendition {
	base, index, ok := variantOf(cfg, n.stream)
	if !ok {
		return nil
	}
	return &rendition{base: base, index: index, uri: n.variantURI(cfg), block: cfg.Variants[index]}
}

// updateMaster puts the rendition of o, whose playlist was just written, into its master.
func (d *Directory) updateMaster(o *manifest) error {
	r := o.variant
	name := masterName(r.base)
	d.Store().KeepIfDue(name)
	d.mu.Lock()
	m := d.masters[name]
	if m == nil {
		m = &master{renditions: make(map[string]rendition)}
		d.masters[name] = m
	}
	m.rec = o.w.Entry(name, packager.KindMaster)
	m.rec.Stream = r.base
	m.renditions[o.names.playlist] = *r
	m.target = max(m.target, time.Duration(o.target)*time.Second)
	d.mu.Unlock()
	return d.writeMaster(m)
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
			if !m.warned {
				m.warned = true
				d.Log().Warn("hls multivariant playlist not written: a stream is published under the base name itself",
					zap.String("app", m.rec.App), zap.String("stream", m.rec.Stream))
			}
			m.text = nil
			return nil
		}
		text, rec, target := m.build(), m.rec, m.target
		if bytes.Equal(text, m.text) {
			return nil
		}
		m.writing = true
		d.mu.Unlock()
		err := d.Store().Write(rec, text, d.TextFile(rec, text, d.Now(), target))
		d.mu.Lock()
		m.writing = false
		if err != nil {
			return fmt.Errorf("multivariant playlist: %w", err)
		}
		m.text = text
	}
}

// build is the multivariant playlist (RFC 8216 §4.3.4), in the config's order.
func (m *master) build() []byte {
	all := slices.SortedFunc(maps.Values(m.renditions), func(a, b rendition) int { return a.index - b.index })
	b := []byte("#EXTM3U\n#EXT-X-VERSION:3\n")
	for i := range all {
		r := &all[i]
		b = append(b, "#EXT-X-STREAM-INF:BANDWIDTH="...)
		b = strconv.AppendInt(b, cmp.Or(int64(r.block.Bandwidth), r.bandwidth), 10)
		if avg := cmp.Or(int64(r.block.AverageBandwidth), r.average); avg > 0 {
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
		// RFC 8216 §4.3.4.2: without it players look for captions in the video.
		b = append(b, ",CLOSED-CAPTIONS=NONE\n"...)
		b = append(b, r.uri...)
		b = append(b, '\n')
	}
	return b
}
