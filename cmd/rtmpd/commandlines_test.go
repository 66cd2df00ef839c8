package main

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// words splits a line of shell as far as the documents need: quotes, and no expansion.
func words(line string) (out []string) {
	for _, m := range regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`).FindAllString(line, -1) {
		out = append(out, strings.NewReplacer(`'`, "", `"`, "").Replace(m))
	}
	return out
}

// commandLines are the calls of a program in the shell of README and docs.
func commandLines(t *testing.T, program string) (found []codeBlock) {
	t.Helper()
	for _, b := range slices.Concat(blocks(t, "sh"), blocks(t, "")) {
		text := strings.ReplaceAll(b.text, "\\\n", " ")
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "$ "), " #")
			for part := range strings.SplitSeq(strings.ReplaceAll(line, "&&", "|"), "|") {
				if w := words(part); len(w) > 0 && strings.TrimPrefix(w[0], "/usr/bin/") == program {
					found = append(found, codeBlock{b.path, strings.TrimSpace(part)})
				}
			}
		}
	}
	return found
}

// Every line of shell with rtmpd that README or docs show is one that rtmpd takes: the
// command exists, with these flags and so many arguments.
func TestTheDocumentsCommandLinesAreTaken(t *testing.T) {
	lines := commandLines(t, "rtmpd")
	if len(lines) < 12 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		args := words(l.text)[1:]
		if i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, ">") || strings.HasPrefix(a, "<") }); i >= 0 {
			args = args[:i] // where it goes is the shell's
		}
		root := newRoot()
		cmd, rest, err := root.Find(longFlags(root, args))
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil || cmd == root {
			t.Errorf("%s: %s: %v", l.path, l.text, err)
		}
	}
}

// The shell of README and docs is such that a shell can read it, and make has its targets.
func TestTheDocumentsShellIsRead(t *testing.T) {
	for _, b := range blocks(t, "sh") {
		sh := exec.Command("sh", "-n")
		sh.Stdin = strings.NewReader(b.text)
		if out, err := sh.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", b.path, err, out, b.text)
		}
	}
	for _, l := range commandLines(t, "make") {
		args := append([]string{"-n", "-C", "../.."}, words(l.text)[1:]...)
		if out, err := exec.Command("make", args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %s: %v\n%s", l.path, l.text, err, out)
		}
	}
}

// What docker compose is told belongs to the file that rtmpd snippet compose prints: its
// service, and the path of the program in the image.
func TestTheDocumentedComposeNamesItsService(t *testing.T) {
	text := block(t, "docs/containers.md", "sh", "docker compose up")
	printed, report, err := called("", "snippet", "compose", "-c", "../../examples/scanlines.hcl")
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	m := regexp.MustCompile(`docker compose exec (\S+) (\S+)`).FindStringSubmatch(text)
	if m == nil || !strings.Contains(printed, "\n  "+m[1]+":\n") || m[2] != "/usr/bin/rtmpd" {
		t.Errorf("%q, and the file is\n%s", m, printed)
	}
}
