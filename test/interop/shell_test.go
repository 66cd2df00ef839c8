package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A shellLine is a command of a document, and what the document says it prints.
type shellLine struct{ document, text, answer string }

// programs begin the lines of blocks without a language that are shell.
const programs = `(?:\$ )?(?:curl|docker|ffmpeg|ffplay|git|go|gst-launch-1\.0|make|mpv|rtmpd|sudo|vlc)`

var (
	fence      = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```\n(?:\n```json\n(.*?)\n```$)?")
	inlineCurl = regexp.MustCompile("`(curl [^`]*)`")
	ourShell   = regexp.MustCompile(`^` + programs + ` `)
)

// shellLines are all commands in README and docs: those of the blocks of shell, and each curl
// in the text.
func shellLines(t *testing.T) (lines []shellLine) {
	t.Helper()
	documents, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(documents, "../../README.md") {
		document := strings.TrimPrefix(path, "../../")
		text := string(read(t, path))
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if m[1] != "sh" && (m[1] != "" || !ourShell.MatchString(m[2])) {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(m[2], "\\\n", "")) {
				line = strings.TrimSpace(line)
				if shown, is := strings.CutPrefix(line, "$ "); is {
					_, answer, _ := strings.Cut(m[2], "\n")
					lines = append(lines, shellLine{document, shown, strings.TrimSpace(answer)})
					break
				}
				line, _, _ = strings.Cut(line, "  #")
				lines = append(lines, shellLine{document, strings.TrimSpace(line), m[3]})
			}
		}
		for _, m := range inlineCurl.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			lines = append(lines, shellLine{document, m[1], ""})
		}
	}
	return lines
}

// notRunHere are the lines that change the machine, or need what a test has not. Those with a
// test are run by it.
var notRunHere = []struct{ document, line, why, test string }{
	{"README.md", `git clone `, "needs the network", ""},
	{"README.md", `make deb && sudo apt install`, "installs on the machine; scripts/test-deb does so in a chroot", ""},
	{"README.md", `go run ./cmd/rtmpd demo`, "", "TestDemo"},
	{"README.md", `make test`, "is this test", ""},
	{"README.md", `ffmpeg `, "", "TestTheReadmesLinesWork"},
	{"docs/operating.md", `git pull && make deb && sudo apt install`, "installs on the machine; scripts/test-deb does so in a chroot", ""},
	{"docs/operating.md", `make build && sudo install`, "installs on the machine", ""},
	{"docs/operating.md", `sudo `, "changes the machine; the units are tried by themselves", "../../cmd/rtmpd TestTheUnitsAreUnderstood"},
	{"docs/containers.md", `docker compose `, "needs an engine; the file and the image are tried without one", "TestComposeReadsTheSnippet"},
	{"docs/encoders-and-players.md", `ffmpeg -f v4l2`, "needs a camera", ""},
	{"docs/encoders-and-players.md", `ffmpeg -rtsp_transport`, "needs a camera", ""},
	{"docs/encoders-and-players.md", `ffmpeg -i http`, "", "TestTheDocumentedPlayersPlay"},
	{"docs/encoders-and-players.md", `ffmpeg -re`, "", "TestTheDocumentedEncodersPublish"},
	{"docs/encoders-and-players.md", `gst-launch-1.0 `, "", "TestTheDocumentedEncodersPublish"},
	{"docs/encoders-and-players.md", `mpv `, "", "TestTheDocumentedPlayersPlay"},
	{"docs/encoders-and-players.md", `vlc `, "", "TestTheDocumentedPlayersPlay"},
	{"docs/encoders-and-players.md", `ffplay `, "", "TestTheDocumentedPlayersPlay"},
	{"docs/performance.md", `make bench`, "takes minutes and an idle machine", ""},
	{"docs/performance.md", `go run ./bench `, "takes minutes and an idle machine", ""},
}

// documentedServers are the servers that the lines of a document are for: an application, and
// who publishes to it (name, or key, in the address).
var documentedServers = map[string]struct {
	application string
	publishers  []string
}{
	"docs/api.md": {`
  application "live" {
    stream_key "show" {
      secret = "a-key-of-the-show"
    }
    sessions {}
    hls {
      path = "DIR/www/live"
    }
  }`, []string{"live/a-key-of-the-show"}},
	"docs/restreaming.md": {`
  application "else" {}
  application "live" {
    push "youtube" {
      url    = "rtmp://HOST:1935/else"
      key    = "the-key-over-there"
      manual = true
    }
  }`, []string{"live/test"}},
	"docs/stream-keys.md": {keyed, []string{"show/the-key-of-anna", "show/the-key-of-ben"}},
	"docs/recipes.md":     {strings.ReplaceAll(keyed, `"show"`, `"party"`), []string{"party/the-key-of-ben", "party/the-key-of-anna"}},
	"docs/nginx-rtmp.md":  {keyed, []string{"show/the-key-of-a-test"}},
	"docs/view-links.md":  {"\n  application \"show\" {\n    tokens {}\n  }", nil},
}

