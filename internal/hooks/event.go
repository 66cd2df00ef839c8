package hooks

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
)

// A Hook is one of the callbacks, or a trigger.
type Hook uint8

// The callbacks, by their names in the configuration.
const (
	OnConnect Hook = iota
	OnDisconnect
	OnPublish
	OnPlay
	OnDone
	OnPlayDone
	OnPublishDone
	OnUpdate
	OnPlaylist
	OnRecordStarted
	OnRecordDone
)

// String is the hook's name in the configuration.
func (h Hook) String() string {
	switch h {
	case OnConnect:
		return "on_connect"
	case OnDisconnect:
		return "on_disconnect"
	case OnPublish:
		return "on_publish"
	case OnPlay:
		return "on_play"
	case OnDone:
		return "on_done"
	case OnPlayDone:
		return "on_play_done"
	case OnPublishDone:
		return "on_publish_done"
	case OnUpdate:
		return "on_update"
	case OnPlaylist:
		return "on_playlist"
	case OnRecordStarted:
		return "on_record_started"
	case OnRecordDone:
		return "on_record_done"
	}
	if h >= firstTrigger && h < numHooks {
		return config.TriggerKinds[h-firstTrigger].Name
	}
	return "hook " + strconv.Itoa(int(h))
}

// A Session holds the fields of a connection that every call sends. The values that
// the client sent are passed on unchanged, except that key= is removed from URLs.
type Session struct {
	App      string // without arguments
	Args     string // after the ? of the AMF app
	FlashVer string
	SWFURL   string
	TCURL    string
	PageURL  string
	Addr     string // without port
	ClientID uint64 // the connection's serial number
}

// A Stream holds the fields of the stream that a client publishes or plays.
type Stream struct {
	// Name is the name that the client sent, without arguments. For a publisher with
	// a stream key it is the key's public name: hooks never get the secret.
	Name string
	Args string // after the ? of the name
	// Public is the name that a hook gave the stream; empty: none did.
	Public string
}

// An Event is one occurrence, encoded as it will be sent.
type Event struct {
	Hook    Hook
	form    string  // application/x-www-form-urlencoded; empty for a trigger
	payload payload // of a trigger
}

// Connect is the call before a client's connect is answered. up is how long the
// server has been running: epoch is that in ms, modulo 2^32.
func Connect(s Session, up time.Duration) Event {
	f := newForm()
	f.client(s)
	f.number("epoch", uint64(uint32(up.Milliseconds())))
	f.add("call", "connect")
	return f.event(OnConnect, s.Args)
}

// Disconnect is the call after a client that on_connect accepted has disconnected.
// It has the field app twice, as in nginx-rtmp.
func Disconnect(s Session) Event {
	f := newForm()
	f.session(s, "disconnect")
	f.add("app", s.App)
	return f.event(OnDisconnect, s.Args)
}

// Publish is the call before a publish is accepted. kind is the publishing type
// that the client sent: live, record or append.
func Publish(s Session, st Stream, kind string) Event {
	f := newForm()
	f.session(s, "publish")
	f.add("name", st.Name)
	f.add("type", kind)
	return f.stream(OnPublish, st)
}

// Play is the call before a play is accepted. start and duration are the
// client's, in ms; negative ones are printed modulo 2^32, as nginx-rtmp does.
func Play(s Session, st Stream, start, duration float64, reset bool) Event {
	f := newForm()
	f.session(s, "play")
	f.add("name", st.Name)
	f.number("start", modulo32(start))
	f.number("duration", modulo32(duration))
	if reset {
		f.add("reset", "1")
	} else {
		f.add("reset", "0")
	}
	return f.stream(OnPlay, st)
}

// modulo32 converts an AMF number to a uint32; one without an integer value gives 0.
func modulo32(v float64) uint64 {
	if math.IsNaN(v) || math.Abs(v) >= 1<<53 {
		return 0
	}
	return uint64(uint32(int64(v)))
}

