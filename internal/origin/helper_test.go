package origin

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait: ten times what a slow machine needs.
const patience = 2 * time.Minute

// A rig is an Origin with the first rtmp block of a configuration.
type rig struct {
	testing.TB
	*Origin
	service *Service
	dir     string // $DIR in configurations
	logs    *observer.ObservedLogs
	clients atomic.Uint64
}

func newRig(t testing.TB, hcl string) *rig {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{TB: t, dir: t.TempDir(), logs: logs}
	log, clock := zap.New(core), awake.New()
	ctx, cancel := context.WithCancel(context.Background())
	outputCtx, outputCancel := context.WithCancel(context.Background())
	hub := fanout.NewHub(100*time.Millisecond, clock)
	caller := hooks.New(log)
	caller.Awake = clock
	r.Origin = New(ctx, outputCtx, Options{Log: log, Awake: clock, Hooks: caller, Hub: hub, NextID: func() uint64 { return r.clients.Add(1) }})
	r.service = r.NewService()
	r.reload(hcl)
	r.SetServices([]*Service{r.service})
	t.Cleanup(func() {
		r.Stop()
		cancel()
		r.audience.Close()
		outputCancel()
		r.EachStream(func(st *Stream) { st.WaitOutputs() })
		hub.Close()
		caller.Close(time.Now().Add(patience))
		r.dirs.Close()
		r.EndCommands(time.Now(), time.Now().Add(patience))
		r.Wait()
		if t.Failed() {
			for _, e := range logs.All() {
				t.Logf("%s %s %v", e.Level, e.Message, e.ContextMap())
			}
		}
	})
	return r
}

// reload commits the first rtmp block of another configuration.
func (r *rig) reload(hcl string) {
	r.Helper()
	path := filepath.Join(r.dir, "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(hcl, "$DIR", r.dir)), 0o600); err != nil {
		r.Fatal(err)
	}
	cfg, files, diags := config.Load(path, config.LoadOptions{Env: map[string]string{"XDG_STATE_HOME": r.dir, "XDG_RUNTIME_DIR": r.dir}})
	if diags.HasErrors() {
		var b bytes.Buffer
		config.WriteDiagnostics(&b, files, diags)
		r.Fatalf("configuration:\n%s", b.String())
	}
	r.Guard(cfg)
	var made []MadeKey
	rules, err := AcquireRules(cfg, 0, &made)
	if err != nil {
		r.Fatal(err)
	}
	for _, a := range r.service.Commit(rules) {
		r.Remove(a)
	}
}

func (r *rig) app(name string) *Application { return r.service.Application(name) }

// liveWith is a configuration with an application of that name.
func liveWith(block string) string {
	return "rtmp {\n  listen = \"127.0.0.1:0\"\n  application \"live\" {\n    " + block + "\n  }\n}"
}

// A fake is a publisher or player that speaks no protocol.
type fake struct {
	rig    *rig
	who    Description
	held   chan struct{} // Describe waits until it is closed; nil: it does not
	kicked atomic.Pointer[Reason]
	moved  atomic.Pointer[string]
	begun  atomic.Int64 // streams that it was told of
}

func (r *rig) fake() *fake {
	id := r.NextID()
	return &fake{rig: r, who: Description{
		ID: id, Address: netip.AddrFrom4([4]byte{10, byte(id >> 16), byte(id >> 8), byte(id)}), Peer: fmt.Sprint("fake-", id), Since: time.Now(),
		Local: &net.TCPAddr{}, Session: hooks.Session{App: "live", ClientID: id}, Encoder: "fake",
	}}
}

func (f *fake) Kick(r Reason)                                 { f.kicked.CompareAndSwap(nil, &r) }
func (f *fake) Redirect(name, _ string)                       { f.moved.Store(&name) }
func (f *fake) Hide(string, bool)                             {}
func (f *fake) StreamBegins(*config.Application)              { f.begun.Add(1) }
func (f *fake) StreamEnds(*config.Application, time.Duration) {}

func (f *fake) Describe() Description {
	if f.held != nil {
		<-f.held
	}
	return f.who
}

// publish has f publish, or be refused.
func (f *fake) publish(app, typed string) (*Publication, error) {
	name, query, _ := strings.Cut(typed, "?")
	args, _ := url.ParseQuery(query)
	return f.rig.app(app).Publish(context.Background(), &PublishRequest{
		Log: f.rig.Origin.Log, Address: f.who.Address, Typed: name, Args: args, RawArgs: query, Type: "live", Away: func() bool { return false },
	}, f)
}

// play has f play, or be refused.
func (f *fake) play(app, name string) (*Playing, error) {
	return f.rig.app(app).Play(context.Background(), &PlayRequest{
		Log: f.rig.Origin.Log, Address: f.who.Address, Name: name, Away: func() bool { return false },
	}, f)
}

// crowd has fakes publish streams, and others play them in turns, until the test
// ends.
func (r *rig) crowd(streams, players int) (publishers, watchers []*fake) {
	r.Helper()
	name := func(i int) string { return fmt.Sprintf("stream%04d", i%streams) }
	for i := range streams {
		f := r.fake()
		p, err := f.publish("live", name(i))
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(func() { p.Leave(true) })
		publishers = append(publishers, f)
	}
	for i := range players {
		f := r.fake()
		p, err := f.play("live", name(i))
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(p.Leave)
		watchers = append(watchers, f)
	}
	return publishers, watchers
}

func (r *rig) eventually(what string, cond func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("never happened: %s", what)
		}
	}
}
