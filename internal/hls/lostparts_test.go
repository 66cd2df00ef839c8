package hls

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Of a segment that could not be written players had parts. Who reads it as it grows is told that
// it is not whole, and its parts do not stay in memory.
func TestPartsOfASegmentThatIsLostGo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := lowConfig(b.dir)
	s := mediatest.NewScript(t).Play(60 * time.Second)
	const file, part = "test-video-5.m4s", "test-video-5.0.m4s"
	b.fault = func(op, name string) error {
		if op == "rename" && name == file {
			return errors.New("no space left on device")
		}
		return nil
	}
	var growing *segstore.Growing
	shown, there := false, false
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) {
		if f, ok := b.d.Lookup(file); ok && f.Growing != nil && growing == nil {
			growing = f.Growing
		}
		_, there = b.d.Lookup(part)
		shown = shown || there
	}})
	if growing == nil || !shown {
		t.Fatalf("the segment grew: %v, its part was there: %v", growing != nil, shown)
	}
	if there {
		t.Error("its part is there to the end")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pieces, _, err := growing.From(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if more, whole, err := growing.From(ctx, len(pieces)); len(more) > 0 || whole || err != nil {
		t.Errorf("the segment ends with %d pieces more, whole: %v, %v", len(more), whole, err)
	}
}
