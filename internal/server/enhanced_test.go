package server

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// An announcement is what a player says of itself.
type announcement struct {
	name  string
	props amf.Object
}

func fourCCs(list ...string) amf.Property {
	var a amf.StrictArray
	for _, f := range list {
		a = append(a, f)
	}
	return amf.Property{Name: "fourCcList", Value: a}
}

func infoMap(kind string, pairs ...any) amf.Property {
	var o amf.Object
	for i := 0; i < len(pairs); i += 2 {
		o = append(o, amf.Property{Name: pairs[i].(string), Value: float64(pairs[i+1].(int))})
	}
	return amf.Property{Name: kind + "FourCcInfoMap", Value: o}
}

func caps(n int) amf.Property { return amf.Property{Name: "capsEx", Value: float64(n)} }

// What a player is to get.
const (
	gVideo = 1 << iota
	gAudio
	gTracks // all of them
	gNone   = 0
	gBoth   = gVideo | gAudio
	gAll    = gBoth | gTracks
)

func TestPlayersGetWhatTheyAnnouncedByteForByte(t *testing.T) {
	t.Parallel()
	silent := announcement{"nothing", amf.Object{}}
	any1 := announcement{"*", amf.Object{fourCCs("*")}}
	anyMulti := announcement{"* and multitrack", amf.Object{fourCCs("*"), caps(rtmp.CapMultitrack)}}
	capsOnly := announcement{"multitrack alone", amf.Object{caps(rtmp.CapMultitrack)}}
	modExOnly := announcement{"ModEx alone", amf.Object{caps(rtmp.CapModEx)}}
	hevc := announcement{"hvc1", amf.Object{fourCCs("hvc1")}}
	av1 := announcement{"av01", amf.Object{fourCCs("av01")}}
	opus := announcement{"Opus", amf.Object{fourCCs("Opus")}}
	av1Opus := announcement{"av01, Opus", amf.Object{fourCCs("av01", "Opus")}}
	av1Multi := announcement{"av01 and multitrack", amf.Object{fourCCs("av01"), caps(rtmp.CapMultitrack)}}
	hevcMulti := announcement{"hvc1 and multitrack", amf.Object{fourCCs("hvc1"), caps(rtmp.CapMultitrack)}}
	avcMulti := announcement{"avc1, mp4a and multitrack", amf.Object{fourCCs("avc1", "mp4a"), caps(rtmp.CapMultitrack)}}
	avc := announcement{"avc1", amf.Object{fourCCs("avc1")}}
	maps := announcement{"maps", amf.Object{infoMap("video", "hvc1", rtmp.CanDecode), infoMap("audio", "Opus", rtmp.CanForward)}}
	encoder := announcement{"encodes all, decodes AV1", amf.Object{
		fourCCs("hvc1", "av01", "Opus"), infoMap("video", "hvc1", rtmp.CanEncode, "av01", rtmp.CanDecode|rtmp.CanEncode), infoMap("audio", "Opus", rtmp.CanEncode),
	}}
	anyMap := announcement{"* in maps", amf.Object{infoMap("video", "hvc1", rtmp.CanEncode, "*", rtmp.CanDecode), infoMap("audio", "*", rtmp.CanForward)}}
	all := []announcement{silent, any1, anyMulti, capsOnly, modExOnly, hevc, av1, opus, av1Opus, av1Multi, hevcMulti, avcMulti, avc, maps, encoder, anyMap}

	for _, c := range []struct {
		name string
		sent []lesson
		gets []int // by announcement, in the order of all
	}{
		{"hevc.flv", lessons(t, "hevc.flv"), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gBoth, gAudio, gAudio, gAudio, gAudio, gAll, gAudio, gAudio, gBoth, gAudio, gBoth,
		}},
		{"av1.flv", lessons(t, "av1.flv"), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gAudio, gBoth, gAudio, gBoth, gAll, gAudio, gAudio, gAudio, gAudio, gBoth, gBoth,
		}},
		{"av1opus.flv", lessons(t, "av1opus.flv"), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gNone, gVideo, gAudio, gBoth, gVideo, gNone, gNone, gNone, gAudio, gVideo, gBoth,
		}},
		{"h264opus.flv", lessons(t, "h264opus.flv"), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gVideo, gVideo, gBoth, gBoth, gVideo, gVideo, gVideo, gVideo, gBoth, gVideo, gBoth,
		}},
		{"multi.flv", lessons(t, "multi.flv"), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gBoth, gBoth, gBoth, gBoth, gBoth, gBoth, gAll, gBoth, gBoth, gBoth, gBoth,
		}},
		{"hevc.flv twice", doubled(lessons(t, "hevc.flv")), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gBoth, gAudio, gAudio, gAudio, gAudio, gAll, gAudio, gAudio, gBoth, gAudio, gBoth,
		}},
		{"av1opus.flv twice", doubled(lessons(t, "av1opus.flv")), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gNone, gVideo, gAudio, gBoth, gVideo, gNone, gNone, gNone, gAudio, gVideo, gBoth,
		}},
		{"multi.flv repeating itself", repeating(lessons(t, "multi.flv")), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gBoth, gBoth, gBoth, gBoth, gBoth, gBoth, gAll, gBoth, gBoth, gBoth, gBoth,
		}},
		{"hevc.flv twice, repeating itself", repeating(doubled(lessons(t, "hevc.flv"))), []int{
			gBoth, gBoth, gAll, gAll, gBoth, gBoth, gAudio, gAudio, gAudio, gAudio, gAll, gAudio, gAudio, gBoth, gAudio, gBoth,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith(""))
			seats := func() (out []*spectator) {
				for _, a := range all {
					out = append(out, r.spectate("live", "cam", dialling{ClientOptions: rtmp.ClientOptions{Announce: a.props}}))
				}
				return out
			}
			waiting := seats()
			for _, s := range waiting {
				r.eventually("the player waits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
			}
			p := r.publish("live", "cam")
			rest := c.sent
			for _, of := range []string{"audio video", "audio", "video"} {
				// One frame at a time until all have begun: who is served late
				// begins at the newest keyframe.
				first := slices.IndexFunc(rest, func(l lesson) bool { return !l.header && l.zero != nil && strings.Contains(of, l.typ.String()) })
				p.teach(rest[:first+1])
				for i, s := range waiting {
					kind, bit := rtmp.TypeAudio, gAudio
					if rest[first].typ == rtmp.TypeVideo {
						kind, bit = rtmp.TypeVideo, gVideo
					}
					if c.gets[i]&bit != 0 {
						r.eventually("the first frame for "+all[i].name, func() bool {
							return slices.ContainsFunc(s.media(), func(m rtmp.Message) bool { return m.Type == kind && m.Timestamp == rest[first].ts })
						})
					}
				}
				rest = rest[first+1:]
			}
			p.teach(rest)
			for i, s := range waiting {
				got := learner{t, all[i].name + ", waiting", s}
				got.expect(c.sent, c.gets[i], true)
			}
			for i, s := range seats() {
				got := learner{t, all[i].name + ", joining", s}
				got.expect(c.sent, c.gets[i], false)
			}
		})
	}
}

