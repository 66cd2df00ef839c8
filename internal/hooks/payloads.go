package hooks

import (
	"strconv"
	"strings"
	"time"
)

// number is a field that is a number in JSON.
func number(name string, n int64) field {
	return field{name: name, line: strconv.FormatInt(n, 10), json: n}
}

// seconds is a field of whole seconds.
func seconds(name string, d time.Duration) field { return number(name, int64(d/time.Second)) }

// A Conn is what most triggers about a client say of it.
type Conn struct {
	Stream    string
	Addr      string
	Connector string // RTMP, HLS, DASH
	URL       string
}

func (c Conn) fields() []field {
	return []field{text("stream", c.Stream), text("addr", c.Addr), text("connector", c.Connector), text("url", c.URL)}
}

// NewConn is the trigger h about a client: STREAM_PUSH, PLAY_REWRITE, CONN_OPEN,
// CONN_PLAY or CONN_CLOSE.
func NewConn(h Hook, app string, c Conn) Event { return trigger(h, app, c.fields()...) }

// NewPushRewrite is the trigger before a publisher's name is looked at. url is what the
// publisher asked for, name the stream in it: both may hold a secret.
func NewPushRewrite(app, url, addr, name string) Event {
	return trigger(PushRewrite, app, text("url", url), text("addr", addr), text("stream", name))
}

// NewRTMPPushRewrite is the one before that, about the URL alone.
func NewRTMPPushRewrite(app, url, addr string) Event {
	return trigger(RTMPPushRewrite, app, text("url", url), text("addr", addr))
}

// NewDefaultStream is the trigger about a viewer of a stream that is not there. fallback
// is what it would be shown otherwise; empty: nothing.
func NewDefaultStream(app, fallback string, c Conn) Event {
	return trigger(DefaultStream, app, append([]field{text("default", fallback)}, c.fields()...)...)
}

// NewUserNew is the trigger about a viewer. MistServer's last line says whether its
// token was found valid without asking.
func NewUserNew(app string, c Conn, token, session string) Event {
	return trigger(UserNew, app, text("stream", c.Stream), text("addr", c.Addr), text("token", token), text("connector", c.Connector),
		text("url", c.URL), text("session", session), field{name: "token_valid", line: "false", json: false})
}

// A Visit is a viewer that has gone.
type Visit struct {
	Conn
	Token, Session string
	For            time.Duration
	Sent, Received uint64 // bytes
	Tags           []string
}

// NewUserEnd is the trigger about a viewer that has gone. MistServer's sessions may have
// several streams, protocols and addresses, each with its seconds; here each is one.
func NewUserEnd(app string, v Visit) Event {
	span := seconds("seconds", v.For).line
	tags := ""
	for _, tag := range v.Tags {
		tags += "[" + tag + "]"
	}
	each := func(name string) field { return field{name: name, line: span, json: int64(v.For / time.Second)} }
	return trigger(UserEnd, app, text("token", v.Token), text("stream", v.Stream), text("connector", v.Connector), text("addr", v.Addr),
		seconds("seconds", v.For), number("up", int64(v.Sent)), number("down", int64(v.Received)), text("tags", tags),
		each("addr_seconds"), each("connector_seconds"), each("stream_seconds"), text("session", v.Session))
}

// NewStream is a trigger about a stream alone: STREAM_SOURCE or STREAM_LOAD.
func NewStream(h Hook, app, stream string) Event { return trigger(h, app, text("stream", stream)) }

// NewInput is STREAM_READY or STREAM_UNLOAD. input is how the media come: RTMP, or the
// kind of the block that brings them.
func NewInput(h Hook, app, stream, input string) Event {
	return trigger(h, app, text("stream", stream), text("input", input))
}

// A BufferState is what STREAM_BUFFER says of a stream. MistServer calls them FULL, DRY,
// RECOVER and EMPTY.
type BufferState string

// The states. Starting has no counterpart: it is in JSON alone.
const (
	Starting  BufferState = "starting"
	Ready     BufferState = "ready"
	Unstable  BufferState = "unstable"
	Recovered BufferState = "recovered"
	Ended     BufferState = "ended"
)

var mistStates = map[BufferState]string{Ready: "FULL", Unstable: "DRY", Recovered: "RECOVER", Ended: "EMPTY"}

