package nginxconf

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rtmpd/rtmpd/config"
)

var update = flag.Bool("update", false, "write the results into the golden files")

// archive reads includes from a golden file: /etc/nginx/x is its file x.
type archive txtar.Archive

func (a *archive) get(name string) []byte {
	for i := range a.Files {
		if a.Files[i].Name == name {
			return a.Files[i].Data
		}
	}
	return nil
}

func (a *archive) set(name string, data []byte) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = data
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: data})
}

func (a *archive) options() Options {
	const dir = "/etc/nginx/"
	return Options{
		Open: func(path string) ([]byte, error) {
			if data := a.get(strings.TrimPrefix(path, dir)); data != nil {
				return data, nil
			}
			return nil, fs.ErrNotExist
		},
		Glob: func(pattern string) (out []string, err error) {
			for _, f := range a.Files {
				if ok, err := filepath.Match(pattern, dir+f.Name); err != nil {
					return nil, err
				} else if ok {
					out = append(out, dir+f.Name)
				}
			}
			return out, nil
		},
	}
}

// input is nginx.conf. A comment of the archive asks for Windows line ends.
func (a *archive) input() []byte {
	text := a.get("nginx.conf")
	if strings.Contains(string(a.Comment), "CRLF") {
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text
}

func archives(t testing.TB) map[string]*archive {
	paths, err := filepath.Glob("testdata/golden/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	out := make(map[string]*archive)
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = (*archive)(a)
	}
	return out
}

func TestGolden(t *testing.T) {
	for path, a := range archives(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := map[string]string{}
			r, err := Import("/etc/nginx/nginx.conf", a.input(), a.options())
			if err != nil {
				got["error"] = err.Error() + "\n"
			} else {
				var report strings.Builder
				for _, n := range r.Notes {
					line, _, refused := strings.Cut(strings.TrimPrefix(n.String(), "/etc/nginx/"), refusal)
					if refused { // the rest is in the words of rtmpd check
						line += refusal + "…"
					}
					fmt.Fprintln(&report, line)
				}
				fmt.Fprintln(&report, r.Summary())
				got["rtmpd.hcl"], got["report"] = string(r.HCL), report.String()
			}
			for _, name := range []string{"rtmpd.hcl", "report", "error"} {
				if *update {
					if got[name] != "" {
						a.set(name, []byte(got[name]))
					}
					continue
				}
				if diff := cmp.Diff(string(a.get(name)), got[name]); diff != "" {
					t.Errorf("%s (go test ./internal/nginxconf -update writes it):\n%s", name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format((*txtar.Archive)(a)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// The result passes rtmpd check and rtmpd fmt -check, in every version of rtmpd.
func TestResultsPassTheChecks(t *testing.T) {
	for path, a := range archives(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := Import("/etc/nginx/nginx.conf", a.input(), a.options())
			if err != nil {
				if a.get("error") == nil {
					t.Fatal(err)
				}
				return
			}
			passes(t, r.HCL)
		})
	}
}

// passes demands of a result what rtmpd check and rtmpd fmt -check demand.
func passes(t *testing.T, text []byte) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, files, diags := config.Load(path, config.LoadOptions{Check: true, Env: map[string]string{}})
	for _, d := range diags {
		if !strings.Contains(d.Detail, "known only to the service") {
			var b bytes.Buffer
			config.WriteDiagnostics(&b, files, diags)
			t.Fatalf("rtmpd check:\n%s\n%s", b.String(), text)
		}
	}
	formatted, _, diags := config.Format(text, path)
	if diags.HasErrors() || !bytes.Equal(formatted, text) {
		t.Errorf("rtmpd fmt -check: %v\n%s", diags, cmp.Diff(string(text), string(formatted)))
	}
	return cfg
}
