package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shells are the blocks of shell of a chapter of a document.
func shells(t *testing.T, document, chapter string) []string {
	t.Helper()
	return examples(t, document, chapter, "sh")
}

// examples are its blocks of a language.
func examples(t *testing.T, document, chapter, language string) []string {
	t.Helper()
	text := string(read(t, "../../"+document))
	_, text, found := strings.Cut(text, "\n## "+chapter+"\n")
	if !found {
		t.Fatalf("%s has no chapter %s", document, chapter)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

const documentedConfig = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    reconnect_grace = 0
    stream_key "test" {
      secret = "the-key-of-the-documents"
    }
    hls {
      path            = "DIR/www/live"
      fragment        = "2s"
      playlist_length = "60s"
    }
  }
}
http {
  listen     = "127.0.0.1:0"
  access_log = "DIR/access.log"
  location "/live" {
    root = "DIR/www"
  }
  location "/health" {
    health {}
  }
}
`

// documentedServer is what docs/encoders-and-players.md publishes to.
func documentedServer(t *testing.T) (s *server, here *strings.Replacer) {
	t.Helper()
	s = &server{dir: t.TempDir()}
	s.run(t, "state_dir = \""+s.dir+"/state\"\nruntime_dir = \""+s.dir+"/run\"\n"+strings.ReplaceAll(documentedConfig, "DIR", s.dir))
	return s, strings.NewReplacer("HOST:8080", s.http, "rtmp://HOST", "rtmp://"+s.rtmp, "KEY", "the-key-of-the-documents", "FILE", makeClip(t, 20))
}

// TestTheDocumentedEncodersPublish runs each line of the chapter, one after the other:
// viewers have the stream.
func TestTheDocumentedEncodersPublish(t *testing.T) {
	t.Parallel()
	s, here := documentedServer(t)
	lines := shells(t, "docs/encoders-and-players.md", "Publish")
	if len(lines) < 3 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		line = here.Replace(line)
		name := strings.Fields(line)[0]
		tool(t, name)
		cmd := command(t, 2*time.Minute, "sh", "-c", "exec "+line)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		published := strings.Count(s.log.String(), "publish stopped")
		s.waitPlaylist(t, "test", "has a fragment of "+line, time.Minute, func(text string) bool {
			return strings.Contains(text, "#EXTINF") && !strings.Contains(text, "#EXT-X-ENDLIST")
		})
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		eventually(t, time.Minute, "the publisher is gone", func() bool {
			return strings.Count(s.log.String(), "publish stopped") > published
		})
		s.waitPlaylist(t, "test", "has ended", time.Minute, func(text string) bool {
			return strings.Contains(text, "#EXT-X-ENDLIST")
		})
	}
}

// TestTheDocumentedPlayersPlay runs each line of the chapter, without a screen: the server
// sends each of them the stream.
func TestTheDocumentedPlayersPlay(t *testing.T) {
	t.Parallel()
	s, here := documentedServer(t)
	background(t, ffmpegLive(t, here.Replace("rtmp://HOST/show/KEY")))
	s.waitLive(t, "test")
	requests := func() int {
		log, _ := os.ReadFile(filepath.Join(s.dir, "access.log")) // polled
		return strings.Count(string(log), ".ts ") + strings.Count(s.log.String(), "play started")
	}
	silent := map[string]string{
		"mpv":    " --no-config --vo=null --ao=null --length=3",
		"vlc":    " -I dummy --no-dbus --vout dummy --aout dummy",
		"ffplay": " -t 3 -autoexit",
		"ffmpeg": " -y -nostdin",
	}
	n := 0
	for _, text := range shells(t, "docs/encoders-and-players.md", "Watch") {
		for line := range strings.Lines(text) {
			n++
			name, rest, _ := strings.Cut(strings.TrimSpace(here.Replace(line)), " ")
			rest = strings.Replace(rest, "-t 60", "-t 4", 1)
			before := requests()
			cmd := command(t, 2*time.Minute, "sh", "-c", "exec "+tool(t, name)+silent[name]+" "+rest)
			cmd.Dir = s.dir
			if name == "vlc" {
				unprivileged(t, cmd)
			}
			cmd.Env = append(cmd.Environ(), "SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, time.Minute, line+" gets the stream", func() bool { return requests() > before })
			if name == "ffmpeg" {
				if err := cmd.Wait(); err != nil {
					t.Errorf("%s: %v", line, err)
				}
				if got := probeFile(t, filepath.Join(s.dir, "kept.mp4")); got.video < 60 {
					t.Errorf("%d pictures are kept", got.video)
				}
				continue
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}
	}
	if n < 5 {
		t.Errorf("%d lines", n)
	}
}

// TestTheRecipesRun runs each configuration of docs/recipes.md and has somebody with a key
// publish: viewers and recordings are where it says.
func TestTheRecipesRun(t *testing.T) {
	t.Parallel()
	recipes := regexp.MustCompile("(?ms)^## (?:A|An) ([^\n]*)\n.*?^```hcl\n(.*?)^```$").FindAllStringSubmatch(string(read(t, "../../docs/recipes.md")), -1)
	if len(recipes) < 4 {
		t.Fatalf("%d recipes", len(recipes))
	}
	clip := makeClip(t, 12)
	beside := together(t)
	defer beside.Wait()
	for _, r := range recipes {
		beside.Run(r[1], func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			slate := filepath.Join(s.dir, "slate.mp4")
			succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-i", clip, "-c", "copy", "-t", "4", slate))
			keys := filepath.Join(s.dir, "keys")
			if err := os.WriteFile(keys, []byte("somebody a-very-good-secret stream=stage\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			conf := strings.NewReplacer("rtmp {\n", "rtmp {\n  listen = \"127.0.0.1:0\"\n", "http {\n", "http {\n  listen = \"127.0.0.1:0\"\n", "allow private", "allow loopback",
				"/var/lib/rtmpd", s.dir, "/var/log/rtmpd", s.dir).Replace(r[2])
			conf = regexp.MustCompile(`(fallback *= )"[^"]*"`).ReplaceAllString(conf, `$1"`+slate+`"`)
			conf = regexp.MustCompile(`(stream_keys_file *= )"[^"]*"`).ReplaceAllString(conf, `$1"`+keys+`"`)
			path := filepath.Join(s.dir, "rtmpd.hcl")
			if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			env := append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(s.dir, "state"), "RUNTIME_DIRECTORY="+filepath.Join(s.dir, "run"))
			cmd := exec.Command(rtmpd, "run", "-c", path)
			cmd.Env = env
			s.log = watch(t, cmd)
			s.rtmp, s.http = listensAt(t, s.log.String, "rtmp", 1)[0], listensAt(t, s.log.String, "http", 1)[0]

			app := regexp.MustCompile(`application "([a-z]+)"`).FindStringSubmatch(conf)[1]
			stream, key := "stage", "a-very-good-secret"
			if m := regexp.MustCompile(`stream_key "([a-z]+)" \{(?:\s*stream = "([a-z]+)")?`).FindStringSubmatch(conf); m != nil {
				show := command(t, time.Minute, rtmpd, "key", "show", m[1], "-c", path)
				show.Env = env
				out, err := show.Output()
				if err != nil {
					t.Fatal(err)
				}
				stream, key = m[1], strings.TrimSpace(string(out))
				if m[2] != "" {
					stream = m[2]
				}
			}
			succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", clip, "-c", "copy", "-f", "flv", "rtmp://"+s.rtmp+"/"+app+"/"+key))
			eventually(t, time.Minute, "viewers have a playlist", func() bool {
				text, err := get("http://" + s.http + "/" + app + "/" + stream + ".m3u8")
				return err == nil && strings.Contains(string(text), "#EXTINF")
			})
			dir := regexp.MustCompile(`record "[a-z]+" \{\s*path *= "([^"]*)"`).FindStringSubmatch(conf)
			if dir == nil {
				return
			}
			eventually(t, time.Minute, "there is a recording", func() bool {
				size := int64(0)
				_ = filepath.Walk(dir[1], func(_ string, info os.FileInfo, err error) error {
					if err == nil && !info.IsDir() && info.Name()[0] != '.' {
						size += info.Size()
					}
					return nil
				})
				return size > 10_000
			})
		})
	}
}

