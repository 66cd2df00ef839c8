package segstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func textOf(body string) func() ([]byte, []byte) {
	return func() ([]byte, []byte) { return []byte(body), nil }
}

// The text of a version is made when somebody asks for it, once; of one that somebody waits
// for, before it is there.
func TestTheTextOfAVersionIsMadeWhenItIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, made := new(Low), 0
		publish := func(parts int) *Edition {
			e := NewEdition(TextsFunc(func() ([]byte, []byte) { made++; return []byte("body"), []byte("delta") }), new(Gzipper))
			e.Parts, e.Ahead = parts, 3
			l.Publish(e)
			return e
		}
		publish(1)
		publish(2)
		e := publish(3)
		if made != 0 {
			t.Errorf("made %d times for nobody", made)
		}
		tag, zipped := e.Tag()
		if string(e.Body()) != "body" || string(e.Delta()) != "delta" || tag == zipped || len(e.Gzip(true)) == 0 || made != 1 {
			t.Errorf("%q, %q, %s, %s, made %d times", e.Body(), e.Delta(), tag, zipped, made)
		}
		go func() { _, _ = l.Wait(t.Context(), 0, 3, 0) }()
		synctest.Wait()
		if publish(4); made != 2 {
			t.Errorf("made %d times before who waits for it has it", made-1)
		}
		synctest.Wait()
		if publish(5); made != 2 {
			t.Error("made for nobody")
		}
	})
}

// RFC 8216bis §6.2.5.2: what a version has, what it lets players wait for, and what is
// too far ahead. Segments up to 6 are complete, of 7 there are 3 parts, and segment 6 has
// 5. Part -1 is the whole segment.
func TestWhatALowLatencyPlaylistAnswers(t *testing.T) {
	t.Parallel()
	e := NewEdition(TextsFunc(textOf("body")), nil)
	e.Next, e.Parts, e.Last, e.Ahead = 7, 3, 5, 4
	for _, c := range []struct {
		segment uint64
		part    int
		want    string
	}{
		{0, -1, "has"},
		{6, -1, "has"},
		{6, 4, "has"},
		{6, 5, "has"}, // which is the first part of 7
		{6, 99, "has"},
		{5, 99, "has"},
		{7, 0, "has"},
		{7, 2, "has"},
		{7, -1, "waits"},
		{7, 3, "waits"},
		{7, 6, "waits"},
		{7, 7, "ahead"},
		{8, -1, "waits"},
		{8, 0, "waits"},
		{8, 3, "waits"},
		{8, 4, "ahead"},
		{9, -1, "ahead"},
		{9, 0, "ahead"},
	} {
		t.Run(fmt.Sprint(c.segment, c.part), func(t *testing.T) {
			t.Parallel()
			l := new(Low)
			l.Publish(e)
			ctx, cancel := context.WithCancel(t.Context())
			if c.want == "waits" {
				cancel()
			}
			got, err := l.Wait(ctx, c.segment, c.part, 0)
			cancel()
			switch {
			case c.want == "has" && (got != e || err != nil),
				c.want == "waits" && !errors.Is(err, context.Canceled),
				c.want == "ahead" && !errors.Is(err, ErrAhead):
				t.Errorf("%v, %v, want: %s", got != nil, err, c.want)
			}
		})
	}
	unknown := NewEdition(TextsFunc(textOf("")), nil) // the segment before is of another process
	unknown.Next, unknown.Parts = 7, 0
	if !unknown.has(6, 99) || unknown.has(7, 0) {
		t.Error("the parts of a segment that is complete are all there")
	}
}

