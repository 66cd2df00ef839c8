package rtmpserver

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/origin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newBlock runs the first rtmp block of a configuration, without its listeners,
// until stop.
func newBlock(t testing.TB, hcl string) (b *Block, stop func()) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, files, diags := config.Load(path, config.LoadOptions{Env: map[string]string{"XDG_STATE_HOME": dir, "XDG_RUNTIME_DIR": dir}})
	if diags.HasErrors() {
		var b bytes.Buffer
		config.WriteDiagnostics(&b, files, diags)
		t.Fatalf("configuration:\n%s", b.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	log, clock := zap.NewNop(), awake.New()
	hub := fanout.NewHub(100*time.Millisecond, clock)
	var id uint64
	nextID := func() uint64 { id++; return id }
	og := origin.New(ctx, ctx, origin.Options{Log: log, Awake: clock, Hooks: hooks.New(log), Hub: hub, NextID: nextID})
	s := New(ctx, Options{Log: log, Awake: clock, Hub: hub, Origin: og, NextID: nextID})
	b = s.NewBlock()
	var made []origin.MadeKey
	rules, err := origin.AcquireRules(cfg, 0, &made)
	if err != nil {
		t.Fatal(err)
	}
	b.Commit(rules)
	og.SetServices([]*origin.Service{b.Service})
	return b, func() {
		og.Stop()
		cancel()
		s.WaitSessions()
		s.HangUp()
		hub.Close()
		og.Directories().Close()
		s.Wait()
		og.Wait()
	}
}