const keyed = `
  application "show" {
    on_conflict = "standby"
    stream_key "test" {}
    stream_key "a" {
      stream = "test"
      secret = "the-key-of-a-test"
    }
    stream_key "anna" {
      stream = "stage"
      secret = "the-key-of-anna"
    }
    stream_key "ben" {
      stream = "stage"
      secret = "the-key-of-ben"
    }
  }`

const plainApplication = `
  application "live" {
    hls {
      path            = "DIR/www/live"
      fragment        = "2s"
      playlist_length = "60s"
    }
  }`

const documentedLocations = `
http {
  listen     = "HOST:8080"
  access_log = "DIR/access.log"
  location "/live" {
    root = "DIR/www"
  }
  location "/api2" {
    api {
      token "overlay" {
        secret = "the-word-that-rtmpd-key-new-prints"
        scopes = ["read", "sessions", "push", "keys"]
      }
    }
  }
  location "/control" {
    control {}
    access = ["allow loopback", "deny all"]
  }
  location "/stat" {
    stat {}
  }
  location "/health" {
    health {}
  }
}
`

// TestEveryLineOfShellInTheDocumentsRuns types each line of shell of README and docs, with the
// programs and against a server that is running. Its answer is what the document shows, where …
// is anything; an answer of HTTP that says error is a failure.
func TestEveryLineOfShellInTheDocumentsRuns(t *testing.T) {
	t.Parallel()
	byDocument := make(map[string][]shellLine)
	used := make([]bool, len(notRunHere))
	n := 0
	for _, l := range shellLines(t) {
		i := slices.IndexFunc(notRunHere, func(e struct{ document, line, why, test string }) bool {
			return e.document == l.document && strings.HasPrefix(l.text, e.line)
		})
		if i >= 0 {
			used[i] = true
			continue
		}
		n++
		byDocument[l.document] = append(byDocument[l.document], l)
	}
	if n < 28 {
		t.Errorf("%d lines", n)
	}
	for i, e := range notRunHere {
		if !used[i] {
			t.Errorf("%s has no line with %s: take it out of the list", e.document, e.line)
		}
		isTested(t, e.test)
	}
	beside := together(t)
	defer beside.Wait()
	for document, lines := range byDocument {
		beside.Run(filepath.Base(document), func(t *testing.T) {
			d := newDesk(t, document)
			for _, l := range lines {
				d.types(t, l)
			}
		})
	}
}

// isTested demands that a test exists: "TestX" or "DIRECTORY TestX", or its beginning.
func isTested(t *testing.T, test string) {
	t.Helper()
	if test == "" {
		return
	}
	dir, name, found := strings.Cut(test, " ")
	if !found {
		dir, name = ".", test
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(string(read(t, f)), "\nfunc "+name) }) {
		t.Errorf("there is no %s (%v)", test, err)
	}
}

// A desk is where somebody reads a document and types its lines: a directory, a path for
// programs, and a server at an address of its own, with the ports of the documents.
type desk struct {
	address, dir string
	env          []string
	here         *strings.Replacer
}

