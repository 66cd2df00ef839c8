package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/api"
)

// outputsOf are those of a stream of the application live, by kind and name.
func (r *rig) outputsOf(stream string) map[string]api.Output {
	out := make(map[string]api.Output)
	for _, a := range r.srv.Snapshot().Servers[0].Applications {
		for _, st := range a.Streams {
			for _, o := range st.Outputs {
				if a.Name == "live" && st.Name == stream {
					out[strings.TrimSpace(o.Kind+" "+o.Name)] = o
				}
			}
		}
	}
	return out
}

// A reload that adds, changes and removes a push, a recorder, a program and a fallback
// under a live stream touches only what changed.
func TestAReloadTouchesOnlyTheOutputsThatChanged(t *testing.T) {
	t.Parallel()
	r := start(t, withPushes())
	one := strings.Join([]string{
		r.to("one", "cam-1", ""),
		`record "one" {
      path     = "$DIR/one"
      min_free = 0
    }`,
		`exec "push" "one" {
      command = ["sh", "-c", "echo begins >> $DIR/one.txt; exec sleep 1000"]
    }`,
		`hls {
      path            = "$DIR/hls"
      fragment        = "1s"
      playlist_length = "600s"
    }`,
	}, "\n    ")
	two := strings.Join([]string{
		r.to("two", "cam-2", ""),
		`record "two" {
      path     = "$DIR/two"
      suffix   = "-a.flv"
      min_free = 0
    }`,
		`exec "push" "two" {
      command = ["sh", "-c", "echo first >> $DIR/two.txt; exec sleep 1000"]
    }`,
		`fallback = "$DIR/slate-a.flv"`,
	}, "\n    ")
	slate, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		t.Fatal(err)
	}
	r.write("slate-a.flv", string(slate))
	r.write("slate-b.flv", string(slate))
	there := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(r.dir, name)); return err == nil }
	}
	r.reload(withPushes(one))
	w := r.witness("live", "cam")
	r.eventually("the first outputs are at work", func() bool {
		return r.packets("copy", "cam-1") > 0 && there("one/cam.flv")() && r.read("one.txt") != "" && strings.Contains(r.read("hls/cam.m3u8"), "#EXTINF")
	})
	before := r.outputsOf("cam")
	untouched := func(after string) {
		t.Helper()
		now := r.outputsOf("cam")
		for _, name := range []string{"push one", "record one"} {
			if a, b := before[name], now[name]; a.Since.IsZero() || a.Since != b.Since || a.Target != b.Target {
				t.Errorf("after %s %s is %+v, it was %+v", after, name, b.State, a.State)
			}
		}
		if text := r.read("one.txt"); text != "begins\n" {
			t.Errorf("after %s the program has begun %q", after, text)
		}
		if text := r.read("hls/cam.m3u8"); strings.Contains(text, "#EXT-X-DISCONTINUITY\n") {
			t.Errorf("after %s the playlist breaks:\n%s", after, text)
		}
	}

	r.reload(withPushes(one, two))
	r.eventually("what was added is at work", func() bool {
		return r.packets("copy", "cam-2") > 0 && there("two/cam-a.flv")() && r.read("two.txt") == "first\n"
	})
	untouched("an addition")
	changed := strings.NewReplacer("cam-2", "cam-3", "-a.flv", "-b.flv", "echo first", "echo second").Replace(two)
	r.reload(withPushes(one, changed))
	r.eventually("what was changed is at work", func() bool {
		return r.packets("copy", "cam-3") > 0 && r.stream("copy", "cam-2") == nil && there("two/cam-b.flv")() && r.read("two.txt") == "first\nsecond\n"
	})
	untouched("a change")
	r.reload(withPushes(one))
	r.eventually("what was removed is gone", func() bool {
		now := r.outputsOf("cam")
		return r.stream("copy", "cam-3") == nil && len(now) == len(before)
	})
	untouched("a removal")
	if r.hasLogged("fallback is shown", "") {
		t.Error("a fallback is shown beside a publisher")
	}
	w.undisturbed()
}
