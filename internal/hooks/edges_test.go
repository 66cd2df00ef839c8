package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

const hookURL = "http://hook/x"

// ask calls on_publish and returns how long that took.
func (b *bubble) ask() (time.Duration, error) {
	start := time.Now()
	_, err := b.caller.Ask(b.Context(), hookURL, notify(), publishEvent)
	return time.Since(start), err
}

// tellOne queues the call for the end of one session.
func (b *bubble) tellOne(e Event) { b.caller.Tell(notify(), b.session(), Call{hookURL, e}) }

// The body does not affect the verdict. The connection is reused if the body ends
// within 100 ms and 64 KiB.
func TestABodyMayTakeATenthOfASecond(t *testing.T) {
	for _, c := range []struct {
		name  string
		body  time.Duration // until the rest of it comes
		size  int
		took  time.Duration
		dials int // of two calls
	}{
		{"none", 0, 0, 0, 1},
		{"at once", 0, 1000, 0, 1},
		{"60 KiB", 0, 60 << 10, 0, 1},
		{"a megabyte", 0, 1 << 20, 0, 2},
		{"in 90 ms", 90 * time.Millisecond, 1000, 90 * time.Millisecond, 1},
		{"in 110 ms", 110 * time.Millisecond, 1000, 100 * time.Millisecond, 2},
		{"in an hour", time.Hour, 1000, 100 * time.Millisecond, 2},
	} {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(_ string, w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
				select {
				case <-time.After(c.body):
				case <-r.Context().Done():
				}
				_, _ = w.Write(bytes.Repeat([]byte("x"), c.size))
			}
			for range 2 {
				if took, err := b.ask(); err != nil || took != c.took {
					b.Errorf("%s: %v after %s, want a yes after %s", c.name, err, took, c.took)
				}
				synctest.Wait()
			}
			b.net.mu.Lock()
			defer b.net.mu.Unlock()
			if b.net.dials != c.dials {
				b.Errorf("%s: two calls took %d connections, want %d", c.name, b.net.dials, c.dials)
			}
		})
	}
}

// A configuration without notify_timeout has ten seconds.
func TestAHookHasTenSeconds(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Second: time.Second, time.Minute: time.Minute} {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(_ string, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			n := notify()
			n.Timeout = timeout
			start := time.Now()
			_, err := b.caller.Ask(b.Context(), hookURL, n, publishEvent)
			if took := time.Since(start); took != want || !errors.Is(err, context.DeadlineExceeded) || err.Error() != "on_publish gave no answer in time" {
				b.Errorf("notify_timeout %s: %v after %s, want an end after %s", timeout, err, took, want)
			}
			start = time.Now()
			b.caller.Tell(n, b.session(), Call{hookURL, Done(ffmpeg, Stream{Name: "s"})})
			for b.stats(OnDone).Failed == 0 {
				time.Sleep(time.Millisecond)
			}
			if took := time.Since(start).Truncate(10 * time.Millisecond); took != want {
				b.Errorf("notify_timeout %s: a done call ends after %s, want %s", timeout, took, want)
			}
		})
	}
}

