package config

import (
	"fmt"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

const (
	pullVars   = "app name stream base wildcard"
	clientVars = pullVars + " args addr clientid flashver swfurl tcurl pageurl"
	fileVars   = " path filename basename dirname recorder"
	timeVars   = " datetime year month day hour minute second unix"
)

// Vars are the placeholders that have a value in the commands of an exec block,
// separated by spaces, but for date and time, which all have. The environment has
// the same, as RTMPD_NAME and so on.
func (e Exec) Vars() string { return execVars(e.Kind) }

func execVars(kind string) string {
	switch kind {
	case "static":
		return "app"
	case "pull":
		return pullVars
	case "play", "play_done":
		return clientVars
	case "record_started", "record_done":
		return clientVars + " publisher" + fileVars
	}
	return clientVars + " publisher"
}

// execs checks the exec blocks of an application, a stream block or a record block.
func (c *checker) execs(n *node) {
	for _, b := range n.all("exec") {
		kind := b.labels[0]
		forFiles := kind == "record_started" || kind == "record_done"
		switch {
		case b.disabled():
			continue
		case n.schema.name == "record" && !forFiles:
			c.errorAt(b.rng, `inside record only exec "record_started" and "record_done" can run`, "the others stand in the application")
			continue
		case kind == "static" && b.said("streams"):
			c.errorAt(b.at("streams"), `exec "static" is for no stream: it runs from the start of rtmpd on`, "leave streams out")
		}
		a := b.attrs["command"]
		if a == nil || a.value == nil {
			continue
		}
		for _, arg := range a.value.(value.Command) {
			if err := arg.Check(execVars(kind) + timeVars); err != nil {
				c.errorAt(a.rng, fmt.Sprintf("command: %s", strings.Replace(err.Error(), "is not known here", fmt.Sprintf("has no value in exec %q", kind), 1)), "")
				break
			}
		}
	}
}

// noStatic refuses what runs once where there is no one application for it.
func (c *checker) noStatic(own *node, where string) {
	for _, b := range own.all("exec") {
		if b.labels[0] == "static" && !b.disabled() {
			c.errorAt(b.rng, fmt.Sprintf(`exec "static" can't stand in %s: it runs once, from the start of rtmpd on`, where), "it stands in an application with a name")
		}
	}
}
