package server

import (
	"net"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
)

// A player that leaves, with a reset as VLC does or in the middle of a message,
// is no warning; a publisher that is lost so is one. No line says "read: read:".
func TestHowClientsLeave(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		publish bool
		reset   bool
		half    bool // of a message is sent before
		warned  string
	}{
		{name: "a player closes"},
		{name: "a player resets", reset: true},
		{name: "a player vanishes in a message", half: true},
		{name: "a player resets in a message", half: true, reset: true},
		{name: "a publisher resets", publish: true, reset: true, warned: "read: connection reset by peer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith(""))
			p := r.publish("live", "cam")
			p.seconds(1)
			leaving := p
			if !c.publish {
				s := r.spectate("live", "cam", dialling{})
				s.first()
				leaving = &client{Client: s.Client}
			}
			if c.half {
				if _, err := leaving.NetConn().Write([]byte{3, 0, 0}); err != nil {
					t.Fatal(err)
				}
			}
			from := leaving.local()
			if c.reset {
				if err := leaving.NetConn().(*net.TCPConn).SetLinger(0); err != nil {
					t.Fatal(err)
				}
			}
			leaving.NetConn().Close()
			last := "session ended"
			if c.warned != "" {
				last = "session closed"
			}
			r.logged(last, from)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if n := strings.Count(r.allText(), "read: read"); n > 0 {
				t.Errorf("%d lines say read: read:", n)
			}
			warnings := r.logs.FilterLevelExact(zapcore.WarnLevel).All()
			for _, e := range warnings {
				if text := e.ContextMap()["reason"]; text != any(c.warned) {
					t.Errorf("warned: %s %v", e.Message, e.ContextMap())
				}
			}
			if c.warned != "" && len(warnings) != 1 {
				t.Errorf("%d warnings, want one: %s", len(warnings), c.warned)
			}
		})
	}
}
