package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const guessed = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    idle_streams = %t
    stream_key "cam" { secret = "good-secret-0001" }
    stream_key "two" { secret = "good-secret-0002" }
  }
  application "other" {
    stream_key "cam" { secret = "good-secret-0003" }
  }
  application "*" {
    stream_key "wild" { secret = "good-secret-0004" }
  }
  application "open" {}
}`

// What a player is told of a stream key is what it is told of any name that
// nobody has, whether players may wait or not.
func TestAPlayerCanNotTellAKeyFromAnyOtherName(t *testing.T) {
	t.Parallel()
	for _, idle := range []bool{true, false} {
		r := start(t, fmt.Sprintf(guessed, idle))
		last := rtmp.StatusPlayStreamNotFound
		if idle {
			last = rtmp.StatusPlayStart
		}
		var answers [][]string
		for _, name := range []string{"good-secret-0001", "good-secret-9999", "cam-of-nobody", "cam"} {
			s := r.spectate("show", name, dialling{})
			r.eventually("an answer", func() bool { return slices.Contains(s.codes(), last) })
			answers = append(answers, s.codes())
		}
		for _, a := range answers[1:] {
			if !slices.Equal(a, answers[0]) {
				t.Errorf("idle_streams = %t: a key is answered %q, another name %q", idle, answers[0], a)
			}
		}
		if strings.Contains(r.allText(), "good-secret-0001") {
			t.Error("the key is in the log")
		}
	}
}

// Names that nobody knows are counted, and those that somebody does are not.
func TestGuessingByPlayIsBraked(t *testing.T) {
	t.Parallel()
	r := start(t, fmt.Sprintf(guessed, true))
	play := func(from, app, name, code string) {
		t.Helper()
		s := r.spectate(app, name, dialling{from: from})
		r.eventually("an answer", func() bool {
			return slices.Contains(s.codes(), rtmp.StatusPlayStart) || slices.Contains(s.codes(), rtmp.StatusPlayStreamNotFound)
		})
		if !slices.Contains(s.codes(), code) {
			t.Errorf("play %s/%s from %s: %q, want %s", app, name, from, s.codes(), code)
		}
	}
	r.publishFrom("127.0.0.3", "show", "good-secret-0002")
	for i := range 10 {
		play("127.0.0.3", "show", fmt.Sprintf("guess-number-%d", i), rtmp.StatusPlayStart)
	}
	for _, name := range []string{"guess-number-10", "good-secret-0001"} {
		began := time.Now()
		play("127.0.0.3", "show", name, rtmp.StatusPlayStreamNotFound)
		if took := time.Since(began); took < 2*time.Second {
			t.Errorf("the next guess is answered after %s", took)
		}
	}
	play("127.0.0.3", "show", "cam", rtmp.StatusPlayStart)                // is going to be one
	play("127.0.0.3", "show", "two", rtmp.StatusPlayStart)                // is one
	play("127.0.0.3", "other", "guess-number-1", rtmp.StatusPlayStart)    // another application
	play("127.0.0.4", "show", "good-secret-0001", rtmp.StatusPlayStart)   // another address
	play("127.0.0.3", "open", "whatever-it-may-be", rtmp.StatusPlayStart) // where there are no keys

	// Guessed by play, refused to publish: unless the key was right before.
	r.refused("show", "good-secret-0001", dialling{from: "127.0.0.3"}, rtmp.StatusPublishDenied, "too many")
	r.publishFrom("127.0.0.3", "show", "good-secret-0002")
	r.publishFrom("127.0.0.3", "show", "two?key=good-secret-0002")
	r.publishFrom("127.0.0.3", "other", "good-secret-0003")
	r.publishFrom("127.0.0.4", "show", "good-secret-0001")
}

// All applications that "*" takes in have its keys: another name for each guess
// does not help.
func TestGuessesUnderTheWildcardCountTogether(t *testing.T) {
	t.Parallel()
	r := start(t, fmt.Sprintf(guessed, true))
	for i := range 10 {
		r.refused(fmt.Sprintf("any-%d", i), "wrong-secret-001", dialling{}, rtmp.StatusPublishDenied, wrongKey)
	}
	r.refused("any-other", "good-secret-0004", dialling{}, rtmp.StatusPublishDenied, "too many")
	r.publish("show", "good-secret-0001")
}
