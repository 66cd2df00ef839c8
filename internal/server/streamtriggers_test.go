package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// states are what STREAM_BUFFER has told in MistServer's lines so far: name and state.
func (h *triggerServer) states() string {
	var out []string
	for _, f := range h.all("STREAM_BUFFER") {
		if len(f.lines) > 1 {
			out = append(out, strings.Join(f.lines[:2], ":"))
		}
	}
	return strings.Join(out, " ")
}

func TestTheTriggersOfAStream(t *testing.T) {
	r, h := watchedTriggers(t, `handover_grace = "0s"
    trigger "STREAM_BUFFER" { handler = "$HOOK/" }
    trigger "STREAM_BUFFER" {
      handler = "$HOOK/json"
      format  = "json"
      streams = ["cam"]
    }
    trigger "STREAM_READY" { handler = "$HOOK/" }
    trigger "STREAM_END" { handler = "$HOOK/" }
    trigger "STREAM_UNLOAD" { handler = "$HOOK/" }
    trigger "LIVE_TRACK_LIST" { handler = "$HOOK/" }
    `, triggerAnswers(map[string]string{"STREAM_READY": "1", "STREAM_UNLOAD": "1"}))
	w := r.spectate("live", "cam", dialling{})
	defer w.Close()
	c := r.publish("live", "cam")
	c.seconds(4.2)
	r.eventually("FULL", func() bool { return strings.Contains(h.states(), "cam:FULL") })
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("STREAM_END", func() bool { return len(h.all("STREAM_END")) == 1 })
	if got := h.states(); strings.Count(got, "FULL") != 1 || !strings.HasSuffix(got, "cam:EMPTY") {
		t.Errorf("the states are %s", got)
	}
	var states []string
	for _, f := range h.all("STREAM_BUFFER") {
		var told struct {
			State  string
			Health struct{ Tracks []string }
		}
		switch {
		case f.path == "/json" && json.Unmarshal([]byte(f.body), &told) == nil:
			states = append(states, told.State)
		case f.path == "/" && f.lines[1] == "FULL":
			if err := json.Unmarshal([]byte(f.lines[2]), &told.Health); err != nil || len(told.Health.Tracks) != 2 || !strings.HasPrefix(told.Health.Tracks[1], "video_H264_") {
				t.Errorf("the health is %s, %v", f.lines[2], err)
			}
		case f.path == "/" && f.lines[1] == "EMPTY" && len(f.lines) != 2:
			t.Errorf("EMPTY has the lines %q", f.lines)
		}
	}
	states = slices.DeleteFunc(states, func(s string) bool { return s == "unstable" || s == "recovered" }) // the machine may be slow
	if got := strings.Join(states, " "); got != "starting ready ended" {
		t.Errorf("in JSON the states are %s", got)
	}
	end := h.all("STREAM_END")[0].lines
	if len(end) != 7 || end[0] != "cam" || end[1] == "0" || end[2] == "0" || end[3] != "1" || end[4] != "1" || end[5] != "1" {
		t.Errorf("STREAM_END gets %q", end)
	}
	for name, want := range map[string]string{"STREAM_READY": "cam\nRTMP", "STREAM_UNLOAD": "cam\nRTMP"} {
		if all := h.all(name); len(all) != 1 || all[0].body != want {
			t.Errorf("%s gets %+v", name, all)
		}
	}
	tracks := h.all("LIVE_TRACK_LIST")
	if len(tracks) == 0 {
		t.Fatal("no LIVE_TRACK_LIST")
	}
	last := tracks[len(tracks)-1]
	if len(last.lines) != 3 || last.lines[0] != "cam" || !json.Valid([]byte(last.lines[1])) || !strings.Contains(last.lines[1], `"codec":"AAC"`) {
		t.Errorf("LIVE_TRACK_LIST gets %q", last.lines)
	}
}

func TestANoOfStreamReadyEndsThePublisher(t *testing.T) {
	r, _ := startTriggered(t, "", `trigger "STREAM_READY" { handler = "$HOOK/" }`, triggerAnswers(nil))
	c := r.publish("live", "cam")
	c.seconds(0.2)
	if st := c.ended(); st.Code != rtmp.StatusPublishDenied || st.Description != "refused by STREAM_READY" {
		t.Errorf("the publisher is told %+v", st)
	}
}

func TestANoOfStreamUnloadKeepsTheStream(t *testing.T) {
	r, h := startTriggered(t, "", `trigger "STREAM_UNLOAD" { handler = "$HOOK/" }`, triggerAnswers(nil))
	c := r.publish("live", "cam")
	c.seconds(0.2)
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the question", func() bool {
		return len(h.all("STREAM_UNLOAD")) == 1 && r.hasLogged("stream stays without a publisher (STREAM_UNLOAD)", "cam")
	})
	if st := r.stream("live", "cam"); st == nil || !st.Waiting() {
		t.Error("the stream has ended")
	}
}

