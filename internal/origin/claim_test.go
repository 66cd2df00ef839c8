package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// from has a fake publish from an address.
func (r *rig) from(address string) *fake {
	f := r.fake()
	f.who.Address = netip.MustParseAddr(address)
	return f
}

// said counts the lines of the log with this text in their message or fields.
func (r *rig) said(text string) (n int) {
	for _, e := range r.logs.All() {
		if strings.Contains(fmt.Sprint(e.Message, " ", e.ContextMap()), text) {
			n++
		}
	}
	return n
}

// Who may have a name that a publisher has, or had, and what becomes of that one.
func TestWhoMayHaveANameThatIsTaken(t *testing.T) {
	t.Parallel()
	const me, other = "192.0.2.1", "192.0.2.2"
	for _, c := range []struct {
		name     string
		block    string
		lost     bool // the first publisher has lost its connection
		from     string
		refused  string
		replaced bool // the first one is told that another took over
		waits    bool // the second one waits
	}{
		{name: "auto, the same address", block: "", from: me, replaced: true},
		{name: "auto, another one", block: "", from: other, refused: "already publishing"},
		{name: "reject, the same address", block: `on_conflict = "reject"`, from: me, refused: "already publishing"},
		{name: "replace, another one", block: `on_conflict = "replace"`, from: other, replaced: true},
		{name: "standby, another one", block: `on_conflict = "standby"`, from: other, waits: true},
		{name: "standby, the same address", block: `on_conflict = "standby"`, from: me, replaced: true},
		{name: "in the grace, the same address", block: `reconnect_grace = "1h"`, lost: true, from: me},
		{name: "in the grace, another one", block: `reconnect_grace = "1h"`, lost: true, from: other, refused: "the name is kept for its publisher to come back (reconnect_grace)"},
		{name: "in the grace, reject", block: "reconnect_grace = \"1h\"\n    on_conflict = \"reject\"", lost: true, from: me},
		{name: "in the grace, replace", block: "reconnect_grace = \"1h\"\n    on_conflict = \"replace\"", lost: true, from: other},
		{name: "in the grace, standby", block: "reconnect_grace = \"1h\"\n    on_conflict = \"standby\"", lost: true, from: other, waits: true},
		{name: "in the grace, standby, the same address", block: "reconnect_grace = \"1h\"\n    on_conflict = \"standby\"", lost: true, from: me},
		{name: "max_publishers and a take-over", block: "max_publishers = 1\n    on_conflict = \"replace\"", from: other, replaced: true},
		{name: "max_publishers and one that waits", block: "max_publishers = 1\n    on_conflict = \"standby\"", from: other, refused: "max_publishers = 1 reached"},
		{name: "max_publishers and its encoder again", block: "max_publishers = 1\n    on_conflict = \"standby\"", from: me, replaced: true},
		{name: "max_publishers and a grace", block: "max_publishers = 1\n    reconnect_grace = \"1h\"", lost: true, from: me},
	} {
		r := newRig(t, liveWith(c.block))
		first := r.from(me)
		p, err := first.publish("live", "cam")
		if err != nil {
			t.Fatal(err)
		}
		st := p.Stream()
		if c.lost {
			p.Leave(false)
		}
		q, err := r.from(c.from).publish("live", "cam")
		if refused := errText(err); refused != c.refused {
			t.Errorf("%s: refused with %q, want %q", c.name, refused, c.refused)
		}
		k := first.kicked.Load()
		if (k != nil) != c.replaced || k != nil && (*k != Reason{RuleReplaced, "another publisher took over this stream"}) {
			t.Errorf("%s: the first publisher is told %v", c.name, k)
		}
		var refusal *Refusal
		if err != nil && (!errors.As(err, &refusal) || refusal.Rule != RuleName) {
			t.Errorf("%s: the refusal is %+v", c.name, err)
		}
		if !c.lost {
			defer p.Leave(true)
		}
		if q == nil {
			continue
		}
		if q.Stream() != st {
			t.Errorf("%s: it is another stream", c.name)
		}
		st.app.mu.Lock()
		waits := st.publication != q
		st.app.mu.Unlock()
		if waits != c.waits {
			t.Errorf("%s: it waits %t", c.name, waits)
		}
		takes, again, waiting := r.said("another publisher takes over"), r.said("it has a publisher again"), r.said("publisher waits: the stream has another one")
		if want := [3]int{count(c.replaced), count(c.lost && !c.waits), count(c.waits)}; [3]int{takes, again, waiting} != want {
			t.Errorf("%s: logged %v, want %v", c.name, [3]int{takes, again, waiting}, want)
		}
		defer q.Leave(true)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A key makes its holder the same publisher at every address, and nobody else.
func TestAKeyIsTheSamePublisherEverywhere(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	one, two := keyID{1}, keyID{2}
	for _, c := range []struct {
		a, b owner
		same bool
	}{
		{owner{addr: a}, owner{addr: a}, true},
		{owner{addr: a}, owner{addr: b}, false},
		{owner{key: one, addr: a}, owner{key: one, addr: b}, true},
		{owner{key: one, addr: a}, owner{key: two, addr: a}, false},
		{owner{key: one, addr: a}, owner{addr: a}, false},
		{owner{addr: a}, owner{key: one, addr: a}, false},
	} {
		if got := c.a.same(c.b); got != c.same {
			t.Errorf("%+v and %+v: %t", c.a, c.b, got)
		}
	}
}

// max_publishers counts those that are there, and those that are gone no more.
func TestPublishersAreCountedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("max_publishers = 2\n    reconnect_grace = \"0s\"\n    on_conflict = \"standby\""))
	publish := func(name, from string) *Publication {
		t.Helper()
		p, err := r.from(from).publish("live", name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	full := func(want bool) {
		t.Helper()
		p, err := r.from("192.0.2.99").publish("live", "more")
		if (err != nil) != want {
			t.Errorf("one more: %v, want refused %t", err, want)
		}
		if p != nil {
			p.Leave(true)
		}
	}
	a := publish("a", "192.0.2.1")
	full(false)
	b := publish("a", "192.0.2.2") // waits
	full(true)
	again := publish("a", "192.0.2.2") // the same encoder
	full(true)
	b.Leave(false)
	full(true)
	again.Leave(false)
	full(false)
	b = publish("a", "192.0.2.2")
	a.Leave(true) // the one that waits is on air now
	full(false)
	c := publish("b", "192.0.2.1")
	full(true)
	b.Leave(true)
	c.Leave(true)
	full(false)
}

// Eight publishers wait for a stream at most.
func TestHowManyPublishersWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(`on_conflict = "standby"`))
	for i := range 10 {
		p, err := r.from(fmt.Sprint("192.0.2.", i+1)).publish("live", "cam")
		want := ""
		if i > 8 {
			want = "8 publishers wait for the stream already"
		}
		if errText(err) != want {
			t.Errorf("publisher %d: %v", i, err)
		}
		if p != nil {
			defer p.Leave(true)
		}
	}
}