// A call that the hook can't have received is tried eight times, with pauses that
// double from 1 s to 30 s.
func TestWhenACallIsMadeAgain(t *testing.T) {
	for status, want := range map[int][]int{
		502: {0, 1, 3, 7, 15, 31, 61, 91}, 503: {0, 1, 3, 7, 15, 31, 61, 91},
		200: {0}, 302: {0}, 400: {0}, 429: {0}, 500: {0}, 501: {0}, 504: {0}, 505: {0},
	} {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(_ string, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
			b.tellOne(Done(ffmpeg, Stream{Name: "s"}))
			time.Sleep(time.Hour)
			var got []int
			synctest.Wait()
			b.hook.mu.Lock()
			defer b.hook.mu.Unlock()
			for _, at := range b.hook.at {
				got = append(got, int(at/time.Second))
				if at%time.Second != 0 {
					b.Errorf("answered %d: called after %s", status, at)
				}
			}
			if !slices.Equal(got, want) {
				b.Errorf("answered %d: called after %d s, want %d", status, got, want)
			}
			s, again := b.stats(OnDone), uint64(len(want)-1)
			if s.Calls != again+1 || s.Retried != again || s.Lost != again/7 {
				b.Errorf("answered %d: counted %+v", status, s)
			}
		})
	}
	// Only the refused call is retried, before the ones after it.
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(call string, w http.ResponseWriter, _ *http.Request) {
			if call == "play_done/s" && len(b.hook.seen()) < 3 {
				w.WriteHeader(503)
			}
		}
		b.caller.Tell(notify(), b.session(), doneCalls("s")...)
		time.Sleep(time.Hour)
		seen := b.hook.seen()
		if want := []string{"publish_done/s", "play_done/s", "play_done/s", "done/s"}; !slices.Equal(seen, want) {
			b.Errorf("called %q, want %q", seen, want)
		}
	})
}

// As in Prometheus, a bucket includes its upper bound.
func TestCallsAreCountedByDuration(t *testing.T) {
	bounds := []time.Duration{
		5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
	}
	inBubble(t, func(b *bubble) {
		var took time.Duration
		b.hook.reply = func(string, http.ResponseWriter, *http.Request) { time.Sleep(took) }
		n := notify()
		n.Timeout = time.Minute
		var total time.Duration
		for _, bound := range bounds {
			for _, d := range []time.Duration{bound - 1, bound, bound + 1} {
				took, total = d, total+d
				if _, err := b.caller.Ask(b.Context(), hookURL, n, publishEvent); err != nil {
					b.Fatal(err)
				}
			}
		}
		s := b.stats(OnPublish)
		want := []uint64{2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1}
		if !slices.Equal(s.Latency[:], want) || s.Took != total || !slices.Equal(Buckets[:], bounds) {
			b.Errorf("counted %d in all of %s, want %d of %s", s.Latency, s.Took, want, total)
		}
		if other := b.stats(OnPlay); other.Calls != 0 || other.Hook != OnPlay {
			b.Errorf("another hook has %+v", other)
		}
	})
}

func TestWhichAnswersAreRefusals(t *testing.T) {
	for status, refused := range map[int]bool{200: false, 204: false, 299: false, 300: false, 302: false, 399: false, 400: true, 403: true, 500: true, 599: true} {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(_ string, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
			_, err := b.ask()
			if s := b.stats(OnPublish); (err != nil) != refused || (s.Refused == 1) != refused || s.Calls != 1 || s.Failed != 0 {
				b.Errorf("%d: %v, counted %+v, want a refusal %v", status, err, s, refused)
			}
		})
	}
}

// A hook that is down is logged once, and once more when it answers again.
func TestAHookThatIsDownIsLoggedOnce(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		for range 5 {
			if _, err := b.ask(); err == nil || err.Error() != "on_publish could not be asked" {
				b.Errorf("down: %v", err)
			}
		}
		b.up()
		for range 3 {
			if _, err := b.ask(); err != nil {
				b.Errorf("up: %v", err)
			}
		}
		down, up := b.logs.FilterMessage("hook gives no answer").All(), b.logs.FilterMessage("hook answers again").All()
		if len(down) != 1 || len(up) != 1 {
			b.Fatalf("%d lines say that it is down, %d that it answers", len(down), len(up))
		}
		if f := down[0].ContextMap(); f["hook"] != "on_publish" || f["error"] == "" {
			b.Errorf("down: %v", f)
		}
		if f := up[0].ContextMap(); f["hook"] != "on_publish" || f["failures"] != int64(5) {
			b.Errorf("up: %v", f)
		}
	})
}

