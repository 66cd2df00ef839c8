package hooks

import (
	"strings"

	"github.com/rtmpd/rtmpd/config"
)

// The triggers, in the order of config.TriggerKinds.
const (
	PushRewrite Hook = iota + firstTrigger
	RTMPPushRewrite
	StreamPush
	StreamBuffer
	StreamSource
	StreamReady
	StreamEnd
	StreamLoad
	StreamUnload
	DefaultStream
	PlayRewrite
	ConnOpen
	ConnPlay
	ConnClose
	UserNew
	UserEnd
	PushOutStart
	PushEnd
	RecordingEnd
	OutputEnd
	LiveBandwidth
	LiveTrackList
	InputAbort
	SystemStart
	SystemStop
	numHooks
)

const firstTrigger = OnRecordDone + 1

// kind is what the configuration knows of a trigger.
func (h Hook) kind() *config.TriggerKind { return &config.TriggerKinds[h-firstTrigger] }

// Triggers are trigger blocks that concern one application, or the server, by name.
type Triggers struct {
	blocks [numHooks - firstTrigger][]*config.Trigger
	app    string
}

// NewTriggers sorts the trigger blocks of the top level and those of an application,
// which come after them. app is empty for those of the server.
func NewTriggers(app string, top, own []config.Trigger) *Triggers {
	if len(top)+len(own) == 0 {
		return nil // which has none
	}
	t := &Triggers{app: app}
	add := func(list []config.Trigger, top bool) {
		for i := range list {
			b := &list[i]
			for h := firstTrigger; h < numHooks; h++ {
				k := h.kind()
				if k.Name == b.Name && k.Server == (app == "") && !(k.Streamless && top && app != "" && !b.Streams.MatchApp(app)) {
					t.blocks[h-firstTrigger] = append(t.blocks[h-firstTrigger], b)
				}
			}
		}
	}
	add(top, true)
	add(own, false)
	return t
}

// Has reports whether there is a block for h, whatever the stream.
func (t *Triggers) Has(h Hook) bool { return t != nil && len(t.blocks[h-firstTrigger]) > 0 }

// For returns the blocks for h that select a stream, in the order of the configuration.
// For a trigger that comes before there is a stream it is all of them.
func (t *Triggers) For(h Hook, stream string) []*config.Trigger {
	if !t.Has(h) {
		return nil
	}
	all := t.blocks[h-firstTrigger]
	if h.kind().Streamless {
		return all
	}
	for i, b := range all {
		if b.Streams.Match(t.app, stream) {
			continue
		}
		some := append([]*config.Trigger(nil), all[:i]...)
		for _, b := range all[i+1:] {
			if b.Streams.Match(t.app, stream) {
				some = append(some, b)
			}
		}
		return some
	}
	return all
}

// Equal reports whether two sets have the same blocks.
func (t *Triggers) Equal(u *Triggers) bool {
	if t == nil || u == nil {
		return t == u
	}
	for i := range t.blocks {
		if !config.Equal(t.blocks[i], u.blocks[i]) {
			return false
		}
	}
	return true
}

// truth is what an answer to a trigger that wants a yes means: MistServer takes
// whatever begins with 1, yes, true or cont for a yes.
func truth(answer string) bool {
	answer = strings.ToLower(strings.Join(strings.Fields(answer), ""))
	for _, yes := range []string{"1", "yes", "true", "cont"} {
		if strings.HasPrefix(answer, yes) {
			return true
		}
	}
	return false
}
