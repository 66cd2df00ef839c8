package server

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A lesson is one message of a publisher, and what becomes of it.
type lesson struct {
	typ    rtmp.MessageType
	ts     uint32
	body   []byte // as published, and as players with Multitrack get it
	zero   []byte // as players without Multitrack get it; nil: they don't
	header bool   // sequence header or metadata
}

// lessons reads a file of internal/flv. Ends of sequence, which nobody is sent,
// and script tags are left out.
func lessons(t testing.TB, name string) (out []lesson) {
	t.Helper()
	b, err := os.ReadFile("../flv/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := flv.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if tag.Type == flv.TagScript {
			continue
		}
		l := lesson{typ: rtmp.MessageType(tag.Type), ts: tag.Timestamp, body: tag.Body, zero: tag.Body}
		first := tag.Body[0]
		video := tag.Type == flv.TagVideo
		kind := first & 0xf // of packet, where the body is Enhanced RTMP
		switch {
		case video && first&0x80 == 0 || !video && first>>4 != 9: // legacy
			kind = tag.Body[1]
		case video && kind == 6, !video && kind == 5: // another track, alone: so ffmpeg does it
			l.zero, kind = nil, tag.Body[1]&0xf
			if tag.Body[1]>>4 != 0 || tag.Body[6] == 0 {
				t.Fatalf("%s: multitrack body %x", name, tag.Body[:7])
			}
		}
		l.header = kind == 0 || kind == 4
		if kind != 2 {
			out = append(out, l)
		}
	}
}

// doubled wraps every Enhanced RTMP body into one of two tracks, 1 before 0.
func doubled(ls []lesson) (out []lesson) {
	for _, l := range ls {
		b, ex, multi := l.body, l.body[0]>>4 == 9, byte(5)
		if l.typ == rtmp.TypeVideo {
			ex, multi = l.body[0]&0x80 != 0, 6
		}
		if ex {
			size := func(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }
			data := b[5:]
			l.zero = b
			l.body = slices.Concat([]byte{b[0]&0xf0 | multi, 0x10 | b[0]&0xf}, b[1:5],
				[]byte{1}, size(len(data)+1), data, []byte{0xee}, []byte{0}, size(len(data)), data)
		}
		out = append(out, l)
	}
	return out
}

// repeating sends all headers and the metadata again before every keyframe, as
// many encoders do.
func repeating(ls []lesson) (out []lesson) {
	var headers []lesson
	for _, l := range ls {
		if l.header {
			headers = append(headers, l)
		}
		if l.typ == rtmp.TypeVideo && !l.header && l.zero != nil && l.zero[0]>>4&7 == 1 {
			for _, h := range headers {
				h.ts = l.ts
				out = append(out, h)
			}
			out = append(out, lesson{typ: rtmp.TypeDataAMF0, ts: l.ts, body: metadataBody, header: true})
		}
		out = append(out, l)
	}
	return out
}

var metadataBody = amf.Append(amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData"), amf.ECMAArray{{Name: "encoder", Value: "test"}})

// teach publishes.
func (c *client) teach(ls []lesson) {
	c.rig.Helper()
	for _, l := range ls {
		csid := uint32(4)
		if l.typ == rtmp.TypeVideo {
			csid = 6
		}
		if err := c.WriteMessage(rtmp.Message{Type: l.typ, ChunkStreamID: csid, StreamID: 1, Timestamp: l.ts, Payload: l.body}); err != nil {
			c.rig.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		c.rig.Fatal(err)
	}
}

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

func head(b []byte) []byte { return b[:min(len(b), 16)] }

// media are the audio and video messages it got.
func (s *spectator) media() []rtmp.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(m rtmp.Message) bool {
		return m.Type != rtmp.TypeAudio && m.Type != rtmp.TypeVideo
	})
}

func (s *spectator) statuses() (out []rtmp.StatusError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all {
		if st, ok := statusIn(m); ok && m.Type == rtmp.TypeCommandAMF0 {
			out = append(out, st)
		}
	}
	return out
}

// only keeps the messages of one type.
func only(ls []lesson, typ rtmp.MessageType) []lesson {
	return slices.DeleteFunc(slices.Clone(ls), func(l lesson) bool { return l.typ != typ })
}

