package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// Trigger is a trigger block. Several may have the same name: all their handlers are
// asked, in the order in which they stand.
type Trigger struct {
	Name string `hcl:"NAME,label"`
	// One URL, or a command. The program gets the trigger's name as its last argument
	// and what happened on its standard input.
	Handler value.Handler `hcl:"handler" need:"yes"`
	// Whether rtmpd waits for the answer. Otherwise the handler is only told.
	Sync bool `hcl:"sync" default:"true"`
	// The streams that it is for; at the top level also "application/stream". Unset:
	// all. Triggers that come before there is a stream take "application/*" alone.
	Streams value.Filters `hcl:"streams"`
	// What a handler that fails means. deny: no; allow and pass: as if it were not
	// there; default: the answer that default says. Unset: default where that is set,
	// else deny for access and rewrites, pass for the rest.
	OnError string `hcl:"on_error" one:"deny pass allow default" computed:"yes"`
	// The answer that on_error = "default" stands for.
	Default string `hcl:"default" example:"\"fallback\""`
	// How long the handler may take, each time it is called.
	Timeout time.Duration `hcl:"timeout" default:"5s"`
	// How often a handler that failed is called again.
	Retries int `hcl:"retries" default:"0" max:"10"`
	// LIVE_BANDWIDTH: the bit rate of a stream from which on the handler is asked.
	Above value.Bitrate `hcl:"above" example:"\"10M\""`
	// The payload: MistServer's lines, or JSON.
	Format string `hcl:"format" default:"mist" one:"mist json"`
	// The secret that signs what is sent to a URL (HMAC-SHA256).
	Secret value.Secret `hcl:"secret"`
	Range  hcl.Range
}

// A TriggerKind is what is special about a trigger's name.
type TriggerKind struct {
	Name string
	// Answer is what a synchronous handler's answer is: a yes or no, a value that takes
	// the place of another, or nothing.
	Answer TriggerAnswer
	// OnError is what a failing handler means unless the block says.
	OnError string
	// Streamless: it comes before there is a stream name, and is for whole applications.
	Streamless bool
	// Server: it is about the server, and stands at the top level.
	Server bool
}

// TriggerAnswer is what is expected of a handler.
type TriggerAnswer uint8

// The kinds of answer.
const (
	AnswerNothing TriggerAnswer = iota
	AnswerYes                   // or no
	AnswerValue
)

// TriggerKinds are all there are.
var TriggerKinds = []TriggerKind{
	{Name: "PUSH_REWRITE", Answer: AnswerValue, OnError: "deny", Streamless: true},
	{Name: "RTMP_PUSH_REWRITE", Answer: AnswerValue, OnError: "deny", Streamless: true},
	{Name: "STREAM_PUSH", Answer: AnswerYes, OnError: "deny"},
	{Name: "STREAM_BUFFER"},
	{Name: "STREAM_SOURCE", Answer: AnswerValue, OnError: "pass"},
	{Name: "STREAM_READY", Answer: AnswerYes, OnError: "pass"},
	{Name: "STREAM_END"},
	{Name: "STREAM_LOAD", Answer: AnswerYes, OnError: "pass"},
	{Name: "STREAM_UNLOAD", Answer: AnswerYes, OnError: "pass"},
	{Name: "DEFAULT_STREAM", Answer: AnswerValue, OnError: "pass"},
	{Name: "PLAY_REWRITE", Answer: AnswerValue, OnError: "deny"},
	{Name: "CONN_OPEN", Answer: AnswerYes, OnError: "deny", Streamless: true},
	{Name: "CONN_PLAY", Answer: AnswerYes, OnError: "deny"},
	{Name: "CONN_CLOSE"},
	{Name: "USER_NEW", Answer: AnswerYes, OnError: "deny"},
	{Name: "USER_END"},
	{Name: "PUSH_OUT_START", Answer: AnswerValue, OnError: "pass"},
	{Name: "PUSH_END"},
	{Name: "RECORDING_END"},
	{Name: "OUTPUT_END"},
	{Name: "LIVE_BANDWIDTH", Answer: AnswerYes, OnError: "pass"},
	{Name: "LIVE_TRACK_LIST"},
	{Name: "INPUT_ABORT"},
	{Name: "SYSTEM_START", Answer: AnswerYes, OnError: "pass", Streamless: true, Server: true},
	{Name: "SYSTEM_STOP", Streamless: true, Server: true},
}

