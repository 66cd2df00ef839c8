package hooks

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
)

var update = flag.Bool("update", false, "write testdata/payloads.txt")

// samples has each trigger once.
func samples() []Event {
	c := Conn{Stream: "streams+john", Addr: "192.0.2.1", Connector: "RTMP", URL: "rtmp://example.org/live/streams+john"}
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	health := map[string]any{"issues": "unstable connection", "tracks": []string{"video_H264_1280x720_25fps_0"}}
	file := File{
		Stream: "streams+john", Path: "/srv/john.mkv", Type: "mkv", Bytes: 123456, From: at, Until: at.Add(90 * time.Second), Media: 90500 * time.Millisecond,
		First: 40 * time.Millisecond, Last: 90540 * time.Millisecond, Reason: "CLEAN_EOF", Text: "the stream has ended",
	}
	push := PushResult{ID: "7", Stream: "streams+john", Target: "rtmp://a.example/app/(hidden)", Effective: "rtmp://a.example/app/(hidden)", Status: map[string]any{"bytes": 1000}}
	return []Event{
		NewPushRewrite("live", "rtmp://example.org/live/tok123?a=b", "192.0.2.1", "tok123"),
		NewRTMPPushRewrite("live", "rtmp://example.org/live/tok123?a=b", "192.0.2.1"),
		NewConn(StreamPush, "live", c),
		NewStreamBuffer("live", "streams+john", Starting, nil, nil, ""),
		NewStreamBuffer("live", "streams+john", Ready, health, nil, ""),
		NewStreamBuffer("live", "streams+john", Unstable, health, []string{"gop_too_long"}, ""),
		NewStreamBuffer("live", "streams+john", Recovered, health, nil, ""),
		NewStreamBuffer("live", "streams+john", Ended, nil, nil, "its publisher stopped"),
		NewStream(StreamSource, "live", "streams+john"),
		NewInput(StreamReady, "live", "streams+john", "RTMP"),
		NewStreamEnd("live", "streams+john", StreamSums{Received: 1000, Sent: 2000, Viewers: 3, Publishers: 1, Outputs: 2, ViewerTime: 61 * time.Second}),
		NewStream(StreamLoad, "live", "streams+john"),
		NewInput(StreamUnload, "live", "streams+john", "RTMP"),
		NewDefaultStream("live", "vod+last", c),
		NewConn(PlayRewrite, "live", c),
		NewConn(ConnOpen, "live", c),
		NewConn(ConnPlay, "live", c),
		NewConn(ConnClose, "live", c),
		NewUserNew("live", c, "good", strings.Repeat("0f", 32)),
		NewUserEnd("live", Visit{Conn: c, Token: "good", Session: strings.Repeat("0f", 32), For: 61 * time.Second, Sent: 5000, Received: 100}),
		NewPushOutStart("live", "streams+john", "/srv/john.mkv"),
		NewPushEnd("live", push),
		NewFile(RecordingEnd, "live", file),
		NewFile(OutputEnd, "live", file),
		NewLiveBandwidth("live", "streams+john", 1250000),
		NewLiveTrackList("live", "streams+john", map[string]any{"video_H264_1280x720_25fps_0": map[string]any{"codec": "H264"}}),
		NewInputAbort("live", "streams+john", "rtmp://a.example/live/x", "pull", 4711, "READ_START_FAILURE", "connection refused"),
		NewSystem(SystemStart, "1.0"),
		NewSystem(SystemStop, "terminated"),
	}
}

// Every trigger's payload is the one in testdata/payloads.txt, in both formats.
func TestThePayloads(t *testing.T) {
	var b bytes.Buffer
	seen := make(map[Hook]bool)
	for _, e := range samples() {
		seen[e.Hook] = true
		e.payload.uuid, e.payload.at = "00000000-0000-4000-8000-000000000000", time.UnixMilli(1796040000000)
		fmt.Fprintf(&b, "== %s\n", e.Hook)
		if e.mist() {
			fmt.Fprintf(&b, "%s\n--\n", body(&config.Trigger{Format: "mist"}, e))
		}
		fmt.Fprintf(&b, "%s\n\n", body(&config.Trigger{Format: "json"}, e))
	}
	for h := firstTrigger; h < numHooks; h++ {
		if !seen[h] {
			t.Errorf("there is no sample of %s", h)
		}
	}
	const path = "testdata/payloads.txt"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("run with -update and look at the difference:\n%s", got)
	}
}

func TestThereIsASampleOfEachTrigger(t *testing.T) {
	for _, k := range config.TriggerKinds {
		if e, err := Sample(k.Name, "live", "cam"); err != nil || e.Hook.String() != k.Name {
			t.Errorf("%s: got %s, %v", k.Name, e.Hook, err)
		}
	}
	if _, err := Sample("NOTHING", "live", "cam"); err == nil {
		t.Error("there is a sample of a trigger that there is not")
	}
}
