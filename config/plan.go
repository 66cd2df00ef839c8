package config

import (
	"fmt"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// Plan holds the effects of changing from one configuration to another.
type Plan struct {
	AddedListeners, RemovedListeners                            []Listener
	AddedApplications, RemovedApplications, ChangedApplications []string // names
	Changes                                                     []Change

	// Disconnects lists the sessions that would be closed, and why. Diff leaves it
	// empty: only the running server knows its sessions.
	Disconnects []string
}

// Listener is an address and its protocol.
type Listener struct {
	Service string // rtmp rtmps http https
	Address value.Address
}

// String is ":1935 (rtmp)".
func (l Listener) String() string { return l.Address.String() + " (" + l.Service + ")" }

// Change is one block that differs.
type Change struct {
	Where      string   // application "show": hls
	Action     string   // added removed changed
	Attributes []string // that differ; none for a block that comes or goes
	When       string   // now request check cut connection publish start
	Text       string   // all of it in a sentence; no values, so no secrets
}

// Empty reports that nothing changes.
func (p Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Disconnects) == 0 }

// Text is the plan for a person, a line for each change.
func (p Plan) Text() string {
	var b strings.Builder
	for _, c := range p.Changes {
		b.WriteString(c.Text + "\n")
	}
	for _, d := range p.Disconnects {
		b.WriteString("disconnects " + d + "\n")
	}
	return b.String()
}

// Summary is the plan for one log line.
func (p Plan) Summary() string {
	const most = 8
	var parts []string
	for i, c := range p.Changes {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(p.Changes)-most))
			break
		}
		parts = append(parts, c.title()+" "+c.Action)
	}
	return strings.Join(parts, "; ")
}

func (c Change) title() string {
	switch {
	case len(c.Attributes) == 0:
		return c.Where
	case c.Where == "":
		return strings.Join(c.Attributes, ", ")
	}
	return c.Where + " (" + strings.Join(c.Attributes, ", ") + ")"
}

func (d *differ) add(c Change, effect string) {
	if effect == "" {
		effect = effectOf(c)
	}
	c.Text = c.title() + ": " + effect
	if c.Action != "changed" {
		c.Text = c.title() + " " + c.Action + ": " + effect
	}
	d.plan.Changes = append(d.plan.Changes, c)
}

// effectOf describes the effect of a change, by when it applies (docs/reload.md).
func effectOf(c Change) string {
	switch c.When {
	case "now":
		return "applies at once"
	case "request":
		return "applies to the next request"
	case "check":
		return "applies at once; every live session is checked again"
	case "cut":
		switch c.Action {
		case "added":
			return "starts with the next keyframe"
		case "removed":
			return "stops at the next keyframe cut"
		}
		return "replaced at the next keyframe cut"
	case "connection":
		return "applies to new connections"
	case "publish":
		return "applies at the next publish"
	case "start":
		return "applies when rtmpd is started again"
	}
	panic("config: no effect for " + c.Where + " " + strings.Join(c.Attributes, " ") + " " + c.When)
}
