package fanout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A player that announced codecs in its connect is held against what the
// stream has: when it begins, when the tracks appear that it waited for, and
// again when a codec changes. Whoever announced nothing gets track 0 whatever
// it is, as with nginx-rtmp.

// news is what players are judged by.
type news struct {
	tracks [2]*media.Track // of track 0; nil: not seen
	others [2][]uint32     // FourCCs of the other tracks
	since  time.Duration   // DTS when tracks last changed
	alone  bool            // the one medium there is will be the only one
}

// aloneAfter is how long a stream may be without its second medium before it
// counts as one that has none.
const aloneAfter = 2 * time.Second

// reset forgets the stream before. st may have been there for long: its tracks
// count from its beginning.
func (n *news) reset(st *live.Stream) {
	*n = news{}
	n.tracks[media.Video], n.tracks[media.Audio] = st.Tracks()
}

// see takes in the tracks at a time. It reports whether a codec is another one.
func (n *news) see(tracks [2]*media.Track, at time.Duration) (changed bool) {
	if tracks == n.tracks {
		return false
	}
	for kind, t := range tracks {
		changed = changed || t != nil && !sameCodec(t, n.tracks[kind])
	}
	n.tracks, n.since, n.alone = tracks, at, false
	return changed
}

// catchUp is learn for what came while nobody read.
func (f *Fan) catchUp() {
	var tracks [2]*media.Track
	tracks[media.Video], tracks[media.Audio] = f.stream.Tracks()
	if f.news.see(tracks, f.news.since) {
		f.verdicts.Add(1)
	}
}

// learn looks at packets of l before any log has them; more come behind.
func (f *Fan) learn(l *wireLog, packets, more []*media.Packet) {
	n := &f.news
	multi := f.multi
	var tracks [2]*media.Track
	tracks[media.Video], tracks[media.Audio] = f.stream.Tracks() // of these packets, or newer
	changed := n.see(tracks, packets[0].DTS)
	if !n.alone && (tracks[media.Video] == nil) != (tracks[media.Audio] == nil) && packets[len(packets)-1].DTS-n.since >= aloneAfter {
		n.alone, changed = true, true
	}
	for _, p := range packets {
		if p.Extra == nil {
			continue
		}
		multi = multi || p.Extra.Multitrack
		if kind := p.Track.Kind; !slices.Equal(n.others[kind], p.Extra.FourCCs) {
			n.others[kind], changed = p.Extra.FourCCs, true
		}
	}
	if changed {
		f.verdicts.Add(1)
	}
	if multi && !f.multi {
		var unwritten []*media.Packet
		if l == f.logs[everything] {
			unwritten = slices.Concat(packets, more)
		}
		f.part(unwritten)
	}
}

func sameCodec(a, b *media.Track) bool {
	return a != nil && b != nil && a.Codec == b.Codec && a.FourCC == b.FourCC && a.LegacyID == b.LegacyID
}

// A bar is what a player can't take.
type bar struct {
	media  [2]bool
	told   [2]*media.Track // what it was told that it does without
	others bool            // the other tracks
	all    bool            // nothing is left
}

// judge brings p up to date with the news. What it has to be told goes out
// before anything else. The fan's lock is held.
func (f *Fan) judge(p *Player) {
	v := f.verdicts.Load()
	if p.judged == v {
		return
	}
	p.judged = v
	n, c := &f.news, p.o.Connect
	p.bar.others = c == nil || c.CapsEx&rtmp.CapMultitrack == 0
	known, barred := 0, 0
	for kind, t := range n.tracks {
		p.bar.media[kind] = t != nil && !takesTrack(c, t)
		if t != nil {
			known++
		}
		if p.bar.media[kind] {
			barred++
		}
		for _, fourCC := range n.others[kind] {
			p.bar.others = p.bar.others || !takesCodec(c, media.Kind(kind), fourCC)
		}
	}
	p.bar.all = barred > 0 && barred == known && (known == 2 || n.alone)
	if p.bar.all {
		p.refuse(f.refusal(p))
		return
	}
	for kind, t := range n.tracks {
		switch {
		case !p.bar.media[kind]:
			p.bar.told[kind] = nil
		case known == 2 && !sameCodec(t, p.bar.told[kind]):
			p.bar.told[kind] = t
			text := fmt.Sprintf("the stream's %s is left out: it is %s; %s", kindName(kind), codecName(t), announced(c))
			p.out = rtmp.AppendStatus(p.out, streamID, "warning", rtmp.StatusPlayTrackLeftOut, text, f.chunkSize)
		}
	}
}

