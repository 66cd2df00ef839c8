package server

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// TestAccessIsJudgedFirst: rules are looked at in their order, for IPv4 clients of
// a listener of both families as well, before a key is compared, a hook asked or
// a file made.
func TestAccessIsJudgedFirst(t *testing.T) {
	t.Parallel()
	const key = "s3cret-of-the-cam"
	ordered := `["deny 127.0.0.9", "allow 127.0.0.8/29", "deny 127.0.0.10", "allow ::1", "deny all"]`
	h := newHookServer(t, nil)
	r := start(t, strings.NewReplacer("$HOOK", h.url, "127.0.0.1:0", ":0").Replace(`rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    `+allHooks+`
    stream_key "cam" { secret = "`+key+`" }
    access {
      publish = `+ordered+`
      play    = `+ordered+`
    }
    hls { path = "$DIR/hls" }
  }
}`))
	h.rig = r
	_, port, err := net.SplitHostPort(r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	dial := func(from string) *client {
		t.Helper()
		d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := rtmp.Dial(t.Context(), "rtmp://"+net.JoinHostPort(map[bool]string{true: "::1", false: "127.0.0.1"}[from == "::1"], port)+"/live",
			rtmp.ClientOptions{DialTCP: d.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return &client{Client: c, rig: r, done: make(chan struct{})}
	}
	for _, from := range []string{"127.0.0.9", "127.0.0.1", "127.0.0.16"} {
		for range 10 + 1 { // not a guess: the key is not looked at
			err := dial(from).Client.Publish(t.Context(), "wrong-key-for-the-cam")
			if err == nil || !strings.Contains(err.Error(), "access denied") {
				t.Fatalf("publish from %s: %v, want access denied", from, err)
			}
		}
		if err := dial(from).Client.Publish(t.Context(), key); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("publish with the key from %s: %v, want access denied", from, err)
		}
		if s := r.playing(dial(from).Client, "cam"); s != nil {
			s.read()
			if st := s.told(); st.Code != rtmp.StatusPlayFailed || !strings.Contains(st.Description, "access denied") {
				t.Errorf("play from %s: told %+v", from, st)
			}
		}
	}
	if calls := h.seen(); len(calls) > 0 {
		t.Errorf("hooks are asked about who has no access: %q", calls)
	}
	if files, err := os.ReadDir(filepath.Join(r.dir, "hls")); err != nil || len(files) > 0 {
		t.Errorf("somebody left files: %v, %v", files, err)
	}
	for _, from := range []string{"127.0.0.8", "127.0.0.10", "::1"} {
		c := dial(from)
		if err := c.Client.Publish(t.Context(), key); err != nil {
			t.Errorf("publish from %s: %v", from, err)
		}
		if err := dial(from).Client.Play(t.Context(), "cam"); err != nil {
			t.Errorf("play from %s: %v", from, err)
		}
		c.Close()
	}
	r.logged("publish started", "remote:[::1]:")
}