// While a rendition is live its base name is that of the set of them.
func TestTheBaseNameOfARenditionIsTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("reconnect_grace = \"0s\"\n    hls {\n      path = \"$DIR/hls\"\n      variant \"_low\" {}\n      variant \"_high\" {}\n    }"))
	low, err := r.fake().publish("live", "cam_low")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"cam": `the rendition "cam_low" is live: "cam" names the set of them`, "cam_high": "", "other": "", "cam_low_low": ""} {
		p, err := r.fake().publish("live", name)
		if errText(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if p != nil {
			p.Leave(true)
		}
	}
	low.Leave(true)
	r.eventually("the rendition is over", func() bool { return r.app("live").Stream("cam_low") == nil })
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	p.Leave(true)
	r.eventually("the outputs have ended", func() bool { return !r.Busy() })
}

// How long a stream goes on without its publisher, and why it ends.
func TestHowAStreamWaitsForItsPublisher(t *testing.T) {
	t.Parallel()
	const graces = "reconnect_grace = \"1h\"\n    handover_grace = \"2h\""
	for _, c := range []struct {
		name   string
		block  string
		leave  func(r *rig, p *Publication)
		waits  time.Duration
		reason string
	}{
		{"a lost connection", graces, func(_ *rig, p *Publication) { p.Leave(false) }, time.Hour, ""},
		{"a clean end", graces, func(_ *rig, p *Publication) { p.Leave(true) }, 2 * time.Hour, ""},
		{"no grace, lost", "reconnect_grace = \"0s\"", func(_ *rig, p *Publication) { p.Leave(false) }, 0, "its publisher lost the connection"},
		{"no grace, clean", "reconnect_grace = \"0s\"", func(_ *rig, p *Publication) { p.Leave(true) }, 0, "its publisher stopped"},
		{"no handover_grace", "reconnect_grace = \"1h\"", func(_ *rig, p *Publication) { p.Leave(true) }, 0, "its publisher stopped"},
		{"kicked", graces, func(r *rig, p *Publication) {
			if n := r.Kick("live", "cam", 0); n != 1 {
				r.Errorf("kicked %d", n)
			}
			p.Leave(false)
		}, 0, "its publisher was disconnected by the server"},
		{"kicked while it is away", graces, func(r *rig, p *Publication) {
			p.Leave(false)
			if n := r.Kick("live", "cam", 0); n != 1 {
				r.Errorf("kicked %d", n)
			}
		}, 0, "kicked by an operator"},
		{"the application is gone", graces, func(r *rig, p *Publication) {
			r.reload("rtmp {\n  listen = \"127.0.0.1:0\"\n  application \"other\" {}\n}")
			p.Leave(false)
		}, 0, WhyAppGone},
		{"gone while it is away", graces, func(r *rig, p *Publication) {
			p.Leave(false)
			r.reload("rtmp {\n  listen = \"127.0.0.1:0\"\n  application \"other\" {}\n}")
		}, 0, WhyAppGone},
		{"it does not come back", "reconnect_grace = \"20ms\"", func(r *rig, p *Publication) {
			p.Leave(false)
			r.eventually("the grace is over", func() bool { return p.app.Stream("cam") == nil })
		}, 0, "its publisher did not come back"},
	} {
		r := newRig(t, liveWith(c.block))
		f := r.fake()
		p, err := f.publish("live", "cam")
		if err != nil {
			t.Fatal(err)
		}
		app := p.app
		c.leave(r, p)
		if got := app.Stream("cam") != nil; got != (c.waits > 0) {
			t.Errorf("%s: the stream is there %t", c.name, got)
		}
		if c.waits > 0 {
			e := r.logs.FilterMessage("publisher lost; the stream waits for it").FilterField(zap.Duration("grace", c.waits))
			if e.Len() != 1 || !p.Stream().Waiting() {
				t.Errorf("%s: it waits %t, %d lines", c.name, p.Stream().Waiting(), e.Len())
			}
			continue
		}
		if n := r.logs.FilterMessage("stream ended").FilterField(zap.String("reason", c.reason)).Len(); n != 1 {
			t.Errorf("%s: %d lines say that it ended: %s", c.name, n, c.reason)
		}
	}
}

// A stop ends no stream: the next start goes on with its playlist.
func TestAStopEndsNoStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("reconnect_grace = \"0s\""))
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	r.Stop()
	p.Leave(false)
	if r.app("live").Stream("cam") == nil || r.said("stream ended") > 0 {
		t.Error("the stream has ended")
	}
}
