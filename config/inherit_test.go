package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
)

const inheritText = `
rtmp {
  defaults {
    reconnect_grace = "1m"
    on_conflict     = "reject"
    access {
      publish = ["allow loopback", "deny all"]
      keyless = ["deny all"]
    }
    hls {
      path     = "/srv/$app"
      fragment = "2s"
      nested   = true
      variant "_low" {
        bandwidth = 1
      }
      variant "_hi" {
        bandwidth = 2
      }
    }
    stream "inherited" {
      handover_grace = "9s"
    }
  }
  application "plain" {
  }
  application "own" {
    on_conflict = null
    access {
      publish = ["allow all"]
    }
    hls {
      fragment = "4s"
      variant "_low" {
        codecs = "x"
      }
      variant "_mid" {
      }
    }
    stream "cam*" {
      hls {
        endlist = false
        path    = "/cams/$app"
      }
    }
    stream "cam1" {
      on_conflict = "replace"
    }
    stream "silent" {
      hls {
        enabled = false
      }
    }
  }
  application "off" {
    hls {
      enabled = false
    }
  }
  application "*" {
    stream "x" {
      hls {
        path = "/srv/x/$app"
      }
    }
  }
}`

func TestInheritance(t *testing.T) {
	r := &mustLoad(t, inheritText).RTMP[0]

	plain := r.Application("plain")
	if plain.ReconnectGrace != time.Minute || plain.OnConflict != "reject" || plain.HLS.Path != "/srv/plain" || plain.HLS.Fragment != 2*time.Second || plain.HandoverGrace != 0 {
		t.Errorf("from defaults: %+v %+v", plain, plain.HLS)
	}
	if plain.For("inherited").HandoverGrace != 9*time.Second {
		t.Error("a stream block of defaults is not inherited")
	}

	own := r.Application("own")
	if own.OnConflict != "reject" {
		t.Errorf("null is not unset: on_conflict is %s", own.OnConflict)
	}
	if len(own.Access.Publish) != 1 || len(own.Access.Keyless) != 1 {
		t.Errorf("access: lists replace, attribute by attribute: %+v", own.Access)
	}
	if own.HLS.Fragment != 4*time.Second || !own.HLS.Nested || own.HLS.MaxFragment != 12*time.Second {
		t.Errorf("hls is not inherited attribute by attribute: %+v", own.HLS)
	}
	var variants []Variant
	variants = append(variants, own.HLS.Variants...)
	slices.SortFunc(variants, func(a, b Variant) int { return strings.Compare(a.Suffix, b.Suffix) })
	want := []Variant{{Suffix: "_hi", Bandwidth: 2}, {Suffix: "_low", Codecs: "x"}, {Suffix: "_mid"}}
	if !slices.Equal(variants, want) {
		t.Errorf("labelled blocks: got %+v, want %+v", variants, want)
	}

	cam := own.For("cam1")
	if cam.HLS.Endlist || cam.HLS.Path != "/cams/own" || cam.HLS.Fragment != 4*time.Second || cam.OnConflict != "reject" || cam.Name != "own" {
		t.Errorf("the first stream block that matches applies, alone: %+v %+v", cam, cam.HLS)
	}
	if own.For("cam1+x") != cam || own.For("other") != own || own.For("silent").HLS != nil {
		t.Error("For")
	}
	if own.HLS.Path != "/srv/own" || !own.HLS.Endlist {
		t.Errorf("a stream block changed its application: %+v", own.HLS)
	}

	if r.Application("off").HLS != nil {
		t.Error("enabled = false leaves hls on")
	}

	wild := r.Application("guest")
	if wild == nil || wild.Name != "guest" || wild.HLS.Path != "/srv/guest" || wild.For("x").HLS.Path != "/srv/x/guest" || wild.For("x").Name != "guest" {
		t.Fatalf("*: %+v", wild)
	}
	if star := r.Applications[3]; star.HLS.Path != "/srv/$app" || star.Streams[0].Application.HLS.Path != "/srv/x/$app" {
		t.Errorf("naming * changed it: %+v", star.HLS)
	}
	if (&RTMP{}).Application("x") != nil {
		t.Error("an application out of nothing")
	}
}

