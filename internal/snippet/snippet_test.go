package snippet

import (
	"bytes"
	"encoding/json"
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

// What OBS's parser wants is in the configuration override, whatever the ladder.
func TestTheLadderIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../examples/scanlines.hcl")
	if err != nil {
		t.Fatal(err)
	}
	cfg := load(t, string(guide))
	var b bytes.Buffer
	if err := WriteLadder(&b, cfg, "x", "480p30:1200k, 720x1280p60:2500k"); err != nil {
		t.Fatal(err)
	}
	var got override
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Endpoints[0].URL != "rtmp://live.example.org/show/{stream_key}" || len(got.Audio.Live) != 1 {
		t.Errorf("%+v", got)
	}
	wide, upright := got.Encoders[0], got.Encoders[1]
	if wide.Width != 854 || wide.Height != 480 || wide.FrameRate.Numerator != 30 || wide.Settings["bitrate"] != 1200.0 || wide.Canvas != 0 {
		t.Errorf("%+v", wide)
	}
	if upright.Width != 720 || upright.Height != 1280 || upright.FrameRate.Numerator != 60 || upright.Canvas != 1 {
		t.Errorf("%+v", upright)
	}
	for ladder, want := range map[string]string{
		"":                  "is no rendition",
		"1080p60":           "is no rendition",
		"720p60:3000k,":     "is no rendition",
		"720p60:3M":         "is no rendition",
		"721p60:3000k":      "sizes are even",
		"99999p60:3000k":    "sizes are even",
		"720p0:3000k":       "1 to 240",
		"720p60:1k":         "50k at least",
		"720x1280p60:3000k": "wider than high",
		strings.Repeat("720p60:3000k,", 9) + "720p60:3000k": "rtmpd takes 9",
	} {
		if err := WriteLadder(&bytes.Buffer{}, cfg, "x", ladder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", ladder, err, want)
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
