//go:build !linux

package fanout

func newSegment(capacity int) *segment { return newHeapSegment(capacity) }