func TestAPlayerOfNoneOfTheCodecsIsToldWhich(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	avc := dialling{ClientOptions: rtmp.ClientOptions{Announce: amf.Object{fourCCs("avc1", "mp4a")}}}
	for name, c := range map[string]struct {
		sent []lesson
		want string
	}{
		"both":        {lessons(t, "av1opus.flv"), `the player takes none of the stream's codecs: video AV1 ("av01"), audio Opus ("Opus"); the player announced avc1, mp4a`},
		"video alone": {only(lessons(t, "hevc.flv"), rtmp.TypeVideo), `the player takes none of the stream's codecs: video HEVC ("hvc1"); the player announced avc1, mp4a`},
		"audio alone": {only(lessons(t, "h264opus.flv"), rtmp.TypeAudio), `the player takes none of the stream's codecs: audio Opus ("Opus"); the player announced avc1, mp4a`},
	} {
		t.Run(name, func(t *testing.T) {
			path := strings.ReplaceAll(name, " ", "")
			waiting := r.spectate("live", path, avc)
			r.eventually("the player waits", func() bool { return slices.Contains(waiting.codes(), rtmp.StatusPlayStart) })
			p := r.publish("live", path)
			p.teach(c.sent)
			r.eventually("the stream is there", func() bool { return r.packets("live", path) > 100 })
			for who, s := range map[string]*spectator{"waiting": waiting, "joining": r.spectate("live", path, avc)} {
				st := s.told()
				if st.Code != rtmp.StatusPlayNoSupportedTrack || st.Level != "error" || st.Description != c.want {
					t.Errorf("%s player: got %+v, want %s", who, st, c.want)
				}
				if n := len(s.media()); n > 0 {
					t.Errorf("%s player: %d messages", who, n)
				}
			}
		})
	}
	r.logged("session closed by the server", "none of the stream's codecs")
}

func TestAPlayerIsJudgedAgainWhenTheCodecChanges(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("reconnect_grace = 0"))
	s := r.spectate("live", "cam", dialling{ClientOptions: rtmp.ClientOptions{Announce: amf.Object{fourCCs("hvc1")}}})
	r.eventually("the player waits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })

	p := r.publish("live", "cam")
	hevc, av1 := lessons(t, "hevc.flv"), lessons(t, "av1.flv")
	for i := range av1 {
		av1[i].ts += 5000
	}
	again := slices.Clone(hevc)
	for i := range again {
		again[i].ts += 10000
	}
	count := func(typ rtmp.MessageType, ls []lesson) (n int) {
		for _, l := range ls {
			if l.typ == typ && !l.header {
				n++
			}
		}
		return n
	}
	has := func(ls []lesson, typ rtmp.MessageType) func() bool {
		l := only(ls, typ)
		last := l[len(l)-1]
		return func() bool {
			return slices.ContainsFunc(s.media(), func(m rtmp.Message) bool { return m.Timestamp == last.ts && bytes.Equal(m.Payload, last.body) })
		}
	}
	teach := func(ls []lesson, typ rtmp.MessageType) {
		t.Helper()
		first := slices.IndexFunc(ls, func(l lesson) bool { return l.typ == typ && !l.header })
		for _, part := range [][]lesson{ls[:first+1], ls[first+1:]} { // who is served late begins late
			p.teach(part)
			r.eventually("the frames", has(part, typ))
		}
	}
	teach(hevc, rtmp.TypeVideo)
	teach(av1, rtmp.TypeAudio)
	teach(again, rtmp.TypeVideo)

	video := 0
	for _, m := range s.media() {
		if m.Type != rtmp.TypeVideo || m.Payload[0]&0xf == 0 || m.Payload[0]&0xf == 4 {
			continue
		}
		if video++; string(m.Payload[1:5]) != "hvc1" {
			t.Fatalf("at %d: %q", m.Timestamp, m.Payload[1:5])
		}
	}
	if want := 2 * count(rtmp.TypeVideo, hevc); video != want {
		t.Errorf("%d frames of HEVC, published %d", video, want)
	}
	var told []string
	for _, st := range s.statuses() {
		if st.Level != "status" {
			told = append(told, st.Description)
		}
	}
	if want := `the stream's video is left out: it is AV1 ("av01"); the player announced hvc1`; len(told) != 1 || told[0] != want {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestRepeatedHeadersOtherTracksAndDataBreakNoFragment(t *testing.T) {
	t.Parallel()
	text := lesson{typ: rtmp.TypeDataAMF0, body: amf.Append(amf.Append(nil, "onTextData"), "hello")}
	for name, sent := range map[string][]lesson{
		"multi":      lessons(t, "multi.flv"),
		"hevctwice":  doubled(lessons(t, "hevc.flv")),
		"h264aac":    lessons(t, "h264aac.flv"),
		"h264opus":   lessons(t, "h264opus.flv"),
		"audioalone": lessons(t, "audioonly.flv"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith("reconnect_grace = 0\nhls {\n  path = \"$DIR/hls\"\n  fragment = \"1s\"\n}"))
			p := r.publish("live", "cam")
			for i, l := range repeating(sent) {
				if i%20 == 0 {
					text.ts = l.ts
					p.teach([]lesson{text})
				}
				p.teach([]lesson{l})
			}
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			r.eventually("the stream has ended", func() bool { return strings.Contains(r.read("hls/cam.m3u8"), "ENDLIST") })
			list := r.read("hls/cam.m3u8")
			if strings.Contains(list, "DISCONTINUITY\n") || strings.Count(list, ".ts\n") < 2 {
				t.Errorf("%s", list)
			}
			if r.hasLogged("bad media message", "") {
				t.Error("the log complains of bad media")
			}
		})
	}
}

