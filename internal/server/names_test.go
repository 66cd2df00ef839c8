package server

import (
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What people type around a name by mistake, or because Flash wanted it, makes
// no other name of it: for who publishes as for who plays, with the application's
// name as well.
func TestNamesAreTakenAsTheyAreMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, app, typed string }{
		{"a slash before the name", "live", "/cam"},
		{"a slash behind it", "live", "cam/"},
		{"blanks around it", "live", " cam\t"},
		{"a blank that is not ASCII", "live", "cam\u00a0"},
		{"arguments behind a blank", "live", "cam ?x=1"},
		{"mp4:", "live", "mp4:cam"},
		{"flv:", "live", "flv:cam"},
		{"FLV: and a slash", "live", "FLV:/cam"},
		{"a slash and mp4:", "live", "/mp4:cam"},
		{"a slash behind the application", "live/", "cam"},
		{"a blank behind the application", "live ", "cam"},
		{"two slashes before the application", "//live", "cam"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith(""))
			p, err := r.tryPublish("live", c.typed, dialling{ClientOptions: rtmp.ClientOptions{App: c.app}})
			if err != nil {
				t.Fatal(err)
			}
			p.seconds(1)
			if r.stream("live", "cam") == nil {
				t.Error("what is published is not cam")
			}
			s := r.playing(r.mustDial("live", dialling{ClientOptions: rtmp.ClientOptions{App: c.app}}).Client, c.typed)
			s.read()
			s.first()
			s.Close()
			r.logged("session ended", "stream:cam")
		})
	}
}

// What else does not belong in a name is refused as before.
func TestNamesThatAreNone(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	for _, typed := range []string{"/", " ", "mp4:", "a/b", "a b", "mp3:cam", "mp4:mp4:cam", "flv:../cam", "..", "mp4:.cam"} {
		if p, err := r.tryPublish("live", typed, dialling{}); err == nil {
			t.Errorf("%q is a name", typed)
			p.Close()
		} else if !strings.Contains(err.Error(), "bad stream name") {
			t.Errorf("%q: %v", typed, err)
		}
	}
}
