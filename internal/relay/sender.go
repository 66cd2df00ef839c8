package relay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Chunk stream ids, as encoders number them.
const (
	csidData  = 5
	csidAudio = 6
	csidVideo = 7
)

// A sender makes the messages of one session out of packets.
type sender struct {
	to       *rtmp.Client
	metadata func() *live.Metadata
	say      func(text string) // told once of each medium that the server does not take

	began    bool
	first    time.Duration // DTS of the first packet: the session's time begins at 0
	last     time.Duration // sent so far
	waitKey  bool          // video is passed over until a keyframe comes
	sentMeta *live.Metadata
	track    [2]*media.Track // whose headers were sent
	extra    [2]*media.Extra
	judged   [2]*media.Track // that the server takes or not
	since    time.Duration   // DTS of the first packet that was judged
	now      time.Duration   // of the newest
	leftOut  [2]bool
	scratch  []byte
}

// packet buffers p and what must precede it.
func (s *sender) packet(p *media.Packet) error {
	kind := p.Track.Kind
	if kind == media.Data {
		if !s.began {
			return nil
		}
		return s.to.WriteMessage(s.message(kind, s.stamp(p), p.Tag))
	}
	s.now = p.DTS
	if p.Track.ID == 0 && p.Track != s.judged[kind] {
		s.judge(kind, p.Track)
	}
	if s.leftOut[kind] {
		return nil
	}
	if kind == media.Video && s.waitKey {
		if !p.Keyframe {
			return nil
		}
		s.waitKey = false
	}
	if !s.began {
		s.began, s.first = true, p.DTS
	}
	if meta := s.metadata(); meta != nil && meta != s.sentMeta {
		s.sentMeta = meta
		body := append(amf.Append(nil, "@setDataFrame"), meta.Raw...)
		if err := s.to.WriteMessage(s.message(media.Data, 0, body)); err != nil {
			return err
		}
	}
	at := s.stamp(p)
	if p.Extra != s.extra[kind] || p.Track.ID == 0 && p.Track != s.track[kind] {
		if err := s.headers(p, at); err != nil {
			return err
		}
	}
	s.last = max(s.last, p.DTS-s.first)
	return s.body(kind, at, p.Tag)
}

// stamp is p's time in the session, in ms. Sound that began a little before the
// first picture has the picture's.
func (s *sender) stamp(p *media.Packet) uint32 {
	return uint32(max(p.DTS-s.first, 0) / time.Millisecond)
}

// headers sends the sequence headers that p needs, unless the server has them: a
// publisher that came back usually sends the same ones.
func (s *sender) headers(p *media.Packet, at uint32) error {
	kind := p.Track.Kind
	known := bodies(s.track[kind], s.extra[kind])
	if p.Track.ID == 0 {
		s.track[kind] = p.Track
	}
	s.extra[kind] = p.Extra
next:
	for _, b := range bodies(s.track[kind], p.Extra) {
		for _, k := range known {
			if bytes.Equal(k, b) {
				continue next
			}
		}
		if err := s.body(kind, at, b); err != nil {
			return err
		}
	}
	return nil
}

// bodies are the headers of a medium, in the order in which they came.
func bodies(t *media.Track, x *media.Extra) [][]byte {
	switch {
	case x != nil:
		return x.Headers
	case t != nil && t.Tag != nil:
		return [][]byte{t.Tag}
	}
	return nil
}

// body buffers the body of a message as the server can read it.
func (s *sender) body(kind media.Kind, at uint32, body []byte) error {
	if s.to.Server.CapsEx&rtmp.CapMultitrack == 0 {
		plain, ok := flv.TrackZero(s.scratch, kind, body)
		if !ok {
			return nil
		}
		if len(plain) > 0 && &plain[0] != &body[0] {
			s.scratch = plain[:0]
			return s.to.WriteMessage(s.message(kind, at, plain))
		}
	}
	return s.to.WriteShared(s.message(kind, at, body))
}

// message is one of a medium.
func (s *sender) message(kind media.Kind, at uint32, body []byte) rtmp.Message {
	m := rtmp.Message{StreamID: s.to.StreamID, Timestamp: at, Payload: body}
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

// judge decides whether the server takes t. One that announces no codecs gets
// every codec, as from other encoders: many take more than they say.
func (s *sender) judge(kind media.Kind, t *media.Track) {
	if s.judged == [2]*media.Track{} {
		s.since = s.now
	}
	before := s.judged[kind]
	s.judged[kind] = t
	s.leftOut[kind] = !s.to.Server.Takes(t)
	if before != nil && before.Codec == t.Codec && before.FourCC == t.FourCC {
		return
	}
	medium := [...]string{"video", "audio"}[kind]
	switch {
	case s.leftOut[kind]:
		s.say(fmt.Sprintf("the server does not take the stream's %s: it is %s; the server announces %s", medium, t.CodecName(), announced(&s.to.Server)))
	case !s.to.Server.AnnouncesCodecs() && enhancedOnly(t):
		s.say(fmt.Sprintf("the stream's %s is %s, and the server does not say whether it takes that (it announces no codecs of Enhanced RTMP): it is sent all the same", medium, t.CodecName()))
	}
}

// enhancedOnly reports whether t needs a server that knows Enhanced RTMP.
func enhancedOnly(t *media.Track) bool { return t.FourCC != 0 || t.Codec == media.CodecHEVC }

// announced lists the codecs of a server.
func announced(c *rtmp.Connect) string {
	seen := make(map[string]bool)
	var list []string
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			list = append(list, strings.Trim(fmt.Sprintf("%+q", name), `"`))
		}
	}
	for _, name := range c.FourCCs {
		add(name)
	}
	for _, fourCC := range []uint32{flv.FourCCAVC, flv.FourCCHEVC, flv.FourCCAV1, flv.FourCCVP9, flv.FourCCAAC, flv.FourCCOpus, flv.FourCCAC3, flv.FourCCEAC3, flv.FourCCFLAC} {
		name := string(binary.BigEndian.AppendUint32(nil, fourCC))
		if (c.VideoFourCC[name]|c.AudioFourCC[name])&(rtmp.CanDecode|rtmp.CanForward) != 0 {
			add(name)
		}
	}
	if len(list) == 0 {
		return "none that it decodes or forwards"
	}
	return strings.Join(list, ", ")
}

// onlyMediumAfter is how long a stream may be without its second medium before it
// counts as a stream of one.
const onlyMediumAfter = 2 * time.Second

// nothing reports whether the server takes none of the media that there are.
func (s *sender) nothing() bool {
	known, out := 0, 0
	for kind, t := range s.judged {
		if t != nil {
			known++
			if s.leftOut[kind] {
				out++
			}
		}
	}
	return known > 0 && known == out && (known == 2 || s.now-s.since >= onlyMediumAfter)
}