// refusal says why p can be given nothing.
func (f *Fan) refusal(p *Player) string {
	var parts []string
	for kind, t := range f.news.tracks {
		if t != nil {
			parts = append(parts, kindName(kind)+" "+codecName(t))
		}
	}
	return fmt.Sprintf("the player takes none of the stream's codecs: %s; %s", strings.Join(parts, ", "), announced(p.o.Connect))
}

// refuse has p's session show it out, once.
func (p *Player) refuse(why string) {
	if p.o.Refused == nil {
		p.fail(errors.New(why))
		return
	}
	p.o.Refused(why)
	p.o.Refused = func(string) {}
}

// gets is the kind of log for p, who may not want all that it could have.
func (p *Player) gets(noAudio, noVideo bool) kind {
	audio := !noAudio && !p.bar.media[media.Audio]
	video := !noVideo && !p.bar.media[media.Video]
	switch {
	case p.bar.all || !audio && !video:
		return nothing
	case !video:
		return audioOnly
	case !audio:
		return videoOnly
	case p.bar.others:
		return trackZero
	}
	return everything
}

// takesTrack holds a track against what a player announced. Legacy codecs are
// not announced by FourCC, but for HEVC, which none of the old players knew.
func takesTrack(c *rtmp.Connect, t *media.Track) bool {
	fourCC := t.FourCC
	if fourCC == 0 {
		if t.Codec != media.CodecHEVC {
			return true
		}
		fourCC = fourCCLegacyHEVC
	}
	return takesCodec(c, t.Kind, fourCC)
}

const fourCCLegacyHEVC = 'h'<<24 | 'v'<<16 | 'c'<<8 | '1'

// takesCodec: the map of the medium knows best (E-RTMP v2 "videoFourCcInfoMap",
// "audioFourCcInfoMap"), then the list; "*" in either is any codec. A player
// decodes, a relay forwards; one that can only encode a codec takes none of it.
func takesCodec(c *rtmp.Connect, kind media.Kind, fourCC uint32) bool {
	if c == nil || c.FourCCs == nil && c.VideoFourCC == nil && c.AudioFourCC == nil {
		return true // it announced no codecs
	}
	name := fourCCName(fourCC)
	m := c.VideoFourCC
	if kind == media.Audio {
		m = c.AudioFourCC
	}
	flags, said := m[name]
	switch {
	case (flags|m["*"])&(rtmp.CanDecode|rtmp.CanForward) != 0:
		return true
	case said:
		return false
	}
	return slices.Contains(c.FourCCs, name) || slices.Contains(c.FourCCs, "*")
}

func fourCCName(fourCC uint32) string {
	return string(binary.BigEndian.AppendUint32(nil, fourCC))
}

func kindName(kind int) string {
	if media.Kind(kind) == media.Audio {
		return "audio"
	}
	return "video"
}

// codecName is t's codec and, where there is one, its FourCC, which is the
// publisher's: it may be any four bytes.
func codecName(t *media.Track) string {
	if t.FourCC == 0 {
		return t.Codec.String()
	}
	return fmt.Sprintf("%s (%+q)", t.Codec, fourCCName(t.FourCC))
}

// announced lists a player's codecs, in its own words.
func announced(c *rtmp.Connect) string {
	list := slices.Clone(c.FourCCs)
	for _, m := range []map[string]uint32{c.VideoFourCC, c.AudioFourCC} {
		for name, flags := range m {
			if flags&(rtmp.CanDecode|rtmp.CanForward) != 0 {
				list = append(list, name)
			}
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) == 0 {
		return "the player announced no codec that it decodes"
	}
	for i, name := range list {
		list[i] = strings.Trim(fmt.Sprintf("%+q", name), `"`)
	}
	return "the player announced " + strings.Join(list, ", ")
}
