package interop

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A mistScript is what people have behind MistServer's triggers: it answers what
// reply says, and keeps what it was asked.
type mistScript struct {
	url   string
	reply func(trigger string, lines []string) string

	mu    sync.Mutex
	asked []string // trigger, a colon and the lines
}

func newMistScript(t *testing.T, reply func(trigger string, lines []string) string) *mistScript {
	m := &mistScript{reply: reply}
	srv := httptest.NewServer(m)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	m.url = srv.URL
	return m
}

func (m *mistScript) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	trigger := r.Header.Get("X-Trigger")
	m.mu.Lock()
	m.asked = append(m.asked, trigger+":"+string(body))
	m.mu.Unlock()
	_, _ = io.WriteString(w, m.reply(trigger, strings.Split(string(body), "\n")))
}

// of are the payloads of a trigger so far.
func (m *mistScript) of(trigger string) (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.asked {
		if body, ok := strings.CutPrefix(a, trigger+":"); ok {
			out = append(out, body)
		}
	}
	return out
}

// withTriggers is the configuration of a server with more in its application, and more
// at the top level.
func withTriggers(dir, top, application string) string {
	config := fmt.Sprintf(serverConfig, dir)
	config = strings.Replace(config, "    reconnect_grace = \"2s\"\n", "    reconnect_grace = \"2s\"\n"+application, 1)
	return top + config
}

// A token becomes the name of a wildcard stream, as the Twitch-alike guide of
// MistServer has it: viewers see the name, nobody sees the token.
func TestATokenBecomesAName(t *testing.T) {
	t.Parallel()
	const token = "4a5b6c7d8e9f"
	m := newMistScript(t, func(_ string, lines []string) string {
		if strings.HasSuffix(lines[0], "/live/"+token) && lines[2] == token {
			return "streams+john\n"
		}
		return ""
	})
	s := &server{dir: t.TempDir()}
	s.run(t, withTriggers(s.dir, "", `
    trigger "PUSH_REWRITE" {
      handler = "`+m.url+`/push.php"
    }
`))
	ffmpeg := command(t, time.Minute, "ffmpeg", "-hide_banner", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=440",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac", "-t", "8", "-f", "flv", s.rtmpURL(token))
	if err := ffmpeg.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ffmpeg.Wait() }()
	s.waitLive(t, "streams+john")
	if _, err := get(s.hlsURL(token)); err == nil {
		t.Error("the token is a stream")
	}
	refused := command(t, time.Minute, "ffmpeg", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=25", "-c:v", "libx264", "-t", "2", "-f", "flv", s.rtmpURL("streams+john"))
	if out := output(t, refused); !strings.Contains(out, "Publish") && !strings.Contains(out, "rror") {
		t.Errorf("publishing by the public name: %q", out)
	}
	_, fragments := s.ended(t, "streams+john")
	decode(t, fragments)
	if n := len(m.of("PUSH_REWRITE")); n != 2 {
		t.Errorf("PUSH_REWRITE came %d times", n)
	}
	if strings.Contains(s.log.String(), token) {
		t.Error("the log has the token")
	}
}
