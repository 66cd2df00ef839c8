package snippet

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func load(t *testing.T, hcl string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, files, diags := config.Load(path, config.LoadOptions{Check: true, Env: map[string]string{"XDG_STATE_HOME": dir, "XDG_RUNTIME_DIR": dir}})
	if diags.HasErrors() {
		var b bytes.Buffer
		config.WriteDiagnostics(&b, files, diags)
		t.Fatal(b.String())
	}
	return cfg
}

// The snippets of the scanlines example and of one with everything elsewhere.
func TestSnippets(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../examples/scanlines.hcl")
	if err != nil {
		t.Fatal(err)
	}
	const elsewhere = `
rtmp {
  listen = ["127.0.0.1:1935", "[::]:2935"]
  application "*" {
    hls {
      path   = "/srv/$app"
      nested = true
    }
  }
}
http {
  listen     = "10.0.0.7:8088"
  public_url = "https://tv.example.com/mist"
  location "/a" { alias = "/srv/live" }
  location "/watch" {
    player {}
  }
  location "/stat" {
    stat {}
  }
}`
	for name, text := range map[string]string{"scanlines": string(guide), "elsewhere": elsewhere} {
		cfg := load(t, text)
		var all bytes.Buffer
		for _, kind := range Kinds() {
			all.WriteString("== " + kind + "\n")
			if kind == "discourse" && name == "scanlines" { // it has no pages
				continue
			}
			if err := Write(&all, kind, cfg, "/etc/rtmpd/rtmpd.hcl"); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		golden := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(golden, all.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if all.String() != string(want) {
			t.Errorf("%s: the snippets are now\n%s", name, all.String())
		}
	}
}

// With pages at / a proxy forwards all of the host.
func TestPagesAtTheTop(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../examples/pages.hcl")
	if err != nil {
		t.Fatal(err)
	}
	cfg := load(t, string(example))
	for kind, want := range map[string]string{
		"nginx": "location / {\n    proxy_pass http://127.0.0.1:8080;", "traefik": "(PathPrefix(`/`))", "caddy": "handle /* {", "apache": `<Location "/">`,
		"lighttpd": `"^/"`, "haproxy": "path_beg / }", "discourse": "  https://live.example.org/embed/\n",
	} {
		var b bytes.Buffer
		if err := Write(&b, kind, cfg, "x"); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%s: %v, no %q in\n%s", kind, err, want, b.String())
		}
	}
}

func TestWhatHasNoSnippet(t *testing.T) {
	t.Parallel()
	cfg := load(t, "rtmp {\n  application \"live\" {}\n}\nhttp {\n  location \"/stat\" {\n    stat {}\n  }\n}")
	for kind, want := range map[string]string{
		"iis":       "there is no snippet \"iis\": there are apache caddy",
		"nginx":     "add a location with root or alias",
		"videojs":   "add a location with root or alias",
		"discourse": "add a location \"/\" with player {}",
	} {
		if err := Write(&bytes.Buffer{}, kind, cfg, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", kind, err, want)
		}
	}
	var b bytes.Buffer
	if err := Write(&b, "obs", cfg, "x"); err != nil || !strings.Contains(b.String(), "rtmp://live.example.org/live") {
		t.Errorf("obs: %v\n%s", err, b.String())
	}
	if strings.Contains(b.String(), "Viewers watch") {
		t.Errorf("nobody can watch:\n%s", b.String())
	}
}
