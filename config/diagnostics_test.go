package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// diagnosticsOf loads a file called x.hcl and returns what a person reads, without
// the directory.
func diagnosticsOf(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.hcl")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	_, files, diags := Load(path, LoadOptions{Env: testEnv})
	return strings.ReplaceAll(text(files, diags), path, "x.hcl")
}

func TestWhatAPersonReadsOfAMistake(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ content, want string }{
		"in the middle": {
			"rtmp {\n  application \"live\" {\n    max_players = nonsense\n  }\n}\n",
			"x.hcl:3:19: error: a name without quotes is not a value\n" +
				"   3 |     max_players = nonsense\n" +
				"     |                   ^^^^^^^^\n",
		},
		"behind tabs": {
			"rtmp {\n\tapplication \"live\" {\n\t\tmax_players = -1\n\t}\n}\n",
			"   3 | \t\tmax_players = -1\n" +
				"     | \t\t              ^^\n",
		},
		"on the last line, which does not end": {
			minimal + "locals { x = nonsense }",
			"   4 | locals { x = nonsense }\n" +
				"     |              ^^^^^^^^\n",
		},
		"behind what is not ASCII": {
			minimal + "locals {\n  x = [\"äöü\", nonsense]\n}\n",
			"   5 |   x = [\"äöü\", nonsense]\n" +
				"     |               ^^^^^^^^\n",
		},
	} {
		if got := diagnosticsOf(t, tt.content); !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tt.want)
		}
	}
}

// Mistakes stand in the order of their places; one place has one.
func TestTheOrderOfMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.hcl": "locals {\n  b = wrong\n  a = wrong\n}\n" + minimal,
		"b.hcl": "locals {\n  d = wrong\n}\n",
		"c.hcl": "locals {\n  c = wrong\n  a = 1\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, files, diags := Load(dir, LoadOptions{Env: testEnv})
	var got []string
	for line := range strings.SplitSeq(text(files, diags), "\n") {
		if strings.HasPrefix(line, dir) || strings.Contains(line, ": error: ") {
			got = append(got, strings.Join(strings.SplitN(strings.TrimPrefix(line, dir+"/"), ":", 4)[:3], ":"))
		}
	}
	want := []string{"a.hcl:2:7", "a.hcl:3:7", "b.hcl:2:7", "c.hcl:2:7", "c.hcl:3:3"}
	if !slices.Equal(got, want) {
		t.Errorf("the places are %q, want %q\n%s", got, want, text(files, diags))
	}
}

func TestMistakesForAProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.hcl")
	if err := os.WriteFile(path, []byte("rtmp {\n  application \"live\" {\n    max_players = nonsense\n  }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]jsonDiagnostic{
		path:              {Severity: "error", File: path, Line: 3, Column: 19, EndLine: 3, EndColumn: 27},
		path + ".missing": {Severity: "error"},
	} {
		_, _, diags := Load(file, LoadOptions{Env: testEnv})
		var b bytes.Buffer
		var got []jsonDiagnostic
		if err := WriteDiagnosticsJSON(&b, diags); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got) != 1 || got[0].Summary == "" {
			t.Fatalf("%s: %v", b.String(), err)
		}
		got[0].Summary, got[0].Detail = "", ""
		if got[0] != want {
			t.Errorf("got %+v, want %+v", got[0], want)
		}
		line := OneLine(diags[0])
		if place := fmt.Sprintf("%s:3:19: ", path); strings.HasPrefix(line, place) != (want.Line > 0) || !strings.Contains(line, diags[0].Summary) {
			t.Errorf("on one line: %s", line)
		}
	}
}

