package origin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

// A toyOutput counts packets. Its block is max_publishers, for want of one of its
// own: any change of it ends this one and begins another.
type toyOutput struct {
	block any
	mu    sync.Mutex
	state output.State
}

// A toyShop has opened toyOutputs.
type toyShop struct {
	mu   sync.Mutex
	all  []*toyOutput
	fail error // of Open
}

func (s *toyShop) kind() OutputKind {
	return OutputKind{
		Name:   "toy",
		Blocks: func(a *config.Application, _ string) map[string]any { return map[string]any{"one": a.MaxPublishers} },
		Open: func(_ *Stream, block any) (Output, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.fail != nil {
				return nil, s.fail
			}
			o := &toyOutput{block: block}
			s.all = append(s.all, o)
			return o, nil
		},
	}
}

func (s *toyShop) opened() []*toyOutput { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.all) }

func (t *toyOutput) Run(ctx context.Context, cur *live.Cursor) error {
	buf := make([]*media.Packet, 16)
	for {
		n, _, err := cur.Next(ctx, buf)
		t.mu.Lock()
		if t.state.Files += uint64(n); n > 0 {
			t.state.Duration = buf[n-1].DTS
		}
		t.mu.Unlock()
		if err != nil {
			return nil
		}
	}
}

func (t *toyOutput) State() output.State { t.mu.Lock(); defer t.mu.Unlock(); return t.state }

// card sends n packets of a publisher whose keyframes come every ten. If the last one
// is a keyframe it wakes every output.
func (p *Publication) card(n int) {
	base, epoch := p.Begin()
	track := &media.Track{Kind: media.Video, Codec: media.CodecH264}
	for i := range n {
		dts := base + time.Duration(i)*40*time.Millisecond
		p.Write(&media.Packet{Track: track, DTS: dts, Epoch: epoch, Keyframe: i%10 == 0, Timestamp: uint32(dts / time.Millisecond), Tag: make([]byte, 100)}, time.Now())
	}
}

// A publisher and an output that only this file knows get keys, access, hooks,
// limits, take-over, reload and stat from the origin.
func TestAToyPublisherAndAToyOutput(t *testing.T) {
	t.Parallel()
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("call") == "publish" && r.FormValue("no") != "" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer hook.Close()
	block := func(max string) string {
		return liveWith(`stream_key "cam" { secret = "good-secret-0001" }
    stream_key "two" { secret = "good-secret-0002" }
    access { publish = ["deny 10.0.0.3", "allow all"] }
    on_publish      = "` + hook.URL + `"
    reconnect_grace = "1h"
    max_publishers  = ` + max)
	}
	shop := &toyShop{}
	r := newRig(t, block("1"))
	r.outputKinds = append(slices.Clone(outputKinds), shop.kind())
	refused := func(typed, why string) {
		t.Helper()
		if _, err := r.fake().publish("live", typed); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("publish %s: %v, want %q", typed, err, why)
		}
	}
	refused("cam", "name that viewers see")        // 10.0.0.1: a key
	refused("good-secret-0002?no=1", "on_publish") // 10.0.0.2: a hook
	refused("good-secret-0002", "not allowed")     // 10.0.0.3: access
	first := r.fake()
	p, err := first.publish("live", "good-secret-0001")
	if err != nil {
		t.Fatal(err)
	}
	refused("good-secret-0002", "max_publishers = 1 reached")
	p.card(21)
	seen := func() api.Stream { s, _, _ := r.service.Snapshot(time.Now()); return s.Applications[0].Streams[0] }
	// It begins at the newest keyframe that there is when it looks.
	r.eventually("packets are in the output", func() bool { o := seen().Outputs; return len(o) == 1 && o[0].Duration == 20*40*time.Millisecond })
	had := seen().Outputs[0].Files
	if s := seen(); s.Name != "cam" || s.Outputs[0].Kind != "toy" || s.Clients[0].FlashVer != "fake" || s.Packets != 21 {
		t.Errorf("stat shows %+v", s)
	}

	second := r.fake() // takes over with the same key
	q, err := second.publish("live", "good-secret-0001")
	if err != nil {
		t.Fatal(err)
	}
	if k := first.kicked.Load(); k == nil || k.Rule != RuleReplaced {
		t.Errorf("the first publisher is told %v", k)
	}
	p.Leave(false)
	q.card(21)
	r.eventually("the output goes on", func() bool { return seen().Outputs[0].Files == had+21 })

	r.reload(block("3"))
	r.eventually("another output takes the changed block", func() bool { return len(shop.opened()) == 2 && shop.opened()[1].block == 3 })
	r.reload(strings.ReplaceAll(block("3"), "good-secret-0001", "good-secret-0009"))
	if k := second.kicked.Load(); k == nil || !strings.Contains(k.Text, "stream key") {
		t.Errorf("a publisher whose key was replaced is told %v", k)
	}
	q.Leave(false)
	r.eventually("the stream is over", func() bool { return !r.Busy() })
}

// An output that can't begin fails for as long as it can't, and nothing else does.
func TestAnOutputThatCannotBeginIsTriedAgain(t *testing.T) {
	t.Parallel()
	shop := &toyShop{fail: http.ErrNotSupported}
	r := newRig(t, liveWith(""))
	r.outputKinds = []OutputKind{shop.kind()}
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave(true)
	r.eventually("it is shown as failing", func() bool {
		_, found := p.Stream().Health()
		failing, all := p.Stream().FailingOutputs()
		return all == 1 && failing == 1 && len(found) == 1 && strings.Contains(found[0].Advice, `toy "one" fails`)
	})
	shop.mu.Lock()
	shop.fail = nil
	shop.mu.Unlock()
	p.card(11)
	r.eventually("it begins", func() bool {
		failing, _ := p.Stream().FailingOutputs()
		return failing == 0 && len(shop.opened()) == 1
	})
}

// An output of a stream waits for that of the stream of that name before, which
// still closes its file; meanwhile reloads come and go.
func TestAnOutputWaitsForTheStreamBefore(t *testing.T) {
	t.Parallel()
	shop := &toyShop{}
	r := newRig(t, liveWith(`reconnect_grace = "0s"`))
	r.outputKinds = []OutputKind{shop.kind()}
	a := r.app("live")
	closed := make(chan struct{})
	other := make(chan struct{}) // of another output that never ends, which is no matter
	old := &Stream{outputs: &outputs{last: map[outputKey]<-chan struct{}{{"toy", "one"}: closed, {"toy", "two"}: other}}}
	a.mu.Lock()
	a.ending["cam"] = old
	a.mu.Unlock()
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	p.card(20)
	r.reload(liveWith("max_publishers = 5\n    reconnect_grace = \"0s\""))
	if n := len(shop.opened()); n != 0 {
		t.Errorf("%d outputs have begun", n)
	}
	close(closed)
	r.eventually("the output begins", func() bool { return len(shop.opened()) > 0 })
	a.mu.Lock()
	delete(a.ending, "cam")
	a.mu.Unlock()
	p.Leave(true)
}

// A control call that comes as the stream ends finds nothing to record.
func TestControlFindsNoRecorderThatHasEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith("reconnect_grace = \"0s\"\n    record \"all\" {\n      path = \"$DIR/rec\"\n      manual = true\n    }"))
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Stream().outputs.recorder(t.Context(), "all")
	if err != nil {
		t.Fatal(err)
	}
	p.Leave(true)
	p.Stream().WaitOutputs()
	for range 2 {
		if path, err := recordAll(t.Context(), []*recordOutput{out}, true); path != "" || err != nil {
			t.Errorf("%q, %v", path, err)
		}
	}
}
