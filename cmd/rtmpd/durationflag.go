package main

import (
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// A durationFlag is a duration on the command line, written as in the configuration.
type durationFlag time.Duration

// Set is for pflag, as are Type and String.
func (d *durationFlag) Set(s string) error {
	v, err := value.ParseDuration(s)
	*d = durationFlag(v)
	return err
}

// Type is what the help calls a value without a name of its own.
func (d *durationFlag) Type() string { return "duration" }

// String is the value as the configuration has it; empty for none, which the help
// shows no default for.
func (d *durationFlag) String() string {
	if *d == 0 {
		return ""
	}
	return value.FormatDuration(time.Duration(*d))
}
