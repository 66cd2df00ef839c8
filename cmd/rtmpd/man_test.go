package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheManualIsWhole: a page for each command and one for the configuration, in which
// mandoc finds nothing wrong and leads to no page that is missing.
func TestTheManualIsWhole(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "1772409600") // as a package is made
	if code := execute([]string{"man", dir}); code != exitOK {
		t.Fatalf("exit %d", code)
	}
	pages, err := filepath.Glob(dir + "/man?/*")
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	out, err := exec.Command("mandoc", append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc: %v (see scripts/test-deps)\n%s", err, out)
	}
	for _, page := range []struct{ name, has string }{
		{"man1/rtmpd.1", ".TH RTMPD 1 2026-03-02 "},
		{"man1/rtmpd.1", ".SH SIGNALS\n"},
		{"man1/rtmpd.1", "\\fB\\-c, \\-\\-config file or directory\\fR\n"},
		{"man1/rtmpd-key-show.1", "\\fBrtmpd key show\\fR HOLDER"},
		{"man1/rtmpd-completion-zsh.1", ".SH SYNOPSIS\n"},
		{"man5/rtmpd.hcl.5", "\\fBfragment = \"5s\"\\fR\n"},
		{"man5/rtmpd.hcl.5", ".SS \\fBrtmp { application \"NAME\" { hls { \\[u2026] } } }\\fR\n"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, page.name))
		if err != nil || !bytes.Contains(text, []byte(page.has)) {
			t.Errorf("%s has no %q (%v)", page.name, page.has, err)
		}
	}
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, see, _ := strings.Cut(string(text), ".SH SEE ALSO\n")
		for _, ref := range strings.Split(strings.ReplaceAll(strings.TrimSpace(see), `\-`, "-"), ", ") {
			name, section, ok := strings.Cut(strings.TrimSuffix(ref, ")"), "(")
			if _, err := os.Stat(filepath.Join(dir, "man"+section, name+"."+section)); !ok || err != nil {
				t.Errorf("%s leads to %q, which is not there", path, ref)
			}
		}
	}
}

func TestTheManualNeedsADirectory(t *testing.T) {
	if code := execute([]string{"man"}); code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := execute([]string{"man", file}); code != exitError {
		t.Errorf("exit %d, want %d", code, exitError)
	}
}
