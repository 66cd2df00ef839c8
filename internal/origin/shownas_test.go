package origin

import (
	"fmt"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
)

// However many names there are, the newest is found, for as long as its playlist is asked
// for; the table is bounded, and keeps what is in use where it can.
func TestStreamsUnderOtherNamesAreBounded(t *testing.T) {
	t.Parallel()
	cfg := &config.Application{HLS: &config.HLS{Path: "/srv/live"}}
	var table shownTable
	now := time.Now()
	enter := func(name string) {
		t.Helper()
		if s, ok := table.enter("/srv/live/"+name+".m3u8", name, "hidden", cfg, now); !ok || s.Name != "hidden.m3u8" {
			t.Fatalf("%s: %+v, %v", name, s, ok)
		}
	}
	shown := func(file string) string {
		s, ok := table.find("/srv/live/"+file, now)
		if !ok {
			return ""
		}
		return s.Dir + "/" + s.Name
	}
	for i := range 2 * maxShown {
		enter(fmt.Sprint("token", i))
	}
	if n := len(table.all); n != maxShown { // not one more is dropped than need be
		t.Errorf("%d names", n)
	}
	last := fmt.Sprint("token", 2*maxShown-1)
	for file, want := range map[string]string{
		last + ".m3u8": "/srv/live/hidden.m3u8", last + "-7.ts": "/srv/live/hidden-7.ts", last + "/index.m3u8": "/srv/live/hidden/index.m3u8",
		last + "x.m3u8": "", "other-7.ts": "", last: "", "a/" + last + "-7.ts": "",
	} {
		if got := shown(file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	for range 3 { // a playlist keeps the name, a segment does not
		now = now.Add(shownFor - time.Second)
		if shown(last+".m3u8") == "" {
			t.Fatal("a name is forgotten that is asked for")
		}
	}
	now = now.Add(shownFor - time.Second)
	if shown(last+"-8.ts") == "" {
		t.Error("a segment is not found")
	}
	if now = now.Add(2 * time.Second); shown(last+".m3u8") != "" {
		t.Error("nobody has asked for the playlist for a minute")
	}
	enter("new")
	if n := len(table.all); n != 1 {
		t.Errorf("%d names are kept, of which one is in use", n)
	}
}
