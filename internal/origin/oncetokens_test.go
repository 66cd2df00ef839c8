package origin

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// Whoever has used a token for one viewer has it after a restart, and nobody else.
func TestATokenForOneViewerIsRememberedBeyondARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	now := time.Now()
	anna := credential{addr: netip.MustParseAddr("192.0.2.1"), agent: "VLC"}
	ben := credential{addr: netip.MustParseAddr("192.0.2.2"), agent: "VLC"}
	long := &viewtoken.Claims{ID: "long", Once: true, Expires: now.Add(time.Hour)}
	short := &viewtoken.Claims{ID: "short", Once: true, Expires: now.Add(time.Second)}
	started := func() *onceTokens {
		o := new(onceTokens)
		o.keepIn(dir, zap.NewNop())
		return o
	}
	take := func(o *onceTokens, c *viewtoken.Claims, app string, who credential, want bool) {
		t.Helper()
		if got := o.take(c, app, who, now, 0); got != want {
			t.Errorf("%s takes %s of %s: %v", who.addr, c.ID, app, got)
		}
	}
	o := started()
	take(o, long, "live", anna, true)
	take(o, short, "live", anna, true)
	file := filepath.Join(dir, onceFileName)
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), "\n") != 2 || strings.Contains(string(b), "192.0.2") {
		t.Fatalf("%q, %v", b, err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	// A line that a crash has torn, and what was never a line.
	if err := os.WriteFile(file, append(b, "00ff\n\xff\xff 3 4\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	o = started()
	take(o, long, "live", ben, false)
	take(o, long, "live", anna, true)
	take(o, long, "other", ben, true)
	if len(o.used) != 2 {
		t.Errorf("%d tokens are remembered, one of which has expired", len(o.used))
	}
	for i := range 200 { // expired ones leave the file in the end
		c := *short
		c.ID += strings.Repeat("x", i)
		take(started(), &c, "live", anna, true)
	}
	if b, err := os.ReadFile(file); err != nil || strings.Count(string(b), "\n") > 100 {
		t.Errorf("%d lines, %v", strings.Count(string(b), "\n"), err)
	}
	take(started(), long, "live", ben, false)

	// Without a directory, tokens are used once all the same.
	broken := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o = new(onceTokens)
	o.keepIn(filepath.Join(broken, "state"), zap.NewNop())
	take(o, long, "live", anna, true)
	take(o, long, "live", ben, false)
}