// NewStreamBuffer is the trigger about how a stream is. health is a JSON object; nil at
// the end. issues are the names of findings.
func NewStreamBuffer(app, stream string, state BufferState, health any, issues []string, reason string) Event {
	fields := []field{text("stream", stream), {name: "state", line: mistStates[state], json: string(state)}}
	if health != nil {
		fields = append(fields, object("health", health))
	}
	if len(issues) > 0 {
		fields = append(fields, field{name: "issues", json: issues, only: true})
	}
	if reason != "" {
		fields = append(fields, field{name: "reason", json: reason, only: true})
	}
	return trigger(StreamBuffer, app, fields...)
}

// mist reports whether MistServer's format has this event.
func (e *Event) mist() bool {
	return e.Hook != StreamBuffer || len(e.payload.fields) < 2 || e.payload.fields[1].line != ""
}

// StreamSums are a stream's at its end.
type StreamSums struct {
	Received, Sent               uint64 // bytes
	Viewers, Publishers, Outputs uint64 // in all
	ViewerTime                   time.Duration
}

// NewStreamEnd is the trigger after a stream has ended.
func NewStreamEnd(app, stream string, s StreamSums) Event {
	return trigger(StreamEnd, app, text("stream", stream), number("down", int64(s.Received)), number("up", int64(s.Sent)),
		number("viewers", int64(s.Viewers)), number("inputs", int64(s.Publishers)), number("outputs", int64(s.Outputs)), seconds("viewer_seconds", s.ViewerTime))
}

// NewPushOutStart is the trigger before a stream is sent to another server, or written
// to a file.
func NewPushOutStart(app, stream, target string) Event {
	return trigger(PushOutStart, app, text("stream", stream), text("target", target))
}

// A PushResult is how a push or a recording has gone.
type PushResult struct {
	ID                        string
	Stream, Target, Effective string
	Log                       []string // its last lines
	Status                    any      // a JSON object
}

// NewPushEnd is the trigger after a push or recording has ended.
func NewPushEnd(app string, p PushResult) Event {
	if p.Log == nil {
		p.Log = []string{}
	}
	return trigger(PushEnd, app, text("id", p.ID), text("stream", p.Stream), text("target", p.Target), text("effective_target", p.Effective),
		object("log", p.Log), object("status", p.Status))
}

// A File is one that was recorded.
type File struct {
	Stream, Path, Type string
	Bytes              int64
	From, Until        time.Time
	Media              time.Duration
	First, Last        time.Duration // timestamps of the first and the last packet
	Reason, Text       string        // MistServer's word for why it ended, and ours
}

// NewFile is RECORDING_END or OUTPUT_END.
func NewFile(h Hook, app string, f File) Event {
	e := trigger(h, app, text("stream", f.Stream), text("path", f.Path), text("type", f.Type), number("bytes", f.Bytes),
		seconds("seconds", f.Until.Sub(f.From)), number("unix_start", f.From.Unix()), number("unix_end", f.Until.Unix()),
		number("media_ms", f.Media.Milliseconds()), number("first_ms", f.First.Milliseconds()), number("last_ms", f.Last.Milliseconds()),
		text("reason", f.Reason), text("reason_text", f.Text))
	e.payload.newline = true
	return e
}

// NewLiveBandwidth is the trigger about a stream's bit rate, here in bytes a second.
func NewLiveBandwidth(app, stream string, rate int64) Event {
	return trigger(LiveBandwidth, app, text("stream", stream), number("bytes_per_second", rate))
}

// NewLiveTrackList is the trigger about a stream's tracks, an object by their names.
func NewLiveTrackList(app, stream string, tracks any) Event {
	e := trigger(LiveTrackList, app, text("stream", stream), object("tracks", tracks))
	e.payload.newline = true
	return e
}

// NewInputAbort is the trigger about a source that has failed. source has no key.
func NewInputAbort(app, stream, source, program string, pid int, reason, why string) Event {
	return trigger(InputAbort, app, text("stream", stream), text("source", source), text("program", program), number("pid", int64(pid)),
		text("reason", reason), text("reason_text", why))
}

// NewSystem is SYSTEM_START, with the version, or SYSTEM_STOP, with the reason.
func NewSystem(h Hook, what string) Event {
	name := "version"
	if h == SystemStop {
		name = "reason"
	}
	return trigger(h, "", text(name, strings.TrimSpace(what)))
}
