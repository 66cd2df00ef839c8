package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/nginxconf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// An imported is a server with what an nginx.conf became. Its directories lie below dir;
// whatever it sends to or fetches from others goes to a server of the test; the programs
// that it runs are one that notes its arguments.
type imported struct {
	*rig
	elsewhere *rig
	hooks     *hookServer
	renames   string // what on_publish answers: the new name
	end       func() // has the last publisher leave
	notes     string // the report
}

const somewhereElse = `
rtmp {
  listen = "127.0.0.1:0"
  application "*" {}
}
`

var (
	writtenListen = regexp.MustCompile(`(?m)^(\s*listen\s*= )[^\n]*[0-9")][^\n]*$`)
	writtenPath   = regexp.MustCompile(`(?m)^\s*(path|root|alias|access_log|log|certificate|key|basic_auth|temp_path|local_path)\s*= .*$`)
	absolutePath  = regexp.MustCompile(`"/`)
	relativePath  = regexp.MustCompile(`"(html|temp)\b`)
	program       = regexp.MustCompile(`(?m)^(\s*command\s*= \[\s*)"[^"]*"`)
	hookURL       = regexp.MustCompile(`(?m)^(\s*on_\w+\s*= )"http://[^"]*"`)
	relayURL      = regexp.MustCompile(`(?m)^(\s*url\s*= )"rtmps?://([^/"]+)`)
)

// The files in testdata/nginx are what people write after the guides, images and
// examples of nginx-rtmp. Each is imported, and keeps what is said there below
// "promises": it takes the publishers, and makes of them what that nginx made.
func TestTheConfigurationsOfOthersKeepTheirPromises(t *testing.T) {
	paths, err := filepath.Glob("testdata/nginx/*.txtar")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			im := importFiles(t, a)
			for line := range strings.Lines(file(a, "promises")) {
				im.keeps(strings.Fields(line))
			}
		})
	}
}

func file(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// importFiles imports an nginx.conf and runs the result.
func importFiles(t *testing.T, a *txtar.Archive) *imported {
	t.Helper()
	conf := file(a, "nginx.conf")
	if strings.Contains(string(a.Comment), "CRLF") {
		conf = strings.ReplaceAll(conf, "\n", "\r\n")
	}
	const etc = "/etc/nginx/"
	result, err := nginxconf.Import(etc+"nginx.conf", []byte(conf), nginxconf.Options{
		Open: func(path string) ([]byte, error) {
			if text := file(a, strings.TrimPrefix(path, etc)); text != "" {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
		Glob: func(pattern string) (found []string, err error) {
			for _, f := range a.Files {
				if ok, _ := filepath.Match(pattern, etc+f.Name); ok {
					found = append(found, etc+f.Name)
				}
			}
			return found, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	hcl := string(result.HCL)
	passesTheChecks(t, hcl)

	im := &imported{elsewhere: start(t, somewhereElse), rig: newRig(t)}
	im.hooks = newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "publish" && im.renames != "" {
			w.Header().Set("Location", im.renames)
			w.WriteHeader(http.StatusFound)
		}
	})
	for _, n := range result.Notes {
		im.notes += n.String() + "\n"
	}
	tool := im.write("tool", "#!/bin/sh\necho \"$@\" >> "+im.dir+"/run\ncase \"$*\" in *rtmp://*) exec sleep 3600;; esac\n")
	if err := os.Chmod(tool, 0o700); err != nil {
		t.Fatal(err)
	}
	n := 0
	hcl = writtenListen.ReplaceAllStringFunc(hcl, func(line string) string { // each its own: blocks are told apart by it
		n++
		return fmt.Sprintf("%s\"127.0.0.%d:0\"", writtenListen.FindStringSubmatch(line)[1], n)
	})
	hcl = writtenPath.ReplaceAllStringFunc(hcl, func(line string) string {
		return relativePath.ReplaceAllString(absolutePath.ReplaceAllString(line, `"$$DIR/`), `"$$DIR/$1`)
	})
	hcl = program.ReplaceAllString(hcl, `$1"`+tool+`"`)
	hcl = hookURL.ReplaceAllString(hcl, `$1"`+im.hooks.url+`"`)
	hcl = relayURL.ReplaceAllStringFunc(hcl, func(line string) string {
		m := relayURL.FindStringSubmatch(line)
		if host, port, _ := strings.Cut(m[2], ":"); (host == "localhost" || host == "127.0.0.1") && (port == "" || port == "1935") {
			return m[1] + `"rtmp://SELF`
		}
		return m[1] + `"rtmp://` + im.elsewhere.addr(0)
	})
	for line := range strings.Lines(file(a, "promises")) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "certificate" {
			im.certify(1)
			im.write(f[1], im.read("cert.pem"))
			im.write(f[2], im.read("key.pem"))
		}
	}
	if strings.Contains(hcl, "rtmp://origin") || strings.Contains(conf, "pull ") {
		im.elsewhere.witness("source", "feed")
	}
	im.cfg = im.load(hcl)
	if _, err := im.srv.Apply(im.cfg); err != nil {
		t.Fatalf("%v\n%s", err, hcl)
	}
	if strings.Contains(hcl, "SELF") {
		im.reload(strings.ReplaceAll(hcl, "SELF", im.addr(0)))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\n%s", hcl, im.notes)
		}
	})
	return im
}

// passesTheChecks wants of HCL what rtmpd check and rtmpd fmt -check want.
func passesTheChecks(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, files, diags := config.Load(path, config.LoadOptions{Check: true, Env: map[string]string{}})
	if diags.HasErrors() {
		var b bytes.Buffer
		config.WriteDiagnostics(&b, files, diags)
		t.Fatalf("rtmpd check:\n%s\n%s", b.String(), text)
	}
	if formatted, _, diags := config.Format([]byte(text), path); diags.HasErrors() || string(formatted) != text {
		t.Errorf("rtmpd fmt -check: %v\n%s", diags, text)
	}
}

// keeps checks one promise.
func (im *imported) keeps(f []string) {
	im.Helper()
	if len(f) == 0 {
		return
	}
	arg := f[min(1, len(f)-1)]
	switch f[0] {
	case "publish", "sound": // [N:]APP/NAME, with the test card or its sound
		server, at, ok := strings.Cut(arg, ":")
		if !ok {
			server, at = "0", arg
		}
		n, _ := strconv.Atoi(server)
		app, name, _ := strings.Cut(at, "/")
		c, err := im.tryPublish(app, name, dialling{server: n})
		if err != nil {
			im.Fatalf("publish %s: %v", arg, err)
		}
		im.end = im.feed(c, f[0] == "sound")
	case "end": // the last publisher leaves
		im.end()
	case "play": // APP/NAME has a picture for players
		app, name, _ := strings.Cut(arg, "/")
		s := im.spectate(app, name, dialling{})
		im.eventually(arg+" is played", func() bool { return len(s.frames()) > 0 })
	case "film": // APP/NAME is a file that is played
		app, name, _ := strings.Cut(arg, "/")
		s := im.spectate(app, name, dialling{})
		im.eventually(arg+" is played", func() bool { return len(s.frames()) > 0 })
	case "pushed": // the other server gets APP/NAME
		app, name, _ := strings.Cut(arg, "/")
		im.eventually(arg+" is pushed", func() bool { return im.elsewhere.packets(app, name) > 0 })
	case "put": // the test card lies there
		card, err := os.ReadFile("../demo/testcard.flv")
		if err != nil {
			im.Fatal(err)
		}
		im.write(arg, string(card))
	case "page":
		im.write(arg, "<!doctype html><title>page</title>")
	case "file", "hls-file": // a file of the pattern is written, and not empty
		im.eventually(arg+" is there", func() bool {
			found, _ := filepath.Glob(filepath.Join(im.dir, arg))
			for _, path := range found {
				if fi, err := os.Stat(path); err == nil && fi.Size() > 0 {
					return true
				}
			}
			return false
		})
	case "get":
		im.answers(arg, http.StatusOK, "")
	case "contains":
		im.answers(arg, http.StatusOK, f[2])
	case "status":
		code, _ := strconv.Atoi(arg)
		im.answers(f[2], code, "")
	case "redirect":
		im.answers(arg, http.StatusFound, f[2])
	case "secure":
		im.answers("https:"+arg, http.StatusOK, "")
	case "hook": // CALL:NAME
		im.eventually("the hook is called: "+arg, func() bool {
			return strings.Contains(" "+strings.Join(im.hooks.seen(), " ")+" ", " "+arg+" ")
		})
	case "exec": // a program runs whose arguments have these words; * is anything
		want := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(strings.Join(f[1:], " ")), `\*`, ".*"))
		im.eventually("it runs a program with "+want.String(), func() bool { return want.MatchString(im.read("run")) })
	case "rename":
		im.renames = arg
	case "explained": // the report says so
		if want := strings.Join(f[1:], " "); !strings.Contains(im.notes, want) {
			im.Errorf("the report does not say %q:\n%s", want, im.notes)
		}
	case "certificate": // before the start
	default:
		im.Fatalf("what is %q?", f)
	}
}

