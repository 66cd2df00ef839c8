package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config/value"
)

func TestSizesAreBinaryAndBitRatesDecimal(t *testing.T) {
	cfg := mustLoad(t, `rtmp {
  max_message = "1m"
  ack_window  = "2500K"
  application "a" {
    hls {
      path = "/srv/a"
      variant "_a" {
        bandwidth = "2500k"
      }
      variant "_b" {
        bandwidth = "2.5M"
      }
      variant "_c" {
        bandwidth = 64000
      }
    }
  }
}`)
	if got, want := cfg.RTMP[0].MaxMessage, value.Size(1<<20); got != want {
		t.Errorf("1m is %d, want %d", got, want)
	}
	if got, want := cfg.RTMP[0].AckWindow, value.Size(2500<<10); got != want {
		t.Errorf("2500K is %d, want %d", got, want)
	}
	var got []int64
	for _, v := range cfg.RTMP[0].Applications[0].HLS.Variants {
		got = append(got, int64(v.Bandwidth))
	}
	if want := []int64{2500000, 2500000, 64000}; !slices.Equal(got, want) {
		t.Errorf("bit rates are %v, want %v", got, want)
	}
}

func TestRulesFirstMatchWins(t *testing.T) {
	cfg := mustLoad(t, `rtmp {
  application "a" {
    access {
      publish = ["deny 10.1.0.0/16", "allow 10.0.0.0/8", "allow loopback", "allow 2001:db8::1", "deny all"]
      keyless = ["deny private", "allow all"]
    }
  }
}`)
	a := cfg.RTMP[0].Applications[0].Access
	for _, tt := range []struct {
		addr             string
		publish, keyless bool
	}{
		{"10.2.3.4", true, false},
		{"10.1.3.4", false, false},
		{"::ffff:10.2.3.4", true, false},
		{"::ffff:10.1.3.4", false, false},
		{"127.0.0.1", true, true},
		{"::1", true, true},
		{"2001:db8::1", true, true},
		{"2001:db8::1%eth0", true, true},
		{"2001:db8::2", false, true},
		{"192.168.1.1", false, false},
		{"fe80::1", false, false},
		{"", false, true}, // a unix socket
	} {
		addr, _ := netip.ParseAddr(tt.addr)
		if got := a.Publish.Allows(addr); got != tt.publish {
			t.Errorf("publish from %q: got %v, want %v", tt.addr, got, tt.publish)
		}
		if got := a.AllowsKeyless(addr); got != tt.keyless {
			t.Errorf("keyless from %q: got %v, want %v", tt.addr, got, tt.keyless)
		}
	}
	var none Access
	if addr := netip.MustParseAddr("192.0.2.1"); !none.Publish.Allows(addr) || none.AllowsKeyless(addr) {
		t.Error("no lists: publish must let everyone in, keyless no one")
	}
}

func TestSecretsShowNowhere(t *testing.T) {
	secret := value.Secret("a-very-good-secret")
	key := StreamKey{Holder: "h", Secret: secret}
	m, err := json.Marshal(map[string]any{"key": key, "secret": secret, "map": map[string]value.Secret{"a": secret}})
	if err != nil {
		t.Fatal(err)
	}
	out := string(m)
	for _, verb := range []string{"%v", "%s", "%q", "%x", "%X", "%+v", "%#v", "%d", "%10.3s"} {
		out += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, key) + fmt.Sprintf(verb, &key) + fmt.Sprintf(verb, []value.Secret{secret})
	}
	for _, leak := range []string{"very-good", "612d766572792d", "612D766572792D"} {
		if strings.Contains(out, leak) {
			t.Errorf("shown: %s", out)
		}
	}
	if secret.Reveal() != "a-very-good-secret" {
		t.Error("Reveal")
	}
	if fmt.Sprint(value.Secret("")) != "" {
		t.Error("an empty secret is not hidden: it shows that there is none")
	}
}