// A long response does not flood the log.
func TestALogLineOfAFailureIsShort(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(_ string, w http.ResponseWriter, _ *http.Request) {
			if nc, _, err := http.NewResponseController(w).Hijack(); err == nil {
				fmt.Fprintf(nc, "%s\r\n\r\n", strings.Repeat("x", 3000))
				nc.Close()
			}
		}
		if _, err := b.ask(); err == nil {
			b.Error("an answer that is no HTTP is a yes")
		}
		lines := b.logs.FilterMessage("hook gives no answer").All()
		if len(lines) != 1 {
			b.Fatalf("%d lines", len(lines))
		}
		if text, _ := lines[0].ContextMap()["error"].(string); len(text) != 200 {
			b.Errorf("the line has %d bytes of the error: %.60q", len(text), text)
		}
	})
}

// The queue holds 8 MiB. A call counts as its form and 256 bytes.
func TestHowManyDoneCallsWait(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		e := Done(ffmpeg, Stream{Name: "s", Args: strings.Repeat("x", 8000)})
		fit := 8 << 20 / (len(e.form) + 256)
		for range fit {
			b.tellOne(e)
		}
		if lost := b.stats(OnDone).Lost; lost != 0 {
			b.Errorf("%d of the %d that fit are lost", lost, fit)
		}
		b.tellOne(e)
		if lost := b.stats(OnDone).Lost; lost != 1 {
			b.Errorf("%d are lost where one more than fits is queued", lost)
		}
		b.client.Drain()
		time.Sleep(time.Hour)
		b.up()
	})
}

// 8192 calls of a class may wait for a slot. One more is refused, unless it is an
// update, because a full queue says nothing about the session.
func TestOneTooManyThatWaits(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hang := make(chan struct{})
		b.hook.reply = func(string, http.ResponseWriter, *http.Request) { <-hang }
		n := notify()
		n.Timeout, n.Concurrency, n.UpdateStrict = time.Hour, 1, true
		update := Update(ffmpeg, Stream{Name: "s"}, true, 0, 0)
		for range 1 + 8192 {
			for _, e := range []Event{publishEvent, update} {
				go func() { _, _ = b.caller.Ask(b.Context(), hookURL, n, e) }()
			}
		}
		synctest.Wait()
		for _, h := range []Hook{OnPublish, OnUpdate} {
			if lost := b.stats(h).Lost; lost > 1 { // either class may have the one slot
				b.Errorf("%s: %d lost before the queue is full", h, lost)
			}
		}
		for range 2 {
			var r *Refusal
			if _, err := b.caller.Ask(b.Context(), hookURL, n, publishEvent); !errors.As(err, &r) || r.Error() != "on_publish: too many calls are waiting" || r.Status != 0 {
				b.Errorf("one publisher too many: %v", err)
			}
			if _, err := b.caller.Ask(b.Context(), hookURL, n, update); err != nil {
				b.Errorf("one update too many: %v", err)
			}
		}
		if lost := b.stats(OnPublish).Lost; lost < 2 || lost > 3 {
			b.Errorf("%d counted as lost", lost)
		}
		close(hang)
	})
}

// RFC 3986 §2.1: a percent sign and two hexadecimal digits are an encoded byte.
func TestWhatCountsAsEncoded(t *testing.T) {
	for in, want := range map[string]string{
		"%00": "%00", "%99": "%99", "%aa": "%aa", "%FF": "%FF", "%aF": "%aF", "%f0": "%f0",
		"%/0": "%25/0", "%0/": "%250/", "%:0": "%25:0", "%0:": "%250:", "%@0": "%25@0", "%G0": "%25G0", "%0G": "%250G",
		"%`0": "%25%600", "%g0": "%25g0", "%0g": "%250g", "%": "%25", "%0": "%250", "%%41": "%25%41", "~\x7f": "~%7F", " !": "%20!", "a+b": "a+b",
	} {
		got := Publish(Session{}, Stream{Args: "t=" + in}, "").form
		if args, _, _ := strings.Cut(got, "&"); args != "t="+want {
			t.Errorf("%q is sent as %q, want %q", in, args, "t="+want)
		}
	}
}

