package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Everything that happens to a session is one line that says to which stream of
// which application, from where, and why.
func TestEveryEventOfASessionIsALine(t *testing.T) {
	t.Parallel()
	const plain = `application "live" {
    reconnect_grace = 0
  }`
	with := func(lines string) string {
		return strings.Replace(plain, "reconnect_grace = 0", "reconnect_grace = 0\n    "+lines, 1)
	}
	publish := func(r *rig) { r.publish("live", "cam").seconds(0.1) }
	for _, c := range []struct {
		name, config string
		do           func(r *rig)
		message      string
		stream       string // empty: there is none, or it may be a secret
		reason       string // empty: none but the event itself
		noApp        bool   // it is not known yet
	}{
		{
			name: "refused at connect", config: plain, do: func(r *rig) {
				_, _ = r.dial("none", dialling{})
			}, message: "session refused", reason: `no application "none" here`, noApp: true,
		},
		{
			name: "refused by a rule", config: with(`access { publish = ["deny all"] }`), do: func(r *rig) {
				_, _ = r.tryPublish("live", "cam", dialling{})
			}, message: "session refused", stream: "cam", reason: "access denied",
		},
		{
			name: "refused for its key", config: with(`stream_key "cam" { secret = "very-secret-key" }`), do: func(r *rig) {
				_, _ = r.tryPublish("live", "not-the-secret", dialling{})
			}, message: "session refused", reason: "wrong stream key",
		},
		{
			name: "refused by a hook", config: with(`on_publish = "http://127.0.0.1:9/"`), do: func(r *rig) {
				_, _ = r.tryPublish("live", "cam", dialling{})
			}, message: "session refused", reason: "on_publish could not be asked",
		},
		{
			name: "refused for its name", config: plain, do: func(r *rig) {
				publish(r)
				_, _ = r.tryPublish("live", "cam", dialling{from: "127.0.0.9"})
			}, message: "session refused", stream: "cam", reason: "already publishing",
		},
		{name: "publishes", config: plain, do: publish, message: "publish started", stream: "cam"},
		{
			name: "stops to publish", config: plain, do: func(r *rig) {
				c := r.publish("live", "cam")
				_ = c.WriteCommand(1, "deleteStream", 0, nil, 1.0)
				_ = c.Flush()
			}, message: "publish stopped", stream: "cam",
		},
		{
			name: "and ends the stream", config: plain, do: func(r *rig) {
				c := r.publish("live", "cam")
				_ = c.WriteCommand(1, "deleteStream", 0, nil, 1.0)
				_ = c.Flush()
			}, message: "stream ended", stream: "cam", reason: "its publisher stopped",
		},
		{
			name: "loses its connection", config: plain, do: func(r *rig) {
				r.publish("live", "cam").cut()
			}, message: "stream ended", stream: "cam", reason: "its publisher lost the connection",
		},
		{
			name: "is waited for", config: strings.Replace(plain, "= 0", `= "1m"`, 1), do: func(r *rig) {
				r.publish("live", "cam").cut()
			}, message: "publisher lost; the stream waits for it", stream: "cam",
		},
		{
			name: "comes back", config: strings.Replace(plain, "= 0", `= "1m"`, 1), do: func(r *rig) {
				r.publish("live", "cam").cut()
				r.logged("publish stopped", "cam")
				publish(r)
			}, message: "stream goes on", stream: "cam", reason: "it has a publisher again",
		},
		{
			name: "does not come back", config: strings.Replace(plain, "= 0", `= "20ms"`, 1), do: func(r *rig) {
				r.publish("live", "cam").cut()
			}, message: "stream ended", stream: "cam", reason: "did not come back",
		},
		{
			name: "takes over", config: plain, do: func(r *rig) {
				publish(r)
				publish(r)
			}, message: "stream goes on", stream: "cam", reason: "another publisher takes over",
		},
		{
			name: "is taken over", config: plain, do: func(r *rig) {
				publish(r)
				publish(r)
			}, message: "session closed by the server", stream: "cam", reason: "another publisher took over",
		},
		{
			name: "sends nothing", config: with(`drop_idle_publisher = "50ms"`), do: func(r *rig) {
				r.publish("live", "cam")
			}, message: "session closed by the server", stream: "cam", reason: "drop_idle_publisher",
		},
		{
			name: "is shown out by a reload", config: plain, do: func(r *rig) {
				publish(r)
				r.reload(eventConfig(with(`access { publish = ["deny all"] }`)))
			}, message: "session closed by the server", stream: "cam", reason: "access denied",
		},
		{
			name: "which ends its stream", config: plain, do: func(r *rig) {
				publish(r)
				r.reload(eventConfig(with(`access { publish = ["deny all"] }`)))
			}, message: "stream ended", stream: "cam", reason: "disconnected by the server",
		},
		{
			name: "loses its application", config: plain, do: func(r *rig) {
				publish(r)
				r.reload(eventConfig(""))
			}, message: "stream ended", stream: "cam", reason: origin.WhyAppGone,
		},
		{name: "plays", config: plain, do: func(r *rig) { r.spectate("live", "cam", dialling{}) }, message: "play started", stream: "cam"},
		{
			name: "stops to play", config: plain, do: func(r *rig) {
				s := r.spectate("live", "cam", dialling{})
				r.logged("play started", "cam")
				s.Close()
			}, message: "play stopped", stream: "cam",
		},
		{
			name: "may not play", config: with(`access { play = ["deny all"] }`), do: func(r *rig) {
				r.spectate("live", "cam", dialling{})
			}, message: "session refused", stream: "cam", reason: "access denied",
		},
		{
			name: "may not play any more", config: plain, do: func(r *rig) {
				r.spectate("live", "cam", dialling{})
				r.logged("play started", "cam")
				r.reload(eventConfig(with(`access { play = ["deny all"] }`)))
			}, message: "session closed by the server", stream: "cam", reason: "access denied",
		},
		{
			name: "sends nonsense", config: plain, do: func(r *rig) {
				c := r.publish("live", "cam")
				_ = c.WriteMessage(rtmp.Message{Type: rtmp.TypeCommandAMF0, ChunkStreamID: 3, Payload: []byte{5}})
				_ = c.Flush()
			}, message: "session closed", stream: "cam", reason: "command",
		},
		{
			name: "leaves", config: plain, do: func(r *rig) {
				r.publish("live", "cam").Close()
			}, message: "session ended", stream: "cam",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, eventConfig(c.config))
			c.do(r)
			r.logged(c.message, c.reason)
			for _, e := range r.logs.FilterMessage(c.message).All() {
				f := e.ContextMap()
				if !strings.Contains(fmt.Sprint(f["reason"]), c.reason) && c.reason != "" {
					continue
				}
				if f["stream"] != any(c.stream) && (c.stream != "" || f["stream"] != nil) {
					t.Errorf("the stream is %v, want %q", f["stream"], c.stream)
				}
				if f["app"] != "live" && !c.noApp {
					t.Errorf("the application is %v", f["app"])
				}
				byItself := c.message == "stream ended" // nobody's session by then
				if f["remote"] == nil && !byItself {
					t.Error("it does not say from where")
				}
			}
		})
	}
}

func eventConfig(application string) string {
	return "rtmp {\n  listen = \"127.0.0.1:0\"\n  " + application + "\n}"
}
