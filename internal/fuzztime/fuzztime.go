// Package fuzztime bounds the time that a fuzz target may take for one input: an
// input that keeps a core busy for minutes is a way to attack a server, and looks
// like a fuzzer that has stopped.
package fuzztime

import (
	"testing"
	"time"
)

// limit is far more than any input may take that a fuzzer makes, on a busy
// machine, with coverage counted.
const limit = 30 * time.Second

// Bound ends the process, with the stacks of all goroutines, if the test runs for
// longer than that: the fuzzer then keeps the input.
func Bound(t *testing.T) {
	timer := time.AfterFunc(limit, func() { panic(t.Name() + " takes more than " + limit.String() + " for one input") })
	t.Cleanup(func() { timer.Stop() })
}