// answers waits until one of the http blocks answers a path with a status, and with
// words in the text or the address.
func (im *imported) answers(path string, status int, words string) {
	im.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	path, secure := strings.CutPrefix(path, "https:")
	var last string
	im.eventually(fmt.Sprintf("%s is answered with %d %s", path, status, words), func() bool {
		last = ""
		for _, site := range im.cfg.HTTP {
			listen, scheme := site.Listen, "http://"
			if secure {
				listen, scheme = site.TLS.Listen, "https://"
			}
			a := listen[0]
			port := im.srv.Port(strings.TrimSuffix(scheme, "://"), a)
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, scheme+a.Host+":"+strconv.Itoa(port)+path, nil)
			if err != nil {
				im.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				last += err.Error() + "\n"
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			last += resp.Status + "\n"
			if resp.StatusCode == status && strings.Contains(resp.Header.Get("Location")+string(body), words) {
				return true
			}
		}
		return false
	})
}

// feed sends the test card, faster than it is watched, until the publisher leaves.
func (im *imported) feed(c *client, soundAlone bool) (end func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	const enough = 200 // frames: 3 s
	sent := make(chan struct{})
	go func() {
		defer close(done)
		clip := card()
		for i := 0; ; i++ {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
			}
			var list []rtmp.Message
			if i == 0 {
				list = append(list, clip.headers...)
			}
			m := clip.frames[i%len(clip.frames)]
			m.Timestamp += uint32(i/len(clip.frames)) * 16000
			for _, m := range append(list, m) {
				if soundAlone && m.Type == rtmp.TypeVideo {
					continue
				}
				if c.WriteMessage(m) != nil {
					return
				}
			}
			if c.Flush() != nil {
				return
			}
			if i == enough {
				close(sent)
			}
		}
	}()
	end = sync.OnceFunc(func() {
		select {
		case <-sent:
		case <-done:
		}
		close(quit)
		<-done
		_ = c.Unpublish() // the server may have closed
	})
	im.Cleanup(end)
	return end
}
