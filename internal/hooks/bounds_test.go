package hooks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// As many calls run as there are slots. Waiting ones may still be replaced.
func TestAPlaylistThatWaitsIsReplaced(t *testing.T) {
	for concurrency, places := range map[int]int{1: 1, 15: 1, 16: 2, 64: 8} {
		inBubble(t, func(b *bubble) {
			n := notify()
			n.Concurrency = concurrency
			hang := make(chan struct{})
			b.hook.reply = func(string, http.ResponseWriter, *http.Request) { <-hang }
			tell := func(key, name string) {
				b.caller.TellLatest(n, key, Call{hookURL, Playlist(ffmpeg, Stream{Name: name}, "hls", "/p")})
				synctest.Wait()
			}
			var want []string
			for i := range places {
				tell(fmt.Sprint("busy", i), fmt.Sprint("busy", i))
				want = append(want, fmt.Sprint("playlist/busy", i))
			}
			tell("a", "old")
			if got := b.hook.seen(); len(got) != places {
				b.Errorf("notify_concurrency %d: %d calls are under way, want %d", concurrency, len(got), places)
			}
			tell("a", "new")
			close(hang)
			time.Sleep(time.Minute)
			got := b.hook.seen()
			slices.Sort(got)
			if want = append(want, "playlist/new"); !slices.Equal(got, want) {
				b.Errorf("notify_concurrency %d: told %q, want %q", concurrency, got, want)
			}
		})
	}
}

// A hook without a call for ten minutes is not reported as down.
func TestHowLongAHookIsDown(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		_, _ = b.ask()
		time.Sleep(9 * time.Minute)
		_, _ = b.ask() // counts from here
		time.Sleep(10*time.Minute - 1)
		if down := b.caller.Down(); len(down) != 1 || down[0].Calls != 2 {
			b.Errorf("within ten minutes: %+v", down)
		}
		time.Sleep(time.Nanosecond)
		if down := b.caller.Down(); len(down) != 0 {
			b.Errorf("after ten minutes: %+v", down)
		}
		_, _ = b.ask()
		b.caller.Moved()
		if down := b.caller.Down(); len(down) != 0 {
			b.Errorf("at another URL: %+v", down)
		}
		b.up()
	})
}

// Each hook is up or down by itself.
func TestEachHookIsDownAlone(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(call string, w http.ResponseWriter, _ *http.Request) {
			if strings.HasPrefix(call, "publish/") {
				w.WriteHeader(http.StatusGatewayTimeout)
			}
		}
		_, _ = b.ask()
		if _, err := b.caller.Ask(b.Context(), hookURL, notify(), Play(ffmpeg, Stream{Name: "s"}, 0, 0, false)); err != nil {
			b.Fatal(err)
		}
		down := b.caller.Down()
		if len(down) != 1 || down[0].Hook != OnPublish || down[0].Err != "its gateway answers 504 Gateway Timeout" {
			b.Errorf("down: %+v", down)
		}
	})
}

// A call that has waited two minutes for the one before it is made once.
func TestAnOldCallIsMadeOnce(t *testing.T) {
	for wait, calls := range map[time.Duration]int{2 * time.Minute: 1, 2*time.Minute - 1: 2} {
		inBubble(t, func(b *bubble) {
			n := notify()
			n.Timeout = time.Hour
			b.hook.reply = func(call string, w http.ResponseWriter, _ *http.Request) {
				if call == "done/slow" {
					time.Sleep(wait)
				} else {
					w.WriteHeader(503)
				}
			}
			about := b.session()
			b.caller.Tell(n, about, Call{hookURL, Done(ffmpeg, Stream{Name: "slow"})}, Call{hookURL, Done(ffmpeg, Stream{Name: "late"})})
			time.Sleep(time.Hour)
			if got := b.hook.seen(); len(got) != 1+calls || b.stats(OnDone).Lost != 1 {
				b.Errorf("after %v: %q, %d lost; want %d of the second", wait, got, b.stats(OnDone).Lost, calls)
			}
		})
	}
}

