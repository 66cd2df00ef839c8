package interop

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
)

// guideConf is the nginx.conf of the guide that many HLS servers were made by, with
// free ports. DIR is empty in the guide.
const guideConf = `
worker_processes auto;
events { worker_connections 1024; }
rtmp {
    server {
        listen 127.0.0.1:0;       # standard RTMP port
        chunk_size 4000;
        application show {
            live on;
            hls on;
            hls_path DIR/nginx/live/; # trailing slash
            hls_fragment 3;       # bare number = seconds
            hls_playlist_length 60;
            deny play all;        # no RTMP viewers
        }
    }
}
http {
    sendfile off; tcp_nopush on; directio 512;
    default_type application/octet-stream;
    server {
        listen 127.0.0.1:0;
        location / {
            add_header Cache-Control no-cache;
            add_header Access-Control-Allow-Origin * always;
            add_header Access-Control-Expose-Headers Content-Length;
            if ($request_method = OPTIONS) {
                add_header Access-Control-Allow-Origin *;
                add_header Content-Type "text/plain charset=UTF-8";
                add_header Content-Length 0;
                return 204;
            }
            types { application/dash+xml mpd; application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
            root DIR/nginx/;
        }
    }
}
`

// TestImportedGuide imports the guide's nginx.conf and runs the result: who published to
// that nginx and who watched it finds everything where it was.
func TestImportedGuide(t *testing.T) {
	t.Parallel()
	s := importGuide(t, t.TempDir(), nil)
	file := filepath.Join(s.dir, "in.flv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone,
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", file))
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", file, "-c", "copy", "-f", "flv", "rtmp://"+s.rtmp+"/show/test"))
	playlist, fragments := s.ended(t, "test")
	checkTS(t, playlist, fragments, probeFile(t, file))
	decode(t, fragments)
}

// TestImportedGuideInABrowser watches it through a proxy that brings HTTPS and knows
// nothing of rtmpd. The guide's own directory is used, /nginx/live.
func TestImportedGuideInABrowser(t *testing.T) {
	t.Parallel()
	s := importGuide(t, "", guideDirectory(t))
	background(t, ffmpegLive(t, "rtmp://"+s.rtmp+"/show/test"))
	s.waitLive(t, "test")
	e := newEntrance(t)
	nginx.start(t, e, "location /live/ { proxy_pass http://"+s.http+"; }")
	playInChromium(t, hlsjsPage, "https://"+e.secure+"/live/test.m3u8")
}

// importGuide runs what the guide's nginx.conf is imported as, with nothing edited.
// prefix stands before the directories that it names; wrap, if it is not nil, begins the
// command line.
func importGuide(t *testing.T, prefix string, wrap []string) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	conf, path := filepath.Join(s.dir, "nginx.conf"), filepath.Join(s.dir, "rtmpd.hcl")
	if err := os.WriteFile(conf, []byte(strings.ReplaceAll(guideConf, "DIR", prefix)), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, exec.Command(rtmpd, "import", "-strict", "-o", path, conf))
	if text := string(read(t, path)); !strings.Contains(text, `"`+prefix+`/nginx/live"`) {
		t.Fatalf("%s/nginx/live is not in the result:\n%s", prefix, text)
	}
	s.runImported(t, path, wrap...)
	return s
}

// guideDirectory has rtmpd find an empty /nginx/live: it makes it, or, where the test may
// not, returns the command under which rtmpd sees one.
func guideDirectory(t *testing.T) (wrap []string) {
	t.Helper()
	err := os.Mkdir("/nginx", 0o755)
	if err == nil {
		t.Cleanup(func() { _ = os.RemoveAll("/nginx") })
		return nil
	}
	t.Logf("%v: in a name space of its own", err)
	// The same root with an empty /nginx, for this process alone.
	const script = `set -e
root=$1; shift
for at in /*; do
	case $at in /nginx) continue;; esac
	if [ -L "$at" ]; then cp -P "$at" "$root$at"
	elif [ -d "$at" ]; then mkdir "$root$at"; mount --rbind "$at" "$root$at"
	fi
done
mkdir "$root/nginx"
exec chroot "$root" "$@"`
	return []string{tool(t, "unshare"), "-rm", "sh", "-c", script, "sh", t.TempDir()}
}

