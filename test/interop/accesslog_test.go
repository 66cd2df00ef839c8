package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// The format names every variable; fields are between bars.
const everyVariable = `$connection|$remote_addr|$app|$flashver|$swfurl|$tcurl|$pageurl|$command|$name|$args|$bytes_sent|$bytes_received|$time_local|$msec|$session_time|$session_readable_time`

// TestAccessLogIsNginxRTMPs has the same clients visit both servers and compares
// the lines. The deliberate differences are in docs/nginx-rtmp.md: no key= in args, escapes.
func TestAccessLogIsNginxRTMPs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	theirLog, ourLog := filepath.Join(dir, "nginx.log"), filepath.Join(dir, "rtmpd.log")
	nginx := startNginx(t, `log_format every '`+everyVariable+`';
    access_log `+theirLog+` every;
    access_log `+theirLog+`.combined;
    application live { live on; }
    application closed { live on; deny publish all; }`, nil)
	const applications = `
  application "live" {
    on_conflict = "replace"
  }
  application "closed" {
    access {
      publish = ["deny all"]
    }
  }`
	rtmpd := startHooked(t, "access_log = \""+ourLog+"\"\n  access_log_format = \""+everyVariable+"\"\n"+applications, nil)
	combined := startHooked(t, "access_log = \""+ourLog+".combined\"\n"+applications, nil)

	o := rtmp.ClientOptions{FlashVer: "LNX 9,0,124,2", PageURL: "http://page/?a=b", SWFURL: "http://h/p.swf"}
	for _, c := range []struct {
		name, app, want string
		do              func(s *side, c *rtmp.Client)
	}{
		{"only connects", "live", "NONE||", func(*side, *rtmp.Client) {}},
		{"publishes", "live", "PUBLISH|cam|tok=1&x=%20", func(s *side, c *rtmp.Client) {
			s.publishOn(c, "cam?tok=1&x=%20")
			s.send(c, 200)
		}},
		{"plays", "live", "PLAY|quiet|y=2", func(s *side, c *rtmp.Client) { // cam may still wait for its publisher, with pictures
			_ = c.Play(t.Context(), "quiet?y=2")
		}},
		{"plays after it has published", "live", "PLAY+PUBLISH|other|", func(s *side, c *rtmp.Client) {
			s.publishOn(c, "cam?tok=1")
			_ = c.WriteCommand(0, "deleteStream", 0, nil, 1.0)
			_ = c.Flush()
			_ = c.Play(t.Context(), "other")
		}},
		{"may not publish", "closed", "PUBLISH|cam|", func(s *side, c *rtmp.Client) {
			_ = c.Publish(t.Context(), "cam")
		}},
	} {
		line := func(s *side, path string) string {
			client, err := s.connect(c.app, o)
			if err != nil {
				t.Fatalf("%s: %s: %v", c.name, s.name(), err)
			}
			before := logLines(path)
			c.do(s, client)
			client.Close()
			eventually(t, 90*time.Second, c.name+": a line of "+s.name(), func() bool { return len(logLines(path)) > len(before) })
			return logLines(path)[len(before)]
		}
		theirs, ours := strings.Split(line(nginx, theirLog), "|"), strings.Split(line(rtmpd, ourLog), "|")
		if len(ours) != 16 || len(theirs) != 16 {
			t.Fatalf("%s: rtmpd's line has %d fields, nginx-rtmp's %d", c.name, len(ours), len(theirs))
		}
		if got := strings.Join(ours[7:10], "|"); got != c.want {
			t.Errorf("%s: rtmpd writes %s, want %s", c.name, got, c.want)
		}
		for i, variable := range strings.Split(everyVariable, "|") {
			switch variable {
			case "$connection":
			case "$bytes_sent", "$bytes_received":
				sameSize(t, c.name+": "+variable, theirs[i], ours[i])
			case "$time_local", "$msec":
				sameForm(t, c.name+": "+variable, theirs[i], ours[i])
			case "$session_time", "$session_readable_time":
				sameForm(t, c.name+": "+variable, theirs[i], ours[i])
			default:
				if ours[i] != theirs[i] {
					t.Errorf("%s: %s is %q, nginx-rtmp's %q", c.name, variable, ours[i], theirs[i])
				}
			}
		}
		before := len(logLines(theirLog + ".combined"))
		mine := line(combined, ourLog+".combined")
		his := logLines(theirLog + ".combined")[before-1]
		sameForm(t, c.name+": combined", his, mine)
	}
}

func logLines(path string) []string {
	b, _ := os.ReadFile(path)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[:strings.Count(string(b), "\n")]
}

var digits = regexp.MustCompile(`[0-9]+`)

// sameForm compares what differs from run to run: everything but the digits.
func sameForm(t *testing.T, what, theirs, ours string) {
	t.Helper()
	if his, mine := digits.ReplaceAllString(theirs, "0"), digits.ReplaceAllString(ours, "0"); his != mine {
		t.Errorf("%s: rtmpd writes %q, nginx-rtmp %q", what, ours, theirs)
	}
}

// sameSize compares bytes: rtmpd's have the handshake, nginx-rtmp's do not, and
// the answers to commands differ a little.
func sameSize(t *testing.T, what, theirs, ours string) {
	t.Helper()
	his, _ := strconv.Atoi(theirs)
	mine, err := strconv.Atoi(ours)
	if his, mine := float64(his), float64(mine-3073); err != nil || mine < his*0.9-1500 || mine > his*1.1+1500 {
		t.Errorf("%s: rtmpd counts %s, nginx-rtmp %s", what, ours, theirs)
	}
}
