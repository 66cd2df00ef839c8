package interop

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemo is the first of the README's two commands: live video in a browser.
func TestDemo(t *testing.T) {
	var (
		dir   = t.TempDir()
		began = time.Now()
	)
	t.Cleanup(func() { // after the demo has ended: cleanups run in reverse
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("the demo leaves %v, %v", left, err)
		}
	})
	cmd := exec.Command(rtmpd, "demo", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	site := listensAt(t, watch(t, cmd).String, "http", 1)[0]
	eventually(t, 90*time.Second, "the page answers", func() bool {
		_, err := get("http://" + site + "/")
		return err == nil
	})
	watchPage(t, "http://"+site+"/demo.html", 6*time.Second)
	t.Logf("the demo and 6 s of watching took %s", time.Since(began).Round(100*time.Millisecond))
}

// TestDemoWithItsPortsTaken starts the demo as the README does, beside whatever
// has RTMP's and HTTP's usual ports: it takes free ones and says which.
func TestDemoWithItsPortsTaken(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1935", "127.0.0.1:8080"} {
		if l, err := net.Listen("tcp", address); err == nil { // else somebody has it already
			t.Cleanup(func() { l.Close() })
		}
	}
	cmd := exec.Command(rtmpd, "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	log := watch(t, cmd)
	said := regexp.MustCompile(`http://127\.0\.0\.1:(\d+)/live/demo\.m3u8`)
	var playlist []string
	eventually(t, 90*time.Second, "the demo says what to open", func() bool {
		playlist = said.FindStringSubmatch(log.String())
		return playlist != nil
	})
	if playlist[1] == "8080" || !regexp.MustCompile(`rtmp://127\.0\.0\.1:\d+/live with`).MatchString(log.String()) || strings.Contains(log.String(), "127.0.0.1:1935/") {
		t.Errorf("the demo names taken ports:\n%s", log.String())
	}
	eventually(t, 90*time.Second, "the test card is live", func() bool {
		body, err := get(playlist[0])
		return err == nil && strings.Contains(string(body), "#EXTINF")
	})
}