// Who waits gets the first version that has it, whatever is published before, and is not
// told that it is too far ahead because another version came meanwhile.
func TestWaitingForAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		version := func(next uint64, parts int, ended bool) *Edition {
			e := NewEdition(TextsFunc(textOf("")), nil)
			e.Next, e.Parts, e.Ahead, e.Ended = next, parts, 2, ended
			return e
		}
		l := new(Low)
		var mu sync.Mutex // of those who are answered at once
		answers := make(map[string]*Edition)
		wait := func(name string, segment uint64, part int) {
			go func() {
				e, err := l.Wait(t.Context(), segment, part, 0)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[name] = e
			}()
			synctest.Wait()
		}
		publish := func(e *Edition, want ...string) {
			t.Helper()
			clear(answers)
			l.Publish(e)
			synctest.Wait()
			for _, name := range want {
				if answers[name] != e {
					t.Errorf("who waits for %s has no answer", name)
				}
			}
			if len(answers) != len(want) || l.Newest() != e {
				t.Errorf("answers %v, want %v", slices.Collect(maps.Keys(answers)), want)
			}
		}
		wait("the first part", 0, 0) // before there is any version
		publish(version(0, 0, false))
		wait("the second part", 0, 1)
		wait("part of the next segment", 1, 0)
		publish(version(0, 1, false), "the first part")
		publish(version(1, 0, false), "the second part")
		publish(version(1, 1, false), "part of the next segment")
		wait("what is far ahead by now", 2, 1)
		publish(version(0, 0, false)) // a playlist that begins anew
		publish(version(0, 0, true), "what is far ahead by now")
		if e, err := l.Wait(t.Context(), 99, 99, 0); e != l.Newest() || err != nil {
			t.Errorf("after the end: %+v, %v", e, err)
		}
	})
}

// Each waits for the time that was given to it, whatever is published meanwhile and whoever
// else waits; afterwards no timer runs.
func TestWaitingForAVersionForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Low)
		began := time.Now()
		var all sync.WaitGroup
		for _, c := range []struct{ begins, most time.Duration }{
			{0, 5 * time.Second}, {time.Second, time.Second}, {time.Second, 6 * time.Second}, {2500 * time.Millisecond, time.Second},
		} {
			all.Go(func() {
				time.Sleep(c.begins)
				if _, err := l.Wait(t.Context(), 9, 0, c.most); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v: %v", c.most, err)
				}
				if waited := time.Since(began) - c.begins; waited != c.most {
					t.Errorf("it waited for %v, not %v", waited, c.most)
				}
			})
		}
		for i := range 5 {
			time.Sleep(700 * time.Millisecond)
			e := NewEdition(TextsFunc(textOf("")), nil)
			e.Next, e.Parts, e.Ahead = 8, i, 10
			l.Publish(e)
		}
		all.Wait()
		if !l.over.IsZero() {
			t.Errorf("a timer runs: %v", l.over)
		}
	})
}

// When the server stops nobody waits any more, for a version, a part or the rest of a file.
func TestAStopEndsTheWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, low := new(Dir), new(Low)
		e := NewEdition(TextsFunc(textOf("one")), nil)
		e.Ahead = 3
		low.Publish(e)
		s.files = map[string]*file{"a.m3u8": {live: liveFile{text: &File{Low: low}}}}
		s.Hint(PartName{"7.m4s", 0}, PartName{})
		s.Grow(Entry{Name: "6.m4s"}, 0, nil)
		growing, _ := s.Lookup("6.m4s")
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := low.Wait(t.Context(), 0, 0, 0); !errors.Is(err, ErrStopped) {
				t.Errorf("the version: %v", err)
			}
		})
		all.Go(func() {
			if _, ok := s.Hinted(t.Context(), "7.0.m4s"); ok {
				t.Error("there is a part")
			}
		})
		all.Go(func() {
			if pieces, whole, err := growing.Growing.From(t.Context(), 0); len(pieces) > 0 || whole || err != nil {
				t.Errorf("the file: %q, %v, %v", pieces, whole, err)
			}
		})
		synctest.Wait()
		s.StopWaits()
		all.Wait()
		if _, err := low.Wait(t.Context(), 0, 0, 0); !errors.Is(err, ErrStopped) {
			t.Errorf("who comes later: %v", err)
		}
	})
}
