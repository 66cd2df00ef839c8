package record

import (
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
)

// held is sound that waits for a keyframe, with which the file that it belongs to
// begins: sound before the first picture, and sound that was coded anew in the
// middle of a GOP, whose pictures still belong to the file before.
type held struct {
	packets []*media.Packet
	bytes   int
	refused *media.Track // the newest that the format has no place for
}

// Bounds of the held packets; beyond them they no longer wait for a keyframe.
const (
	maxHeld      = 1024
	maxHeldBytes = 4 << 20
	maxHeldTime  = 10 * time.Second
)

// fits reports whether p can be written now: the format has a place for it, and the
// file for its codec. If it can't, it is held, or another file begins with it. FLV
// takes everything.
func (r *Recorder) fits(p *media.Packet, isBreak bool) bool {
	if r.cfg.Format == formatFLV {
		return true
	}
	if !supports(r.cfg.Format, p.Track) {
		if h := &r.held; h.refused != p.Track {
			h.refused = p.Track
			r.log.Warn("the recording goes without a track: its format has no place for it", zap.String("format", r.cfg.Format), zap.String("codec", p.Track.CodecName()))
		}
		return false
	}
	if r.file == nil && (!r.armed || r.fault.why != "") {
		return true // put knows when
	}
	if p.Track.Kind == media.Audio && !isBreak && !(r.file != nil && r.run.video && r.file.w.Accepts(p.Track)) {
		if !r.cfg.Manual || r.run.began { // a start begins with a keyframe
			r.hold(p)
		}
		return false
	}
	if r.file != nil && !r.accepts(p) {
		if p.Track.Kind == media.Video && !isBreak {
			return false // a picture of another codec before its first keyframe
		}
		r.next(p.Track)
	}
	if isBreak {
		r.release()
	}
	return true
}

// accepts reports whether the file can take p. A header that changes between
// keyframes, as one with more parameter sets does, counts at the next one.
func (r *Recorder) accepts(p *media.Packet) bool {
	if p.Track.Kind == media.Video && !p.Keyframe {
		return p.Track.Codec == r.run.codec
	}
	if !r.file.w.Accepts(p.Track) {
		return false
	}
	for _, h := range r.held.packets { // sound that waits for this keyframe
		if !r.file.w.Accepts(h.Track) {
			return false
		}
	}
	return true
}

// next ends the file, because t is coded otherwise, and begins another one.
func (r *Recorder) next(t *media.Track) {
	r.log.Info("the recording goes on in another file: a codec or its header changed", zap.String("codec", t.CodecName()))
	r.close()
	if !r.cfg.Manual {
		r.armed, r.closed = true, false
		return
	}
	if err := r.open(); err != nil {
		r.failed(err)
	}
}

// hold keeps p until a keyframe comes.
func (r *Recorder) hold(p *media.Packet) {
	h := &r.held
	h.packets = append(h.packets, p)
	h.bytes += len(p.Data)
	if len(h.packets) >= maxHeld || h.bytes >= maxHeldBytes || p.DTS-h.packets[0].DTS >= maxHeldTime {
		r.release()
	}
}

// release writes what is held, to another file if this one has no place for it.
func (r *Recorder) release() {
	all := r.held.packets
	r.held.packets, r.held.bytes = nil, 0
	for _, p := range all {
		if r.file != nil && !r.file.w.Accepts(p.Track) {
			r.next(p.Track)
		}
		r.put(p, true)
	}
}
