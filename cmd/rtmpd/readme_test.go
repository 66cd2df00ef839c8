package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/snippet"
)

// documents returns the text of README.md and docs/*.md, by their paths in the
// repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files in docs, %v", len(paths), err)
	}
	texts := make(map[string]string)
	for _, path := range append(paths, "../../README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimPrefix(path, "../../")] = string(text)
	}
	return texts
}

// A codeBlock is the text between two fences of a document.
type codeBlock struct{ path, text string }

// blocks returns the code blocks of a language in all documents, in order.
func blocks(t *testing.T, language string) []codeBlock {
	t.Helper()
	texts := documents(t)
	var found []codeBlock
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		in, ours := false, false
		for l := range strings.Lines(texts[path]) {
			name, fence := strings.CutPrefix(strings.TrimRight(l, "\n"), "```")
			switch {
			case fence && in:
				in, ours = false, false
			case fence:
				in, ours = true, name == language
				if ours {
					found = append(found, codeBlock{path: path})
				}
			case ours:
				found[len(found)-1].text += l
			}
		}
		if in {
			t.Fatalf("%s: a code block has no end", path)
		}
	}
	return found
}

// block returns the one block of a document that contains has.
func block(t *testing.T, path, language, has string) string {
	t.Helper()
	found := slices.DeleteFunc(blocks(t, language), func(b codeBlock) bool { return b.path != path || !strings.Contains(b.text, has) })
	if len(found) != 1 {
		t.Fatalf("%s has %d blocks of %q with %q", path, len(found), language, has)
	}
	return found[0].text
}

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "rtmpd.hcl")
	for name, text := range map[string]string{path: text, filepath.Join(dir, "show-key"): "a-secret-of-root\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, files, diags := config.Load(path, config.LoadOptions{Env: map[string]string{"STATE_DIRECTORY": "/state", "CREDENTIALS_DIRECTORY": dir}})
	if len(diags) > 0 {
		var b bytes.Buffer
		config.WriteDiagnostics(&b, files, diags)
		t.Fatal(b.String())
	}
	return cfg
}

// docs/recording.md shows a configuration that loads.
func TestTheDocumentedRecordingLoads(t *testing.T) {
	if r := load(t, block(t, "docs/recording.md", "hcl", `record "archive"`)).RTMP[0].Applications[0].Records; len(r) != 1 || r[0].Interval != time.Hour {
		t.Errorf("it records %+v", r)
	}
}

func TestTheReadmesConfigurationIsTheExample(t *testing.T) {
	example, err := os.ReadFile("../../examples/scanlines.hcl")
	if err != nil {
		t.Fatal(err)
	}
	plan := config.Diff(load(t, string(example)), load(t, block(t, "README.md", "hcl", `application "show"`+" {\n    # OBS")))
	if !plan.Empty() {
		t.Errorf("README differs from examples/scanlines.hcl:\n%s", plan.Text())
	}
}

// docs/proxies.md shows what rtmpd snippet prints for the example.
func TestTheDocumentedSnippetsAreWhatIsPrinted(t *testing.T) {
	cfg := load(t, block(t, "README.md", "hcl", `application "show"`+" {\n    # OBS"))
	for kind, language := range map[string]string{"traefik": "yaml", "nginx": "nginx", "caddy": "caddy", "apache": "apache", "lighttpd": "lighttpd", "haproxy": "haproxy"} {
		var want bytes.Buffer
		if err := snippet.Write(&want, kind, cfg, "/etc/rtmpd/rtmpd.hcl"); err != nil {
			t.Fatal(err)
		}
		if got := block(t, "docs/proxies.md", language, ""); got != want.String() {
			t.Errorf("%s: docs/proxies.md shows\n%s\nrtmpd snippet prints\n%s", kind, got, want.String())
		}
	}
}

