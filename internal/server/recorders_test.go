package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const recorded = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace   = "0s"
    on_publish_done   = "$HOOK/publish_done"
    on_done           = "$HOOK/done"
    on_record_started = "$HOOK/started"
    on_record_done    = "$HOOK/record_done"
    record "all" {
      path   = "rec/$app"
      notify = true
    }
    record "manual" {
      path           = "rec/$app"
      suffix         = "-m.flv"
      manual         = true
      on_record_done = "$HOOK/own"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/control" {
    control {}
    access = ["allow 127.0.0.1", "deny all"]
  }
}
`

func TestTheCallsOfARecording(t *testing.T) {
	h := newHookServer(t, nil)
	r := start(t, strings.ReplaceAll(recorded, "$HOOK", h.url))
	h.rig = r
	c, err := r.tryPublish("live", "cam+1?tok=1&path=/etc/passwd&recorder=x", dialling{})
	if err != nil {
		t.Fatal(err)
	}
	c.seconds(1)
	r.eventually("the recording begins", func() bool { return h.last("record_started") != nil })
	r.eventually("the publisher is told", func() bool {
		return slices.ContainsFunc(c.heard(), func(st rtmp.StatusError) bool {
			return st.Level == "status" && st.Code == rtmp.StatusRecordStart && st.Description == "all"
		})
	})
	path := h.last("record_started").Get("path")
	if want := filepath.Join("rec", "live", "cam%2B1.flv"); !strings.HasSuffix(path, want) {
		t.Errorf("it is recorded in %s, want %s", path, want)
	}
	status, body := r.call("/control/record/start?app=live&rec=manual")
	if status != 200 || !strings.HasSuffix(body, "cam%2B1-m.flv") {
		t.Fatalf("start: %d %q", status, body)
	}
	if status, body := r.call("/control/record/start?app=live"); status != 400 || !strings.Contains(body, "several recorders") {
		t.Errorf("without rec: %d %q", status, body)
	}
	c.seconds(3)
	r.eventually("the manual one begins", func() bool { return h.last("record_started").Get("recorder") == "manual" })
	if status, again := r.call("/control/record/stop?app=live&rec=manual"); status != 200 || again != body {
		t.Errorf("stop: %d %q, want %q", status, again, body)
	}
	r.eventually("the manual one is done", func() bool { return h.last("record_done") != nil })
	if f := h.last("record_done"); f.Get("recorder") != "manual" || f.Get("path") != body {
		t.Errorf("record_done is called with %v", f)
	}
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("all is over", func() bool { return h.last("record_done").Get("recorder") == "all" })
	c.Close()
	got := h.seen()
	if n := len(got); n < 3 || !slices.Equal(got[n-3:], []string{"publish_done:cam+1", "done:cam+1", "record_done:cam+1"}) {
		t.Errorf("the hooks are called %q, want record_done last", got)
	}
	f := h.last("record_done")
	for field, want := range map[string]string{"recorder": "all", "path": path, "tok": "1", "call": "record_done", "clientid": "1", "app": "live"} {
		if got := f[field]; len(got) != 1 || got[0] != want {
			t.Errorf("record_done is called with %s %q, want %q", field, got, want)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
