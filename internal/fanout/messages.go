package fanout

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A medium says which headers a decoder of video or audio has been sent.
type medium struct {
	track *media.Track // of track 0; nil: none yet
	extra *media.Extra
}

// bodies returns the headers of m, in the order in which they came.
func (m medium) bodies() [][]byte {
	switch {
	case m.extra != nil:
		return m.extra.Headers
	case m.track != nil && m.track.Tag != nil:
		return [][]byte{m.track.Tag}
	}
	return nil
}

// headers returns the bodies that a player of kind k needs after old to have m.
func (m medium) headers(k kind, of media.Kind, old medium) [][]byte {
	var out [][]byte
	known := old.bodies()
	for _, b := range m.bodies() {
		if slices.ContainsFunc(known, func(o []byte) bool { return len(o) == len(b) && &o[0] == &b[0] }) {
			continue
		}
		if k != everything {
			var ok bool
			if b, ok = flv.TrackZero(nil, of, b); !ok {
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

// headers returns the messages that must precede p because its track or the metadata
// is not what the log wrote last, and which headers have been sent after them.
func (f *Fan) headers(l *wireLog, p *media.Packet, at time.Duration) (out []rtmp.Message, t sentHeaders) {
	t = l.headers
	if meta, body := f.metadata(); meta != nil && meta != t.metadata {
		t.metadata = meta
		out = append(out, message(media.Data, body, metadataTime))
	}
	kind := p.Track.Kind
	if kind > media.Audio {
		return out, t
	}
	next := medium{t.media[kind].track, p.Extra}
	if p.Track.ID == 0 {
		next.track = p.Track
	}
	if old := t.media[kind]; next != old {
		for _, b := range next.headers(l.kind, kind, old) {
			out = append(out, message(kind, b, at))
		}
		t.media[kind] = next
	}
	return out, t
}

// A prefix holds the encoded headers that a player gets before it begins. Players
// that begin at the same place and had the same headers before share the bytes.
type prefix struct {
	key   prefixKey
	bytes []byte // nil: there is none
}

type prefixKey struct {
	old, next sentHeaders // headers sent before, and after it
	kind      kind
	same      bool // old was sent by a log of this kind
	at        time.Duration
}

// prefix returns the headers that p needs before it can begin at s and has not been
// sent. The bytes are shared: nobody may write them.
func (f *Fan) prefix(l *wireLog, p *Player, s *start) []byte {
	meta, about := f.metadata()
	key := prefixKey{old: p.headers, next: s.headers, kind: l.kind, same: p.headersKind == l.kind, at: s.at}
	key.next.metadata = meta
	if l.first.bytes != nil && l.first.key == key {
		return l.first.bytes
	}
	b := []byte{}
	if meta != nil && meta != p.headers.metadata {
		b = rtmp.AppendMessage(b, message(media.Data, about, metadataTime), l.chunkSize)
	}
	for kind, m := range s.headers.media {
		old := p.headers.media[kind]
		if !key.same && (old.extra != nil || m.extra != nil) {
			old = medium{} // the other log encoded them otherwise
		}
		for _, body := range m.headers(l.kind, media.Kind(kind), old) {
			b = rtmp.AppendMessage(b, message(media.Kind(kind), body, s.at), l.chunkSize)
		}
	}
	l.first = prefix{key, b[:len(b):len(b)]}
	return l.first.bytes
}

// Chunk stream ids, as nginx-rtmp numbers them.
const (
	csidData  = 5
	csidAudio = 6
	csidVideo = 7
	streamID  = 1 // one message stream per connection
)

// metadataTime is the timestamp of every onMetaData. Players built on libavformat
// (ffmpeg, VLC, mpv) take script data with another time for a subtitle track and
// wait for its packets. nginx-rtmp sends 0 too.
const metadataTime time.Duration = 0

func message(kind media.Kind, body []byte, at time.Duration) rtmp.Message {
	m := rtmp.Message{StreamID: streamID, Timestamp: stamp(at), Payload: body}
	switch kind {
	case media.Video:
		m.Type, m.ChunkStreamID = rtmp.TypeVideo, csidVideo
	case media.Audio:
		m.Type, m.ChunkStreamID = rtmp.TypeAudio, csidAudio
	default:
		m.Type, m.ChunkStreamID = rtmp.TypeDataAMF0, csidData
	}
	return m
}

// takes reports whether packets of t go into a log of kind k.
func (k kind) takes(t *media.Track) bool {
	switch k {
	case everything:
		return true
	case audioOnly:
		return t.ID == 0 && t.Kind != media.Video
	case videoOnly:
		return t.ID == 0 && t.Kind != media.Audio
	}
	return t.ID == 0
}