// Every configuration that README or docs show loads.
func TestTheDocumentsConfigurationsLoad(t *testing.T) {
	shown := blocks(t, "hcl")
	if len(shown) < 9 {
		t.Fatalf("%d configurations", len(shown))
	}
	for _, b := range shown {
		t.Run(b.path, func(t *testing.T) {
			if !strings.Contains(b.text, "rtmp {") && !strings.Contains(b.text, "http {") {
				b.text += "http {}\n" // a part of one
			}
			keys := filepath.Join(t.TempDir(), "keys")
			if err := os.WriteFile(keys, []byte("anna a-very-good-secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			b.text = regexp.MustCompile(`(stream_keys_file *= )"[^"]*"`).ReplaceAllString(b.text, `$1"`+keys+`"`)
			set := filepath.Join(t.TempDir(), "jwks")
			if err := os.WriteFile(set, []byte(`{"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}`), 0o600); err != nil {
				t.Fatal(err)
			}
			b.text = regexp.MustCompile(`(jwks *= )"[^"]*"`).ReplaceAllString(b.text, `$1"`+set+`"`)
			b.text = regexp.MustCompile(`env\("VIEW_KEY[^)]*\)`).ReplaceAllString(b.text, `"0123456789abcdef0123456789abcdef"`)
			load(t, b.text)
		})
	}
}

// README fits on a few screens: the rest is in docs, and README leads to each of
// them. No link between the documents is dead.
func TestTheReadmeLeadsToTheDocuments(t *testing.T) {
	texts := documents(t)
	if n := len(texts["README.md"]); n > 12_000 {
		t.Errorf("README has %d bytes: move chapters to docs", n)
	}
	for path := range texts {
		if path != "README.md" && !strings.Contains(texts["README.md"], "("+path+")") {
			t.Errorf("README does not lead to %s", path)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(texts[path], -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: dead link: %v", path, err)
			}
		}
	}
}

// Beside each other in /etc/rtmpd they are one: the page and the ladder are served
// where the stream is.
func TestTheDocumentedFilesGoTogether(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string]struct{ path, has string }{
		"rtmpd.hcl":  {"README.md", `application "show"` + " {\n    # OBS"},
		"page.hcl":   {"README.md", "player {}"},
		"ladder.hcl": {"docs/ffmpeg.md", `variant "_src"`},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(block(t, b.path, "hcl", b.has)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, _, diags := config.Load(dir, config.LoadOptions{Env: map[string]string{"STATE_DIRECTORY": "/state"}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var paths []string
	for _, l := range cfg.HTTP[0].Locations {
		paths = append(paths, l.Path)
	}
	slices.Sort(paths)
	if got := strings.Join(paths, " "); len(cfg.HTTP) != 1 || len(cfg.RTMP) != 1 || len(cfg.RTMP[0].Applications) != 2 || got != "/ /ladder /live /stat" {
		t.Errorf("%d http blocks with %s, %d rtmp blocks", len(cfg.HTTP), got, len(cfg.RTMP))
	}
}

func TestTheDocumentedPasswordIsTheOneItNames(t *testing.T) {
	l := load(t, block(t, "docs/monitoring.md", "hcl", "basic_auth = {")).HTTP[0].Locations[0]
	if err := bcrypt.CompareHashAndPassword([]byte(l.BasicAuth["admin"].Reveal()), []byte("PASSWORD")); err != nil {
		t.Error(err)
	}
}

func TestTheDocumentedKeysFileLoads(t *testing.T) {
	text := block(t, "docs/stream-keys.md", "", "# HOLDER")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "keys"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := load(t, `rtmp {
  application "a" {
    stream_keys_file = "`+filepath.Join(dir, "keys")+`"
  }
}`)
	keys := cfg.RTMP[0].Applications[0].FileKeys
	if len(keys) != 2 || keys[0].Holder != "alice" || keys[1].Stream != "main" {
		t.Errorf("got %+v", keys)
	}
}

// Every rtmpd command that README or docs give exists.
func TestTheDocumentsCommandsExist(t *testing.T) {
	text := strings.Join(slices.Collect(maps.Values(documents(t))), "\n")
	lines := regexp.MustCompile(`rtmpd (key (?:new|show|hash)|check|plan|reload|stop|quit|kick|top|fmt|version|completion|demo)\b`).FindAllStringSubmatch(text, -1)
	if len(lines) < 5 {
		t.Fatalf("found %d commands only", len(lines))
	}
	for _, m := range lines {
		cmd, _, err := newRoot().Find(strings.Fields(m[1]))
		if err != nil || !strings.HasPrefix(m[1], strings.TrimPrefix(cmd.CommandPath(), "rtmpd ")) {
			t.Errorf("rtmpd %s: %v", m[1], err)
		}
	}
}

// What the left column of the nginx table promises, the right column loads.
func TestTheDocumentedDirectivesLoad(t *testing.T) {
	for _, text := range []string{
		"rtmp {\n  listen = \":1935\"\n  chunk_size = 65536\n  max_message = \"10M\"\n  timeout = \"60s\"\n  ping = \"60s\"\n  ping_timeout = \"30s\"\n}",
		"rtmp {\n  application \"show\" {\n    drop_idle_publisher = \"10s\"\n    access {\n      publish = [\"allow 10.0.0.0/8\", \"deny all\"]\n    }\n    stream_key \"name\" {}\n" +
			"    hls {\n      path = \"/mnt/hls\"\n      fragment = \"3s\"\n      playlist_length = \"60s\"\n      max_fragment = \"9s\"\n      nested = true\n      cleanup = true\n      continuous = true\n" +
			"      base_url = \"\"\n      sync = \"2ms\"\n      max_audio_delay = \"300ms\"\n      type = \"live\"\n      fragment_naming = \"sequential\"\n      fragment_naming_granularity = 0\n      fragment_slicing = \"plain\"\n" +
			"      datetime = true\n      variant \"_low\" {}\n      keys {\n        path = \"/mnt/keys\"\n        url = \"/keys/\"\n        fragments_per_key = 5\n      }\n    }\n  }\n}",
		"http {\n  location \"/stat\" {\n    stat {\n      stylesheet = \"stat.xsl\"\n    }\n  }\n  location \"/hls\" {\n    root = \"/mnt\"\n  }\n}",
	} {
		load(t, text)
	}
}

// The page of step 5 names the tags that video.js looks for, and the demo's two
// commands stand where the project promises them.
func TestTheReadmePromisesTwoCommands(t *testing.T) {
	first := block(t, "README.md", "", "make test")
	for _, want := range []string{"go run ./cmd/rtmpd demo", "make test"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first block does not give %q", want)
		}
	}
	if out, err := exec.Command("make", "-n", "-C", "../..", "test").CombinedOutput(); err != nil {
		t.Errorf("make test: %v\n%s", err, out)
	}
}

func TestTheDocumentedDomainsLoad(t *testing.T) {
	cfg := load(t, block(t, "docs/tls.md", "hcl", "acme {"))
	if tls := cfg.HTTP[0].TLS; len(tls.Domains) != 1 || !tls.Redirect || cfg.RTMP[0].TLS.Domains[0] != tls.Domains[0] {
		t.Errorf("%+v", tls)
	}
}

func TestTheDocumentedMetricsLoad(t *testing.T) {
	if l := load(t, block(t, "docs/monitoring.md", "hcl", "location \"/metrics\"")).HTTP[0].Locations; len(l) != 1 || !l[0].Metrics {
		t.Errorf("%+v", l)
	}
	if m := load(t, "metrics { mist = true }\nhttp {}").Metrics; !m.Mist || m.Streams != 1000 {
		t.Errorf("%+v", m)
	}
	c := load(t, block(t, "docs/monitoring.md", "hcl", "koekjes"))
	if l := c.HTTP[0].Locations; len(l) != 2 || !l[0].Metrics || !l[1].Metrics || l[1].Path != "/koekjes.json" || !l[1].Exact || !c.Metrics.Mist {
		t.Errorf("%+v", l)
	}
}

// The frame of rtmpd top is one that its own tests draw.
func TestTheDocumentedFrameIsDrawn(t *testing.T) {
	frame, err := os.ReadFile("../../internal/top/testdata/80x24.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m) +$`).ReplaceAllString(string(frame), "") + "\n"
	if got := block(t, "docs/monitoring.md", "text", "STREAM "); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// docs/monitoring.md explains each finding there is.
func TestEachFindingIsDocumented(t *testing.T) {
	_, table, _ := strings.Cut(documents(t)["docs/monitoring.md"], "| finding | |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for row := range strings.Lines(table) {
		for _, m := range regexp.MustCompile("`([a-z]+_[a-z_]+)`").FindAllStringSubmatch(row[:strings.LastIndex(row[:len(row)-2], "|")+1], -1) {
			got = append(got, m[1])
		}
	}
	want := append(doctor.Names(), api.FindingNames()...)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