func TestNumbersInForms(t *testing.T) {
	for since, want := range map[time.Duration]string{-time.Hour: "0", 0: "0", time.Second - 1: "0", time.Second: "1", 90 * time.Minute: "5400"} {
		if got := Update(Session{}, Stream{}, true, since, 1<<32-1).form; !strings.Contains(got, "&time="+want+"&timestamp=4294967295") {
			t.Errorf("after %s: %s, want time=%s", since, got, want)
		}
	}
	for start, want := range map[float64]string{1<<53 - 1: "4294967295", 1 << 53: "0", -(1<<53 - 1): "1", -(1 << 53): "0"} {
		if got := Play(Session{}, Stream{}, start, 0, false).form; !strings.Contains(got, "&start="+want+"&") {
			t.Errorf("start %g: %s, want %s", start, got, want)
		}
	}
}

// Down lists the hooks that do not answer, and since when.
func TestWhichHooksAreDown(t *testing.T) {
	inBubble(t, func(b *bubble) {
		if down := b.caller.Down(); len(down) != 0 {
			b.Errorf("at first: %+v", down)
		}
		b.stop()
		since := time.Now()
		for range 3 {
			_, _ = b.ask()
			time.Sleep(time.Second)
		}
		down := b.caller.Down()
		if len(down) != 1 || down[0].Hook != OnPublish || down[0].Calls != 3 || !down[0].Since.Equal(since) || down[0].Err == "" {
			b.Errorf("down: %+v", down)
		}
		b.up()
		if _, err := b.ask(); err != nil {
			b.Error(err)
		}
		if down := b.caller.Down(); len(down) != 0 {
			b.Errorf("up again: %+v", down)
		}
	})
}

// Every header of notify_headers is sent, whatever else is among them.
func TestAllHeadersAreSent(t *testing.T) {
	inBubble(t, func(b *bubble) {
		n := notify()
		n.Headers = map[string]value.Secret{"Host": "hooks.example"}
		for i := range 12 {
			n.Headers[fmt.Sprint("X-", i)] = value.Secret(fmt.Sprint(i))
		}
		b.hook.reply = func(_ string, _ http.ResponseWriter, r *http.Request) {
			if r.Host != "hooks.example" {
				b.Errorf("Host is %s", r.Host)
			}
			for i := range 12 {
				if got := r.Header.Get(fmt.Sprint("X-", i)); got != fmt.Sprint(i) {
					b.Errorf("X-%d is %q", i, got)
				}
			}
		}
		for range 5 { // the order of a map is another one each time
			if _, err := b.caller.Ask(b.Context(), hookURL, n, publishEvent); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A replaced call takes no room in the queue.
func TestReplacedPlaylistsTakeNoRoom(t *testing.T) {
	inBubble(t, func(b *bubble) {
		hang := make(chan struct{})
		b.hook.reply = func(string, http.ResponseWriter, *http.Request) { <-hang }
		tell := func(name string, n int) {
			e := Playlist(ffmpeg, Stream{Name: name}, "hls", strings.Repeat("p", n))
			b.caller.TellLatest(notify(), name, Call{hookURL, e})
		}
		tell("a", 1)
		synctest.Wait() // under way: the next ones wait
		for i := range 20000 {
			tell("a", 100+i%1000)
		}
		for i := range 100 {
			tell(fmt.Sprint("b", i), 100)
		}
		if lost := b.stats(OnPlaylist).Lost; lost != 0 {
			b.Errorf("%d calls are lost", lost)
		}
		close(hang)
		time.Sleep(time.Minute)
		if n := len(b.hook.seen()); n != 102 {
			b.Errorf("%d calls are made, want 102", n)
		}
		if size, _ := b.caller.lists.look(); size != 0 {
			b.Errorf("%d bytes are still counted", size)
		}
	})
}
