package hooks

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A recorder is a hook that records its calls as call/name, with their times.
type recorder struct {
	mu    sync.Mutex
	calls []string
	at    []time.Duration // since start
	start time.Time
	reply func(call string, w http.ResponseWriter, r *http.Request)
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	form, _ := url.ParseQuery(string(body))
	call := form.Get("call") + "/" + form.Get("name")
	r.mu.Lock()
	r.calls = append(r.calls, call)
	r.at = append(r.at, time.Since(r.start))
	r.mu.Unlock()
	if r.reply != nil {
		r.reply(call, w, req)
	}
}

func (r *recorder) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// A bubble is a caller and a hook called hook:80 in a synctest bubble.
type bubble struct {
	*testing.T
	net    *pipeNet
	client *Client
	caller *Caller
	logs   *observer.ObservedLogs
	hook   *recorder
	stop   func()

	sessions uint64
}

func inBubble(t *testing.T, f func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		b := &bubble{T: t, net: &pipeNet{}, client: New(zap.New(core)), logs: logs, hook: &recorder{start: time.Now()}}
		b.client.transport.DialContext = b.net.dial
		b.caller = b.client.Caller(zap.New(core))
		b.up()
		f(b)
		b.client.Close(time.Now())
		b.stop()
	})
}

func (b *bubble) up() { b.stop = b.net.serve("hook:80", b.hook) }

// session returns a new session.
func (b *bubble) session() Subject { b.sessions++; return Subject{Session: b.sessions} }

func (b *bubble) stats(h Hook) Stats { return b.client.Stats()[h] }

// look returns the queued bytes and the number of workers.
func (q *queue) look() (size, workers int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size, q.workers
}

// doneCalls returns the calls at the end of a session that played and published.
func doneCalls(name string) []Call {
	st := Stream{Name: name}
	return []Call{
		{"http://hook/x", PublishDone(ffmpeg, st)},
		{"http://hook/x", PlayDone(ffmpeg, st)},
		{"http://hook/x", Done(ffmpeg, st)},
	}
}

func TestDoneCallsComeInNginxRTMPsOrder(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(call string, _ http.ResponseWriter, _ *http.Request) {
			if strings.HasPrefix(call, "publish_done") {
				time.Sleep(time.Second) // a slow script
			}
		}
		b.caller.Tell(notify(), b.session(), doneCalls("s")...)
		time.Sleep(time.Minute)
		if got, want := b.hook.seen(), []string{"publish_done/s", "play_done/s", "done/s"}; !slices.Equal(got, want) {
			b.Errorf("the calls are %q, want %q", got, want)
		}
	})
}

func TestTheCallsOfASessionKeepTheirOrder(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(call string, _ http.ResponseWriter, _ *http.Request) {
			if call == "done/a" {
				time.Sleep(time.Second)
			}
		}
		for _, name := range []string{"a", "b", "c"} {
			b.caller.Tell(notify(), Subject{Session: 7}, Call{"http://hook/x", Done(ffmpeg, Stream{Name: name})})
		}
		b.caller.Tell(notify(), Subject{Session: 8}, Call{"http://hook/x", Done(ffmpeg, Stream{Name: "beside"})})
		time.Sleep(time.Minute)
		got := b.hook.seen()
		if i := slices.Index(got, "done/beside"); i < 0 || i > 1 {
			b.Errorf("another session waits: %q", got)
		}
		got = slices.DeleteFunc(got, func(call string) bool { return call == "done/beside" })
		if want := []string{"done/a", "done/b", "done/c"}; !slices.Equal(got, want) {
			b.Errorf("the calls are %q, want %q", got, want)
		}
	})
}

func TestAHookWithoutURLIsNotTold(t *testing.T) {
	inBubble(t, func(b *bubble) {
		calls := doneCalls("s")
		calls[1].Target = ""
		b.caller.Tell(notify(), b.session(), calls...)
		b.caller.Tell(notify(), b.session(), Call{Event: Done(ffmpeg, Stream{})})
		b.caller.Tell(notify(), b.session())
		synctest.Wait()
		if got, want := b.hook.seen(), []string{"publish_done/s", "done/s"}; !slices.Equal(got, want) {
			b.Errorf("the calls are %q, want %q", got, want)
		}
	})
}

