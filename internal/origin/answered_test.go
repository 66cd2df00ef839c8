package origin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// answerHook answers each publish with a push to the application that its argument to
// names, of a server that is not there.
func answerHook(t *testing.T) (hook, address string) {
	address = testport.Address()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.FormValue("to"); r.FormValue("call") == "publish" && to != "" {
			w.Header().Set("Location", "rtmp://"+address+"/"+to+"/key-over-there")
			w.WriteHeader(http.StatusFound)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, address
}

// targets are those of the pushes of live/cam, by label.
func (r *rig) targets() (out []string) {
	for _, p := range r.Pushes("live", "cam", "") {
		out = append(out, p.Name+" "+p.Target)
	}
	return out
}

// The push that on_publish answers is one more beside those of the configuration, also
// one that has its label, and a reload leaves it alone.
func TestTheAnswerOfOnPublishIsOneMorePush(t *testing.T) {
	t.Parallel()
	hook, address := answerHook(t)
	own := func(label string) string {
		return liveWith(`on_publish = "` + hook + `"
    push "` + label + `" {
      url    = "rtmp://` + address + `/own"
      manual = true
    }`)
	}
	r := newRig(t, own("on_publish"))
	p, err := r.fake().publish("live", "cam?to=one")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave(true)
	far := "rtmp://" + address
	want := []string{"on_publish " + far + "/own/cam", "on_publish answer " + far + "/one/(hidden)"}
	r.eventually("there are both", func() bool { return slices.Equal(r.targets(), want) })
	r.reload(own("mine"))
	want = []string{"mine " + far + "/own/cam", "on_publish " + far + "/one/(hidden)"}
	r.eventually("both are there after a reload", func() bool { return slices.Equal(r.targets(), want) })
	if found, changed := r.SteerPushes("live", "cam", "on_publish", false); found != 1 || changed != 1 {
		t.Errorf("by hand %d of %d are stopped", changed, found)
	}
	for _, e := range r.logs.All() {
		if strings.Contains(e.Message, "key-over-there") {
			t.Errorf("the log has a secret: %s", e.Message)
		}
	}
}

// Of several publishers of one stream the answer about the one on air counts, and still
// does while its fallback is shown.
func TestTheAnswerAboutThePublisherOnAirCounts(t *testing.T) {
	t.Parallel()
	hook, address := answerHook(t)
	r := newRig(t, liveWith(`on_publish = "`+hook+`"
    on_conflict     = "standby"
    fallback        = "slate"
    reconnect_grace = 0`))
	publish := func(typed string) *Publication {
		p, err := r.fake().publish("live", typed)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Leave(true) })
		return p
	}
	goesTo := func(what string, apps ...string) {
		t.Helper()
		var want []string
		for _, app := range apps {
			want = append(want, "on_publish rtmp://"+address+"/"+app+"/(hidden)")
		}
		r.eventually(what, func() bool { return slices.Equal(r.targets(), want) })
	}
	anna := publish("cam?to=anna")
	anna.card(11)
	goesTo("anna's answer counts", "anna")
	ben := publish("cam?to=ben")
	ben.card(11)
	cleo := publish("cam")
	cleo.card(11)
	goesTo("it still does while others wait", "anna")
	if _, err := r.app("live").stage("cam", ""); err != nil {
		t.Fatal(err)
	}
	goesTo("ben's does on air", "ben")
	ben.Leave(true)
	goesTo("it is cleo's turn, about whom there is none")
	cleo.Leave(true)
	goesTo("then anna's", "anna")
	anna.Leave(true)
	dora := publish("cam?to=dora")
	dora.card(11)
	goesTo("a publisher after the fallback", "dora")
	dora.Leave(true)
	r.eventually("the fallback is shown", func() bool {
		s, _, _ := r.service.Snapshot(time.Now())
		return s.Applications[0].Streams[0].Fallback != ""
	})
	goesTo("with the fallback it goes on", "dora")
}