// Locals may need each other in any order, but not in a ring. A ring is shown as
// far as ten of them.
func TestRingsOfLocals(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		1: "local.a00 needs local.a00\n", 2: "local.a00 needs local.a01 needs local.a00\n",
		10: "needs local.a09 needs local.a00\n", 11: "needs local.a09 needs local.… needs local.a00\n",
	} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  a%02d = local.a%02d\n", i, (i+1)%n)
		}
		got := diagnosticsOf(t, minimal+"locals {\n"+b.String()+"}\n")
		if !strings.Contains(got, want) || strings.Count(got, "error:") != 1 {
			t.Errorf("a ring of %d:\n%s\nwant %s", n, got, want)
		}
	}
	// A long chain is none.
	for n, good := range map[int]bool{150: true, 250: false} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  a%03d = local.a%03d\n", i, i+1)
		}
		got := diagnosticsOf(t, minimal+"locals {\n"+b.String()+fmt.Sprintf("  a%03d = 1\n}\n", n))
		if (got == "") != good {
			t.Errorf("a chain of %d: %.300s", n, got)
		}
	}
	got := diagnosticsOf(t, "locals {\n  b = local.a\n}\nlocals {\n  a = 7\n  unused = \"x\"\n}\nrtmp {\n  application \"live\" {\n    max_players = local.b\n  }\n}\n")
	if got != "" {
		t.Errorf("one that stands before what it needs: %s", got)
	}
	for content, want := range map[string]string{
		"locals {\n  a = 1\n}\nlocals {\n  a = 2\n}\n":     "local.a is said twice",
		"locals {\n  listen = 1\n  b = local.listn\n}\n":   "did you mean local.listen?",
		"locals {\n  a = local.entirely\n}\n":              "locals { entirely = … } would make it",
		"locals {\n  a = on\n}\n":                          "write true",
		"locals {\n  a = Disabled\n}\n":                    "write false",
		"locals {\n  a = env\n}\n":                         `it is a function: env("NAME")`,
		"locals {\n  a = word\n}\n":                        "quote it; only local.x is a variable",
		"locals {\n  a = \"${name}_low\"\n}\n":             "a placeholder has no braces: write $name",
		"locals {\n  a = [\"x\", \"y${ app.x}\"]\n}\n":     "a placeholder has no braces: write $name",
		"locals {\n  a = local.x\n  b = local.y\n}\n":      "there is no local.y",
		"locals {\n  a = [local.x, local.y]\n  x = 1\n}\n": "there is no local.y",
	} {
		if got := diagnosticsOf(t, minimal+content); !strings.Contains(got, want) {
			t.Errorf("%q:\n%s\nwant %s", content, got, want)
		}
	}
}

// A keys file has a key a line, and each mistake has its own.
func TestKeysFilesLineByLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	load := func(lines string) (*Config, string) {
		if err := os.WriteFile(keys, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, files, diags := loadText(t, fmt.Sprintf("rtmp {\n  application \"live\" {\n    stream_keys_file = %q\n  }\n}\n", keys), LoadOptions{})
		return cfg, strings.ReplaceAll(text(files, diags), keys, "keys")
	}
	hash := strings.Repeat("0a", 32)
	cfg, said := load("# all keys\n\nanna abcdefghijkl # hers\nbert sha256:" + hash + " stream=show not_after=2031-12-24T18:00:00Z\n   \ncafe\u0301 mnopqrstuvwx")
	if said != "" {
		t.Fatal(said)
	}
	got := cfg.RTMP[0].Applications[0].FileKeys
	if len(got) != 3 {
		t.Fatalf("%d keys", len(got))
	}
	for i, want := range []struct {
		holder, stream string
		line           int
	}{{"anna", "anna", 3}, {"bert", "show", 4}, {"cafe\u0301", "café", 6}} {
		k := got[i]
		if k.Holder != want.holder || k.Stream != want.stream || k.Range.Start.Line != want.line || k.Range.End.Line != want.line || k.Range.Start.Column != 1 {
			t.Errorf("key %d: holder %s, stream %s, at %v", i, k.Holder, k.Stream, k.Range)
		}
	}
	if got[0].Secret.Reveal() != "abcdefghijkl" || got[0].SHA256 != nil || got[1].Secret != "" || len(got[1].SHA256) != 32 || got[1].NotAfter.Year() != 2031 || !got[0].NotAfter.IsZero() {
		t.Errorf("the keys are %+v", got)
	}
	for lines, want := range map[string]string{
		"anna\n":                                       "keys:1:1: error: a holder without a secret",
		"anna short\n":                                 "at least 12 characters",
		"# x\nanna sha256:0a\n":                        "keys:2:1: error: this is the SHA-256 of a secret",
		"anna abcdefghijkl streem=x\n":                 "only stream=, not_after= and max_bitrate= may follow",
		"anna abcdefghijkl stream=a/b\n":               "neither letter, digit",
		"anna abcdefghijkl not_after=tomorrow\n":       "not a time of RFC 3339",
		"a/b abcdefghijkl\n":                           "neither letter, digit",
		"anna abcdefghijkl\nbert abcdefghijkl\n":       "keys:2:1: error: this secret is taken",
		"bert short\nanna abcdefghijkl\ncarl short2\n": "keys:3:1: error: a secret has at least 12",
	} {
		_, said := load(lines)
		if !strings.Contains(said, want) {
			t.Errorf("%q: %s\nwant %s", lines, said, want)
		}
		if strings.Contains(said, "abcdefghijkl") {
			t.Errorf("%q: the secret is shown: %s", lines, said)
		}
	}
}