func TestDataMessagesPassInOrder(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("hls { path = \"$DIR/hls\" }"))
	s := r.spectate("live", "cam", dialling{})
	r.eventually("the player waits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
	p := r.publish("live", "cam")
	event := func(name string, n int) []byte {
		return amf.Append(amf.Append(nil, name), amf.Object{{Name: "n", Value: float64(n)}})
	}
	var want []string
	n := 0
	send := func(typ rtmp.MessageType, name string, front []byte) {
		n++
		body := event(name, n)
		if err := p.WriteMessage(rtmp.Message{Type: typ, ChunkStreamID: 5, StreamID: 1, Timestamp: 0xf0000000, Payload: append(front, body...)}); err != nil {
			t.Fatal(err)
		}
		if p.frames > 0 { // nobody begins with data
			want = append(want, string(body))
		}
	}
	send(rtmp.TypeDataAMF0, "onFI", nil)
	p.seconds(0.01)
	if first := s.first(); first.Timestamp != card().frames[0].Timestamp {
		t.Errorf("the first frame is at %d", first.Timestamp)
	}
	for range 60 {
		p.seconds(0.05)
		send(rtmp.TypeDataAMF0, "onTextData", nil)
		send(rtmp.TypeDataAMF3, "onCuePoint", []byte{0})
		send(rtmp.TypeDataAMF0, "onFI", amf.Append(nil, "@setDataFrame"))
	}
	p.seconds(0.05)
	lastFrame := card().frames[p.frames-1]
	r.eventually("the last frame", func() bool {
		f := s.frames()
		return len(f) > 0 && f[len(f)-1].Timestamp == lastFrame.Timestamp && bytes.Equal(f[len(f)-1].Payload, lastFrame.Payload)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	var at uint32
	frames, places := 0, map[int]int{} // data messages behind each frame
	for _, m := range s.all {
		switch m.Type {
		case rtmp.TypeAudio, rtmp.TypeVideo:
			if m.Payload[1] != 0 {
				frames++
				at = m.Timestamp
			}
		case rtmp.TypeDataAMF0:
			name, _, err := amf.Decode(m.Payload)
			if err != nil || name == "|RtmpSampleAccess" || name == "onStatus" || name == "onMetaData" {
				continue
			}
			if m.Timestamp != at {
				t.Errorf("%v is at %d, the frame before it at %d", name, m.Timestamp, at)
			}
			got = append(got, string(m.Payload))
			places[frames]++
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d data messages, want %d:\n%.300q\n%.300q", len(got), len(want), got, want)
	}
	for frame, n := range places {
		if n != 3 {
			t.Errorf("%d data messages behind frame %d", n, frame)
		}
	}
}