func TestAHookThatIsDownIsToldWhenItComesBack(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		b.caller.Tell(notify(), b.session(), doneCalls("s")...)
		time.Sleep(20 * time.Second) // tried at 0, 1, 3, 7, 15 s
		b.up()
		time.Sleep(time.Minute)
		if got, want := b.hook.seen(), []string{"publish_done/s", "play_done/s", "done/s"}; !slices.Equal(got, want) {
			b.Errorf("the calls are %q, want %q", got, want)
		}
		if b.hook.at[0] != 31*time.Second {
			b.Errorf("the first came after %s, want 31 s: the sixth try", b.hook.at[0])
		}
		if s := b.stats(OnPublishDone); s.Failed != 5 || s.Retried != 5 || s.Lost != 0 || s.Calls != 6 {
			b.Errorf("counted %+v", s)
		}
		if n := b.logs.FilterMessage("hook gives no answer").Len(); n != 1 { // the others wait for the first
			b.Errorf("%d lines, want one", n)
		}
		if n := b.logs.FilterMessage("hook answers again").Len(); n != 1 {
			b.Errorf("%d lines, want one", n)
		}
	})
}

func TestAHookThatStaysDownIsGivenUp(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		b.caller.Tell(notify(), b.session(), doneCalls("s")...)
		time.Sleep(time.Hour)
		if s := b.stats(OnPublishDone); s.Calls != maxTries || s.Lost != 1 || s.Retried != maxTries-1 {
			b.Errorf("counted %+v", s)
		}
		if size, workers := b.caller.done.look(); size != 0 || workers != 0 {
			b.Errorf("%d bytes and %d workers are left", size, workers)
		}
		b.up()
	})
}

// Only calls that the hook can't have received are retried: a script may take minutes
// and must not be started twice.
func TestOnlyWhatTheHookCannotHaveGotIsRepeated(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply func(w http.ResponseWriter, r *http.Request)
		calls int
	}{
		{"200", func(http.ResponseWriter, *http.Request) {}, 1},
		{"a 302 that nobody follows", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", "x"); w.WriteHeader(302) }, 1},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 1},
		{"500 of a script that has its faults", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 1},
		{"an answer after notify_timeout", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 1},
		{"a script that dies", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 1},
		{"502 of a gateway without a script", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, maxTries},
		{"503", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, maxTries},
		{"504: the script may be running", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(b *bubble) {
				b.hook.reply = func(_ string, w http.ResponseWriter, r *http.Request) { c.reply(w, r) }
				b.caller.Tell(notify(), b.session(), Call{"http://hook/x", Done(ffmpeg, Stream{Name: "s"})})
				time.Sleep(time.Hour)
				if n := len(b.hook.seen()); n != c.calls {
					b.Errorf("called %d times, want %d", n, c.calls)
				}
			})
		})
	}
}

func TestASlowDoneCallDelaysNoVerdict(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(call string, _ http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(call, "done") {
				<-r.Context().Done()
			}
		}
		for range 1000 {
			b.caller.Tell(notify(), b.session(), Call{"http://hook/x", Done(ffmpeg, Stream{Name: "s"})})
		}
		synctest.Wait()
		if n := len(b.hook.seen()); n != 8 {
			b.Errorf("%d calls are under way, want an eighth of 64", n)
		}
		start := time.Now()
		for range 100 {
			if _, err := b.caller.Ask(b.Context(), "http://hook/x", notify(), publishEvent); err != nil {
				b.Fatal(err)
			}
		}
		if d := time.Since(start); d != 0 {
			b.Errorf("100 questions took %s beside a hook that hangs", d)
		}
		b.client.Drain()
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		const n = 4000
		big := Done(ffmpeg, Stream{Name: "s", Args: strings.Repeat("x", 4096)})
		for range n {
			b.caller.Tell(notify(), b.session(), Call{"http://hook/x", big})
		}
		if size, _ := b.caller.done.look(); size > maxPending || size < maxPending-5000 {
			b.Errorf("%d bytes wait, the bound is %d", size, maxPending)
		}
		if lost := b.stats(OnDone).Lost; lost < n/2 || lost == n {
			b.Errorf("%d of %d are lost", lost, n)
		}
		b.client.Drain() // one try for each
		time.Sleep(time.Hour)
		if lines := b.logs.FilterMessageSnippet("are lost").Len(); lines != 1 {
			b.Errorf("%d lines say so, want 1", lines)
		}
		size, workers := b.caller.done.look()
		if lost := b.stats(OnDone).Lost; lost != n || size != 0 || workers != 0 {
			b.Errorf("an hour later %d of %d are lost, %d bytes wait for %d workers", lost, n, size, workers)
		}
		b.up()
	})
}

