package origin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
)

// writeBrokenSlate puts a file where configurations find $DIR/slate.flv that plays for
// 700 ms, and has a tag then that can't be read.
func (r *rig) writeBrokenSlate() {
	r.Helper()
	b := []byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")
	tag := func(typ byte, ms int, body ...byte) {
		b = append(b, typ, 0, 0, byte(len(body)), byte(ms>>16), byte(ms>>8), byte(ms), 0, 0, 0, 0)
		b = append(append(b, body...), 0, 0, 0, byte(11+len(body)))
	}
	tag(8, 0, 0xaf, 0, 0x12, 0x10)
	for ms := 0; ms < 700; ms += 10 {
		tag(8, ms, 0xaf, 1, 0x21, 0x10)
	}
	tag(8|0x20, 700, 1, 2, 3)
	if err := os.WriteFile(filepath.Join(r.dir, "slate.flv"), b, 0o600); err != nil {
		r.Fatal(err)
	}
}

// A publisher that has come back, and whose keyframe is still to come, has its stream
// whatever becomes of the fallback meanwhile.
func TestAPublisherThatIsBackHasItsStreamWhenTheFallbackEnds(t *testing.T) {
	t.Parallel()
	const block = "reconnect_grace = \"0s\"\n    fallback = \"$DIR/slate.flv\""
	for name, end := range map[string]func(r *rig, st *Stream){
		"the file can't be read": func(r *rig, st *Stream) {
			r.eventually("the fallback fails", func() bool { return r.logs.FilterMessage("fallback can't be shown").Len() > 0 })
		},
		"the configuration has none any more": func(r *rig, st *Stream) { r.reload(liveWith("reconnect_grace = \"0s\"")) },
	} {
		r := newRig(t, liveWith(block))
		r.writeBrokenSlate()
		p := newRun(t, r.fake(), "cam")
		st := p.Stream()
		p.frames(3)
		p.Leave(true)
		back := newRun(t, r.fake(), "cam")
		back.n = 1 // no keyframe so far
		back.frames(5)
		if !st.publicationIsSlate() {
			t.Errorf("%s: the fallback is not shown", name)
		}
		end(r, st)
		if r.app("live").Stream("cam") != st || st.publicationIsSlate() {
			t.Errorf("%s: the stream of a publisher is over", name)
			back.Leave(true)
			continue
		}
		cur := st.Live().Cursor(live.FromOldest, false)
		before := len(shown(t, cur))
		back.frames(4 + 10) // the first four are shown to nobody
		all := shown(t, cur)
		cur.Close()
		if len(all) != 10 || !all[0].Keyframe {
			t.Errorf("%s: %d packets of it are shown behind %d", name, len(all), before)
		}
		back.Leave(true)
		r.eventually("the stream is over", func() bool { return r.app("live").Stream("cam") == nil || st.publicationIsSlate() })
		r.Kick("live", "cam", 0)
	}
}

// An operator that kicks a stream while its fallback is shown kicks the publisher that
// is about to take over, too.
func TestAKickEndsAPublisherThatWaitsForItsKeyframe(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("reconnect_grace = \"0s\"\n    max_publishers = 1\n    fallback = \"$DIR/slate.flv\""))
	r.writeBrokenSlate()
	first, f := r.fake(), r.fake()
	p := newRun(t, first, "cam")
	p.frames(3)
	p.Leave(true)
	back := newRun(t, f, "cam")
	back.n = 1
	back.frames(3)
	if n := r.Kick("live", "cam", time.Hour); n != 1 {
		t.Errorf("kicked %d", n)
	}
	if k := f.kicked.Load(); k == nil || *k != (Reason{RuleEnded, "kicked by an operator"}) {
		t.Errorf("the publisher is told %v", k)
	}
	back.frames(10) // before it knows
	if st := r.app("live").Stream("cam"); st != nil || back.Stream().Live().Snapshot().Packets > 75 {
		t.Errorf("the stream goes on: %v", st)
	}
	back.Leave(false)
	for _, who := range []*fake{f, first} {
		if _, err := who.publish("live", "cam"); err == nil || !strings.HasPrefix(err.Error(), "kept out by an operator for another 1h0m0s") && !strings.HasPrefix(err.Error(), "kept out by an operator for another 59m") {
			t.Errorf("it comes back at once: %v", err)
		}
	}
	other, err := f.publish("live", "other")
	if err != nil {
		t.Fatalf("its place is not free: %v", err)
	}
	other.Leave(true)
}
