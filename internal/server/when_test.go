package server

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/output"
)

// files are those below a directory of the rig.
func (r *rig) files(dir string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(r.dir, dir))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	return names
}

// A pattern "base+*" means the wildcard streams and not the base, as "base+" does at
// MistServer; an exception is what it calls inhibit.
func TestPatternsChooseWhatIsRecordedAndPushed(t *testing.T) {
	t.Parallel()
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    record "guests" {
      path    = "$DIR/guests"
      streams = ["guest+*", "!guest+test"]
    }
    record "all" {
      path = "$DIR/all"
    }
    push "elsewhere" {
      url     = "rtmp://127.0.0.1:1/live"
      streams = ["guest+*", "!guest+test"]
      reconnect = "1h"
    }
  }
}`)
	names := []string{"guest", "guest+anna", "guest+test", "other"}
	for _, name := range names {
		r.publish("live", name).seconds(2)
	}
	r.eventually("all are recorded", func() bool { return len(r.files("all")) == len(names) && len(r.files("guests")) > 0 })
	if got, want := r.files("guests"), []string{"guest%2Banna.flv"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
	pushes := r.srv.origin.Pushes("", "", "")
	if len(pushes) != 1 || pushes[0].Stream != "guest+anna" {
		t.Errorf("pushed are %+v", pushes)
	}
}

// Outputs begin and end while their stream goes on, when it is time.
func TestOutputsHaveTheirTimes(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	rfc := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	config := fmt.Sprintf(`rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    record "soon" {
      path       = "$DIR/soon"
      not_before = %q
      $END
    }
    record "now" {
      path     = "$DIR/now"
      schedule = ["00:00-24:00", "Mon 10:00-11:00 Europe/Berlin"]
    }
    record "never" {
      path     = "$DIR/never"
      schedule = [%q]
    }
    push "over" {
      url       = "rtmp://127.0.0.1:1/live"
      not_after = %q
    }
    push "later" {
      url        = "rtmp://127.0.0.1:1/live"
      not_before = %q
    }
    push "closed" {
      url      = "rtmp://127.0.0.1:1/live"
      schedule = [%[2]q]
    }
    push "open" {
      url       = "rtmp://127.0.0.1:1/live"
      schedule  = ["00:00-24:00 UTC"]
      reconnect = "1h"
    }
  }
}`, rfc(now.Add(2*time.Second)), now.Add(12*time.Hour).Format("15:04-")+now.Add(13*time.Hour).Format("15:04 UTC"), rfc(now.Add(-time.Hour)), rfc(now.Add(time.Hour)))
	r := start(t, strings.Replace(config, "$END", "", 1))
	p := r.publish("live", "cam")
	p.seconds(1)
	if pushes := r.srv.origin.Pushes("", "", ""); len(pushes) != 1 || pushes[0].Name != "open" {
		t.Errorf("pushes are %+v", pushes)
	}
	of := func(name string) (s output.State, ok bool) {
		for _, app := range r.srv.Snapshot().Servers[0].Applications {
			for _, st := range app.Streams {
				for _, o := range st.Outputs {
					if o.Kind == "record" && o.Name == name {
						return o.State, true
					}
				}
			}
		}
		return s, false
	}
	p.until("the recording begins", func() bool { return len(r.files("soon")) == 1 })
	r.reload(strings.Replace(config, "$END", fmt.Sprintf("not_after = %q", rfc(time.Now().Add(2*time.Second))), 1))
	p.until("and ends", func() bool { _, on := of("soon"); return !on && len(r.files("soon")) == 1 })
	r.logged("recording finished", "soon")
	if s, on := of("now"); !on || len(r.files("now")) != 1 {
		t.Errorf("the other recording does not go on: %+v", s)
	}
	if !p.alive() {
		t.Error("the publisher is cut off")
	}
	if n := len(r.files("never")); n != 0 {
		t.Errorf("%d files are recorded outside the schedule", n)
	}
}
