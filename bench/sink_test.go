//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What is pushed is counted, and checked at one stream in sampleOf; who ends without a
// word is not, and a stream of another name is an error.
func TestTheSinkTakesWhatIsPushed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := listenSink(ctx, 1448)
	if err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	for turn := range 2 { // a sink serves one server after the other
		serving, stop := context.WithCancel(ctx)
		c := clock{time.Now()}
		crowd := newCrowd(serving, &target{}, appLive, 1448, time.Millisecond, c)
		crowd.playing.Go(func() { s.serve(serving, crowd) })
		hasty, err := dialTCP(ctx, s.addr(), 0)
		if err != nil {
			t.Fatal(err)
		}
		hasty.Close()
		p := newPublishers(&target{rtmp: s.addr()}, appLive, 500_000, c)
		if err := p.add(serving, 2); err != nil {
			t.Fatal(err)
		}
		if err := crowd.arrived(ctx, 2); err != nil {
			t.Fatal(err)
		}
		crowd.begin()
		var r Result
		for r.Bytes < 100_000 {
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			r = Result{}
			crowd.end(&r)
		}
		if r.Clients != 2 || r.Sampled != 1 || r.Gaps != 0 || r.Damaged != 0 || r.Lost != 0 {
			t.Errorf("turn %d: %+v", turn, r)
		}
		w, err := dialRTMP(ctx, s.addr(), appLive, 0, 4<<10)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.publish("cam"); err != nil {
			t.Fatal(err)
		}
		err = crowd.arrived(ctx, 3)
		if err == nil || !strings.Contains(err.Error(), `stream "cam" was pushed`) {
			t.Errorf("another name: %v", err)
		}
		w.conn.Close()
		stop()
		p.sending.Wait()
		crowd.playing.Wait()
	}
}

func TestAMFTextIsBounded(t *testing.T) {
	for in, want := range map[string]string{"\x02\x00\x03cam!": "cam true 1", "\x02\x00\x04cam": " false 0", "\x02\x00": " false 0", "\x05": " false 0", "": " false 0"} {
		s, rest, ok := amfText([]byte(in))
		if got := fmt.Sprintf("%s %t %d", s, ok, len(rest)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
