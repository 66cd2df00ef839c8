package relay

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// The pushes of examples/restream.hcl reach a stand-in for each platform, which
// wants its application, its tcUrl and the key, and refuses anything else.
func TestPushToPlatforms(t *testing.T) {
	t.Parallel()
	keys := map[string]string{
		"YOUTUBE_KEY": "abcd-efgh-ijkl-mnop", "TWITCH_KEY": "live_123_AbC?bandwidthtest=true", "FACEBOOK_KEY": "FB-1-0-Ab?s_bl=1&s_psm=1&a=AbZ",
		"PICARTO_KEY": "golive+me", "KICK_KEY": "sk_us-west-2_abc",
	}
	cfg, _, diags := config.Load("../../examples/restream.hcl", config.LoadOptions{Env: keys})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	apps := map[string]string{"youtube": "live2", "twitch": "app", "facebook": "rtmp", "picarto": "golive", "kick": "app"}
	pushes := cfg.RTMP[0].Applications[0].Pushes
	if len(pushes) != len(apps) {
		t.Fatalf("%d pushes", len(pushes))
	}
	for _, p := range pushes {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			scheme, rest, _ := strings.Cut(p.Remote.URL.Reveal(), "://")
			_, path, _ := strings.Cut(rest, "/")
			var server, trusting *tls.Config
			if scheme == "rtmps" {
				server, trusting = certificate(t)
			}
			f := newFar(t, server)
			key := keys[strings.ToUpper(p.Name)+"_KEY"]
			f.refuse = func(app, name string) *rtmp.StatusError {
				if app != apps[p.Name] || name != key {
					return &rtmp.StatusError{Level: "error", Code: rtmp.StatusPublishBadName, Description: app + "/" + name}
				}
				return nil
			}
			p.Remote.URL = value.RTMPURL(scheme + "://" + f.address() + "/" + path) // the stand-in for its host
			n := nearWith(t, p, trusting).run()
			n.stream.Write(frame(0, true))
			n.push.Want(true)
			eventually(t, "it takes the stream", func() bool { s := f.session(0); return s != nil && len(s.messages) >= 2 })
			if tc := f.session(0).connect.TCURL; tc != scheme+"://"+f.address()+"/"+apps[p.Name] {
				t.Errorf("tcUrl is %s", tc)
			}
			if n.logged(key) > 0 || strings.Contains(n.push.State().Target, key) {
				t.Error("the key is shown")
			}
		})
	}
}
