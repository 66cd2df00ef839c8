package origin

import (
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

const performers = `on_conflict = "standby"
    reconnect_grace = "0s"
    stream_key "anna" {
      secret = "good-secret-0001"
      stream = "show"
    }
    stream_key "ben" {
      secret = "good-secret-0002"
      stream = "show"
    }
    stream_key "cleo" {
      secret   = "good-secret-0003"
      stream   = "show"
      priority = 5
    }`

// A run feeds a publication with a GOP of ten frames each 400 ms.
type run struct {
	*Publication
	track *media.Track
	dts   time.Duration
	epoch uint32
	n     int
}

func newRun(t *testing.T, f *fake, key string) *run {
	t.Helper()
	p, err := f.publish("live", key)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{Publication: p, track: &media.Track{Kind: media.Video, Codec: media.CodecH264}}
	r.dts, r.epoch = p.Begin()
	return r
}

func (r *run) frames(n int) {
	for range n {
		r.Write(&media.Packet{Track: r.track, DTS: r.dts, Epoch: r.epoch, Keyframe: r.n%10 == 0, Tag: make([]byte, 100)}, time.Now())
		r.dts += 40 * time.Millisecond
		r.n++
	}
}

// shown are the packets of a stream from the cursor on.
func shown(t *testing.T, c *live.Cursor) []*media.Packet {
	t.Helper()
	var all []*media.Packet
	for {
		buf := make([]*media.Packet, 64)
		n, _, err := c.TryNext(buf)
		if all = append(all, buf[:n]...); n == 0 || err != nil {
			return all
		}
	}
}

// runsOn checks that time goes on, and that each epoch begins with a keyframe and is
// of one track.
func runsOn(t *testing.T, all []*media.Packet) (epochs int) {
	t.Helper()
	for i, p := range all[1:] {
		before := all[i]
		if p.DTS <= before.DTS || p.DTS-before.DTS > 200*time.Millisecond {
			t.Errorf("packet %d: from %s to %s", i+1, before.DTS, p.DTS)
		}
		if p.Epoch != before.Epoch {
			if epochs++; !p.Keyframe || p.Epoch < before.Epoch {
				t.Errorf("packet %d begins epoch %d, keyframe %t", i+1, p.Epoch, p.Keyframe)
			}
		} else if p.Track != before.Track {
			t.Errorf("packet %d is of another track in the same epoch", i+1)
		}
	}
	return epochs + 1
}

func TestASecondPerformerWaitsAndGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(performers))
	annaIs := r.fake()
	anna := newRun(t, annaIs, "good-secret-0001")
	cur := anna.Stream().Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	anna.frames(15)
	ben, cleo := newRun(t, r.fake(), "good-secret-0002"), newRun(t, r.fake(), "good-secret-0003")
	ben.frames(25)
	cleo.frames(33)
	anna.frames(5)
	s, _, _ := r.service.Snapshot(time.Now())
	standby := 0
	for _, c := range s.Applications[0].Streams[0].Clients {
		if c.Standby {
			standby++
		}
	}
	if standby != 2 || ben.Stream() != anna.Stream() {
		t.Errorf("%d publishers wait", standby)
	}
	anna.Leave(true)
	cleo.frames(7) // the highest priority
	ben.frames(5)
	cleo.Leave(false)
	ben.frames(10)
	all := shown(t, cur)
	// The GOP of the one that goes on air is kept: 3 of 33 frames, 10 of 30.
	if n := len(all); n != 20+3+7+10+10 || runsOn(t, all) != 3 {
		t.Errorf("%d packets in %d epochs", n, runsOn(t, all))
	}
	if annaIs.kicked.Load() != nil {
		t.Error("the first performer was kicked")
	}
	ben.Leave(true)
	r.eventually("the stream is over with the last", func() bool { return !r.Busy() })
}

func TestStageSwitchesAtOnceAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(performers))
	benIs := r.fake()
	anna, ben := newRun(t, r.fake(), "good-secret-0001"), newRun(t, benIs, "good-secret-0002")
	cur := anna.Stream().Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	anna.frames(12)
	ben.frames(14)
	stage := func(who string) error {
		_, err := r.Control(api.Command{Section: "stage", App: "live", Name: "show", Publisher: who})
		return err
	}
	if err := stage("nobody"); err == nil || !strings.Contains(err.Error(), "no such publisher waits") {
		t.Errorf("staging nobody: %v", err)
	}
	if err := stage("ben"); err != nil {
		t.Fatal(err)
	}
	ben.frames(6)
	anna.frames(8)                    // keeps sending, and waits
	if err := stage(""); err != nil { // she is the next
		t.Fatal(err)
	}
	anna.frames(5)
	ben.frames(3)
	all := shown(t, cur)
	if n := len(all); n != 12+(4+6)+(0+5) && n != 12+(4+6)+(10+5) || runsOn(t, all) != 3 {
		t.Errorf("%d packets in %d epochs", n, runsOn(t, all))
	}
	if benIs.kicked.Load() != nil {
		t.Error("the performer that left the stage was kicked")
	}
	anna.Leave(true)
	ben.Leave(true)
	r.eventually("the stream is over", func() bool { return !r.Busy() })
}

// Through reconnect_grace the name is kept for the performer on air, whoever waits.
func TestAPerformerThatComesBackIsOnAirAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(strings.Replace(performers, `"0s"`, `"1h"`, 1)))
	annaIs := r.fake()
	anna, ben := newRun(t, annaIs, "good-secret-0001"), newRun(t, r.fake(), "good-secret-0002")
	anna.frames(10)
	ben.frames(10)
	anna.Leave(false)
	if !anna.Stream().Waiting() {
		t.Error("the next performer is on air before the grace is over")
	}
	again := newRun(t, annaIs, "good-secret-0001")
	cur := again.Stream().Live().Cursor(live.FromKeyframe, false)
	defer cur.Close()
	again.frames(10)
	if all := shown(t, cur); len(all) != 20 || runsOn(t, all) != 2 {
		t.Errorf("%d of her packets are shown, want 10 of each connection", len(all))
	}
	// An encoder that waits and comes again replaces its own connection.
	benIs := r.fake()
	ben2 := newRun(t, benIs, "good-secret-0002")
	ben.Leave(false)
	again.Leave(true)
	ben2.frames(10)
	if ben2.Stream().Waiting() {
		t.Error("nobody is on air")
	}
	ben2.Leave(true)
}

func TestWhatAWaitingPublisherKeepsIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(performers))
	anna := newRun(t, r.fake(), "good-secret-0001")
	anna.frames(1)
	ben := newRun(t, r.fake(), "good-secret-0002")
	track := &media.Track{Kind: media.Video, Codec: media.CodecH264}
	for i := range 2000 { // one GOP without end, of 10 kB a frame
		ben.Write(&media.Packet{Track: track, DTS: time.Duration(i) * 10 * time.Millisecond, Keyframe: i == 0, Tag: make([]byte, 10_000)}, time.Now())
		ben.stream.write.Lock()
		if n := ben.standby.bytes; n > maxHeldBytes || len(ben.standby.held) > 1001 {
			t.Fatalf("%d bytes are kept", n)
		}
		ben.stream.write.Unlock()
	}
	var waiting []*Publication
	for range maxStandby - 1 {
		p, err := r.fake().publish("live", "good-secret-0003")
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, p) // of one key: each replaces the one before
	}
	if n := len(anna.stream.waiting); n != 2 {
		t.Errorf("%d wait, want 2", n)
	}
	for _, p := range append(waiting, ben.Publication, anna.Publication) {
		p.Leave(true)
	}
}
