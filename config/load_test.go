package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var testEnv = map[string]string{"HOME": "/home/u", "SET": "from the environment", "SECRET": "s3cret-of-the-service"}

// text is what a person would read.
func text(files Files, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	WriteDiagnostics(&b, files, diags)
	return b.String()
}

// loadText loads one file of that content.
func loadText(t *testing.T, content string, o LoadOptions) (*Config, Files, hcl.Diagnostics) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.Env == nil {
		o.Env = testEnv
	}
	return Load(path, o)
}

// mustLoad loads content that has no diagnostics.
func mustLoad(t *testing.T, content string) *Config {
	t.Helper()
	cfg, files, diags := loadText(t, content, LoadOptions{})
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s\nof\n%s", text(files, diags), content)
	}
	return cfg
}

func validConfigs(t *testing.T) []string {
	t.Helper()
	out, err := filepath.Glob("testdata/valid/*")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../examples/*.hcl")
	if err != nil || len(examples) == 0 {
		t.Fatal("no examples", err)
	}
	out = slices.DeleteFunc(append(out, examples...), func(p string) bool { return filepath.Ext(p) == ".pem" })
	if len(out) < 6 {
		t.Fatalf("only %d valid configurations", len(out))
	}
	return out
}

func TestValidConfigurationsHaveNoDiagnostics(t *testing.T) {
	for _, path := range validConfigs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			if _, files, diags := Load(path, LoadOptions{Env: testEnv}); len(diags) > 0 {
				t.Errorf("diagnostics:\n%s", text(files, diags))
			}
		})
	}
}

func TestInvalidConfigurationsSayWhatToWrite(t *testing.T) {
	paths, err := filepath.Glob("testdata/invalid/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if filepath.Ext(path) == ".want" || filepath.Ext(path) == ".keys" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, files, diags := Load(path, LoadOptions{Env: testEnv})
			if !diags.HasErrors() {
				t.Error("no error at all")
			}
			got := strings.ReplaceAll(text(files, diags), AbsPath("testdata"), "/abs/testdata")
			golden := strings.TrimSuffix(strings.TrimSuffix(path, ".json"), ".hcl") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestTheExampleMeansWhatTheGuideSays(t *testing.T) {
	cfg, files, diags := Load("../examples/scanlines.hcl", LoadOptions{Env: testEnv})
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", text(files, diags))
	}
	app := cfg.RTMP[0].Application("show")
	if key := app.StreamKeys[0]; !key.Generated || key.Stream != "test" || key.Holder != "test" {
		t.Errorf("stream key %+v", key)
	}
	if h := app.HLS; h.Path != "/nginx/live" || h.Fragment != 2*time.Second || h.MaxFragment != 6*time.Second || h.PlaylistLength != time.Minute {
		t.Errorf("hls %+v", h)
	}
	if cfg.HTTP[0].Locations[0].Root != "/nginx" || cfg.HTTP[0].Locations[1].Stat == nil {
		t.Errorf("locations %+v", cfg.HTTP[0].Locations)
	}
	if got, want := cfg.StateDir, "/home/u/.local/state/rtmpd"; got != value.Path(want) {
		t.Errorf("state_dir is %s, want %s", got, want)
	}
	env := map[string]string{"SHOW_KEY": "a-key-from-the-unit", "STATE_DIRECTORY": "/var/lib/rtmpd:/x", "RUNTIME_DIRECTORY": "/run/r"}
	cfg, _, _ = Load("../examples/scanlines.hcl", LoadOptions{Env: env})
	if key := cfg.RTMP[0].Application("show").StreamKeys[0]; key.Generated || key.Secret.Reveal() != "a-key-from-the-unit" {
		t.Errorf("stream key from the environment: %#v", key)
	}
	if cfg.StateDir != "/var/lib/rtmpd" || cfg.RuntimeDir != "/run/r" || RuntimeDir(cfg, nil) != "/run/r" || RuntimeDir(nil, env) != "/run/r" {
		t.Errorf("directories %q %q", cfg.StateDir, cfg.RuntimeDir)
	}
}

func TestBuiltinLoadsAndNeedsItsKey(t *testing.T) {
	cfg, files, diags := Builtin(LoadOptions{Env: map[string]string{"STATE_DIRECTORY": `/srv/${a}"b`}})
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", text(files, diags))
	}
	app := cfg.RTMP[0].Application("live")
	if app == nil || len(app.StreamKeys) != 1 || !app.StreamKeys[0].Generated || app.Access.Keyless != nil {
		t.Errorf("application live: %+v", app)
	}
	if got, want := app.HLS.Path, `/srv/${a}"b/hls/live`; got != value.Path(want) {
		t.Errorf("hls.path is %s, want %s", got, want)
	}
	if cfg.RTMP[0].Listen[0].String() != ":1935" || cfg.HTTP[0].Listen[0].String() != ":8080" || cfg.Path != "" || len(cfg.Reading.Paths()) != 0 {
		t.Errorf("%+v", cfg)
	}
}

func TestADirectoryIsOneConfiguration(t *testing.T) {
	cfg, _, diags := Load("testdata/valid/directory", LoadOptions{Env: testEnv})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if len(cfg.RTMP) != 1 || len(cfg.HTTP) != 1 || len(cfg.HTTP[0].Locations) != 2 || len(cfg.RTMP[0].Applications) != 2 {
		t.Fatalf("%+v", cfg)
	}
	app := cfg.RTMP[0].Application("show")
	if app.HLS.Path != value.Path(AbsPath("testdata/valid/directory/hls")) || app.HLS.Fragment != 3*time.Second || app.ReconnectGrace != time.Minute || cfg.RTMP[0].ChunkSize != 4096 {
		t.Errorf("not united: %+v %+v", app.HLS, app)
	}
	want := []string{"", "/10-rtmp.hcl", "/20-more.hcl", "/30-app.hcl.json"}
	for i := range want {
		want[i] = AbsPath("testdata/valid/directory" + want[i])
	}
	if !slices.Equal(cfg.Reading.Paths(), want) {
		t.Errorf("Reading is %v, want %v", cfg.Reading.Paths(), want)
	}
}

// secretAttr are the attributes that Dump may change.
var secretAttr = regexp.MustCompile(`^(secret|secret_sha256|key|token|basic_auth|notify_headers)$`)

func TestLoadingADumpGivesAnEqualConfiguration(t *testing.T) {
	for _, path := range validConfigs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			cfg, _, _ := Load(path, LoadOptions{Env: testEnv})
			dump := Dump(cfg)
			again, files, diags := loadText(t, string(dump), LoadOptions{})
			if len(diags) > 0 {
				t.Fatalf("diagnostics:\n%s\nof\n%s", text(files, diags), dump)
			}
			for _, c := range Diff(cfg, again).Changes {
				for _, a := range c.Attributes {
					if !secretAttr.MatchString(a) {
						t.Errorf("%s\n%s", c.Text, dump)
					}
				}
				if len(c.Attributes) == 0 {
					t.Errorf("%s\n%s", c.Text, dump)
				}
			}
			if got := Dump(again); len(got) != len(dump) {
				t.Errorf("the dump of the dump is\n%s\nand that of the configuration\n%s", got, dump)
			}
		})
	}
}

// loadBytes loads without a file.
func loadBytes(name string, data []byte, env map[string]string) (*Config, Files, hcl.Diagnostics) {
	l := newLoader(LoadOptions{Env: env})
	sources := []source{{name: name, data: data}}
	cfg := l.load(sources)
	return cfg, l.files, tidy(l.diags, sources)
}

func TestALongLineIsShownAroundItsMistake(t *testing.T) {
	_, files, diags := loadText(t, "locals {\n  a = [\""+strings.Repeat("ü", 500)+"\", nonsense, \""+strings.Repeat("y", 500)+"\"]\n}\nrtmp {\n}\n", LoadOptions{})
	got := text(files, diags)
	lines := strings.Split(got, "\n")
	if len(lines) < 3 || len(lines[1]) > 200 || !strings.Contains(lines[2], "^^^^^^^^") ||
		[]rune(lines[1])[strings.Index(lines[2], "^")] != 'n' {
		t.Errorf("got:\n%s", got)
	}
}