func newDesk(t *testing.T, document string) *desk {
	t.Helper()
	dir, err := os.MkdirTemp("", "rtmpd-interop-") // not t.TempDir: the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &desk{address: loopback(), dir: dir}
	served, special := documentedServers[document]
	if !special {
		served.application, served.publishers = plainApplication, []string{"live/test", "live/show"}
	}
	conf := filepath.Join(d.dir, "server.hcl")
	text := fmt.Sprintf("state_dir = \"%[1]s/state\"\nruntime_dir = \"%[1]s/run\"\nrtmp {\n  listen = \"HOST:1935\"%[2]s\n}\n%[3]s", d.dir, served.application, documentedLocations)
	text = strings.NewReplacer("DIR", d.dir, "HOST", d.address).Replace(text)
	programs, desk := filepath.Join(d.dir, "bin"), filepath.Join(d.dir, "desk")
	for path, content := range map[string]string{
		conf:                             text,
		filepath.Join(desk, "rtmpd.hcl"): text,
		// The configuration of this server stands for /etc/rtmpd.
		filepath.Join(programs, "rtmpd"): "#!/bin/sh\ncase \" $* \" in *\" -c \"*) exec " + rtmpd + " \"$@\" ;; esac\nexec " + rtmpd + " \"$@\" -c " + conf + "\n",
		filepath.Join(d.dir, ".curlrc"):  "fail-with-body\nsilent\nshow-error\n",
		filepath.Join(d.dir, "nginx.conf"): "events {}\nrtmp {\n  server {\n    listen 1935;\n    application show {\n      live on;\n      hls on;\n      hls_path " + d.dir +
			"/nginx;\n    }\n  }\n}\nhttp {\n  server {\n    listen 8080;\n    location /live {\n      alias " + d.dir + "/nginx;\n    }\n  }\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "HOME="+d.dir, "TOKEN=the-word-that-rtmpd-key-new-prints", "SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy")
	site := d.address + ":8080"
	d.here = strings.NewReplacer(
		"HOST:8080", site, "127.0.0.1:8080", site, "localhost:8080", site, "https://live.example.org", "http://"+site, "https://example.com", "http://"+site, "https://HOST", "http://"+site,
		"live.example.net", d.address+":1", // asks no name server
		"Bearer TOKEN", "Bearer $TOKEN", "name=NAME", "name=anna", "publisher=NAME", "publisher=anna",
		"/etc/nginx/nginx.conf", d.dir+"/nginx.conf",
		"-duration 10m", "-duration 3s", // what it does then is the same
	)
	if document == "docs/from-nginx-rtmp.md" {
		if err := os.Remove(filepath.Join(desk, "rtmpd.hcl")); err != nil { // it makes one
			t.Fatal(err)
		}
	}

	server := exec.Command(rtmpd, "run", "-c", conf)
	log := watch(t, server)
	listensAt(t, log.String, "http", 1)
	for i, name := range served.publishers {
		background(t, command(t, 5*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", forEver, "-i", testcard, "-c", "copy", "-f", "flv", "rtmp://"+d.address+"/"+name))
		eventually(t, time.Minute, name+" is published", func() bool {
			return strings.Count(log.String(), "publish started") > i || strings.Contains(log.String(), "waits")
		})
	}
	if strings.Contains(served.application, "hls {") {
		eventually(t, time.Minute, "streams can be watched", func() bool {
			playlists, _ := filepath.Glob(d.dir + "/www/live/*.m3u8") // asking would make a viewer
			return len(playlists) == len(served.publishers) && !slices.ContainsFunc(playlists, func(path string) bool {
				text, err := os.ReadFile(path)
				return err != nil || strings.Count(string(text), "#EXTINF") < 2
			})
		})
	}
	return d
}

// types types a line, and looks at what it does.
func (d *desk) types(t *testing.T, l shellLine) {
	t.Helper()
	line, endless := d.here.Replace(l.text), false
	if strings.HasPrefix(line, "ffplay ") {
		d.plays(t, line)
		return
	}
	if strings.HasPrefix(line, "curl -o show.mkv") {
		line, endless = strings.Replace(line, "curl ", "curl -m 8 ", 1), true // until it is stopped
	}
	line = strings.ReplaceAll(line, "'Authorization: Bearer $TOKEN'", `"Authorization: Bearer $TOKEN"`)
	cmd := command(t, 2*time.Minute, "sh", "-c", line)
	cmd.Dir, cmd.Env = filepath.Join(d.dir, "desk"), d.env
	var report lockedBuffer
	cmd.Stderr = &report
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); endless && errors.As(err, &exit) && exit.ExitCode() == 28 {
		err = nil // curl's time is over
	}
	if err != nil {
		t.Errorf("%s: %s: %v\n%s\n%s", l.document, line, err, out, report.String())
		return
	}
	want := `(?s)^.*$`
	if l.answer != "" {
		want = "^" + strings.ReplaceAll(regexp.QuoteMeta(d.here.Replace(l.answer)), "…", ".*") + "$"
	} else {
		for begin, pattern := range shownByLine {
			if strings.Contains(l.text, begin) {
				want = pattern
			}
		}
	}
	if !regexp.MustCompile(want).MatchString(strings.TrimSpace(string(out))) {
		t.Errorf("%s: %s\n got %s\nwant %s", l.document, line, out, want)
	}
	if m := regexp.MustCompile(`-o (\S+\.(?:mkv|mp4))`).FindStringSubmatch(line); m != nil {
		if got := probeFile(t, filepath.Join(cmd.Dir, m[1])); got.video < 25 || got.audio < 25 {
			t.Errorf("%s: %d pictures, %d frames of sound", line, got.video, got.audio)
		}
	}
}

// plays types a line with ffplay, and stops it once the clock that it shows runs.
func (d *desk) plays(t *testing.T, line string) {
	t.Helper()
	cmd := command(t, 2*time.Minute, "sh", "-c", "exec "+line)
	cmd.Dir, cmd.Env = filepath.Join(d.dir, "desk"), d.env
	var shown lockedBuffer
	cmd.Stdout, cmd.Stderr = &shown, &shown
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, line+" plays", func() bool {
		return regexp.MustCompile(`[1-9][0-9.]* [AM]-[AV]:`).MatchString(shown.String())
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
}

// shownByLine are patterns for what a line prints of which the document says so in its words.
var shownByLine = map[string]string{
	"rtmpd push list":    `live/test +youtube`,
	"control/push/start": `^1$`,
	"control/title":      `^`,
	"control/stage":      `^1$`,
	"control/drop":       `^1$`,
	"curl -i":            `(?s)^HTTP/1.1 200 OK.*#EXTINF`,
	"key new":            `^[a-z0-9]{16,}$`,
	"key show":           `^[a-z0-9]{16,}$`,
	"key hash":           `^[0-9a-f]{64}$`,
	"rtmpd calc":         `(?i)memory`,
	"obs-multitrack":     `(?s)^\{.*\}$`,
	"-json":              `(?s)^\{.*\}$`,
}
