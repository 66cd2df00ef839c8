package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rtmpd/rtmpd/internal/api"
)

// lookedAt is where an operator looks.
const lookedAt = `
http {
  listen = "127.0.0.1:0"
  location "/stat" {
    stat {}
  }
  location "/metrics" {
    metrics {}
  }
  location "/health" {
    health {}
  }
}`

// page is what a location answers, with the status in front.
func (r *rig) page(path string) string {
	r.Helper()
	res, err := http.Get(r.web() + path)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return fmt.Sprintf("%d\n%s", res.StatusCode, b)
}

// shown waits until a finding is shown everywhere, each with words of its own, and
// its name is in the log. gone waits until it is nowhere.
func (r *rig) shown(name, words string) {
	r.Helper()
	r.eventually(name+" is shown everywhere", func() bool {
		return strings.Contains(r.page("/stat"), `<finding name="`+name+`" level="`) && strings.Contains(r.page("/stat"), words) &&
			strings.Contains(r.page("/stat?format=json"), `"name":"`+name+`"`) &&
			strings.Contains(r.page("/stat?format=html"), name) &&
			strings.Contains(r.page("/metrics"), `rtmpd_findings{finding="`+name+`"`) &&
			strings.Contains(r.page("/health"), " "+name+" ")
	})
	if !strings.Contains(r.allText(), name) {
		r.Errorf("the log does not name %s", name)
	}
}

func (r *rig) gone(name string) {
	r.Helper()
	r.eventually(name+" is gone everywhere", func() bool {
		for _, path := range []string{"/stat", "/stat?format=json", "/stat?format=html", "/metrics", "/health"} {
			what := name
			if path == "/metrics" {
				what = `"` + name + `"` // the label: there are metrics whose names contain it
			}
			if strings.Contains(r.page(path), what) {
				return false
			}
		}
		return true
	})
}

// answers waits for a status and the beginning of a body.
func (r *rig) answers(path, want string) {
	r.Helper()
	got := ""
	r.eventually(path+" answers "+want, func() bool { got = r.page(path); return strings.HasPrefix(got, want) })
}

// block puts a file where a directory should be, so that nothing below it can be
// written, by root neither; the answer takes it away.
func (r *rig) block(path string) (unblock func()) {
	r.Helper()
	full := filepath.Join(r.dir, path)
	r.eventually(path+" is gone", func() bool { return os.RemoveAll(full) == nil })
	r.write(path, "in the way")
	return func() {
		if err := os.Remove(full); err != nil {
			r.Fatal(err)
		}
	}
}

func TestAnOutputThatCanNotWriteIsAFinding(t *testing.T) {
	t.Parallel()
	for name, output := range map[string]string{
		"hls":    "hls {\n path = \"$DIR/out\"\n fragment = \"1s\"\n}",
		"record": "record \"all\" {\n path = \"$DIR/out\"\n interval = \"1s\"\n suffix = \"-%s.flv\"\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, "rtmp {\n listen = \"127.0.0.1:0\"\n application \"live\" {\n"+output+"\n}\n}\n"+lookedAt)
			r.answers("/health", "200\nok\n")
			p := r.publish("live", "cam")
			p.until("something is written", func() bool {
				found, _ := os.ReadDir(filepath.Join(r.dir, "out"))
				return len(found) > 0
			})
			if got := r.page("/stat"); strings.Contains(got, api.FindingOutputFailing) {
				t.Errorf("a finding although all is well:\n%s", got)
			}
			unblock := r.block("out")
			p.until("the finding", func() bool { return has(r.health("cam"), api.FindingOutputFailing) })
			r.shown(api.FindingOutputFailing, name)
			r.answers("/health", "503\nfailing\nerror output_failing 1\n")
			if got := r.page("/metrics"); !strings.Contains(got, "\nrtmpd_healthy 0\n") || !strings.Contains(got, `rtmpd_stream_finding{app="live",finding="output_failing",level="error"`) {
				t.Errorf("metrics: %s", got)
			}
			unblock()
			p.until("the finding goes", func() bool { return !has(r.health("cam"), api.FindingOutputFailing) })
			r.gone(api.FindingOutputFailing)
			r.answers("/health", "200\nok\n")
		})
	}
}

