package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// analyze runs systemd-analyze on copies of the units that run programs and users which
// are here.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"rtmpd.service", "rtmpd.socket"} {
		text, err := os.ReadFile("../../systemd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		here := regexp.MustCompile(`(?m)^(User|Group)=.*\n`).ReplaceAllString(strings.ReplaceAll(string(text), "/usr/bin/rtmpd", "/bin/true"), "DynamicUser=yes\n")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(here), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("systemd-analyze", append(args, filepath.Join(dir, "rtmpd.socket"), filepath.Join(dir, "rtmpd.service"))...)
	cmd.Env = append(os.Environ(), "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=cat")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("systemd-analyze: %v: see scripts/test-deps", err)
	}
	return string(out)
}

// TestTheUnitsAreUnderstood: systemd knows every line of them, but for the one that it
// learned with 253 and that older ones pass over.
func TestTheUnitsAreUnderstood(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(analyze(t, "verify", "--man=no")) {
		if !strings.Contains(line, "/rtmpd.") || strings.Contains(line, "ignoring: notify-reload") {
			continue
		}
		t.Error(line)
	}
}

// TestTheServiceIsShutIn: the exposure that systemd counts, of 10, while it may listen
// below 1024.
func TestTheServiceIsShutIn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../systemd/rtmpd.service")
	if err != nil || !strings.Contains(string(text), "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n") {
		t.Errorf("it may not listen below 1024 (%v)", err)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "../../systemd/rtmpd.service").CombinedOutput()
	m := regexp.MustCompile(`exposure level for rtmpd.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("systemd-analyze: %v: see scripts/test-deps\n%s", err, out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 2 {
		t.Errorf("exposure level %s, want at most 2.0", m[1])
	}
}