// A slow hook gets only the newest playlist, and calls of one stream keep their order.
func TestOfAPlaylistOnlyTheNewestIsTold(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(string, http.ResponseWriter, *http.Request) { time.Sleep(3400 * time.Millisecond) }
		tell := func(stream string, i int) {
			e := Playlist(ffmpeg, Stream{Name: fmt.Sprint(stream, i)}, "hls", "/p")
			b.caller.TellLatest(notify(), stream, Call{"http://hook/x", e})
		}
		for i := range 8 {
			tell("a", i)
			if i < 2 {
				tell("b", i)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		got := b.hook.seen()
		slices.Sort(got)
		want := []string{"playlist/a0", "playlist/a3", "playlist/a6", "playlist/a7", "playlist/b0", "playlist/b1"}
		if !slices.Equal(got, want) {
			b.Errorf("told %q, want %q", got, want)
		}
		b.caller.lists.look()
		if n := len(b.caller.lists.latest) + len(b.caller.lists.chains); n != 0 {
			b.Errorf("%d keys are left", n)
		}
	})
}

func TestAPlaylistIsNeverToldLate(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		b.caller.TellLatest(notify(), "k", Call{"http://hook/x", Playlist(ffmpeg, Stream{Name: "s"}, "hls", "/p")})
		time.Sleep(time.Second / 2)
		b.up()
		time.Sleep(time.Hour)
		if got := b.hook.seen(); len(got) != 0 || b.stats(OnPlaylist).Lost != 1 {
			b.Errorf("told %q, counted %+v", got, b.stats(OnPlaylist))
		}
	})
}

func TestCloseTellsWhatWaitsOnce(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(string, http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Millisecond) }
		b.client.Drain()
		for i := range 1000 {
			b.caller.Tell(notify(), b.session(), Call{"http://hook/x", Done(ffmpeg, Stream{Name: fmt.Sprint(i)})})
		}
		start := time.Now()
		b.client.Close(start.Add(10 * time.Second))
		if n := len(b.hook.seen()); n != 1000 {
			b.Errorf("%d of 1000 calls are made", n)
		}
		if d := time.Since(start); d > time.Second {
			b.Errorf("it took %s, want all 64 places used", d)
		}
		b.caller.Tell(notify(), b.session(), Call{"http://hook/x", Done(ffmpeg, Stream{Name: "late"})})
		synctest.Wait()
		if n := len(b.hook.seen()); n != 1000 {
			b.Errorf("%d calls are made after Close", n)
		}
	})
}

func TestCloseGivesUpAtItsDeadline(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.hook.reply = func(_ string, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		for range 100 {
			b.caller.Tell(notify(), b.session(), doneCalls("s")...)
		}
		start := time.Now()
		b.client.Close(start.Add(3 * time.Second))
		if d := time.Since(start); d != 3*time.Second {
			b.Errorf("it took %s, want 3s", d)
		}
	})
}

// Close does not wait for calls in back-off.
func TestCloseEndsBackOff(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.stop()
		b.caller.Tell(notify(), b.session(), doneCalls("s")...)
		time.Sleep(10 * time.Second)
		start := time.Now()
		b.client.Close(start.Add(time.Minute))
		if d := time.Since(start); d != 0 {
			b.Errorf("it took %s", d)
		}
		time.Sleep(time.Hour) // the back-off timer fires after Close
		if s := b.stats(OnDone); s.Lost != 1 {
			b.Errorf("counted %+v", s)
		}
		b.up()
	})
}

func TestUpdatesOfAHookThatIsDown(t *testing.T) {
	e := Update(ffmpeg, Stream{Name: "s"}, true, 0, 0)
	for _, strict := range []bool{false, true} {
		inBubble(t, func(b *bubble) {
			n := notify()
			n.UpdateStrict = strict
			status := 500
			b.hook.reply = func(_ string, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
			for _, s := range []int{500, 302, 404, 200, 0} {
				if status = s; s == 0 {
					b.stop()
				}
				_, err := b.caller.Ask(b.Context(), "http://hook/x", n, e)
				ends := s == 404 || strict && s != 200
				if (err != nil) != ends {
					b.Errorf("strict %t, answer %d: got %v, want an end %t", strict, s, err, ends)
				}
			}
			b.up()
		})
	}
}
