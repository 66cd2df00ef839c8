package origin

import (
	"testing"
	"time"
)

// A push with streams is for the streams of these names alone.
func TestPushOnlyTheNamedStreams(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(`push "far" {
      manual  = true
      url     = "rtmp://127.0.0.1:1/app"
      streams = ["cam*"]
    }`))
	for _, name := range []string{"cam1", "other"} {
		p, err := r.fake().publish("live", name)
		if err != nil {
			t.Fatal(err)
		}
		p.card(1)
	}
	pushes := func() map[string]int {
		all := make(map[string]int)
		s, _, _ := r.service.Snapshot(time.Now())
		for _, st := range s.Applications[0].Streams {
			all[st.Name] = len(st.Outputs)
		}
		return all
	}
	r.eventually("cam1 has a push", func() bool { return pushes()["cam1"] == 1 })
	if got := pushes(); got["other"] != 0 {
		t.Errorf("pushes of each stream: %v", got)
	}
}
