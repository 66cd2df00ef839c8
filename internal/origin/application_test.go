package origin

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestThousandsOfNamesDoNotLockOutLaterOnes(t *testing.T) {
	t.Parallel()
	r := newRig(t, "rtmp {\n  listen = \"127.0.0.1:0\"\n  application \"live\" {}\n  application \"*\" {}\n}")
	v := r.service
	for i := range 3 * maxWildApps {
		a := v.enter(fmt.Sprint("name", i))
		if a == nil {
			t.Fatalf("name %d is refused", i)
		}
		a.Exit()
	}
	var held []*Application
	for i := range maxWildApps {
		if a := v.enter(fmt.Sprint("held", i)); a != nil {
			held = append(held, a)
		}
	}
	if n := len(v.All()); n > maxWildApps {
		t.Errorf("%d applications at once, want at most %d", n, maxWildApps)
	}
	if v.enter("live") == nil {
		t.Error("an application of the configuration is locked out")
	}
	if v.enter("one-more") != nil {
		t.Error("the limit does not hold")
	}
	for _, a := range held {
		a.Exit()
	}
	if v.enter("one-more") == nil {
		t.Error("none fits in once the others are gone")
	}
}

func TestMediaPutsOffTheDrop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		og := &Origin{started: time.Now()}
		f := &fake{}
		p := &Publication{app: &Application{origin: og}, publisher: f}
		p.watchIdle(30 * time.Second)
		for i := range 5 {
			time.Sleep(29 * time.Second)
			if f.kicked.Load() != nil {
				t.Fatalf("dropped after message %d", i)
			}
			p.Arrived(0, time.Now())
		}
		time.Sleep(30*time.Second - 1)
		synctest.Wait()
		if f.kicked.Load() != nil {
			t.Error("dropped too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if k := f.kicked.Load(); k == nil || !strings.Contains(k.Text, "no media for 30s") {
			t.Errorf("after 30 s of silence: %v", k)
		}

		never := &fake{}
		(&Publication{app: &Application{origin: og}, publisher: never}).watchIdle(0)
		time.Sleep(time.Hour)
		if never.kicked.Load() != nil {
			t.Error("off does not mean off")
		}
	})
}

// A stop waits for the files of streams that have ended.
func TestAStreamWhoseFilesAreBeingClosedKeepsTheOriginBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(""))
	if r.Busy() {
		t.Error("busy without a stream")
	}
	a := r.app("live")
	a.mu.Lock()
	a.ending["cam"] = &Stream{}
	a.mu.Unlock()
	if !r.Busy() {
		t.Error("not busy while files are being closed")
	}
	a.mu.Lock()
	delete(a.ending, "cam")
	a.mu.Unlock()
}

// A publisher that is silent while another takes over is an encoder that came back.
func TestOnlyTakeOversOfLivePublishersCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		quiet time.Duration
		want  bool
	}{{"sending", 0, true}, {"silent", contestAlive, false}} {
		r := newRig(t, liveWith(`on_conflict = "replace"`))
		var last *Publication
		for range 5 {
			p, err := r.fake().publish("live", "cam")
			if err != nil {
				t.Fatal(err)
			}
			p.Begin()
			p.lastMedia.Add(-int64(c.quiet))
			if last != nil {
				last.Leave(false)
			}
			last = p
		}
		last.Stream().Examine()
		_, found := last.Stream().Health()
		got := false
		for _, f := range found {
			got = got || f.Name == "take_overs"
		}
		if got != c.want {
			t.Errorf("%s: finding %t, want %t", c.name, got, c.want)
		}
		last.Leave(true)
	}
}
