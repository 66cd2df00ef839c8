package origin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// writeSlate puts the test card, 16 s, where configurations find $DIR/slate.flv.
func (r *rig) writeSlate() {
	r.Helper()
	card, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "slate.flv"), card, 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) shownStream(app, name string) *api.Stream {
	s, _, _ := r.service.Snapshot(time.Now())
	for _, a := range s.Applications {
		for i := range a.Streams {
			if a.Name == app && a.Streams[i].Name == name {
				return &a.Streams[i]
			}
		}
	}
	return nil
}

func TestAFileIsShownWhileThePublisherIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(`fallback = "$DIR/slate.flv"`+"\n    reconnect_grace = 0"))
	r.writeSlate()
	p := newRun(t, r.fake(), "cam")
	st := p.Stream()
	viewer := r.fake()
	w, err := viewer.play("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Leave()
	cur := st.Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	p.frames(13)
	p.Leave(true)
	before := st.Live().Snapshot().Packets
	r.eventually("the slate is shown", func() bool { return st.Live().Snapshot().Packets > before+20 })
	if s := r.shownStream("live", "cam"); s == nil || s.Publishing || !strings.HasSuffix(s.Fallback, "/slate.flv") || len(s.Clients) != 1 {
		t.Errorf("stat shows %+v", s)
	}
	// The publisher comes back: at its first keyframe it is shown, not before.
	again := newRun(t, r.fake(), "cam")
	again.n = 5
	again.frames(5)
	if again.stream != st || !st.publicationIsSlate() {
		t.Error("the slate is gone before there is a keyframe")
	}
	again.frames(10)
	if st.publicationIsSlate() {
		t.Error("the slate is still shown")
	}
	r.eventually("the slate has stopped", func() bool {
		n := st.Live().Snapshot().Packets
		time.Sleep(50 * time.Millisecond)
		return st.Live().Snapshot().Packets == n
	})
	all := shown(t, cur)
	for i, pkt := range all[1:] {
		if d := pkt.DTS - all[i].DTS; d < -100*time.Millisecond || d > 200*time.Millisecond {
			t.Errorf("packet %d: time goes from %s to %s", i+1, all[i].DTS, pkt.DTS)
		}
	}
	if last := all[len(all)-1]; last.Epoch != 3 {
		t.Errorf("%d epochs, want 3", last.Epoch)
	}
	if viewer.begun.Load() != 0 || viewer.kicked.Load() != nil {
		t.Error("the player noticed")
	}
	again.Leave(true)
	r.reload(liveWith("reconnect_grace = 0")) // no fallback any more
	r.eventually("the stream is over", func() bool { return r.app("live").Stream("cam") == nil })
}

// publicationIsSlate reports whether a slate is on air.
func (st *Stream) publicationIsSlate() bool {
	st.app.mu.Lock()
	defer st.app.mu.Unlock()
	return st.publication != nil && st.publication.slate
}

func TestAnotherStreamIsShownWhileThePublisherIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("reconnect_grace = 0\n    stream \"show\" {\n      fallback = \"slate\"\n    }"))
	st := r.app("live").Stream("show") // before its first publisher
	if st == nil {
		t.Fatal("the stream is not there before its first publisher")
	}
	if r.Busy() {
		t.Error("a slate keeps the server from being drained")
	}
	cur := st.Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	other := newRun(t, r.fake(), "slate")
	other.frames(20)
	r.eventually("it is shown", func() bool { return st.Live().Snapshot().Packets >= 10 })
	p := newRun(t, r.fake(), "show")
	p.frames(10)
	all := shown(t, cur)
	ofShow := all[len(all)-1].Epoch
	other.frames(10)
	p.Leave(true)
	other.frames(10)
	r.eventually("it is shown again", func() bool { all = append(all, shown(t, cur)...); return all[len(all)-1].Epoch > ofShow })
	if n := runsOn(t, all); n != 3 {
		t.Errorf("%d epochs, want 3", n)
	}
	other.Leave(true)
	if r.Kick("live", "show", 0) != 1 {
		t.Error("an operator can't end it")
	}
}

func TestAFallbackThatCannotBeShownEndsTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("fallback = \"$DIR/none.flv\"\n    reconnect_grace = 0"))
	for _, content := range []string{"", "not FLV", "FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"} {
		if content != "" {
			if err := os.WriteFile(filepath.Join(r.dir, "none.flv"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := newRun(t, r.fake(), "cam")
		p.frames(3)
		p.Leave(true)
		r.eventually("the stream is over", func() bool { return r.app("live").Stream("cam") == nil })
	}
	if n := r.logs.FilterMessage("fallback can't be shown").Len(); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
}

// An MP4 file is a slate, too; it is shown again when it is over.
func TestAnMP4FileIsShownOverAndOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(`fallback = "$DIR/slate.mp4"`+"\n    reconnect_grace = 0"))
	film, err := os.ReadFile("../vod/testdata/h264.mp4") // 3 s, a keyframe a second
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "slate.mp4"), film, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newRun(t, r.fake(), "cam")
	st := p.Stream()
	p.frames(3)
	cur := st.Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	before := st.Live().Snapshot().Keyframes
	p.Leave(true)
	r.eventually("the slate is shown for the second time", func() bool { return st.Live().Snapshot().Keyframes >= before+5 })
	last := time.Duration(-1)
	for _, p := range shown(t, cur) {
		if p.Track.Kind != media.Video {
			continue
		}
		if d := p.DTS - last; last >= 0 && (d <= 0 || d > 500*time.Millisecond) {
			t.Errorf("a picture at %s after one at %s", p.DTS, last)
		}
		last = p.DTS
	}
	if s := st.Live().Snapshot(); s.Video.Width != 64 || s.Audio == nil {
		t.Errorf("shown are %+v and %+v", s.Video, s.Audio)
	}
}

// A stream that the configuration names shows its fallback before it has ever had a
// publisher, from a reload on, too; its first publisher takes over at a keyframe.
func TestAFallbackIsShownBeforeTheFirstPublisher(t *testing.T) {
	t.Parallel()
	with := func(names ...string) string {
		text := ""
		for _, name := range names {
			text += "stream \"" + name + "\" {\n      fallback = \"$DIR/slate.flv\"\n    }\n    "
		}
		return liveWith(text)
	}
	r := newRig(t, with())
	r.writeSlate()
	r.reload(with("cam", "any*"))
	r.eventually("the slate is shown", func() bool {
		s := r.shownStream("live", "cam")
		return s != nil && s.Fallback != "" && s.Packets > 20
	})
	viewer := r.fake()
	w, err := viewer.play("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Leave()
	st := r.app("live").Stream("cam")
	p := newRun(t, r.fake(), "cam")
	p.frames(13)
	if p.stream != st || st.publicationIsSlate() || viewer.kicked.Load() != nil {
		t.Error("the first publisher does not take over the stream")
	}
	if r.shownStream("live", "any*") != nil || r.shownStream("live", "any") != nil {
		t.Error("a pattern is shown as a stream")
	}
	p.Leave(true)
	r.eventually("the slate is shown again", st.publicationIsSlate)
	r.reload(with())
	r.eventually("the stream is over", func() bool { return r.app("live").Stream("cam") == nil })
}