// What can't even begin is found as well, and one of several outputs that fails
// does not make the server one that can't do its job.
func TestOneOutputOfTwoThatFails(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "*" {
    hls {
      path     = "$DIR/$app/hls"
      fragment = "1s"
    }
  }
}`+lookedAt)
	unblock := r.block("bad")
	bad, good := r.publish("bad", "cam"), r.publish("good", "cam")
	bad.seconds(2)
	good.seconds(2)
	r.shown(api.FindingOutputFailing, "the stream goes on without it")
	r.answers("/health", "200\nok\nerror output_failing 1\n")
	for _, a := range r.srv.Snapshot().Servers[0].Applications {
		for _, st := range a.Streams {
			if got := has(st.Health, api.FindingOutputFailing); got != (a.Name == "bad") {
				t.Errorf("%s/%s: %+v", a.Name, st.Name, st.Health)
			}
		}
	}
	unblock()
	bad.until("a playlist", func() bool { return r.read("bad/hls/cam.m3u8") != "" })
	r.gone(api.FindingOutputFailing)
}

// A publisher that could do better is no reason to restart the server, and whom it
// is about is nobody's business.
func TestHealthOfAServerWithABadPublisher(t *testing.T) {
	t.Parallel()
	r := start(t, short+lookedAt)
	r.publish("live", "secret-name").seconds(4)
	r.answers("/health", "200\nok\nwarning gop_longer_than_fragment 1\n")
	if got := r.page("/health"); strings.Contains(got, "secret-name") {
		t.Errorf("strangers read %s", got)
	}
	if got := r.page("/metrics"); !strings.Contains(got, "\nrtmpd_healthy 1\n") || !strings.Contains(got, `rtmpd_findings{finding="gop_longer_than_fragment",level="warning"} 1`) {
		t.Errorf("metrics: %s", got)
	}
}

func TestAHookThatIsDownIsAFinding(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler) // hangs up
		}
	}))
	defer hook.Close()
	hcl := "rtmp {\n listen = \"127.0.0.1:0\"\n on_connect = \"$HOOK/c\"\n application \"live\" {\n on_publish = \"$HOOK/p?token=geheim\"\n }\n}\n" + lookedAt
	r := start(t, strings.Replace(strings.Replace(hcl, "on_connect = \"$HOOK/c\"\n", "", 1), "$HOOK", hook.URL, 1))
	if _, err := r.tryPublish("live", "cam", dialling{}); err == nil {
		t.Fatal("a hook that hangs up lets in")
	}
	r.shown(api.FindingHookDown, "on_publish of application &quot;live&quot; gives no answer")
	r.answers("/health", "200\nok\nerror hook_down 1\n") // another start would change nothing
	if strings.Contains(r.page("/stat"), "geheim") {
		t.Error("stat shows the hook's secret")
	}
	down.Store(false)
	r.publish("live", "cam")
	r.gone(api.FindingHookDown)

	// It is over, too, when the configuration asks another one.
	down.Store(true)
	r.reload(strings.ReplaceAll(hcl, "$HOOK", hook.URL))
	if _, err := r.tryPublish("live", "cam2", dialling{}); err == nil {
		t.Fatal("on_connect lets in")
	}
	r.shown(api.FindingHookDown, "on_connect of rtmp gives no answer")
	r.reload("rtmp {\n listen = \"127.0.0.1:0\"\n application \"live\" {}\n}\n" + lookedAt)
	r.gone(api.FindingHookDown)
}

func TestAReloadThatFailedIsAFinding(t *testing.T) {
	t.Parallel()
	r := start(t, short+lookedAt)
	r.block("www2")
	bad := r.load(strings.Replace(short, "www/hls", "www2/hls", 1) + lookedAt)
	if _, err := r.srv.Apply(bad); err == nil {
		t.Fatal("a directory below a file")
	}
	for _, page := range []string{"/stat", "/metrics"} {
		if got := r.page(page); !strings.Contains(got, api.FindingReloadFailed) {
			t.Errorf("%s does not show at once what failed:\n%s", page, got)
		}
	}
	r.answers("/health", "200\nok\nwarning reload_failed 1\n") // the one before serves
	r.reload(short + lookedAt)
	r.gone(api.FindingReloadFailed)

	// Whoever reads the file says so, too.
	r.srv.Loaded(errors.New("rtmpd.hcl:3: no such name <listn>"))
	r.eventually("the mistake is shown", func() bool { return strings.Contains(r.page("/stat"), "rtmpd.hcl:3: no such name &lt;listn&gt;") })
	r.srv.Loaded(nil)
	r.gone(api.FindingReloadFailed)
}

func TestAKeysFileThatFailsIsAFinding(t *testing.T) {
	t.Parallel()
	r := start(t, short+lookedAt)
	cfg := r.load(short + lookedAt)
	cfg.KeysFailing = map[string]string{"/etc/rtmpd/keys": "it is empty"}
	if _, err := r.srv.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	r.shown(api.FindingKeysFileFailing, "/etc/rtmpd/keys can&#39;t be used")
	r.answers("/health", "200\nok\nwarning keys_file_failing 1\n")
	r.reload(short + lookedAt)
	r.gone(api.FindingKeysFileFailing)
}
