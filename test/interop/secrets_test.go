package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What must never be read anywhere. Some are cut short: of a wrong key that is
// nearly right, the beginning must not be seen either.
const (
	envSecret   = "env-secret-AAAA-1111"
	fileSecret  = "file-secret-BBBB-2222"
	hashSecret  = "hash-secret-CCCC-3333" // only its hash is in the configuration
	hookSecret  = "hook-secret-DDDD-4444" // a name that a hook replaces
	headerValue = "header-value-EEEE-5555"
	urlPassword = "url-password-FFFF-6666"
	urlQuery    = "url-query-GGGG-7777"
	webToken    = "web-token-HHHH-8888"
	webPassword = "basic-password-77"
	webHash     = "$2a$04$rAlLEhuxyTtUpmcySzRlvOGGAHMvDX.i5lcGsxXOZSaxONMvxY/u2"
)

// needles are the secrets and their nearly right beginnings.
var needles = []struct {
	text     string
	hookSees bool // it is the hook's own, or what it is asked about
}{
	{envSecret[:16], false},
	{fileSecret[:16], false},
	{hashSecret[:16], false},
	{hookSecret[:16], true},
	{headerValue, true},
	{urlPassword, true},
	{urlQuery, true},
	{webToken, false},
	{webPassword, false},
	{base64.StdEncoding.EncodeToString([]byte("eva:" + webPassword)), false},
	{webHash, false},
}

// secretConfig: $1 directory, $2 RTMP, $3 and $4 HTTP, $5 the hooks' host:port,
// $6 the log's format.
const secretConfig = `state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"
log {
  level  = "debug"
  format = "%[6]s"
  file   = "%[1]s/rtmpd.log"
}
rtmp {
  listen            = "%[2]s"
  access_log        = "%[1]s/rtmp.log"
  access_log_format = "$connection $remote_addr [$time_local] $command $app $name $args $flashver $swfurl $tcurl $pageurl"
  on_connect        = "http://user:` + urlPassword + `@%[5]s/?q=` + urlQuery + `"
  on_disconnect     = "http://user:` + urlPassword + `@%[5]s/?q=` + urlQuery + `"
  notify_headers    = { "X-Hook" = "` + headerValue + `" }

  defaults {
    on_publish      = "http://user:` + urlPassword + `@%[5]s/?q=` + urlQuery + `"
    on_publish_done = "http://user:` + urlPassword + `@%[5]s/?q=` + urlQuery + `"
    on_done         = "http://user:` + urlPassword + `@%[5]s/?q=` + urlQuery + `"
    on_playlist     = "http://user:` + urlPassword + `@%[5]s/?q=` + urlQuery + `"
    on_play         = "http://user:` + urlPassword + `@127.0.0.1:9/?q=` + urlQuery + `" # nobody answers
    on_play_http    = false
    reconnect_grace = 0
    hls {
      path     = "%[1]s/www/$app"
      fragment = "1s"
    }
  }
  application "keyed" {
    stream_key "cam" {
      secret = env("SHOW_KEY")
    }
    stream_key "desk" {
      secret = "` + fileSecret + `"
    }
    stream_key "roof" {
      secret_sha256 = "9cd53bc962932071f404a37582b372ed7547de18a8ba52b0bb740d578a11b596"
    }
  }
  application "hooked" {}
}
http {
  listen     = "%[3]s"
  access_log = "%[1]s/combined.log"
  location "/keyed" {
    root = "%[1]s/www"
  }
  location "/hooked" {
    root = "%[1]s/www"
  }
  location "/stat" {
    stat {}
  }
  location "/metrics" {
    metrics {}
  }
  location "/token" {
    health {}
    token = "` + webToken + `"
  }
  location "/basic" {
    health {}
    basic_auth = { eva = "` + webHash + `" }
  }
}
http {
  listen            = "%[4]s"
  access_log        = "%[1]s/json.log"
  access_log_format = "json"
  location "/keyed" {
    root  = "%[1]s/www"
    token = "` + webToken + `"
  }
}
`