func TestLiveBandwidthEndsWhoSendsTooMuch(t *testing.T) {
	r, h := startTriggered(t, "", "trigger \"LIVE_BANDWIDTH\" {\n handler = \"$HOOK/\"\n above = \"1k\"\n}\ntrigger \"LIVE_BANDWIDTH\" {\n handler = \"$HOOK/never\"\n above = \"900M\"\n}", triggerAnswers(nil))
	c := r.publish("live", "cam")
	defer c.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 1000 {
			select {
			case <-c.done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if c.frame() != nil { // it was refused meanwhile
				return
			}
		}
	}()
	st := c.ended()
	<-sent
	if st.Code != rtmp.StatusPublishDenied || st.Description != "refused by LIVE_BANDWIDTH" {
		t.Errorf("the publisher is told %+v", st)
	}
	if f := h.all("")[0]; len(f.lines) != 2 || f.lines[0] != "cam" || f.lines[1] == "0" || f.path != "/" {
		t.Errorf("LIVE_BANDWIDTH gets %q at %s", f.lines, f.path)
	}
}

func TestRecordingEndTellsOfEachFile(t *testing.T) {
	r, h := startTriggered(t, "", `handover_grace = "0s"
    record "all" {
      path     = "$DIR/rec"
      format   = "mkv"
      filename = "$wildcard/$name.mkv"
      min_free = 0
    }
    trigger "RECORDING_END" { handler = "$HOOK/" }
    trigger "OUTPUT_END" { handler = "$HOOK/" }`, triggerAnswers(nil))
	c := r.publish("live", "streams+john")
	c.seconds(2)
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the triggers", func() bool { return len(h.all("RECORDING_END")) == 1 && len(h.all("OUTPUT_END")) == 1 })
	f := h.all("RECORDING_END")[0]
	path := filepath.Join(r.dir, "rec/john/streams+john.mkv")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var bytes int64
	_ = json.Unmarshal([]byte(f.lines[3]), &bytes)
	if len(f.lines) != 13 || f.lines[12] != "" || f.lines[0] != "streams+john" || f.lines[1] != path || f.lines[2] != "mkv" || bytes != info.Size() || f.lines[10] != "CLEAN_EOF" {
		t.Errorf("RECORDING_END gets %q, and the file has %d bytes", f.lines, info.Size())
	}
}

