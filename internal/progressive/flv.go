package progressive

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/gather"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// An flvMuxer writes the messages of track 0 as the publisher sent them. The bodies are
// those of the stream's ring: nothing of some length is copied.
type flvMuxer struct {
	r     *Reader
	to    Sink
	out   gather.Batch
	begun bool
	key   bool // a keyframe was written
	zero  time.Duration
	told  [2]flv.Headers
	meta  *live.Metadata
}

// maxKept is the largest buffer that a muxer keeps.
const maxKept = 64 << 10

// maxTag is the longest body of a tag (FLV annex E.4.1).
const maxTag = 1<<24 - 1

func newFLV(r *Reader, to Sink) muxer {
	m := &flvMuxer{r: r, to: to}
	flags := byte(0)
	if r.tracks[media.Audio] != nil {
		flags |= 4
	}
	if r.tracks[media.Video] != nil {
		flags |= 1
	}
	m.out.Own = append(m.out.Own, 'F', 'L', 'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0)
	return m
}

func (m *flvMuxer) passed() {}

func (m *flvMuxer) take(p *media.Packet) error {
	kind := p.Track.Kind
	if p.Track.ID != 0 || len(p.Tag) == 0 || len(p.Tag) > maxTag {
		return nil
	}
	if kind == media.Video && !m.key {
		if m.key = p.Keyframe; !m.key {
			return nil
		}
	}
	body, ok := flv.TrackZero(nil, kind, p.Tag)
	if !ok {
		return nil
	}
	if !m.begun {
		m.begun, m.zero = true, p.DTS
	}
	at := uint32(max(p.DTS-m.zero, 0) / time.Millisecond)
	m.describe()
	if kind <= media.Audio {
		next := flv.Headers{Track: p.Track, Extra: p.Extra}
		for _, b := range next.After(m.told[kind]) {
			if b, ok := flv.TrackZero(nil, kind, b); ok {
				flv.AppendTag(&m.out, flv.FileTag{Type: tagType(kind), Timestamp: at, Body: b})
			}
		}
		m.told[kind] = next
	}
	flv.AppendTag(&m.out, flv.FileTag{Type: tagType(kind), Timestamp: at, Body: body})
	if m.out.Len() >= maxKept {
		return m.flush()
	}
	return nil
}

// describe writes onMetaData when it is another one. Its time is 0: players built on
// libavformat take script data with another time for a track and wait for it.
func (m *flvMuxer) describe() {
	meta := m.r.source.Live.Metadata()
	if meta == m.meta {
		return
	}
	m.meta = meta
	if body := metadataFor(meta, m.r.source.Meta); body != nil {
		flv.AppendTag(&m.out, flv.FileTag{Type: flv.TagScript, Body: body})
	}
}

// metadataFor is the onMetaData that viewers get by the meta attribute; nil: none.
func metadataFor(meta *live.Metadata, attribute string) []byte {
	switch {
	case meta == nil || attribute == "off":
		return nil
	case attribute == "on":
		return flv.RebuildMetadata(meta.Raw)
	}
	return meta.Raw
}

func (m *flvMuxer) flush() error {
	if m.out.Len() == 0 {
		return nil
	}
	err := m.to.Send(m.out.Vector())
	m.out.Reset(maxKept)
	return err
}

func (m *flvMuxer) end() error { return m.flush() }

func tagType(k media.Kind) uint8 {
	switch k {
	case media.Video:
		return flv.TagVideo
	case media.Audio:
		return flv.TagAudio
	}
	return flv.TagScript
}
