package hooks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
)

// Sample makes an event of the trigger called name, about a stream of an application,
// with figures that are made up.
func Sample(name, app, stream string) (Event, error) {
	conn := Conn{Stream: stream, Addr: "192.0.2.1", Connector: "RTMP", URL: "rtmp://rtmpd.example/" + app + "/" + stream}
	now := time.Now()
	switch h := TriggerNamed(name); h {
	case PushRewrite:
		return NewPushRewrite(app, conn.URL, conn.Addr, stream), nil
	case RTMPPushRewrite:
		return NewRTMPPushRewrite(app, conn.URL, conn.Addr), nil
	case StreamPush, PlayRewrite, ConnOpen, ConnPlay, ConnClose:
		return NewConn(h, app, conn), nil
	case StreamBuffer:
		return NewStreamBuffer(app, stream, Ready, map[string]any{"tracks": []string{}}, nil, ""), nil
	case StreamSource, StreamLoad:
		return NewStream(h, app, stream), nil
	case StreamReady, StreamUnload:
		return NewInput(h, app, stream, "RTMP"), nil
	case StreamEnd:
		return NewStreamEnd(app, stream, StreamSums{Received: 1000, Sent: 2000, Viewers: 1, Publishers: 1, Outputs: 1, ViewerTime: time.Minute}), nil
	case DefaultStream:
		return NewDefaultStream(app, "", conn), nil
	case UserNew:
		return NewUserNew(app, conn, "token", strings.Repeat("0", 64)), nil
	case UserEnd:
		return NewUserEnd(app, Visit{Conn: conn, Token: "token", Session: strings.Repeat("0", 64), For: time.Minute, Sent: 1000}), nil
	case PushOutStart:
		return NewPushOutStart(app, stream, "rtmp://elsewhere.example/live/"+stream), nil
	case PushEnd:
		return NewPushEnd(app, PushResult{ID: "1", Stream: stream, Target: "rtmp://elsewhere.example/live/" + stream, Effective: "rtmp://elsewhere.example/live/" + stream, Status: map[string]any{}}), nil
	case RecordingEnd, OutputEnd:
		return NewFile(h, app, File{Stream: stream, Path: "/srv/recordings/" + stream + ".mkv", Type: "mkv", Bytes: 1000, From: now.Add(-time.Minute), Until: now, Media: time.Minute, Last: time.Minute, Reason: "CLEAN_EOF", Text: "the stream is over"}), nil
	case LiveBandwidth:
		return NewLiveBandwidth(app, stream, 1250000), nil
	case LiveTrackList:
		return NewLiveTrackList(app, stream, map[string]any{"audio_AAC_2ch_48000hz_1": map[string]any{"codec": media.CodecAAC.String()}}), nil
	case InputAbort:
		return NewInputAbort(app, stream, "rtmp://elsewhere.example/live/"+stream, "pull example", 1, "READ_START_FAILURE", "connection refused"), nil
	case SystemStart, SystemStop:
		return NewSystem(h, "a test"), nil
	}
	return Event{}, fmt.Errorf("there is no trigger %q", name)
}

// TriggerNamed returns the trigger of a name; another value if there is none.
func TriggerNamed(name string) Hook {
	for h := firstTrigger; h < numHooks; h++ {
		if h.String() == name {
			return h
		}
	}
	return numHooks
}

// A Trial is what a handler got and said when it was tried.
type Trial struct {
	Handler string // its program, or the host of its URL
	Payload string
	Answer  string
	Means   string // what rtmpd makes of the answer
	Took    time.Duration
	Failed  bool // there is no answer
}

// Try gives an event to the handlers of list, one after the other, and returns what came
// of it. Nothing else happens.
func (c *Client) Try(ctx context.Context, list []*config.Trigger, e Event) []Trial {
	caller := c.Caller(zap.NewNop())
	n := &config.Notify{Concurrency: 1}
	var out []Trial
	for _, t := range list {
		r := Trial{Handler: hostOf(t.Handler.URL()), Payload: string(body(t, e))}
		if r.Handler == "" {
			r.Handler = t.Handler.Command()[0]
		}
		began := time.Now()
		answer, err := caller.askTrigger(ctx, n, t, e)
		r.Took, r.Answer = time.Since(began), answer
		value, pass, no := settle(t, e.Hook, answer, err)
		r.Failed = err != nil
		switch {
		case err != nil && pass:
			r.Means = fmt.Sprintf("no answer (%s): as if it were not there (on_error)", err)
		case err != nil && no == nil:
			r.Means = fmt.Sprintf("no answer (%s): as if it were %q (on_error)", err, value)
		case err != nil:
			r.Means = fmt.Sprintf("no (%s)", err)
		case e.Hook.kind().Answer == config.AnswerNothing || !t.Sync:
			r.Means = "nothing: nobody waits for it"
		case no != nil:
			r.Means = "no"
		case e.Hook.kind().Answer == config.AnswerYes:
			r.Means = "yes"
		case value == "":
			r.Means = "empty"
		default:
			r.Means = fmt.Sprintf("the value %q", value)
		}
		out = append(out, r)
	}
	return out
}
