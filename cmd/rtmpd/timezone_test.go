package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestATimezoneThatCannotBeReadIsReported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("no time zone"), 0o600); err != nil {
		t.Fatal(err)
	}
	for tz, warned := range map[string]bool{
		"": false, ":": false, "UTC": false, "Europe/Berlin": false, ":America/New_York": false, "Local": false,
		"Europe/Berlinn": true, "CET-1CEST,M3.5.0,M10.5.0/3": true, "/no/such/file": true, bad: true, "../../etc/passwd": true,
	} {
		core, logs := observer.New(zap.InfoLevel)
		checkTimezone(zap.New(core), tz)
		if got := logs.Len() > 0; got != warned {
			t.Errorf("TZ=%q: warned %v, want %v", tz, got, warned)
		}
	}
}

func TestTimezonesAreInTheBinary(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "time/tzdata\n") {
		t.Error("time/tzdata is not linked: TZ has no effect in a container from scratch")
	}
}
