package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pushing is a server with an API whose streams of live can be pushed to copy of itself; the
// application copy takes no key, live takes anna's and those of a file.
const pushing = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    stream_key "anna" {
      secret = "annas-secret-key"
    }
    $PUSHES
    stream "show*" {
      max_players = 100
    }
  }
  application "copy" {}
}
http {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/access.log"
}`

// restarted is the server with what it kept, after a stop.
func (r *rig) restarted(hcl string) *rig {
	r.Helper()
	if err := r.stop(); err != nil {
		r.Fatal(err)
	}
	next := newRig(r.TB)
	next.dir = r.dir
	next.cfg = next.load(hcl)
	if _, err := next.srv.Apply(next.cfg); err != nil {
		r.Fatal(err)
	}
	return next
}

func (r *rig) stateFile() string {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(string(r.cfg.StateDir), "api.json"))
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}

// refuses sends a command that must be refused with these words.
func (r *rig) refuses(command string, status int, words string) {
	r.Helper()
	got, answer := apiCall{path: "/api2", body: command, token: apiSecret}.do(r)
	if got != status || !strings.Contains(answer, words) {
		r.Errorf("%s: %d %s, want %d with %q", command, got, answer, status, words)
	}
}

func TestStreamKeysOfTheAPISurviveARestart(t *testing.T) {
	t.Parallel()
	hcl := withAPI(pushing)
	r := start(t, strings.Replace(hcl, "$PUSHES", "", 1))
	r.refused("live", "bens-secret-key", dialling{}, statusDenied, "wrong stream key")
	r.mists(`{"streamkey_add":{"bens-secret-key":"ben"}}`, `{"streamkey_add":{"added":["sha256:434fa7bac82b9d5b"]}}`)
	r.publish("live", "bens-secret-key").seconds(0.2)
	r.eventually("ben is there under his name", func() bool { return r.packets("live", "ben") > 0 })
	r.mists(`{"streamkeys":true}`, `{"streamkeys":{"sha256:434fa7bac82b9d5b":"ben"}}`)
	r.refuses(`{"streamkey_add":{"annas-secret-key":"eve"}}`, 409, "the configuration has this key, for")
	r.refuses(`{"streamkey_del":"annas-secret-key"}`, 409, "remove it there")
	r.refuses(`{"streamkey_add":{"copys-secret-key":"copy/x"}}`, 409, "its first key would shut all others out")
	r.refuses(`{"streamkey_add":{"short":"x"}}`, 400, "at least 12 characters")
	r.refuses(`{"streamkey_add":{"long-enough-secret":"live/.x"}}`, 400, "stream name")
	if status, answer := (apiCall{path: "/api2", body: `{"streamkey_add":{"long-enough-secret":"x"}}`, token: "reader-0123456789abcdef"}).do(r); status != 403 {
		t.Errorf("a reader adds a key: %d %s", status, answer)
	}
	if kept := r.stateFile(); strings.Contains(kept, "bens-secret") || !strings.Contains(kept, `"stream": "ben"`) {
		t.Errorf("kept is %s", kept)
	}
	if fi, err := os.Stat(filepath.Join(string(r.cfg.StateDir), "api.json")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", fi.Mode(), err)
	}

	r = r.restarted(strings.Replace(hcl, "$PUSHES", "", 1))
	if plan := r.srv.Plan(r.cfg); !plan.Empty() {
		t.Errorf("a plan of the same configuration says %s", plan.Text())
	}
	if lines := strings.Join(r.srv.APIChanges(r.cfg), "\n"); lines != "by the API: stream key 434fa7bac82b9d5b of live/ben (in force)" {
		t.Errorf("the API has changed %q", lines)
	}
	p := r.publish("live", "bens-secret-key")
	p.seconds(0.2)
	r.mists(`{"streamkey_del":["bens-secret-key"]}`, `{"streamkey_del":{"removed":1}}`)
	p.ended()
	r.refused("live", "bens-secret-key", dialling{}, statusDenied, "wrong stream key")

	// What the file says counts, and without an api location nothing of it does.
	r.mists(`{"streamkey_add":{"bens-secret-key":"ben"}}`, `{"streamkey_add":{"added":["sha256:434fa7bac82b9d5b"]}}`)
	r.reload(strings.Replace(hcl, "$PUSHES", "stream_key \"bernd\" {\nsecret = \"bens-secret-key\"\n}", 1))
	r.publish("live", "bens-secret-key").seconds(0.2)
	r.eventually("the file's name counts", func() bool { return r.packets("live", "bernd") > 0 })
	if lines := strings.Join(r.srv.APIChanges(r.cfg), "\n"); !strings.Contains(lines, `without effect: the configuration has this key, for "bernd"`) {
		t.Errorf("the API has changed %q", lines)
	}
	// An empty stream_keys_file is a place for keys of the API alone.
	r.write("keys", "")
	r.reload(strings.Replace(strings.Replace(hcl, "$PUSHES", "", 1), `application "copy" {}`, "application \"copy\" {\nstream_keys_file = \"$DIR/keys\"\n}", 1))
	r.refused("copy", "copys-secret-key", dialling{}, statusDenied, "wrong stream key")
	r.mist(`{"streamkey_add":{"copys-secret-key":"copy/mine"}}`)
	r.publish("copy", "copys-secret-key").seconds(0.2)
	r.eventually("a key of the API alone", func() bool { return r.packets("copy", "mine") > 0 })
	r.reload(strings.Replace(pushing, "$PUSHES", "", 1))
	r.refused("live", "bens-secret-key", dialling{}, statusDenied, "wrong stream key")
}

func TestPushesOfTheAPI(t *testing.T) {
	t.Parallel()
	hcl := withAPI(strings.Replace(strings.Replace(pushing, "$PUSHES", "", 1), "stream_key \"anna\" {\n      secret = \"annas-secret-key\"\n    }", "", 1))
	r := start(t, hcl)
	target := func(name string) string { return "rtmp://" + r.addr(0) + "/copy/" + name }
	r.refuses(`{"push_start":["live/cam","`+target("x")+`"]}`, 404, "is not live")
	r.refuses(`{"push_start":["live/cam","/mnt/recordings/x.mkv"]}`, 400, "files are written by record blocks")
	r.refuses(`{"push_start":["live/cam","srt://127.0.0.1:1"]}`, 400, "does not send")
	r.refuses(`{"push_auto_add":["cam","`+target("x")+`"]}`, 409, "several applications fit")
	r.refuses(`{"push_auto_add":["live/cam","`+target("x")+`",0,0,"viewers",2,1]}`, 400, "rules are not taken")
	r.refuses(`{"push_auto_add":["live/cam","`+target("x")+`",1700000000,1600000000]}`, 400, "before its beginning")
	r.mist(`{"push_auto_add":["live/cam","` + target("past") + `",1600000000,1700000000]}`)
	if list := r.mist(`{"push_auto_list":true}`); !strings.Contains(list, `(hidden)",1600000000,1700000000]`) {
		t.Errorf("push_auto_list: %s", list)
	}

	cam := r.publish("live", "cam")
	cam.seconds(2)
	r.eventually("cam is live", func() bool {
		return strings.Contains(r.mist(`{"active_streams":{"all":true,"fields":["inputs"]}}`), `"cam":[1]`)
	})
	r.mists(`{"push_start":["live/cam","`+target("once-secret")+`"]}`, `{"push_start":{"already":0,"started":1}}`)
	r.mists(`{"push_start":{"stream":"cam","target":"`+target("once-secret")+`"}}`, `{"push_start":{"already":1,"started":0}}`)
	r.eventually("the copy", func() bool { return r.packets("copy", "once-secret") > 0 })
	list := r.mist(`{"push_list":true}`)
	if strings.Contains(list, "once-secret") || !strings.Contains(list, "/copy/(hidden)") || !strings.Contains(list, `"state":"live"`) {
		t.Errorf("push_list: %s", list)
	}
	r.mists(`{"push_stop":"cam"}`, `{"push_stop":{"stopped":1}}`)
	r.eventually("the copy is over", func() bool {
		st := r.stream("copy", "once-secret") // may go at any time
		return st == nil || st.Waiting()
	})
	r.mists(`{"push_list":true}`, `{"push_list":[]}`) // the time of the other one is over
	r.mists(`{"push_auto_remove":"live/cam"}`, `{"push_auto_remove":{"removed":1}}`)

	// One that is kept, for streams to come.
	r.mists(`{"push_settings":{"wait":1}}`, `{"push_settings":{"maxspeed":0,"wait":1}}`)
	added := r.mist(`{"push_auto_add":{"stream":"live/show+","target":"` + target("$wildcard-copy") + `","inhibit":["show+no"]},"push_auto_list":true}`)
	if !strings.Contains(added, `"push_auto_list":[["show+","rtmp://`) || strings.Contains(added, "copy\"") {
		t.Errorf("push_auto_add: %s", added)
	}
	if again := r.mist(`{"push_auto_add":{"stream":"live/show+","target":"` + target("$wildcard-copy") + `","inhibit":["show+no"]}}`); !strings.Contains(again, `"added":[],"there":["`) {
		t.Errorf("added again: %s", again)
	}
	r = r.restarted(hcl) // on another port: its target is gone
	if lines := strings.Join(r.srv.APIChanges(r.cfg), "\n"); !strings.Contains(lines, "of live/show+ to rtmp://") || strings.Contains(lines, "-copy") || !strings.Contains(lines, "wait 1 s") {
		t.Errorf("the API has changed %q", lines)
	}
	if more := r.mist(`{"push_auto_add":["live/show+","` + target("$wildcard-more") + `"],"push_auto_remove":[["live/show+","` + target("other") + `"]]}`); !strings.Contains(more, `"there":[]`) || !strings.Contains(more, `"removed":0`) {
		t.Errorf("one more: %s", more)
	}
	for _, name := range []string{"show", "show+a", "show+no"} {
		r.publish("live", name).seconds(2)
	}
	r.eventually("the copy of the wildcard stream", func() bool { return r.packets("copy", "a-more") > 0 && r.packets("copy", "no-more") > 0 })
	if r.stream("copy", "-more") != nil || r.stream("copy", "show-more") != nil {
		t.Error("the base stream is pushed, too")
	}
	r.mists(`{"push_auto_remove":"show+"}`, `{"push_auto_remove":{"removed":2}}`)
	r.eventually("no push is left", func() bool { return r.mist(`{"push_list":true}`) == `{"push_list":[]}` })

	// The file wins.
	r.reload(strings.Replace(hcl, `application "live" {`, "application \"live\" {\n"+r.to("file", "f", ""), 1))
	r.refuses(`{"push_auto_add":["live/cam","`+target("f")+`"]}`, 409, `the configuration has this target, as push \"file\"`)
	if log := r.read("access.log"); strings.Contains(log, "once-secret") {
		t.Errorf("the access log: %s", log)
	}
}

