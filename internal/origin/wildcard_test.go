package origin

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/rtmpd/rtmpd/config/value"
)

// Ten thousand names of one base need no row of a configuration each, and little memory.
func TestTenThousandWildcardStreams(t *testing.T) {
	r := newRig(t, liveWith("stream \"streams\" {\n max_players = 3\n}"))
	const n = 10000
	held := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := held()
	for i := range n {
		name := fmt.Sprintf("streams+user%d", i)
		p, err := r.fake().publish("live", name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Leave(true) })
		if got := r.app("live").Config(name).MaxPlayers; got != 3 {
			t.Fatalf("%s: max_players = %d", name, got)
		}
	}
	if each := (held() - before) / n; each > 32<<10 {
		t.Errorf("a stream that nothing was sent to holds %d bytes", each)
	} else {
		t.Logf("a stream that nothing was sent to holds %d bytes", each)
	}
	if got := len(r.app("live").rules.Load().cfg.Streams); got != 1 {
		t.Errorf("there are %d stream blocks", got)
	}
	if _, err := r.fake().publish("live", "streams+user1"); err == nil {
		t.Error("a name is given twice")
	}
	if !value.Matches("streams", "streams+x") || value.Matches("streams", "streams2+x") {
		t.Error("the base of a pattern is not the base of the name")
	}
}
