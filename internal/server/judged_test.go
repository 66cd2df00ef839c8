package server

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

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
		av1[i].ts += 4080 // where the other ends
	}
	again := slices.Clone(hevc)
	for i := range again {
		again[i].ts += 8100
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
					text := text // the others send theirs
					text.ts = l.ts
					p.teach([]lesson{text})
				}
				p.teach([]lesson{l})
			}
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			lists := []string{"cam"}
			if name == "multi" || name == "hevctwice" { // two pictures of one size
				lists = []string{"cam_180p", "cam_180p2"}
			}
			for _, name := range lists {
				r.eventually(name+" has ended", func() bool { return strings.Contains(r.read("hls/"+name+".m3u8"), "ENDLIST") })
				list := r.read("hls/" + name + ".m3u8")
				if strings.Contains(list, "DISCONTINUITY\n") || strings.Count(list, ".ts\n") < 2 {
					t.Errorf("%s: %s", name, list)
				}
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