// Lost calls are logged once per overload, which ends when the queue is half empty.
func TestWhenLostCallsAreSaidAgain(t *testing.T) {
	inBubble(t, func(b *bubble) {
		tokens := make(chan struct{})
		b.hook.reply = func(string, http.ResponseWriter, *http.Request) { <-tokens }
		n := notify()
		n.Timeout = time.Hour
		big := Done(ffmpeg, Stream{Name: "s", Args: strings.Repeat("x", 64<<10)})
		fill := func() {
			for range 200 { // 8 MiB are some 127
				b.caller.Tell(n, b.session(), Call{hookURL, big})
			}
			synctest.Wait()
		}
		release := func(calls int) {
			for range calls {
				tokens <- struct{}{}
			}
			synctest.Wait()
		}
		for i, tt := range []struct{ release, lines int }{{0, 1}, {0, 1}, {50, 1}, {100, 2}, {20, 2}} {
			release(tt.release)
			fill()
			if lines := b.logs.FilterMessageSnippet("are lost").Len(); lines != tt.lines {
				b.Errorf("step %d, %d calls made: %d lines, want %d", i, tt.release, lines, tt.lines)
			}
		}
		close(tokens)
		time.Sleep(time.Minute)
		if size, workers := b.caller.done.look(); size != 0 || workers != 0 {
			b.Errorf("%d bytes are left for %d workers", size, workers)
		}
	})
}

// A call is counted once, in the row of its duration.
func TestLatencies(t *testing.T) {
	for took, row := range map[time.Duration]int{0: 0, 5 * time.Millisecond: 0, 5*time.Millisecond + 1: 1, 10 * time.Millisecond: 1, time.Second: 7, 10 * time.Second: 10} {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(string, http.ResponseWriter, *http.Request) { time.Sleep(took) }
			n := notify()
			n.Timeout = time.Minute
			if _, err := b.caller.Ask(b.Context(), hookURL, n, publishEvent); err != nil {
				b.Fatal(err)
			}
			s := b.stats(OnPublish)
			var want [len(Buckets) + 1]uint64
			want[row] = 1
			if s.Latency != want || s.Took != took || s.Calls != 1 || s.Refused+s.Failed != 0 || s.Hook != OnPublish {
				b.Errorf("%v: counted %+v", took, s)
			}
		})
	}
}

func TestWhichAnswersAreCountedAsRefused(t *testing.T) {
	inBubble(t, func(b *bubble) {
		status := 0
		b.hook.reply = func(_ string, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		refused := uint64(0)
		for _, tt := range []struct {
			status  int
			refused uint64
		}{{200, 0}, {299, 0}, {300, 0}, {399, 0}, {400, 1}, {404, 1}, {500, 1}, {599, 1}} {
			status = tt.status
			_, err := b.ask()
			refused += tt.refused
			if got := b.stats(OnPublish).Refused; got != refused || (err != nil) != (tt.refused > 0) {
				b.Errorf("answer %d: %v, %d are counted, want %d", tt.status, err, got, refused)
			}
		}
	})
}

// The refusal that a client gets contains neither address nor URL of the hook.
func TestWhatAClientIsToldOfNoAnswer(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.client.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New(strings.Repeat("long ", 100))
		}
		_, err := b.ask()
		var no *Refusal
		if !errors.As(err, &no) || err.Error() != "on_publish could not be asked" || no.Status != 0 || no.Hook != OnPublish {
			b.Errorf("nobody there: %v", err)
		}
		if down := b.caller.Down(); len(down) != 1 || down[0].Err != strings.Repeat("long ", 40) {
			b.Errorf("down: %+v", down)
		}
		b.client.transport.DialContext = b.net.dial
		b.hook.reply = func(_ string, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		start := time.Now()
		if _, err = b.ask(); err == nil || err.Error() != "on_publish gave no answer in time" || time.Since(start) != 10*time.Second {
			b.Errorf("no answer: %v after %v", err, time.Since(start))
		}
		if down := b.caller.Down(); len(down) != 1 || down[0].Calls != 2 || down[0].Err != "no answer within notify_timeout" {
			b.Errorf("down: %+v", down)
		}
	})
}

// The head of a response gives the verdict. The body delays it by 100 ms at most.
func TestABodyThatDoesNotEnd(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(_ string, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
		start := time.Now()
		_, err := b.ask()
		if err == nil || !strings.Contains(err.Error(), "403 Forbidden") || time.Since(start) != 100*time.Millisecond {
			b.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
