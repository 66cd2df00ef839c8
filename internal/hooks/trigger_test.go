package hooks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func TestTriggersHaveTheirNames(t *testing.T) {
	if int(numHooks-firstTrigger) != len(config.TriggerKinds) {
		t.Fatalf("%d triggers, %d kinds", numHooks-firstTrigger, len(config.TriggerKinds))
	}
	for h, want := range map[Hook]string{
		PushRewrite: "PUSH_REWRITE", RTMPPushRewrite: "RTMP_PUSH_REWRITE", StreamPush: "STREAM_PUSH", StreamBuffer: "STREAM_BUFFER",
		StreamSource: "STREAM_SOURCE", StreamReady: "STREAM_READY", StreamEnd: "STREAM_END", StreamLoad: "STREAM_LOAD", StreamUnload: "STREAM_UNLOAD",
		DefaultStream: "DEFAULT_STREAM", PlayRewrite: "PLAY_REWRITE", ConnOpen: "CONN_OPEN", ConnPlay: "CONN_PLAY", ConnClose: "CONN_CLOSE",
		UserNew: "USER_NEW", UserEnd: "USER_END", PushOutStart: "PUSH_OUT_START", PushEnd: "PUSH_END", RecordingEnd: "RECORDING_END",
		OutputEnd: "OUTPUT_END", LiveBandwidth: "LIVE_BANDWIDTH", LiveTrackList: "LIVE_TRACK_LIST", InputAbort: "INPUT_ABORT",
		SystemStart: "SYSTEM_START", SystemStop: "SYSTEM_STOP",
	} {
		if got := h.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWhatIsAYes(t *testing.T) {
	for answer, want := range map[string]bool{
		"1": true, "true": true, "TRUE\r\n": true, " yes ": true, "continue": true, "cont": true, "t r u e": true, "1234": true,
		"": false, "0": false, "no": false, "false": false, "ok": false, "y": false, "<html>true": false,
	} {
		if got := truth(answer); got != want {
			t.Errorf("%q: got %v", answer, got)
		}
	}
}

// What a client says of itself makes no line of its own, and no member.
func TestAPayloadKeepsItsLines(t *testing.T) {
	e := NewPushRewrite("live", "rtmp://h/live/a\nb", "192.0.2.1", "a\r\nb\x00\xff\"")
	if got, want := string(e.payload.lines()), "rtmp://h/live/ab\n192.0.2.1\nab\uFFFD\""; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var got map[string]any
	if err := json.Unmarshal(e.payload.object(e.Hook), &got); err != nil || got["url"] != "rtmp://h/live/a\nb" || len(got) != 7 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Whatever a handler answers, it has no line break at its end and is short, and the
// payload is as many lines as it has fields.
func FuzzTriggerAnswer(f *testing.F) {
	for _, s := range []string{"john\r\n", "", "\n\n", "1", "rtmp://h//streams+john", "\xef\xbb\xbfx", strings.Repeat("x", 9000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fuzztime.Bound(t)
		answer, err := cleanAnswer([]byte(s))
		if err == nil && (len(answer) > maxAnswer || strings.HasSuffix(answer, "\n") || strings.HasSuffix(answer, "\r")) {
			t.Errorf("%q", answer)
		}
		truth(answer)
		e := NewPushRewrite("live", s, s, s)
		if got := strings.Count(string(e.payload.lines()), "\n"); got != 2 {
			t.Errorf("%q makes %d lines", s, got+1)
		}
		if !json.Valid(e.payload.object(e.Hook)) {
			t.Errorf("%q makes bad JSON", s)
		}
	})
}