// TestTheAccessLogHasNoCommands: they may hold keys.
func TestTheAccessLogHasNoCommands(t *testing.T) {
	t.Parallel()
	r := start(t, withAPI(strings.Replace(pushing, "$PUSHES", "", 1)))
	call := apiCall{method: "GET", path: `/api2?command=%7B%22push_start%22%3A%5B%22cam%22%2C%22rtmp%3A%2F%2Fexample.org%2Fapp%2Fthe-secret%22%5D%7D`, token: apiSecret}
	if status, answer := call.do(r); status != 404 || strings.Contains(answer, "the-secret") {
		t.Errorf("%d %s", status, answer)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if log := r.read("access.log"); !strings.Contains(log, "/api2?***") {
		t.Errorf("the access log has no line of the call: %s", log)
	}
	if log := r.read("access.log"); strings.Contains(log, "the-secret") {
		t.Errorf("the access log: %s", log)
	}
}

// TestAStateThatCannotBeReadIsNotWritten.
func TestAStateThatCannotBeReadIsNotWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("state/rtmpd/api.json", "{broken")
	hcl := withAPI(strings.Replace(pushing, "$PUSHES", "", 1))
	r.cfg = r.load(hcl)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	r.publish("live", "annas-secret-key").seconds(0.2)
	r.refuses(`{"streamkey_add":{"bens-secret-key":"ben"}}`, 500, "can't be read")
	r.refuses(`{"push_auto_add":["live/cam","rtmp://example.org/app/x"]}`, 500, "can't be read")
	if r.stateFile() != "{broken" {
		t.Errorf("the file is now %s", r.stateFile())
	}
	r.write("state/rtmpd/api.json", `{"pushes":[],"keys":[]}`)
	r.mists(`{"streamkey_del":"bens-secret-key"}`, `{"streamkey_del":{"removed":0}}`)
}
