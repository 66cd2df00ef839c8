package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// documented returns the first code block of a document that contains has.
func documented(t *testing.T, document, has string) string {
	t.Helper()
	text, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(m[1], has) {
			return m[1]
		}
	}
	t.Fatalf("%s has no block with %s", document, has)
	return ""
}

// Whoever follows README and docs/ffmpeg.md word by word, but for ports and
// directories, sees the stream, the page, the renditions and the restream.
func TestTheReadmesLinesWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	etc := filepath.Join(dir, "etc")
	address := loopback()
	here := strings.NewReplacer(`":1935"`, `"`+address+`:1935"`, "127.0.0.1/", address+"/", "live.example.net/app", address+"/ladder", `"KEY"`, `"again_src"`, `":8080"`, `"127.0.0.1:0"`, "/nginx", dir+"/nginx", "/var/log/rtmpd", dir+"/log")
	for name, text := range map[string]string{
		"etc/rtmpd.hcl":  here.Replace(documented(t, "README.md", `application "show"`+" {\n    # OBS")),
		"etc/page.hcl":   here.Replace(documented(t, "README.md", "player {}")),
		"etc/ladder.hcl": here.Replace(documented(t, "docs/ffmpeg.md", `application "ladder"`)),
		"etc/push.hcl":   here.Replace(documented(t, "docs/ffmpeg.md", "push ")),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(rtmpd, "run", "-c", etc)
	server.Env = append(os.Environ(), "STATE_DIRECTORY="+dir+"/state", "RUNTIME_DIRECTORY="+dir+"/run")
	log := watch(t, server)
	rtmpAddr, site := listensAt(t, log.String, "rtmp", 1)[0], "http://"+listensAt(t, log.String, "http", 1)[0]

	line := func(text string) {
		t.Helper()
		text = strings.ReplaceAll(text, "rtmp://127.0.0.1/", "rtmp://"+rtmpAddr+"/")
		// The key is read as the service's user, not by sudo.
		text = strings.ReplaceAll(text, "$(sudo rtmpd key show test)", fmt.Sprintf("$(%s key show -c %s test)", rtmpd, etc))
		tool(t, "ffmpeg")
		cmd := command(t, 2*time.Minute, "sh", "-c", text)
		cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+dir+"/state", "RUNTIME_DIRECTORY="+dir+"/run")
		background(t, cmd)
	}
	has := func(path string, words ...string) {
		t.Helper()
		eventually(t, 60*time.Second, path+" is there", func() bool {
			body, err := get(site + path)
			for _, w := range words {
				if err != nil || !strings.Contains(string(body), w) {
					return false
				}
			}
			return err == nil
		})
	}
	line(documented(t, "README.md", "testsrc2"))
	has("/live/test.m3u8", "test-0.ts")
	has("/test.html", "live/test.m3u8")
	has("/ladder/test.m3u8", "test_src.m3u8", "test_low.m3u8")
	has("/ladder/test_low.m3u8", "#EXTINF")
	has("/ladder/again_src.m3u8", "#EXTINF")
}
