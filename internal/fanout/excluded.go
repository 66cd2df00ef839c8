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

// The codecs that a player announced in its connect are compared with the
// stream's: when the player begins, when a missing track appears, and when a codec
// changes. A player that announced nothing gets track 0 in any codec, as with
// nginx-rtmp.

// trackState is what is known of the stream's codecs. It decides what each player
// is sent.
type trackState struct {
	tracks     [2]*media.Track // of track 0; nil: not seen
	others     [2][]uint32     // FourCCs of the other tracks
	since      time.Duration   // DTS when tracks last changed
	onlyMedium bool            // the stream has one medium and will not get the other
}

// onlyMediumAfter is how long a stream may be without its second medium before it
// counts as a stream of one.
const onlyMediumAfter = 2 * time.Second

// reset begins with st's tracks as they are: it may have been published for long.
func (n *trackState) reset(st *live.Stream) {
	*n = trackState{}
	n.tracks[media.Video], n.tracks[media.Audio] = st.Tracks()
}

// update sets the tracks as of a time. It reports whether a codec has changed.
func (n *trackState) update(tracks [2]*media.Track, at time.Duration) (changed bool) {
	if tracks == n.tracks {
		return false
	}
	for kind, t := range tracks {
		changed = changed || t != nil && !sameCodec(t, n.tracks[kind])
	}
	n.tracks, n.since, n.onlyMedium = tracks, at, false
	return changed
}

// catchUp updates the state with what changed while there was no reader.
func (f *Fan) catchUp() {
	var tracks [2]*media.Track
	tracks[media.Video], tracks[media.Audio] = f.stream.Tracks()
	if f.state.update(tracks, f.state.since) {
		f.stateVersion.Add(1)
	}
}

// learn updates the state with packets of l before any log has them. more are the
// packets that follow them.
func (f *Fan) learn(l *wireLog, packets, more []*media.Packet) {
	n := &f.state
	multi := f.multi
	var tracks [2]*media.Track
	tracks[media.Video], tracks[media.Audio] = f.stream.Tracks() // of these packets, or newer
	changed := n.update(tracks, packets[0].DTS)
	if !n.onlyMedium && (tracks[media.Video] == nil) != (tracks[media.Audio] == nil) && packets[len(packets)-1].DTS-n.since >= onlyMediumAfter {
		n.onlyMedium, changed = true, true
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
		f.stateVersion.Add(1)
	}
	if multi && !f.multi {
		var unwritten []*media.Packet
		if l == f.logs[everything] {
			unwritten = slices.Concat(packets, more)
		}
		f.splitTrackZero(unwritten)
	}
}

func sameCodec(a, b *media.Track) bool {
	return a != nil && b != nil && a.Codec == b.Codec && a.FourCC == b.FourCC && a.LegacyID == b.LegacyID
}

// excluded says what a player can't take and is not sent.
type excluded struct {
	media    [2]bool
	reported [2]*media.Track // tracks it was told it does not get
	others   bool            // the tracks beside track 0
	all      bool            // the player gets nothing
}

// updateExcluded brings p.excluded up to date with the state. The status message
// about a track that is left out is sent before anything else. The fan's lock is
// held.
func (f *Fan) updateExcluded(p *Player) {
	v := f.stateVersion.Load()
	if p.stateVersion == v {
		return
	}
	p.stateVersion = v
	n, c := &f.state, p.o.Connect
	p.excluded.others = c == nil || c.CapsEx&rtmp.CapMultitrack == 0
	known, unwanted := 0, 0
	for kind, t := range n.tracks {
		p.excluded.media[kind] = t != nil && !c.Takes(t)
		if t != nil {
			known++
		}
		if p.excluded.media[kind] {
			unwanted++
		}
		for _, fourCC := range n.others[kind] {
			p.excluded.others = p.excluded.others || !c.TakesCodec(media.Kind(kind), fourCC)
		}
	}
	p.excluded.all = unwanted > 0 && unwanted == known && (known == 2 || n.onlyMedium)
	if p.excluded.all {
		p.refuse(f.refusal(p))
		return
	}
	for kind, t := range n.tracks {
		switch {
		case !p.excluded.media[kind]:
			p.excluded.reported[kind] = nil
		case known == 2 && !sameCodec(t, p.excluded.reported[kind]):
			p.excluded.reported[kind] = t
			text := fmt.Sprintf("the stream's %s is left out: it is %s; %s", kindName(kind), codecName(t), announced(c))
			p.out = rtmp.AppendStatus(p.out, streamID, "warning", rtmp.StatusPlayTrackLeftOut, text, f.chunkSize)
		}
	}
}

// refusal returns why p gets nothing.
func (f *Fan) refusal(p *Player) string {
	var parts []string
	for kind, t := range f.state.tracks {
		if t != nil {
			parts = append(parts, kindName(kind)+" "+codecName(t))
		}
	}
	return fmt.Sprintf("the player takes none of the stream's codecs: %s; %s", strings.Join(parts, ", "), announced(p.o.Connect))
}

// refuse asks p's session, once, to close it with a status.
func (p *Player) refuse(why string) {
	if p.o.Refused == nil {
		p.fail(errors.New(why))
		return
	}
	p.o.Refused(why)
	p.o.Refused = func(string) {}
}

// wantedKind returns the kind of log for p: what it can take and has not declined.
func (p *Player) wantedKind(noAudio, noVideo bool) kind {
	audio := !noAudio && !p.excluded.media[media.Audio]
	video := !noVideo && !p.excluded.media[media.Video]
	switch {
	case p.excluded.all || !audio && !video:
		return nothing
	case !video:
		return audioOnly
	case !audio:
		return videoOnly
	case p.excluded.others:
		return trackZero
	}
	return everything
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

// codecName returns t's codec and its FourCC, if it has one. The FourCC comes from
// the publisher and may be any four bytes.
func codecName(t *media.Track) string {
	if t.FourCC == 0 {
		return t.Codec.String()
	}
	return fmt.Sprintf("%s (%+q)", t.Codec, fourCCName(t.FourCC))
}

// announced lists the codecs of a player, spelled as it spelled them.
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
