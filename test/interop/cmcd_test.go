package interop

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// hls.js says how it fares, in the query and, across sites, in headers for which a browser
// asks first; stat shows it.
func TestHlsjsSaysHowItFares(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.Replace(fmt.Sprintf(serverConfig, s.dir), `location "/health"`, "location \"/stat\" {\n    stat {}\n  }\n\n  location \"/health\"", 1))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitLive(t, "test")
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, options := range map[string]string{"query": "{}", "headers": "{ useHeaders: true }"} {
			beside.Run(name, func(t *testing.T) {
				playFor(t, strings.Replace(hlsjsPage, "new Hls()", "new Hls({ cmcd: "+options+" })", 1), s.hlsURL("test"), 5*time.Second)
			})
		}
	})
	type players struct {
		Players, Sessions, Reports int
		Throughput, Buffer         int64
	}
	var got players
	eventually(t, 90*time.Second, "two players have said something", func() bool {
		body, err := get("http://" + s.http + "/stat?format=json")
		_, after, found := strings.Cut(string(body), `"player_health":`)
		if err != nil || !found {
			return false
		}
		got = players{}
		return json.NewDecoder(strings.NewReader(after)).Decode(&got) == nil && got.Sessions == 2
	})
	if got.Reports < 6 || got.Throughput < 100e3 || got.Buffer <= 0 {
		t.Errorf("%+v", got)
	}
}
