package server

import "testing"

// Two encoders with one key kick each other, and come back each time: a finding
// after the third time, in one line of the log and as long as it goes on.
func TestEncodersThatKickEachOtherAreAFinding(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`stream_key "cam" { secret = "very-secret-key" }`))
	finding := func() bool { return has(r.health("cam"), "take_overs") }
	p := r.publish("live", "very-secret-key")
	for n := 1; n <= 6; n++ {
		p.seconds(0.5)
		q := r.publishFrom([]string{"", "127.0.0.9"}[n%2], "live", "very-secret-key")
		p.ended()
		p = q
		p.seconds(0.5)
		if n < 3 {
			r.stream("live", "cam").Examine()
			if finding() {
				t.Errorf("found at take-over %d", n)
			}
			continue
		}
		r.eventually("the finding", finding)
	}
	lines := 0
	for _, e := range r.logs.FilterMessage("what is published could be better").All() {
		if e.ContextMap()["finding"] == "take_overs" {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("%d lines, want one", lines)
	}
}

// An encoder that comes back after it was cut is none.
func TestAnEncoderThatComesBackIsNoContest(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	for range 4 {
		r.publish("live", "cam").cut()
		r.eventually("it is gone", func() bool {
			return r.unpublished("live", "cam")
		})
	}
	r.stream("live", "cam").Examine()
	if got := r.health("cam"); has(got, "take_overs") {
		t.Errorf("found %+v", got)
	}
}
