package config

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// FuzzLoad: no bytes make loading panic; what loads can be dumped, loaded again
// and compared.
func FuzzLoad(f *testing.F) {
	for _, glob := range []string{"testdata/valid/*", "testdata/invalid/*", "testdata/*/directory/*", "../examples/*"} {
		paths, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range paths {
			if data, err := os.ReadFile(p); err == nil && !strings.HasSuffix(p, ".want") {
				f.Add(data, strings.HasSuffix(p, ".json"))
			}
		}
	}
	for _, s := range []string{
		strings.Repeat("[", 5000), strings.Repeat("-", 5000), "a = " + strings.Repeat("(", 5000), "a = " + strings.Repeat("a?a:", 5000),
		strings.Repeat("a {\n", 5000), `a = "` + strings.Repeat("${", 5000), "locals {\n a = [local.a...]\n}",
		"rtmp {\n listen = [for x in [1,2] : x => x]\n}", "rtmp {\n listen = env(env(\"A\"))\n}", "http {\n location \"/\" {\n headers = { (env(\"A\")) = 1 }\n }\n}",
		"rtmp {\n application \"a\" {\n hls {\n path = file(\"/dev/zero\")\n }\n }\n}", "state_dir = format(\"%*d\", 99999999, 1)",
		"state_dir = join(\",\", 1)", "state_dir = split(env(\"A\"), null)", "state_dir = concat(1)", "state_dir = coalesce()", "shutdown_timeout = 1e400", "shutdown_timeout = -1e-400",
		"rtmp {\n chunk_size = 1e99\n}", "rtmp {\n ack_window = \"1e9k\"\n}", "log {\n level = env(\"A\", [1])\n}", "state_dir = <<EOT\n${1}\nEOT\n", "\xef\xbb\xbfrtmp {\n}\n", "\x00", "a = \"\xff\"",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	env := map[string]string{"A": "env-secret-value", "HOME": "/h"}
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		fuzztime.Bound(t)
		name := "fuzz.hcl"
		if json {
			name += ".json"
		}
		cfg, files, diags := loadBytes(name, data, env)
		var shown bytes.Buffer
		WriteDiagnostics(&shown, files, diags)
		if err := WriteDiagnosticsJSON(&shown, diags); err != nil {
			t.Fatal(err)
		}
		if s := "env-secret-value"; bytes.Contains(shown.Bytes(), []byte(s)) && !bytes.Contains(data, []byte(s)) {
			t.Fatalf("a value of the environment is shown:\n%s", shown.Bytes())
		}
		formatted, _, bad := Format(data, name)
		if !bad.HasErrors() && !json {
			if again, _, bad := Format(formatted, name); bad.HasErrors() || !bytes.Equal(again, formatted) {
				t.Fatalf("formatting %q gives %q, then %q", data, formatted, again)
			}
		}
		if diags.HasErrors() {
			return
		}
		if !Diff(cfg, cfg).Empty() {
			t.Fatal("a configuration differs from itself")
		}
		_, _ = io.WriteString(io.Discard, Diff(nil, cfg).Text())
		dump := Dump(cfg)
		if _, files, again := loadBytes("dump.hcl", dump, env); again.HasErrors() {
			var b bytes.Buffer
			WriteDiagnostics(&b, files, again)
			t.Fatalf("the dump does not load:\n%s\n%s", b.String(), dump)
		}
	})
}