// A vault is a run of the real binary with every kind of secret in it.
type vault struct {
	*side
	dir, path string
	web       [2]string // host:port
	cmd       *exec.Cmd
	stderr    *lockedBuffer
	answers   bytes.Buffer // of HTTP, headers included
	live      []*rtmp.Client
}

// TestNoOutputHoldsASecret publishes, plays, fails and is reloaded with every
// kind of secret, then reads all that rtmpd has written anywhere. An output that
// is empty, or does not even name the public stream, was not looked at.
func TestNoOutputHoldsASecret(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for _, format := range []string{"text", "json"} {
		beside.Run(format, func(t *testing.T) {
			v := openVault(t, format)
			v.publishers()
			v.viewers()
			outputs := v.steer()
			for name, text := range v.files() {
				outputs[name] = text
			}
			outputs["standard error"] = v.stderr.String() + "cam" // empty is fine: the log is a file
			for name, text := range outputs {
				v.judge(name, text, name == "hooks")
			}
		})
	}
}

func (v *vault) judge(name, text string, hook bool) {
	if len(text) == 0 || !strings.Contains(text, "cam") && !strings.Contains(text, "public") {
		v.t.Errorf("%s does not name a public stream, so nothing was looked at:\n%s", name, tail(text, 20))
	}
	for _, n := range needles {
		if hook && n.hookSees {
			continue
		}
		if i := strings.Index(text, n.text); i >= 0 {
			v.t.Errorf("%s holds %s: …%q", name, n.text, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

func openVault(t *testing.T, format string) *vault {
	v := &vault{side: &side{t: t}}
	v.script = newHookScript(t, func(c hookCall) reply {
		if c.call() == "publish" && strings.HasPrefix(c.get("name"), "hook-secret") {
			if c.get("name") == hookSecret {
				return reply{status: 302, location: "public"}
			}
			return reply{status: 403}
		}
		return reply{}
	})
	dir, err := os.MkdirTemp("", "rtmpd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	v.dir, v.path = dir, filepath.Join(dir, "rtmpd.hcl")
	v.configure(fmt.Sprintf(secretConfig, dir, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.2:0", strings.TrimPrefix(v.script.url, "http://"), format))
	v.cmd = v.command("run")
	v.stderr = watch(t, v.cmd)
	v.log = func() string { b, _ := os.ReadFile(filepath.Join(dir, "rtmpd.log")); return string(b) }
	v.askAddress()
	v.web = [2]string(listensAt(t, v.log, "http", 2))
	return v
}

func (v *vault) configure(text string) {
	v.t.Helper()
	if err := os.WriteFile(v.path+"~", []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
	if err := os.Rename(v.path+"~", v.path); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) command(args ...string) *exec.Cmd {
	cmd := exec.Command(rtmpd, append(args, "-c", v.path)...)
	cmd.Env = append(os.Environ(), "SHOW_KEY="+envSecret)
	return cmd
}

// arrive connects as somebody who puts the secret wherever there is room.
func (v *vault) arrive(app, secret string) *rtmp.Client {
	v.t.Helper()
	c, err := v.connect(app, rtmp.ClientOptions{
		TCURL: "rtmp://" + v.address + "/" + app + "?key=" + secret, PageURL: "http://page/?token=" + secret, SWFURL: "rtmp://h/" + app + "/" + secret,
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return c
}

func (v *vault) publishers() {
	v.t.Helper()
	// OBS and ffmpeg send the key in releaseStream and FCPublish, too.
	background(v.t, command(v.t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", testcard, "-c", "copy", "-f", "flv",
		"rtmp://"+v.address+"/keyed/"+envSecret))
	for _, p := range []struct{ app, name, secret, want string }{
		{"keyed", "desk?key=" + fileSecret + "&x=" + fileSecret, fileSecret, "publishing"},
		{"hooked", hookSecret + "?again=" + hookSecret, hookSecret, "publishing"},
		{"keyed", envSecret + "x", envSecret + "x", "not publishing"},
		{"keyed", "cam?key=" + envSecret[:18], envSecret[:18], "not publishing"},
		{"keyed", "roof?key=" + fileSecret, fileSecret, "not publishing"}, // another stream's
		{"keyed", hashSecret + "y", hashSecret + "y", "not publishing"},
		{"hooked", hookSecret + "z", "nothing", "not publishing"},
	} {
		c := v.arrive(p.app, p.secret)
		if got := v.publishOn(c, p.name); got != p.want {
			v.t.Errorf("%s of %s is %s, want %s", p.app, p.name, got, p.want)
		}
		if p.want == "publishing" {
			v.send(c, 400)
			v.live = append(v.live, c)
		} else {
			c.Close()
		}
	}
	// A player with the key in place of the name, and one whose hook is down.
	for app, name := range map[string]string{"keyed": envSecret, "hooked": "public"} {
		ctx, cancel := context.WithTimeout(v.t.Context(), 90*time.Second)
		c := v.arrive(app, "nothing")
		if got := v.outcome("playing", c.Play(ctx, name)); got != "not playing" {
			v.t.Errorf("a player of %s/%s is %s", app, name, got)
		}
		cancel()
		c.Close()
	}
}

// viewers ask over HTTP, with good and bad credentials, and keep every answer.
func (v *vault) viewers() {
	v.t.Helper()
	for _, url := range []string{"http://" + v.web[0] + "/keyed/cam.m3u8", "http://" + v.web[0] + "/hooked/public.m3u8"} {
		eventually(v.t, 90*time.Second, url, func() bool { b, err := get(url); return err == nil && bytes.Contains(b, []byte("#EXTINF")) })
	}
	for _, a := range []struct {
		site   int
		path   string
		header string
		want   int
	}{
		{0, "/keyed/cam.m3u8?key=" + envSecret, "Referer: http://page/?key=" + envSecret, 200},
		{0, "/hooked/public.m3u8?secret=" + hookSecret, "", 200},
		{0, "/keyed/roof.m3u8", "", 404},
		{0, "/keyed/" + envSecret + ".m3u8", "", 404}, // the key in place of the name
		{0, "/keyed/" + hashSecret + "/index.m3u8", "Referer: http://page/" + hashSecret, 404},
		{0, "/stat", "", 200},
		{0, "/stat?format=json", "", 200},
		{0, "/metrics", "", 200},
		{0, "/token", "", 401},
		{0, "/token?token=" + webToken, "", 401},
		{0, "/token?token=" + webToken + "x", "", 401},
		{0, "/token", "Authorization: Bearer " + webToken, 200},
		{0, "/basic", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("eva:"+webPassword)), 200},
		{0, "/basic", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("eva:"+webPassword+"x")), 401},
		{1, "/keyed/cam.m3u8", "Authorization: Bearer " + webToken, 200},
		{1, "/keyed/cam.m3u8?token=" + webToken, "", 401},
	} {
		req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, "http://"+v.web[a.site]+a.path, nil)
		if err != nil {
			v.t.Fatal(err)
		}
		if name, value, ok := strings.Cut(a.header, ": "); ok {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			v.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != a.want {
			v.t.Errorf("GET %s: %s, %v, want %d", a.path, resp.Status, err, a.want)
		}
		_ = resp.Header.Write(&v.answers)
		v.answers.Write(body)
	}
}

// steer asks what there is to ask from a shell, and reloads: a broken file, and
// one that shows everybody out.
func (v *vault) steer() map[string]string {
	v.t.Helper()
	out := make(map[string]string)
	say := func(name string, ok bool, args ...string) {
		b, err := v.command(args...).CombinedOutput()
		if (err == nil) != ok {
			v.t.Errorf("rtmpd %s: %v\n%s", strings.Join(args, " "), err, b)
		}
		out[name] = string(b)
	}
	text, err := os.ReadFile(v.path)
	if err != nil {
		v.t.Fatal(err)
	}
	old := string(text)
	say("-T", true, "-T")
	v.answer("/stat", out, "stat")
	v.answer("/stat?format=json", out, "stat as JSON")

	broken := strings.NewReplacer(`root = `, `toor = `, `secret = "`, `secret = camera "`, `"Bearer`, `"`,
		webHash, webHash+webHash, `X-Hook" = "`, "cam\nX-Hook\" = \"").Replace(old)
	v.configure(broken)
	say("check", false, "check")
	out["check"] += " cam"                             // it is about the file
	draft := filepath.Join(v.t.TempDir(), "draft.hcl") // a saved file may be in force before plan looks
	say("plan of a broken file", false, "plan")
	out["plan of a broken file"] += " cam"
	say("reload of a broken file", false, "reload")
	out["reload of a broken file"] += " cam"

	changed := strings.NewReplacer(envSecret, "x", `env("SHOW_KEY")`, `"another-secret-99"`, fileSecret, "third-secret-0000").Replace(old)
	if err := os.WriteFile(draft, []byte(changed), 0o600); err != nil {
		v.t.Fatal(err)
	}
	say("plan", true, "plan", draft)
	v.configure(changed)
	for _, file := range []string{"cmdline", "comm", "status"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", v.cmd.Process.Pid, file))
		if err != nil || len(b) == 0 {
			v.t.Errorf("/proc/PID/%s: %q, %v", file, b, err)
		}
		out["/proc"] += string(b)
	}
	out["/proc"] += " cam"
	say("reload", true, "reload")
	out["reload"] += " cam" // "no change" if the saved file was noticed before
	eventually(v.t, 90*time.Second, "the publishers with the old keys are shown out", func() bool {
		return strings.Count(v.log(), "stream key is not valid any more") >= 2
	})
	return out
}

func (v *vault) answer(path string, out map[string]string, name string) {
	b, err := get("http://" + v.web[0] + path)
	if err != nil {
		v.t.Error(err)
	}
	out[name] = string(b)
}

// files are what the run left on disk and what the hooks were sent, once every
// session's line is there.
func (v *vault) files() map[string]string {
	v.t.Helper()
	out := map[string]string{"HTTP answers": v.answers.String()}
	for _, c := range v.live {
		c.Close()
	}
	eventually(v.t, 90*time.Second, "the access logs are complete", func() bool {
		rtmpLog, _ := os.ReadFile(filepath.Join(v.dir, "rtmp.log"))
		combined, _ := os.ReadFile(filepath.Join(v.dir, "combined.log"))
		asJSON, _ := os.ReadFile(filepath.Join(v.dir, "json.log"))
		return bytes.Count(rtmpLog, []byte("\n")) == 10 && bytes.Contains(combined, []byte("/basic")) && bytes.Count(asJSON, []byte("\n")) == 2
	})
	for _, want := range []string{" PUBLISH keyed cam ", " PUBLISH keyed desk x= ", " PUBLISH hooked public again= ", " PUBLISH keyed  "} {
		if b, _ := os.ReadFile(filepath.Join(v.dir, "rtmp.log")); !strings.Contains(string(b), want) {
			v.t.Errorf("the RTMP access log has no %q:\n%s", want, b)
		}
	}
	fragments := 0
	err := filepath.WalkDir(v.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == v.path {
			return err
		}
		out["names on disk"] += path + "\n"
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		switch filepath.Ext(path) {
		case ".m3u8":
			out["playlists"] += string(b)
		case ".log":
			out[filepath.Base(path)] = string(b)
		case ".ts":
			fragments++
			out["fragments"] += " cam" + string(b)
		default:
			out["other files"] += " cam" + string(b)
		}
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	if fragments == 0 {
		v.t.Error("there is no fragment")
	}
	for _, c := range v.script.seen() {
		if c.call() == "connect" {
			continue // nobody knows yet what is a key: it loses key= only
		}
		out["hooks"] += strings.Join(c.names, " ") + " " + strings.Join(c.values, " ") + "\n"
	}
	for _, name := range []string{"rtmpd.log", "rtmp.log", "combined.log", "json.log", "playlists", "fragments", "names on disk", "hooks"} {
		if out[name] == "" {
			v.t.Errorf("%s: there is none", name)
		}
	}
	for line := range strings.Lines(out["json.log"]) {
		if !json.Valid([]byte(line)) {
			v.t.Errorf("this is no JSON: %s", line)
		}
	}
	return out
}
