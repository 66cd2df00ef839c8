package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// lintReport is what rtmpd lint -json prints, as far as it is looked at.
type lintReport struct {
	Kind    string
	Checked struct{ Playlists, Updates, Segments, Parts int }

	Findings []struct {
		Rule, Level, Clause, URL, Text, Says, Players string
		Line, Count                                   int
	}
	Notes []string
}

// lint runs rtmpd lint for some seconds. It must exit with 1 if a MUST is violated, and
// only then.
func lint(t *testing.T, url string, d time.Duration) (r lintReport) {
	t.Helper()
	cmd := command(t, 3*time.Minute, rtmpd, "lint", "-json", "-duration", fmt.Sprint(d), url)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	keep(t, "lint.json", []byte(stdout.String()))
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd, err, stdout.String(), stderr.String())
	}
	var code int
	if x := new(exec.ExitError); errors.As(err, &x) {
		code = x.ExitCode()
	}
	want := 0
	for _, f := range r.Findings {
		if f.Level == "MUST" {
			want = 1
		}
	}
	if code != want {
		t.Errorf("%v exits with %d, want %d", cmd, code, want)
	}
	return r
}

func TestLintFindsNothingInOurs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitLive(t, "test")
	r := lint(t, s.hlsURL("test"), 15*time.Second)
	for _, f := range r.Findings {
		t.Errorf("%s %s (%s), %s line %d: %s: %s", f.Level, f.Rule, f.Clause, f.URL, f.Line, f.Text, f.Says)
	}
	if r.Kind != "hls" || r.Checked.Segments < 3 || r.Checked.Updates < 5 || len(r.Notes) > 0 {
		t.Errorf("%+v, %q", r, r.Notes)
	}
}

func TestLintOfLowLatency(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(lowConfig, "%[1]s", s.dir))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitFragments(t, "test")
	r := lint(t, s.hlsURL("test"), 20*time.Second)
	for _, f := range r.Findings {
		// There is no TLS, and on a busy machine the encoder is late.
		if f.Rule != "http2" && f.Rule != "part-late" && f.Rule != "playlist-late" {
			t.Errorf("%s %s (%s), %s line %d: %s: %s", f.Level, f.Rule, f.Clause, f.URL, f.Line, f.Text, f.Says)
		}
	}
	if r.Kind != "ll-hls" || r.Checked.Parts < 20 || r.Checked.Updates < 20 || len(r.Notes) > 0 {
		t.Errorf("%+v, %q", r, r.Notes)
	}
}

func TestLintFindsWhatIsWrongInNginxs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startNginx(t, "application live { live on; hls on; hls_path "+dir+"; hls_fragment 2s; dash on; dash_path "+dir+"/dash; dash_fragment 2s; dash_playlist_length 12s; }", nil)
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(web.Close)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	eventually(t, 60*time.Second, "nginx-rtmp has three fragments", func() bool {
		hls, err := get(web.URL + "/test.m3u8")
		dash, errDASH := get(web.URL + "/dash/test.mpd")
		return err == nil && errDASH == nil && strings.Count(string(hls), "#EXTINF") >= 3 && strings.Count(string(dash), "<S ") >= 6
	})
	beside := together(t)
	defer beside.Wait()
	for name, want := range map[string]map[string]string{
		"test.m3u8":     {"ts-continuity-segment": "MUST", "segment-expires": "SHOULD", "cors": "ADVICE", "independent-missing": "ADVICE"},
		"dash/test.mpd": {"utc-timing": "MUST", "init-mvex": "MUST", "decode-time": "MUST", "delay-missing": "ADVICE", "cors": "ADVICE"},
	} {
		beside.Run(name, func(t *testing.T) {
			r := lint(t, web.URL+"/"+name, 15*time.Second)
			found := map[string]string{}
			for _, f := range r.Findings {
				found[f.Rule] = f.Level
				t.Logf("%s %s: %s", f.Level, f.Rule, f.Says)
			}
			for rule, level := range want {
				if found[rule] != level {
					t.Errorf("%s is %q, want %q", rule, found[rule], level)
				}
			}
		})
	}
}