// PublishDone is the call after a publisher has left its stream.
func PublishDone(s Session, st Stream) Event { return done(OnPublishDone, "publish_done", s, st) }

// PlayDone is the call after a player has left its stream.
func PlayDone(s Session, st Stream) Event { return done(OnPlayDone, "play_done", s, st) }

// Done is the call that follows PublishDone or PlayDone.
func Done(s Session, st Stream) Event { return done(OnDone, "done", s, st) }

func done(h Hook, call string, s Session, st Stream) Event {
	f := newForm()
	f.session(s, call)
	if st.Name != "" {
		f.add("name", st.Name)
	}
	return f.stream(h, st)
}

// Update is the call every notify_update_timeout while a client publishes or plays.
// since is how long it has done so; timestamp is its last RTMP timestamp in ms.
func Update(s Session, st Stream, publishing bool, since time.Duration, timestamp uint32) Event {
	f := newForm()
	call := "update_play"
	if publishing {
		call = "update_publish"
	}
	f.session(s, call)
	f.number("time", uint64(max(since, 0)/time.Second))
	f.number("timestamp", uint64(timestamp))
	if st.Name != "" {
		f.add("name", st.Name)
	}
	return f.stream(OnUpdate, st)
}

// Playlist is the call after module (hls or dash) has written a stream's
// playlist to path. s is its publisher, the last one if there is none now. It
// carries no arguments.
func Playlist(s Session, st Stream, module, path string) Event {
	f := newForm()
	f.session(s, "playlist")
	f.add("module", module)
	f.add("name", st.Name)
	f.add("path", path)
	st.Args = ""
	return f.stream(OnPlaylist, st)
}

// RecordStarted is the call after the first frame of a recording is in its file,
// at path. s is the publisher, the last one if there is none now.
func RecordStarted(s Session, st Stream, recorder, path string) Event {
	return recording(OnRecordStarted, "record_started", s, st, recorder, path)
}

// RecordDone is the call after a recording's file is closed.
func RecordDone(s Session, st Stream, recorder, path string) Event {
	return recording(OnRecordDone, "record_done", s, st, recorder, path)
}

func recording(h Hook, call string, s Session, st Stream, recorder, path string) Event {
	f := newForm()
	f.session(s, call)
	f.add("recorder", recorder)
	f.add("name", st.Name)
	f.add("path", path)
	return f.stream(h, st)
}

// client writes the fields of connect and the client's address.
func (f *form) client(s Session) {
	f.add("app", s.App)
	f.add("flashver", s.FlashVer)
	f.add("swfurl", withoutKey(s.SWFURL))
	f.add("tcurl", withoutKey(s.TCURL))
	f.add("pageurl", withoutKey(s.PageURL))
	f.add("addr", s.Addr)
}

// session writes the fields that begin every call but connect.
func (f *form) session(s Session, call string) {
	f.client(s)
	f.number("clientid", s.ClientID)
	f.add("call", call)
}

// stream finishes a form, with the name that a hook gave the stream if any.
func (f *form) stream(h Hook, st Stream) Event {
	if st.Public != "" && st.Public != st.Name {
		f.add("stream", st.Public)
	}
	return f.event(h, st.Args)
}

// event puts the client's own arguments before the fields, where they cannot cut off
// a field, and leaves out those that are named like a field.
func (f *form) event(h Hook, args string) Event {
	own := cleanArgs(args, f.fields)
	if own != "" {
		own += "&"
	}
	return Event{Hook: h, form: own + string(f.b)}
}

// withoutKey removes key= from the query of a URL that a client sent.
func withoutKey(u string) string {
	base, query, ok := strings.Cut(u, "?")
	if !ok {
		return u
	}
	kept := make([]string, 0, 4)
	for part := range strings.SplitSeq(query, "&") {
		if fieldName(part) != "key" {
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		return base
	}
	return base + "?" + strings.Join(kept, "&")
}