// mistOnly are triggers of MistServer that have no counterpart, and why.
var mistOnly = map[string]string{
	"STREAM_ADD": "streams are not configured one by one here", "STREAM_CONFIG": "rtmpd plan shows what a reload changes",
	"STREAM_REMOVE": "streams are not configured one by one here", "OUTPUT_START": "a reload logs the listeners that it opens",
	"OUTPUT_STOP": "a reload logs the listeners that it closes", "CONN_STOP": "CONN_CLOSE says that a connection has ended",
	"LIVEPEER_SEGMENT_REJECTED": "there is no transcoder", "PROCESS_SWITCH_SOURCE": "there is no transcoder",
}

// TriggerKindOf returns what is known of a name.
func TriggerKindOf(name string) (TriggerKind, bool) {
	i := slices.IndexFunc(TriggerKinds, func(k TriggerKind) bool { return k.Name == name })
	if i < 0 {
		return TriggerKind{}, false
	}
	return TriggerKinds[i], true
}

// triggers checks trigger blocks: those of an application, or without one those of the
// top level.
func (c *checker) triggers(n *node, list []Trigger, inApplication bool) {
	for i, b := range n.all("trigger") {
		c.trigger(b, &list[i], inApplication)
	}
}

func (c *checker) trigger(b *node, t *Trigger, inApplication bool) {
	if why, ok := mistOnly[t.Name]; ok {
		c.errorAt(b.rng, "there is no trigger "+t.Name, why)
		return
	}
	kind, ok := TriggerKindOf(t.Name)
	if !ok {
		var names []string
		for _, k := range TriggerKinds {
			names = append(names, k.Name)
		}
		c.errorAt(b.rng, value.CheckWord(t.Name, names).Error(), "")
		return
	}
	if kind.Server && inApplication {
		c.errorAt(b.rng, t.Name+" is about the server", "it stands at the top level")
	}
	c.triggerStreams(b, t, kind, inApplication)
	if t.OnError == "" {
		t.OnError = kind.OnError
		if b.said("default") {
			t.OnError = "default"
		}
	}
	if t.OnError == "default" && t.Default == "" && !b.said("default") {
		c.errorAt(b.at("on_error"), `on_error = "default" needs default`, "write default = \"…\", the answer that it stands for")
	}
	if kind.Answer == AnswerValue && t.Default == "true" {
		c.errorAt(b.at("default"), t.Name+` answers with a name, and "true" would be one`, `to go on as if the handler were not there, write on_error = "pass"`)
	}
	switch above := b.said("above"); {
	case above && t.Name != "LIVE_BANDWIDTH":
		c.errorAt(b.at("above"), "above is for LIVE_BANDWIDTH", "leave it out")
	case !above && t.Name == "LIVE_BANDWIDTH" && !c.broken:
		c.errorAt(b.rng, "LIVE_BANDWIDTH needs above", "write above = \"10M\": the handler is asked about streams above that bit rate")
	}
	if t.Secret != "" && t.Handler.URL() == "" && !b.bad("handler") {
		c.errorAt(b.at("secret"), "secret signs what goes to a URL", "a program on this host needs no signature: leave it out")
	}
}

func (c *checker) triggerStreams(b *node, t *Trigger, kind TriggerKind, inApplication bool) {
	for _, f := range t.Streams {
		app, stream, both := strings.Cut(strings.TrimPrefix(f, "!"), "/")
		switch {
		case kind.Server:
			c.errorAt(b.at("streams"), t.Name+" is about no stream", "leave streams out")
		case inApplication && both:
			c.errorAt(b.at("streams"), fmt.Sprintf("%q: this trigger stands in an application already", f), fmt.Sprintf("write %q, or move the block to the top level", stream))
		case kind.Streamless && (!both || stream != "*"):
			c.errorAt(b.at("streams"), t.Name+" comes before there is a stream name to choose by",
				fmt.Sprintf("choose by application: %q, or leave streams out", app+"/*"))
		default:
			continue
		}
		return
	}
}