func TestPushOutStartNamesTheTarget(t *testing.T) {
	to := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "in" {}
}`)
	answer := "rtmp://" + to.addr(0) + "/in/other"
	r, h := startTriggered(t, "", `push "p" { url = "rtmp://127.0.0.1:1/in/$name" }
    push "no" { url = "rtmp://127.0.0.1:1/no/$name" }
    trigger "PUSH_OUT_START" { handler = "$HOOK/" }
    trigger "PUSH_END" { handler = "$HOOK/" }`, func(f firing, w http.ResponseWriter, _ *http.Request) {
		if f.header.Get("X-Trigger") == "PUSH_OUT_START" && !strings.Contains(f.lines[1], "/no/") {
			_, _ = io.WriteString(w, answer)
		}
	})
	c := r.publish("live", "cam")
	c.seconds(1)
	to.eventually("the stream over there", func() bool { return to.stream("in", "other") != nil })
	r.eventually("the refused push's end", func() bool {
		return slices.ContainsFunc(h.all("PUSH_END"), func(f firing) bool { return strings.Contains(f.lines[4], "refused by PUSH_OUT_START") })
	})
	if f := h.all("PUSH_OUT_START")[0]; len(f.lines) != 2 || f.lines[0] != "cam" || !strings.HasPrefix(f.lines[1], "rtmp://127.0.0.1:1/") {
		t.Errorf("PUSH_OUT_START gets %q", f.lines)
	}
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the other's end", func() bool {
		return slices.ContainsFunc(h.all("PUSH_END"), func(f firing) bool {
			return f.lines[4] == "[]" && strings.HasPrefix(f.lines[3], "rtmp://"+to.addr(0)+"/in/")
		})
	})
}

func TestInputAbortTellsOfAPullThatFails(t *testing.T) {
	r, h := startTriggered(t, "", `pull "far" {
      url    = "rtmp://127.0.0.1:1/up/cam"
      static = true
    }
    trigger "INPUT_ABORT" { handler = "$HOOK/" }`, triggerAnswers(nil))
	r.eventually("the trigger", func() bool { return len(h.all("INPUT_ABORT")) > 0 })
	if f := h.all("INPUT_ABORT")[0]; len(f.lines) != 6 || f.lines[0] != "cam" || f.lines[1] != "rtmp://127.0.0.1:1/up/cam" || f.lines[2] != "pull far" || f.lines[4] != "READ_START_FAILURE" {
		t.Errorf("INPUT_ABORT gets %q", f.lines)
	}
}

// What is live when the server stops, or waits for its publisher, is over for whoever is told:
// with the next start it begins again.
func TestAStopTellsTheEndOfStreams(t *testing.T) {
	r, h := watchedTriggers(t, `reconnect_grace = "5m"
    trigger "STREAM_BUFFER" { handler = "$HOOK/" }
    trigger "STREAM_END" { handler = "$HOOK/" }`, triggerAnswers(nil))
	for _, name := range []string{"cam", "lost"} {
		c := r.publish("live", name)
		c.seconds(2.2)
		r.eventually(name, func() bool { return strings.Contains(h.states(), name+":FULL") })
		if name == "lost" {
			c.Close()
			r.eventually("the loss", func() bool { return r.app("live").Stream("lost").Waiting() })
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	got := h.states()
	for _, name := range []string{"cam", "lost"} {
		if strings.Count(got, name+":EMPTY") != 1 {
			t.Errorf("of %s the states are %s", name, got)
		}
		n := 0
		for _, f := range h.all("STREAM_END") {
			if f.lines[0] == name && f.lines[1] != "0" && f.lines[4] == "1" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("STREAM_END gets %+v", h.all("STREAM_END"))
		}
	}
}

// A player that waits for a part does not hold a stop up, and the end of its stream is told.
func TestAStopTellsTheEndWhileAPlayerWaits(t *testing.T) {
	t.Parallel()
	h := newTriggerServer(t, func(firing, http.ResponseWriter, *http.Request) {})
	text := strings.Replace(watched(`trigger "STREAM_BUFFER" { handler = "$HOOK/" }
    trigger "STREAM_END" { handler = "$HOOK/" }`), `fragment        = "1s"`, "fragment = \"10s\"\nformat = \"fmp4\"\nlow_latency = true", 1)
	r := start(t, strings.ReplaceAll(text, "$HOOK", h.url))
	c := r.publish("live", "cam")
	w := r.watcher("192.0.2.1")
	var list string
	c.until("a segment that grows", func() bool {
		list = w.get("/live/cam-video.m3u8").body
		return strings.Contains(list, "#EXTINF") && strings.Contains(list, "#EXT-X-PRELOAD-HINT")
	})
	_, number, _ := strings.Cut(list, "#EXT-X-MEDIA-SEQUENCE:")
	number, _, _ = strings.Cut(number, "\n")
	first, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan int, 1)
	go func() {
		answer <- w.get(fmt.Sprintf("/live/cam-video.m3u8?_HLS_msn=%d&_HLS_part=10", first+strings.Count(list, "#EXTINF")+1)).status
	}() // of the one after it
	r.eventually("it waits", func() bool { return r.srv.Snapshot().HTTP[0].InFlight > 0 })
	if err := r.stop(); err != nil { // it would have waited for 30 s
		t.Error(err)
	}
	if status := <-answer; status != http.StatusServiceUnavailable {
		t.Errorf("who waits gets %d", status)
	}
	if n := len(h.all("STREAM_END")); n != 1 || strings.Count(h.states(), "cam:EMPTY") != 1 {
		t.Errorf("STREAM_END was told %d times; %s", n, h.states())
	}
}

// The end is told once of a stream that goes on with its fallback.
func TestTheEndBeforeAFallbackIsToldOnce(t *testing.T) {
	r, h := watchedTriggers(t, `reconnect_grace = 0
    handover_grace = "0s"
    fallback = "$DIR/slate.flv"
    trigger "STREAM_BUFFER" { handler = "$HOOK/" }
    trigger "STREAM_END" { handler = "$HOOK/" }`, triggerAnswers(nil))
	card, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "slate.flv"), card, 0o600); err != nil {
		t.Fatal(err)
	}
	c := r.publish("live", "cam")
	c.seconds(2.2)
	r.eventually("FULL", func() bool { return strings.Contains(h.states(), "cam:FULL") })
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("EMPTY", func() bool { return strings.Contains(h.states(), "cam:EMPTY") })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if got := h.states(); strings.Count(got, "EMPTY") != 1 || len(h.all("STREAM_END")) != 1 {
		t.Errorf("the states are %s, STREAM_END was told %d times", got, len(h.all("STREAM_END")))
	}
}

func TestTheTriggersOfTheServer(t *testing.T) {
	top := `trigger "SYSTEM_START" { handler = "$HOOK/" }
trigger "SYSTEM_STOP" { handler = "$HOOK/" }`
	r, h := startTriggered(t, top, "", triggerAnswers(nil))
	if err := r.srv.AskStart(t.Context()); err == nil || !strings.Contains(err.Error(), "refused by SYSTEM_START") {
		t.Errorf("a no to SYSTEM_START: %v", err)
	}
	if f := h.all("SYSTEM_START")[0]; f.body != "rtmpd test" {
		t.Errorf("SYSTEM_START gets %q", f.body)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if all := h.all("SYSTEM_STOP"); len(all) != 1 || all[0].body == "" {
		t.Errorf("SYSTEM_STOP: %+v", all)
	}
}
