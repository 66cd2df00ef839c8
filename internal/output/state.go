// Package output has what all outputs of a stream have in common: how they are
// shown, and when one that failed is tried again. Package origin runs them.
package output

import "time"

// A State is how an output is at one moment.
type State struct {
	Target       string        // the file or playlist that is written, the server that is sent to; without secrets
	Since        time.Time     // of what is at Target; zero: it has not begun
	Duration     time.Duration // of the media there
	Bytes        uint64        // written or sent so far
	Files        uint64        // of them complete; 0 for an output that writes none
	Failing      string        // why it can't write at the moment; empty: it can
	FailingSince time.Time     // zero: it can
	Retry        time.Time     // when it is tried again; zero: it is not waiting
	Phase        string        // of an output that goes through several: see the constants; else empty
}

// The phases of an output to another server.
const (
	Stopped    = "stopped"    // it waits for somebody to start it by hand
	Connecting = "connecting" // it has asked and was not answered yet
	Live       = "live"       // it sends, since State.Since
	Waiting    = "waiting"    // it failed, and tries again at State.Retry
)

// Fail notes that the output can't write since now, if it could before.
func (s *State) Fail(why string, now time.Time) {
	if s.Failing == "" {
		s.FailingSince = now
	}
	s.Failing = why
}

// Work notes that it can.
func (s *State) Work() { s.Failing, s.FailingSince, s.Retry = "", time.Time{}, time.Time{} }