type learner struct {
	*testing.T
	name string
	*spectator
}

func (l learner) Errorf(format string, args ...any) {
	l.T.Helper()
	l.T.Errorf(l.name+": "+format, args...)
}

// expect waits for all that is due and compares every byte. whole says that the
// player was there before the publisher.
func (l learner) expect(sent []lesson, gets int, whole bool) {
	l.T.Helper()
	if gets == gNone {
		st := l.told()
		if st.Level != "error" || st.Code != rtmp.StatusPlayNoSupportedTrack || !strings.Contains(st.Description, "announced") {
			l.Errorf("shown out with %+v", st)
		}
		for _, m := range l.media() {
			l.Errorf("got %x", m.Payload[:2])
		}
		return
	}
	var frames []lesson
	headers := map[rtmp.MessageType][]string{}
	for _, s := range sent {
		if s.typ == rtmp.TypeVideo && gets&gVideo == 0 || s.typ == rtmp.TypeAudio && gets&gAudio == 0 || s.typ == rtmp.TypeDataAMF0 {
			continue
		}
		if gets&gTracks == 0 {
			if s.body = s.zero; s.body == nil {
				continue
			}
		}
		if !s.header {
			frames = append(frames, s)
		} else if h := hex.EncodeToString(s.body); !slices.Contains(headers[s.typ], h) {
			headers[s.typ] = append(headers[s.typ], h)
		}
	}
	last := frames[len(frames)-1]
	l.rig.eventually("the last frame for "+l.name, func() bool {
		m := l.media()
		return len(m) > 0 && bytes.Equal(m[len(m)-1].Payload, last.body)
	})
	var got []rtmp.Message
	told := map[rtmp.MessageType][]string{}
	for _, m := range l.media() {
		if h := hex.EncodeToString(m.Payload); slices.Contains(headers[m.Type], h) {
			told[m.Type] = append(told[m.Type], h)
		} else {
			got = append(got, m)
		}
		if len(got) > 0 && len(told[got[0].Type]) == 0 {
			l.Errorf("the first frame comes before its header")
		}
	}
	if whole && len(got) != len(frames) || len(got) > len(frames) {
		l.Errorf("%d frames of %d", len(got), len(frames))
		return
	}
	if !whole && gets&gVideo != 0 && (got[0].Type != rtmp.TypeVideo || got[0].Payload[0]>>4&7 != 1) {
		l.Errorf("begins with %x", got[0].Payload[:2])
	}
	for i, f := range frames[len(frames)-len(got):] {
		if m := got[i]; m.Type != f.typ || m.Timestamp != f.ts || !bytes.Equal(m.Payload, f.body) {
			l.Errorf("frame %d of %d is %d at %d, %x; want %d at %d, %x", i, len(got), m.Type, m.Timestamp, head(m.Payload), f.typ, f.ts, head(f.body))
			return
		}
	}
	for typ, want := range headers {
		// Who gets audio alone may have begun before the video was known, and
		// begins again without it.
		again := whole && gets == gAudio && slices.Equal(told[typ], slices.Concat(want, want))
		if !slices.Equal(told[typ], want) && !again {
			l.Errorf("%v headers %v, want %v", typ, told[typ], want)
		}
	}
	var left []string
	for _, st := range l.statuses() {
		switch {
		case st.Code == rtmp.StatusPlayTrackLeftOut && st.Level == "warning":
			left = append(left, st.Description)
		case st.Level != "status":
			l.Errorf("told %+v", st)
		}
	}
	switch gets {
	case gVideo:
		if len(left) != 1 || !strings.Contains(left[0], "audio is left out") || !strings.Contains(left[0], `Opus ("Opus")`) {
			l.Errorf("told %v", left)
		}
	case gAudio:
		if len(left) != 1 || !strings.Contains(left[0], "video is left out") || !strings.Contains(left[0], "the player announced ") {
			l.Errorf("told %v", left)
		}
	default:
		if len(left) != 0 {
			l.Errorf("told %v", left)
		}
	}
	if n := len(l.metadata()); n > 1 {
		l.Errorf("%d onMetaData", n)
	}
}
