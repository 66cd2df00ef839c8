package interop

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestDemo is the first of the README's two commands: live video in a browser.
func TestDemo(t *testing.T) {
	var (
		http  = freeAddress(t)
		dir   = t.TempDir()
		began = time.Now()
	)
	t.Cleanup(func() { // after the demo has ended: cleanups run in reverse
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("the demo leaves %v, %v", left, err)
		}
	})
	cmd := exec.Command(rtmpd, "demo", "--rtmp", freeAddress(t), "--http", http)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	watch(t, cmd)
	eventually(t, 15*time.Second, "the page answers", func() bool {
		_, err := get("http://" + http + "/")
		return err == nil
	})
	watchPage(t, "http://"+http+"/", 6*time.Second)
	t.Logf("the demo and 6 s of watching took %s", time.Since(began).Round(100*time.Millisecond))
}
