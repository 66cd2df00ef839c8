package hooks

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// tellEnd queues the calls for the end of a publish of cam.
func (b *bubble) tellEnd(session uint64, calls ...Call) {
	if len(calls) == 0 {
		calls = []Call{{"http://hook/x", PublishDone(ffmpeg, Stream{Name: "cam"})}}
	}
	b.caller.Tell(notify(), Subject{Session: session, Stream: "cam"}, calls...)
}

// publish calls on_publish for cam as the server does.
func (b *bubble) publish() time.Duration {
	b.Helper()
	begun := time.Now()
	b.caller.Settle(b.Context(), notify(), "http://hook/x", "cam")
	if _, err := b.caller.Ask(b.Context(), "http://hook/x", notify(), Publish(ffmpeg, Stream{Name: "cam"}, "live")); err != nil {
		b.Error(err)
	}
	return time.Since(begun)
}

// failing answers 503 to the first n calls with that prefix.
func (b *bubble) failing(call string, n int) {
	b.hook.reply = func(got string, w http.ResponseWriter, _ *http.Request) {
		if strings.HasPrefix(got, call) && n > 0 {
			n--
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

func (b *bubble) wants(want ...string) {
	b.Helper()
	if got := b.hook.seen(); !slices.Equal(got, want) {
		b.Errorf("the calls are\n%q, want\n%q", got, want)
	}
}

func TestAnEndIsNotToldAfterTheNextBeginning(t *testing.T) {
	t.Run("its second try comes before", func(t *testing.T) {
		inBubble(t, func(b *bubble) {
			b.failing("publish_done", 1)
			b.tellEnd(1)
			synctest.Wait()
			if took := b.publish(); took != 0 {
				b.Errorf("the publisher waited %s", took)
			}
			time.Sleep(time.Hour)
			b.wants("publish_done/cam", "publish_done/cam", "publish/cam")
			if s := b.stats(OnPublishDone); s.Lost != 0 || s.Retried != 1 {
				b.Errorf("counted %+v", s)
			}
		})
	})
	t.Run("it is given up after one more try", func(t *testing.T) {
		inBubble(t, func(b *bubble) {
			b.failing("publish_done", 100)
			b.tellEnd(1)
			time.Sleep(10 * time.Second)
			n := len(b.hook.seen())
			b.publish()
			time.Sleep(time.Hour)
			got := b.hook.seen()
			if len(got) != n+2 || got[n] != "publish_done/cam" || got[n+1] != "publish/cam" {
				b.Errorf("the calls are %q", got)
			}
			if s := b.stats(OnPublishDone); s.Lost != 1 {
				b.Errorf("counted %+v", s)
			}
		})
	})
	t.Run("a hook that hangs holds up the publisher for a while", func(t *testing.T) {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(call string, _ http.ResponseWriter, r *http.Request) {
				if !strings.HasPrefix(call, "publish/") {
					<-r.Context().Done()
				}
			}
			for session := range uint64(5) {
				b.tellEnd(session)
			}
			synctest.Wait()
			if took := b.publish(); took != maxSettle {
				b.Errorf("the publisher waited %s", took)
			}
			time.Sleep(time.Hour)
			b.wants("publish_done/cam", "publish/cam")
			if size, workers := b.caller.done.look(); size != 0 || workers != 0 {
				b.Errorf("%d bytes and %d workers are left", size, workers)
			}
		})
	})
	t.Run("calls about recordings come later", func(t *testing.T) {
		inBubble(t, func(b *bubble) {
			b.failing("record_done", 3)
			b.tellEnd(1, Call{"http://hook/x", RecordDone(ffmpeg, Stream{Name: "cam"}, "rec", "/a.flv")}, Call{"http://hook/x", Done(ffmpeg, Stream{Name: "cam"})})
			synctest.Wait()
			b.publish()
			time.Sleep(time.Hour)
			got := b.hook.seen()
			if got[len(got)-1] != "record_done/cam" || slices.Index(got, "done/cam") > slices.Index(got, "publish/cam") {
				b.Errorf("the calls are %q", got)
			}
			if s := b.stats(OnRecordDone); s.Lost != 0 || s.Retried != 3-1 {
				b.Errorf("counted %+v", s)
			}
		})
	})
	t.Run("other streams and hosts are not waited for", func(t *testing.T) {
		inBubble(t, func(b *bubble) {
			b.failing("publish_done", 100)
			b.caller.Tell(notify(), Subject{Session: 1, Stream: "other"}, Call{"http://hook/x", PublishDone(ffmpeg, Stream{Name: "other"})})
			b.tellEnd(2, Call{"http://down/x", PublishDone(ffmpeg, Stream{Name: "cam"})})
			synctest.Wait()
			if took := b.publish(); took != 0 {
				b.Errorf("the publisher waited %s", took)
			}
			time.Sleep(2500 * time.Millisecond)
			b.wants("publish_done/other", "publish/cam", "publish_done/other")
		})
	})
	t.Run("who hangs up meanwhile waits no longer", func(t *testing.T) {
		inBubble(t, func(b *bubble) {
			b.hook.reply = func(_ string, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
			b.tellEnd(1)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(b.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			b.caller.Settle(ctx, notify(), "http://hook/x", "cam")
			if took := time.Since(begun); took != time.Second {
				b.Errorf("took %s", took)
			}
		})
	})
}

// No call about a stream or session overtakes one that is retried.
func TestRetriesKeepTheOrder(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.failing("publish_done", 2)
		end := func(session uint64) {
			b.tellEnd(session, Call{"http://hook/x", PublishDone(ffmpeg, Stream{Name: "cam"})}, Call{"http://hook/x", Done(ffmpeg, Stream{Name: "cam"})})
			b.caller.Tell(notify(), Subject{Session: session}, Call{"http://hook/x", Disconnect(ffmpeg)})
		}
		end(1)
		end(2)
		b.caller.Tell(notify(), Subject{Session: 3}, Call{"http://hook/x", PlayDone(ffmpeg, Stream{Name: "cam"})})
		time.Sleep(500 * time.Millisecond)
		if !slices.Contains(b.hook.seen(), "play_done/cam") {
			b.Error("a player waits for the publisher's calls")
		}
		time.Sleep(time.Hour)
		about := func(calls ...string) (out []string) {
			for _, call := range b.hook.seen() {
				if slices.Contains(calls, call) {
					out = append(out, call)
				}
			}
			return out
		}
		const over, done, bye = "publish_done/cam", "done/cam", "disconnect/"
		if got, want := about(over, done), []string{over, over, over, done, over, done}; !slices.Equal(got, want) {
			b.Errorf("about the stream: %q, want %q", got, want)
		}
		if got := about(done, bye); len(got) != 4 || got[0] != done || got[3] != bye {
			b.Errorf("about the sessions: %q", got)
		}
	})
}

// A stop gives up calls in back-off, and makes each call behind them once.
func TestAStopGivesUpWhatIsTriedAgain(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.failing("publish_done", 100)
		b.tellEnd(1, Call{"http://hook/x", PublishDone(ffmpeg, Stream{Name: "cam"})}, Call{"http://hook/x", Done(ffmpeg, Stream{Name: "cam"})})
		time.Sleep(10 * time.Second)
		n := len(b.hook.seen())
		begun := time.Now()
		b.client.Close(time.Now().Add(time.Minute))
		if took := time.Since(begun); took != 0 {
			b.Errorf("took %s", took)
		}
		if got := b.hook.seen(); len(got) != n+1 || got[n] != "done/cam" {
			b.Errorf("the calls are %q", got)
		}
	})
}