// TestTheDocumentedPagesPlay puts what docs/pages.md shows into a page of another site and
// beside the fragments, and names the stream as it says.
func TestTheDocumentedPagesPlay(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, s.paged(t, `  location "/page" {
    root = "`+s.dir+`/www"
  }`))
	s.publish(t, "test", forEver)
	s.waitLive(t, "test")
	here := func(document string) string {
		return strings.ReplaceAll(document, "https://tv.example.org", "http://"+s.http)
	}
	html := examples(t, "docs/pages.md", "In other sites", "html")
	if len(html) != 2 {
		t.Fatalf("%d pieces of HTML", len(html))
	}
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A site</title>%s`, here(html[0]+html[1]))
	}))
	t.Cleanup(foreign.Close)
	p := open(t, foreign.URL)
	p.plays(t, 0)
	p.framePlays(t, "http://"+s.http)
	p.quiet(t)

	curl := shells(t, "docs/pages.md", "Titles")
	succeed(t, command(t, time.Minute, "sh", "-c", strings.ReplaceAll(curl[0], "127.0.0.1:8080", s.http)))
	if body, err := get("http://" + s.http + "/test.html"); err != nil || !strings.Contains(string(body), "<h1 id=\"title\">Friday night</h1>") {
		t.Errorf("the title of the page: %v\n%s", err, body)
	}

	page := filepath.Join(s.dir, "www", "page")
	if err := os.CopyFS(page, os.DirFS("testdata/vendor/video.js")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(page, "index.html"), []byte(examples(t, "docs/pages.md", "With another player", "html")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(p.ctx, chromedp.Navigate("http://"+s.http+"/page/")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 90*time.Second, "video.js plays", func() bool {
		state := p.state(t)
		return state.Time > 1 && state.Decoded > 10
	})
}