func TestAStreamSeesItsApplicationsKeys(t *testing.T) {
	app := mustLoad(t, `rtmp {
  application "a" {
    stream_key "k" {
      secret = "some-good-secret"
    }
    stream "*" {
      reconnect_grace = 0
    }
  }
}`).RTMP[0].Application("a")
	if got := app.For("k"); len(got.StreamKeys) != 1 || got.ReconnectGrace != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWhatOnlyTheServiceKnows(t *testing.T) {
	content := `
rtmp {
  application "a" {
    stream_key "k" {
      secret = env("NOT_THERE")
    }
    stream_key "l" {
      secret = file("no-such-file")
    }
    stream_key "m" {
      secret = credential("no-such-credential")
    }
    stream_keys_file = "no-such-keys"
    hls {
      path = "${env("NOT_THERE")}/x"
    }
  }
}
http {
  listen = 8443
  location "/" {
    root = "${env("NOT_THERE")}"
  }
}`
	_, _, diags := loadText(t, content, LoadOptions{})
	if n := count(diags, hcl.DiagError); n != 6 {
		t.Errorf("run: %d errors, want 6: %v", n, diags)
	}
	_, _, diags = loadText(t, content, LoadOptions{Check: true})
	if diags.HasErrors() || count(diags, hcl.DiagWarning) != 6 {
		t.Errorf("check: %v", diags)
	}
	for _, d := range diags {
		if !strings.Contains(d.Detail, "known only to the service") {
			t.Errorf("warning without its reason: %v", d)
		}
	}
	_, _, diags = loadText(t, content, LoadOptions{Check: true, Strict: true})
	if n := count(diags, hcl.DiagError); n != 6 {
		t.Errorf("strict: %d errors, want 6: %v", n, diags)
	}
}

func count(diags hcl.Diagnostics, s hcl.DiagnosticSeverity) int {
	n := 0
	for _, d := range diags {
		if d.Severity == s {
			n++
		}
	}
	return n
}

func TestFilesOfTheService(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rtmpd.hcl", `rtmp {
  application "a" {
    stream_keys_file = "keys"
    stream_key "from-file" {
      secret = file("secret")
    }
    stream_key "from-credential" {
      secret = credential("cred")
    }
  }
}`)
	write("secret", "  a-secret-in-a-file\n")
	write("cred", "a-secret-in-a-credential\n")
	write("keys", "# people\nalice alices-long-secret stream=studio not_after=2031-12-24T18:00:00+01:00 # her own\n\nbob sha256:"+strings.Repeat("ab", 32)+"\n")
	env := maps.Clone(testEnv)
	env["CREDENTIALS_DIRECTORY"] = dir
	path := filepath.Join(dir, "rtmpd.hcl")
	cfg, files, diags := Load(path, LoadOptions{Env: env})
	if len(diags) > 0 {
		t.Fatal(text(files, diags))
	}
	app := cfg.RTMP[0].Application("a")
	if app.StreamKeys[0].Secret.Reveal() != "a-secret-in-a-file" || app.StreamKeys[1].Secret.Reveal() != "a-secret-in-a-credential" {
		t.Errorf("not trimmed: %q %q", app.StreamKeys[0].Secret.Reveal(), app.StreamKeys[1].Secret.Reveal())
	}
	keys := app.FileKeys
	if len(keys) != 2 || keys[0].Holder != "alice" || keys[0].Stream != "studio" || keys[0].Secret.Reveal() != "alices-long-secret" ||
		!keys[0].NotAfter.Equal(time.Date(2031, 12, 24, 17, 0, 0, 0, time.UTC)) || keys[0].Range.Start.Line != 2 ||
		keys[1].Stream != "bob" || len(keys[1].SHA256) != 32 {
		t.Errorf("keys file: %+v", keys)
	}
	for _, name := range []string{"rtmpd.hcl", "secret", "cred", "keys"} {
		if !slices.Contains(cfg.Reading.Paths(), filepath.Join(dir, name)) {
			t.Errorf("%s is not in Reading: %v", name, cfg.Reading.Paths())
		}
	}

	// A keys file that is gone: an error at start, its last content later.
	if err := os.Remove(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	if _, _, diags := Load(path, LoadOptions{Env: env}); !diags.HasErrors() {
		t.Error("no error at start")
	}
	again, _, diags := Load(path, LoadOptions{Env: env, Previous: cfg})
	if diags.HasErrors() || len(diags) != 1 || !KeepsKeys(diags[0]) || len(again.RTMP[0].Applications[0].FileKeys) != 2 || again.KeysFailing[filepath.Join(dir, "keys")] == "" {
		t.Errorf("later: %v, %+v, %v", diags, again.RTMP[0].Applications[0].FileKeys, again.KeysFailing)
	}
	if !slices.Contains(again.Reading.Paths(), filepath.Join(dir, "keys")) {
		t.Error("a missing keys file is not watched any more")
	}
	// One that is there but wrong is an error: the running configuration stays.
	write("keys", "alice short\n")
	if _, _, diags := Load(path, LoadOptions{Env: env, Previous: cfg}); !diags.HasErrors() {
		t.Error("a broken keys file is taken")
	}
	// One without any key is being written: the keys stay, over several loads. At the
	// start nobody publishes.
	for name, content := range map[string]string{"empty": "", "comments": "# nobody\n", "blank": "\n \n", "a byte order mark": "\xef\xbb\xbf"} {
		write("keys", content)
		kept := cfg
		for range 2 {
			kept, _, diags = Load(path, LoadOptions{Env: env, Previous: kept})
			if diags.HasErrors() || len(diags) != 1 || len(kept.RTMP[0].Applications[0].FileKeys) != 2 || kept.KeysFailing[filepath.Join(dir, "keys")] == "" {
				t.Errorf("%s, later: %v %+v", name, diags, kept.KeysFailing)
			}
		}
		empty, _, diags := Load(path, LoadOptions{Env: env})
		if len(diags) > 0 || len(empty.RTMP[0].Applications[0].FileKeys) != 0 || empty.RTMP[0].Applications[0].StreamKeysFile == "" || empty.KeysFailing != nil {
			t.Errorf("%s, at the start: %v %+v", name, diags, empty.RTMP[0].Applications[0])
		}
	}
	write("keys", "carol carols-own-secret-1\n")
	good, _, diags := Load(path, LoadOptions{Env: env, Previous: again})
	if len(diags) > 0 || good.KeysFailing != nil || len(good.RTMP[0].Applications[0].FileKeys) != 1 {
		t.Errorf("good again: %v %v", diags, good.KeysFailing)
	}
}

func TestFilesWithAByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	const mark = "\xef\xbb\xbf"
	for name, content := range map[string]string{
		"a.hcl":      mark + "rtmp {\n  application \"a\" {\n    stream_keys_file = \"keys\"\n    stream_key \"x\" {\n      secret = file(\"secret\")\n    }\n    stream_key \"y\" {\n      secret = credential(\"c\")\n    }\n  }\n}\n",
		"b.hcl.json": mark + `{"http": {"location": {"/health": {"health": {}}}}}`,
		"keys":       mark + "alice alices-secret-0001\r\nbob bobs-secret-0001\r\n",
		"secret":     mark + "the-secret-0001\n", "c": mark + "other-secret-0001",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	cfg, files, diags := Load(dir, LoadOptions{Env: map[string]string{"CREDENTIALS_DIRECTORY": dir}})
	if len(diags) > 0 {
		t.Fatal(text(files, diags))
	}
	app := cfg.RTMP[0].Applications[0]
	if len(app.FileKeys) != 2 || app.FileKeys[0].Holder != "alice" || app.StreamKeys[0].Secret != "the-secret-0001" || app.StreamKeys[1].Secret != "other-secret-0001" || len(cfg.HTTP) != 1 {
		t.Errorf("got %+v, %q, %q", app.FileKeys, app.StreamKeys[0].Secret.Reveal(), app.StreamKeys[1].Secret.Reveal())
	}
	must(t, os.WriteFile(filepath.Join(dir, "a.hcl"), []byte("\xff\xfer\x00t\x00"), 0o600))
	if _, files, diags := Load(dir, LoadOptions{}); !strings.Contains(text(files, diags), "UTF-16: save it as UTF-8") {
		t.Errorf("UTF-16: %s", text(files, diags))
	}
}

func TestAnEmptyFileIsNoValue(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "token"), []byte("\n"), 0o600))
	for _, f := range []string{"file", "credential"} {
		must(t, os.WriteFile(filepath.Join(dir, "a.hcl"), []byte("http {\n  location \"/stat\" {\n    stat {}\n    token = "+f+"(\"token\")\n  }\n}\n"), 0o600))
		_, files, diags := Load(filepath.Join(dir, "a.hcl"), LoadOptions{Env: map[string]string{"CREDENTIALS_DIRECTORY": dir}})
		if !strings.Contains(text(files, diags), "the file is empty") {
			t.Errorf("%s: %s", f, text(files, diags))
		}
	}
}

func TestTwoApplicationsOnOneDirectoryBehindALink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	content := func(a, b string) string {
		return `rtmp {
  application "a" {
    hls {
      path = "` + dir + a + `"
    }
  }
  application "b" {
    hls {
      path = "` + dir + b + `"
    }
  }
}`
	}
	if _, _, diags := loadText(t, content("/real/x", "/link/x"), LoadOptions{}); !diags.HasErrors() {
		t.Error("the link hides that it is one directory")
	}
	mustLoad(t, content("/real/x", "/link/y"))
}

func TestApplicationsInheritHowHooksAreCalled(t *testing.T) {
	cfg, _, _ := loadText(t, `rtmp {
  notify_timeout = "3s"
  notify_method  = "get"
  defaults {
    notify_concurrency = 7
  }
  application "a" {
    notify_method = "post"
  }
}`, LoadOptions{})
	n := cfg.RTMP[0].Application("a").Notify
	if n.Timeout != 3*time.Second || n.Method != "post" || n.Concurrency != 7 || n.UpdateTimeout != 30*time.Second {
		t.Errorf("%+v", n)
	}
}

func TestNoConfigurationIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big.hcl"), make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"nothing.hcl": "no such file", "big.hcl": "larger than"} {
		cfg, files, diags := Load(filepath.Join(dir, name), LoadOptions{Env: testEnv})
		if got := text(files, diags); !diags.HasErrors() || !strings.Contains(got, want) || len(diags) != 1 {
			t.Errorf("%s: %s", name, got)
		}
		if cfg == nil || cfg.RuntimeDir == "" {
			t.Errorf("%s: no config to find the control socket with", name)
		}
	}
	_, files, diags := loadText(t, "# nothing\n", LoadOptions{})
	if !diags.HasErrors() || len(diags) != 1 || !strings.Contains(text(files, diags), "listen nowhere") {
		t.Errorf("only comments: %s", text(files, diags))
	}
	for name, source := range map[string]string{"empty": "", "a byte order mark": "\xef\xbb\xbf", "neither rtmp nor http": "log {\n  level = \"debug\"\n}\n"} {
		if _, files, diags := loadText(t, source, LoadOptions{}); !diags.HasErrors() {
			t.Errorf("%s: %s", name, text(files, diags))
		}
	}
}

// Only a keys file that the running configuration has read may be missing.
func TestAKeysFileThatIsNewMustBeThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.hcl")
	load := func(attributes string, previous *Config) (*Config, string) {
		must(t, os.WriteFile(path, []byte("rtmp {\n  application \"a\" {\n    "+attributes+"\n  }\n}\n"), 0o600))
		cfg, files, diags := Load(path, LoadOptions{Previous: previous})
		return cfg, text(files, diags)
	}
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("alice alices-secret-0001\n"), 0o600))
	running, diags := load(`stream_keys_file = "old"`, nil)
	if diags != "" || len(running.RTMP[0].Applications[0].FileKeys) != 1 {
		t.Fatal(diags)
	}
	for _, previous := range []*Config{nil, running} {
		if _, got := load(`stream_keys_file = "new"`, previous); !strings.Contains(got, "error: stream_keys_file: ") || !strings.Contains(got, "no such file") {
			t.Errorf("a file that is not there, %t that something runs:\n%s", previous != nil, got)
		}
	}
	if _, got := load("stream_keys_file = \"new\"\n    stream_keys_file = \"old\"", running); !strings.Contains(got, "error: ") {
		t.Errorf("two files:\n%s", got)
	}
}
