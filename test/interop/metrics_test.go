package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const grafana = "../../packaging/grafana"

// metricsConfig: $1 directory, $2 hook, $3 more at the top.
// Fragments are shorter than the test card's keyframe interval: the doctor finds
// something.
const metricsConfig = `state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"
%[3]s
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    on_publish      = "%[2]s"
    on_publish_done = "%[2]s"
    on_play         = "%[2]s"
    hls {
      path     = "%[1]s/www/live"
      fragment = "0.5s"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/live" {
    root = "%[1]s/www"
  }
  location "/metrics" {
    metrics {}
  }
}
`

// A Prometheus, its dashboards and its rules must make something of what a
// server with one of everything says.
func TestPrometheusReadsTheMetrics(t *testing.T) {
	t.Parallel()
	s := &side{t: t}
	s.script = newHookScript(t, func(hookCall) reply { return reply{} })
	dir, err := os.MkdirTemp("", "rtmpd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "rtmpd.hcl")
	configure := func(more string) {
		t.Helper()
		if err := os.WriteFile(path+"~", fmt.Appendf(nil, metricsConfig, dir, s.script.url, more), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	configure("")
	s.log = watch(t, exec.Command(rtmpd, "run", "-c", path)).String
	s.askAddress()
	web := listensAt(t, s.log, "http", 1)[0]
	scrape := func() string {
		t.Helper()
		b, err := get("http://" + web + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	camera, how := s.publish("live", "cam")
	if how != "publishing" {
		t.Fatal(how)
	}
	s.send(camera, 400)
	player, how := s.play("live", "cam")
	if how != "playing" || s.sees(player) != "sees it" {
		t.Fatalf("the player is %s", how)
	}
	eventually(t, 90*time.Second, "an HLS viewer", func() bool {
		b, err := get("http://" + web + "/live/cam.m3u8")
		return err == nil && bytes.Contains(b, []byte("#EXTINF"))
	})
	eventually(t, 90*time.Second, "the doctor has found something", func() bool { return strings.Contains(scrape(), "\nrtmpd_stream_finding{") })

	text := scrape()
	for _, line := range []string{
		`rtmpd_players 1`, `rtmpd_publishers 1`, `rtmpd_viewers 1`, `rtmpd_config_last_reload_successful 1`,
		`rtmpd_stream_publishing{app="live",server="0",stream="cam"} 1`,
		`rtmpd_stream_finding{app="live",finding="gop_longer_than_fragment",level="warning",server="0",stream="cam"} 1`,
		`rtmpd_hook_duration_seconds_count{hook="on_publish"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	promtool(t, text)
	exported := seriesNames(text)
	for _, file := range []string{"rtmpd.json", "rules.yaml"} {
		for _, name := range namesUsed(t, filepath.Join(grafana, file)) {
			if !exported[name] {
				t.Errorf("%s asks for %s, which there is not", file, name)
			}
		}
	}

	// A file with a mistake, and one that is right again, with MistServer's names.
	configure("metrics { streams = }")
	eventually(t, 90*time.Second, "the mistake is shown", func() bool { return strings.Contains(scrape(), "\nrtmpd_config_last_reload_successful 0\n") })
	configure("metrics {\n  mist = true\n}")
	eventually(t, 90*time.Second, "the new file counts", func() bool {
		return strings.Contains(scrape(), "\nrtmpd_config_last_reload_successful 1\n") && strings.Contains(scrape(), "\nmist_logs ")
	})
	text = scrape()
	promtool(t, text)
	for _, line := range []string{`mist_sessions{sessType="viewers",stream="live/cam"}`, `mist_outputs{output="HLS"}`, `mist_bw_total{direction="up"}`, "mist_cpu"} {
		if !strings.Contains(text, "\n"+line+" ") {
			t.Errorf("%s is missing", line)
		}
	}
}

// promtool has Prometheus' own parser and linter read a scrape. That MistServer's
// label is called sessType is the only thing it may not like.
func promtool(t *testing.T, text string) {
	t.Helper()
	keep(t, "metrics.txt", []byte(text))
	cmd := command(t, 30*time.Second, "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != 0 && status != 3 { // 3: it can be read, and could be nicer
		t.Errorf("promtool: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "mist_sessions") || !strings.Contains(line, "camelCase") {
			t.Errorf("promtool: %s", line)
		}
	}
}

func TestTheAlertRulesFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	succeed(t, command(t, 30*time.Second, "promtool", "check", "rules", filepath.Join(grafana, "rules.yaml")))
	succeed(t, command(t, time.Minute, "promtool", "test", "rules", filepath.Join(grafana, "rules_test.yaml")))
}

func TestTheDashboardCanBeImported(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(grafana, "rtmpd.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		ID            *int
		UID, Title    string
		SchemaVersion int
		Templating    struct{ List []struct{ Name string } }
		Panels        []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct {
				Expr       string
				Datasource struct{ UID string }
			}
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.ID != nil || d.UID == "" || d.Title == "" || d.SchemaVersion == 0 {
		t.Errorf("id %v, uid %q, title %q, schemaVersion %d", d.ID, d.UID, d.Title, d.SchemaVersion)
	}
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	ids, taken := make(map[int]bool), make(map[[2]int]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q: id taken, wider than the page or empty", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, q := range p.Targets {
			if q.Datasource.UID != "${datasource}" {
				t.Errorf("%q asks %q", p.Title, q.Datasource.UID)
			}
			for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				if !variables[m[1]] {
					t.Errorf("%q has no variable %s", p.Title, m[1])
				}
			}
			// As a rule Prometheus' parser can be asked about it.
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$app", ".*", "$stream", ".*", "$job", "rtmpd").Replace(q.Expr)
			rule, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "x", "rules": []any{map[string]any{"record": "x", "expr": expr}}}}})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "rule.yaml")
			if err := os.WriteFile(file, rule, 0o600); err != nil {
				t.Fatal(err)
			}
			succeed(t, command(t, 30*time.Second, "promtool", "check", "rules", file))
		}
	}
}

// seriesNames are the names of a scrape's series, _bucket and its kin included.
func seriesNames(text string) map[string]bool {
	out := make(map[string]bool)
	for line := range strings.Lines(text) {
		if line[0] != '#' {
			out[line[:strings.IndexAny(line, "{ ")]] = true
		}
	}
	return out
}

// namesUsed are the metrics that a file asks for: a name before its labels, a
// range, an operator or an end.
func namesUsed(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := regexp.MustCompile(`\b(?:rtmpd|go|process)_[a-z0-9_]+`).FindAllString(string(b), -1)
	if len(out) < 10 {
		t.Fatalf("%s asks for nothing: %s", file, out)
	}
	return out
}
