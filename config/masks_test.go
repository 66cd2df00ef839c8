package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// shown is how diagnostics about each line of src show it, with what the caret marks:
// the last byte of the line.
func shown(t *testing.T, src string) string {
	t.Helper()
	var diags hcl.Diagnostics
	at := 0
	for i, line := range strings.Split(src, "\n") {
		if line != "" {
			end := hcl.Pos{Line: i + 1, Column: len(line), Byte: at + len(line)}
			diags = append(diags, &hcl.Diagnostic{Summary: "x", Subject: &hcl.Range{Filename: "f", Start: hcl.Pos{Line: i + 1, Column: len(line), Byte: end.Byte - 1}, End: end}})
		}
		at += len(line) + 1
	}
	var b bytes.Buffer
	WriteDiagnostics(&b, Files{"f": &hcl.File{Bytes: []byte(src)}}, diags)
	var out []string
	for line := range strings.Lines(b.String()) {
		head, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " | ")
		switch {
		case !ok:
		case strings.TrimSpace(head) != "":
			out = append(out, text)
		case len([]rune(text)) != len([]rune(out[len(out)-1])) && !strings.HasSuffix(out[len(out)-1], "…"):
			t.Errorf("the caret is at column %d of %q", len([]rune(text)), out[len(out)-1])
		}
	}
	return strings.Join(out, "\n")
}

// What a diagnostic shows of the lines around a mistake holds no secret: log files
// and screenshots are shared.
func TestWhatDiagnosticsShowOfSecrets(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`secret = "abc"`:                                    `secret = "…"`,
		`secret = "abc" # why`:                              `secret = "…" # why`,
		`secret_sha256 = "abc"`:                             `secret_sha256 = "…"`,
		`description = "abc"`:                               `description = "abc"`,
		`secret = env("NAME")`:                              `secret = env("NAME")`,
		`secret = file("/etc/key")`:                         `secret = file("/etc/key")`,
		`secret = credential("key")`:                        `secret = credential("key")`,
		`secret = upper("abc")`:                             `secret = upper("…")`,
		`secret = env("NAME", "abc")`:                       `secret = env("NAME", "…")`,
		`secret = ("abc")`:                                  `secret = ("…")`,
		`secret = abc`:                                      `secret = …`,
		`secret = 12345`:                                    `secret = …`,
		`secret = null`:                                     `secret = null`,
		`secret = "a${x}b"`:                                 `secret = "…${…}…"`,
		`secret = "a${x.y}b"`:                               `secret = "…${x.…}…"`,
		"secret = \"abc\"\nname = \"shown\"":                "secret = \"…\"\nname = \"shown\"",
		"secret = \"abc\nname = \"shown\"":                  "secret = \"…\n…\"…\"",
		`token = ["abc", "def"]`:                            `token = ["…", "…"]`,
		"token = [\n\"abc\",\n\"def\"\n]\nname = \"shown\"": "token = [\n\"…\",\n\"…\"\n]\nname = \"shown\"",
		`headers = { A = "abc", B = "def" }`:                `headers = { A = "…", B = "…" }`,
		`headers = { "A" : "abc" }`:                         `headers = { "…" : "…" }`,
		"headers = {\nA = \"abc\"\n}\nname = \"shown\"":     "headers = {\nA = \"…\"\n}\nname = \"shown\"",
		`stream_key "x" { secret = "abc" }`:                 `stream_key "x" { secret = "…" }`,
		"k { secret = \"abc\" } b { name = \"shown\" }":     "k { secret = \"…\" } b { name = \"shown\" }",
		"secret = <<EOT\nabc\nEOT\nname = \"shown\"":        "secret = <<EOT\n…\nEOT\nname = \"shown\"",
		`"token": "abc", "name": "shown"`:                   `"token": "…", "…": "…"`,
		`"name": "shown"`:                                   `"name": "shown"`,
		`{"token": {"a": "abc"}}`:                           `{"token": {"…": "…"}}`,
		"secret = local.a\nlocals {\na = local.b\nb = \"abc\"\nc = \"shown\"\n}": "secret = local.a\nlocals {\na = local.b\nb = \"…\"\nc = \"shown\"\n}",
		`on_play = "http://user:pw@h/p?q=1#x"`:                                   `on_play = "http://…@h/p?…"`,
		`on_play = "http://h/p?q=1"`:                                             `on_play = "http://h/p?…"`,
		`on_play = "http://user@h/p"`:                                            `on_play = "http://…@h/p"`,
		`on_play = "http://h/p@x"`:                                               `on_play = "http://h/p@x"`,
		`on_play = "http://u?x@h"`:                                               `on_play = "http://…@h"`,
		`on_play = "/p?q=1"`:                                                     `on_play = "/p?q=1"`,
		`push "rtmp://h/live/key" {`:                                             `push "rtmp://h/live/key" {`,
	} {
		if got := shown(t, src); got != want {
			t.Errorf("%s\nis shown as\n%s\nwant\n%s", src, got, want)
		}
	}
}

// Mistakes that have no place stand before the others, those of files that were not
// read behind them; one of each.
func TestMistakesWithoutAPlaceStandFirst(t *testing.T) {
	t.Parallel()
	at := func(file string, line int) *hcl.Range {
		p := hcl.Pos{Line: line, Column: 1, Byte: line * 10}
		q := hcl.Pos{Line: line, Column: 5, Byte: line*10 + 4}
		return &hcl.Range{Filename: file, Start: p, End: q}
	}
	in := hcl.Diagnostics{
		{Summary: "another file", Subject: at("z", 1)},
		{Summary: "second file", Subject: at("b", 1)},
		{Summary: "first file, line 3", Subject: at("a", 3)},
		{Summary: "first file, line 2", Subject: at("a", 2)},
		{Summary: "first file, line 2 again", Subject: at("a", 2)},
		{Summary: "nowhere"},
		{Summary: "nowhere either"},
		{Summary: "nowhere"},
	}
	var got []string
	for _, d := range tidy(in, []source{{name: "a"}, {name: "b"}}) {
		got = append(got, d.Summary)
	}
	if want := "nowhere, nowhere either, first file, line 2, first file, line 3, second file, another file"; strings.Join(got, ", ") != want {
		t.Errorf("got %s,\nwant %s", strings.Join(got, ", "), want)
	}
}

// Where a file can't be read, what is missing in the others may stand in it: that is
// no mistake of theirs.
func TestOneFileThatCannotBeReadIsOneMistake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a.hcl"), []byte("http {\n  location \"/x\" {}\n}\n"), 0o600))
	if _, files, diags := Load(dir, LoadOptions{}); strings.Count(text(files, diags), "error: ") != 1 {
		t.Fatalf("a location that serves nothing:\n%s", text(files, diags))
	}
	must(t, os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "b.hcl")))
	_, files, diags := Load(dir, LoadOptions{})
	if got := text(files, diags); strings.Count(got, "error: ") != 1 || !strings.Contains(got, "b.hcl: no such file") {
		t.Errorf("got\n%s", got)
	}
}