// TestImportedLadder imports the second part of the guide: one command makes three
// renditions of what is published, which meet in one playlist.
func TestImportedLadder(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	path := s.importGolden(t, string(read(t, "../../internal/nginxconf/testdata/golden/guide_ladder.txtar")))
	hcl := strings.ReplaceAll(string(read(t, path)), `"ffmpeg", "-i"`, strconv.Quote(tool(t, "ffmpeg"))+`, "-i"`)
	hcl += "\nhttp {\n  listen = \"127.0.0.1:0\"\n  location \"/hls\" {\n    root = \"" + s.dir + "/mnt\"\n  }\n}\n"
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	s.runImported(t, path)
	// The command names port 1935 without saying so: here it is another one. Saving
	// reloads.
	hcl = strings.ReplaceAll(hcl, "rtmp://localhost/", "rtmp://"+s.rtmp+"/")
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, 90*time.Second, "rtmpd reloads", func() bool { return strings.Contains(s.log.String(), "configuration reloaded") })
	background(t, command(t, 2*time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", testcard, "-c", "copy", "-f", "flv", "rtmp://"+s.rtmp+"/live/test"))
	for _, suffix := range []string{"_low", "_mid", "_src"} {
		eventually(t, time.Minute, "test"+suffix+".m3u8 has a fragment", func() bool {
			text, err := get("http://" + s.http + "/hls/test" + suffix + ".m3u8")
			return err == nil && strings.Contains(string(text), "#EXTINF")
		})
	}
	eventually(t, 90*time.Second, "the multivariant playlist names three renditions", func() bool {
		master, err := get("http://" + s.http + "/hls/test.m3u8")
		return err == nil && strings.Count(string(master), "#EXT-X-STREAM-INF") == 3 && strings.Contains(string(master), "BANDWIDTH=864000")
	})
}

// runImported starts rtmpd with an imported configuration, which says nothing of where
// rtmpd keeps its own things. wrap is what begins the command line.
func (s *server) runImported(t *testing.T, path string, wrap ...string) {
	t.Helper()
	args := append(wrap, rtmpd, "run", "-c", path)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "RECORD_DIR="+s.dir, "YOUTUBE_KEY=a-key", "TWITCH_KEY=a-key", "STATE_DIRECTORY="+filepath.Join(s.dir, "state"), "RUNTIME_DIRECTORY="+filepath.Join(s.dir, "run"))
	if wrap == nil {
		cmd.Env = append(cmd.Env, "PATH=/nonexistent")
	}
	s.log = watch(t, cmd)
	s.rtmp = listensAt(t, s.log.String, "rtmp", 1)[0]
	if strings.Contains(string(read(t, path)), "http {") {
		s.http = listensAt(t, s.log.String, "http", 1)[0]
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var (
	// Parts of the golden files of internal/nginxconf (txtar).
	goldenPart = regexp.MustCompile(`(?m)^-- (.+) --\n`)
	// Where the results listen, lie, and which programs they run, on nobody's real machine.
	importedListen = regexp.MustCompile(`(?m)^(\s*listen\s*= )[^\n]*[0-9"][^\n]*$`)
	importedPath   = regexp.MustCompile(`"/((?:tmp|srv|var|mnt|opt|data|www|dev/shm|etc)[/"])`)
	importedFFmpeg = regexp.MustCompile(`"/usr/bin/ffmpeg"`)
	certificateAt  = regexp.MustCompile(`(?m)^\s*(certificate|key)\s*= "([^"]*)"$`)
)

// TestImportsRun runs what each golden nginx.conf of internal/nginxconf is imported as.
// Where anybody may publish to an application with HLS, somebody does.
func TestImportsRun(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../internal/nginxconf/testdata/golden/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	beside := together(t)
	defer beside.Wait()
	for _, golden := range files {
		text := string(read(t, golden))
		if !strings.Contains(text, "\n-- rtmpd.hcl --\n") {
			continue // a mistake, and its error
		}
		beside.Run(strings.TrimSuffix(filepath.Base(golden), ".txtar"), func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			path := s.importGolden(t, text)
			cfg, _, _ := config.Load(path, config.LoadOptions{Check: true})
			s.runImported(t, path)
			r := &cfg.RTMP[0]
			for i := range r.Applications {
				app := &r.Applications[i]
				if app.HLS == nil || app.HLS.Keys != nil || !app.Access.Publish.Allows(netip.MustParseAddr("127.0.0.1")) ||
					app.Hooks.OnPublish != "" || r.OnConnect != "" || len(r.ProxyProtocol) > 0 || r.TLS != nil {
					continue
				}
				name := filepath.Join(string(app.HLS.Path), "test.m3u8")
				if app.HLS.Nested {
					name = filepath.Join(string(app.HLS.Path), "test", "index.m3u8")
				}
				succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-i", testcard, "-c", "copy", "-f", "flv", "rtmp://"+s.rtmp+"/"+app.Name+"/test"))
				eventually(t, 90*time.Second, name+" is written", func() bool {
					_, err := os.Stat(name)
					return err == nil
				})
				t.Logf("published to %s", app.Name)
			}
		})
	}
}

// importGolden imports the nginx.conf of a golden file and puts what the result names
// into a directory of the test.
func (s *server) importGolden(t *testing.T, text string) string {
	t.Helper()
	parts := goldenPart.FindAllStringSubmatchIndex(text, -1)
	for i, p := range parts {
		end := len(text)
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		name := filepath.Join(s.dir, text[p[2]:p[3]])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text[p[1]:end], "/etc/nginx/", s.dir+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(s.dir, "imported.hcl")
	succeed(t, exec.Command(rtmpd, "import", "-o", path, filepath.Join(s.dir, "nginx.conf")))
	hcl := string(read(t, path))
	n := 0
	hcl = importedListen.ReplaceAllStringFunc(hcl, func(line string) string { // each its own: blocks are told apart by it
		n++
		return fmt.Sprintf("%s\"127.0.0.%d:0\"", importedListen.FindStringSubmatch(line)[1], n)
	})
	hcl = importedPath.ReplaceAllString(hcl, `"`+s.dir+`/$1`)
	hcl = importedFFmpeg.ReplaceAllString(hcl, `"/bin/false"`)
	if pairs := certificateAt.FindAllStringSubmatch(hcl, -1); len(pairs) == 2 {
		for _, p := range pairs {
			if !filepath.IsAbs(p[2]) {
				p[2] = filepath.Join(s.dir, p[2])
			}
			if err := os.MkdirAll(filepath.Dir(p[2]), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		succeed(t, command(t, time.Minute, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
			"-out", pairs[0][2], "-keyout", pairs[1][2]))
	}
	if err := os.WriteFile(path, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
