package origin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// execBlock is a block that runs a script of sh, in which $DIR is the rig's directory.
func execBlock(kind, name, script, more string) string {
	return fmt.Sprintf(`exec %q %q {
      command     = ["sh", "-c", %q]
      %s
    }
    `, kind, name, strings.NewReplacer("$DIR", "$DIR", "$", "$$").Replace(script), more)
}

func (r *rig) file(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(b)
}

// pids are those that scripts have written to a file, one a line.
func (r *rig) pids(name string) (out []int) {
	for line := range strings.Lines(r.file(name)) {
		if pid, err := strconv.Atoi(strings.TrimSuffix(line, "\n")); err == nil && strings.HasSuffix(line, "\n") {
			out = append(out, pid)
		}
	}
	return out
}

// alive says whether a process is. A dead one may wait for process 1 to reap it.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// waits keeps a script running, and says its number.
const waits = `echo $$ >>$DIR/%s; exec sleep 1000`

// A push runs while its stream does: through the reconnect_grace, for the streams it is
// for, and not before the publisher was accepted.
func TestExecPushRunsWhileTheStreamDoes(t *testing.T) {
	t.Parallel()
	cfg := liveWith(execBlock("push", "x", `echo "$RTMPD_NAME $RTMPD_ADDR $RTMPD_PUBLISHER" >>$DIR/names; `+fmt.Sprintf(waits, "pids"), `streams = ["cam*", "!cam9"]`) +
		`reconnect_grace = "1h"` + "\n" + `access { publish = ["deny 10.0.0.1", "allow all"] }`)
	r := newRig(t, cfg)
	if _, err := r.fake().publish("live", "cam1"); err == nil {
		t.Fatal("it was accepted")
	}
	other, err := r.fake().publish("live", "cam9")
	if err != nil {
		t.Fatal(err)
	}
	f := r.fake()
	p, err := f.publish("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("it runs", func() bool { return len(r.pids("pids")) == 1 })
	pid := r.pids("pids")[0]
	if got := r.file("names"); got != "cam1 \n" && !strings.HasPrefix(got, "cam1 ") {
		t.Errorf("it is told %q", got)
	}
	p.Leave(false)
	back, err := f.publish("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("stat shows it", func() bool {
		s, _, _ := r.service.Snapshot(time.Now())
		for _, st := range s.Applications[0].Streams {
			if st.Name == "cam1" && len(st.Outputs) == 1 && st.Outputs[0].Kind == "exec" && strings.Contains(st.Outputs[0].State.Target, strconv.Itoa(pid)) {
				return true
			}
		}
		return false
	})
	if got := r.pids("pids"); len(got) != 1 || !alive(pid) {
		t.Errorf("a reconnect began it again: %v", got)
	}
	back.evicted.Store(true) // no grace
	back.Leave(true)
	r.eventually("it ends with the stream", func() bool { return !alive(pid) })
	other.Leave(true)
}

// A reload touches only the program whose block has changed.
func TestAReloadTouchesOneProgram(t *testing.T) {
	t.Parallel()
	block := func(b string) string {
		return liveWith(execBlock("push", "a", fmt.Sprintf(waits, "a"), "") + b + execBlock("static", "s", fmt.Sprintf(waits, "s"), ""))
	}
	r := newRig(t, block(execBlock("push", "b", fmt.Sprintf(waits, "b"), "")))
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave(true)
	r.eventually("all run", func() bool { return len(r.pids("a")) == 1 && len(r.pids("b")) == 1 && len(r.pids("s")) == 1 })
	first := r.pids("b")[0]
	r.reload(block(execBlock("push", "b", fmt.Sprintf(waits, "b"), `kill_timeout = "9s"`)))
	r.eventually("the changed one runs anew", func() bool { return len(r.pids("b")) == 2 })
	if alive(first) {
		t.Error("the one before still runs")
	}
	second := r.pids("b")[1]
	r.reload(block(""))
	r.eventually("the removed one is gone", func() bool { return !alive(second) })
	r.reload(block(execBlock("push", "c", fmt.Sprintf(waits, "c"), "") + execBlock("static", "t", fmt.Sprintf(waits, "t"), "")))
	r.eventually("the new ones run", func() bool { return len(r.pids("c")) == 1 && len(r.pids("t")) == 1 })
	for _, name := range []string{"a", "s"} {
		if got := r.pids(name); len(got) != 1 || !alive(got[0]) {
			t.Errorf("%s was touched: %v", name, got)
		}
	}
	static := r.pids("t")[0]
	r.reload("rtmp {\n  listen = \"127.0.0.1:0\"\n  application \"other\" {}\n}")
	p.Leave(true)
	r.eventually("a removed application leaves nothing", func() bool {
		return !alive(static) && !alive(r.pids("a")[0]) && !alive(r.pids("c")[0]) && !alive(r.pids("s")[0])
	})
}

// Events run once each, in the names of who caused them.
func TestExecOfEvents(t *testing.T) {
	t.Parallel()
	var blocks strings.Builder
	for _, kind := range []string{"publish", "publish_done", "play", "play_done"} {
		blocks.WriteString(execBlock(kind, "e", `echo "$RTMPD_APP $RTMPD_NAME $RTMPD_CLIENTID $RTMPD_PUBLISHER" >>$DIR/`+kind, ""))
	}
	r := newRig(t, liveWith(blocks.String()+`stream_key "cam" { secret = "good-secret-0001" }`+"\n"+`stream_key "jo" {
      secret = "good-secret-0002"
      stream = "cam2"
    }
    reconnect_grace = "0s"`))
	if _, err := r.fake().publish("live", "wrong-secret-0001"); err == nil {
		t.Fatal("it was accepted")
	}
	p, err := r.fake().publish("live", "good-secret-0002")
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.fake().play("live", "cam2")
	if err != nil {
		t.Fatal(err)
	}
	w.Leave()
	p.Leave(true)
	for kind, want := range map[string]string{"publish": "live cam2 2 jo\n", "publish_done": "live cam2 2 jo\n", "play": "live cam2 3 \n", "play_done": "live cam2 3 \n"} {
		r.eventually(kind, func() bool { return r.file(kind) != "" })
		if got := r.file(kind); got != want {
			t.Errorf("%s is told %q, want %q", kind, got, want)
		}
	}
}

// No command is told a key, nor a name that a hook has replaced, wherever a client says it.
func TestExecIsToldNoSecret(t *testing.T) {
	t.Parallel()
	const key, typed = "good-secret-0001", "typed-secret-0002"
	hook := httptest.NewServer(http.RedirectHandler("public", http.StatusFound))
	defer hook.Close()
	all := execBlock("publish", "e", `echo "$*" >>$DIR/env; env >>$DIR/env; echo end >>$DIR/env`, "")
	all = strings.Replace(all, `]`, `, "sh", "$name $args $tcurl $pageurl $swfurl $flashver"]`, 1)
	for cfg, name := range map[string]string{
		`stream_key "cam" { secret = "` + key + `" }`: "cam?a=b&key=" + key,
		`on_publish = "` + hook.URL + `"`:             typed + "?a=b&key=" + typed,
	} {
		r := newRig(t, liveWith(all+cfg))
		f := r.fake()
		f.who.Session.TCURL = "rtmp://host/live?" + name[strings.LastIndexByte(name, '&')+1:]
		p, err := f.publish("live", name)
		if err != nil {
			t.Fatal(err)
		}
		r.eventually("it has run", func() bool { return strings.HasSuffix(r.file("env"), "end\n") })
		p.Leave(true)
		if got := r.file("env"); strings.Contains(got, "secret-000") || !strings.Contains(got, "RTMPD_NAME=") || !strings.Contains(got, "RTMPD_ARGS=a=b\n") {
			t.Errorf("%s: it is told\n%s", cfg, got)
		}
	}
}

// Those of a recorder and those of the application run for each file.
func TestExecOfRecordings(t *testing.T) {
	t.Parallel()
	say := `echo "$RTMPD_RECORDER $RTMPD_BASENAME $RTMPD_DIRNAME/$RTMPD_FILENAME" >>$DIR/`
	r := newRig(t, liveWith(execBlock("record_done", "app", say+"app", "")+`reconnect_grace = "0s"
    record "all" {
      path = "$DIR/rec"
      `+execBlock("record_started", "r", say+"started", "")+execBlock("record_done", "r", say+"done", `streams = ["cam"]`)+`
    }`))
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	p.card(25)
	want := "all cam " + r.dir + "/rec/cam.flv\n"
	r.eventually("started", func() bool { return r.file("started") == want })
	if r.file("done") != "" {
		t.Error("record_done ran before the file was closed")
	}
	p.Leave(true)
	r.eventually("done", func() bool { return r.file("done") == want && r.file("app") == want })
}

// A pull runs while its name has players and nobody else publishes it.
func TestExecPullRunsWhileThereArePlayers(t *testing.T) {
	t.Parallel()
	cfg := func(more string) string {
		return liveWith(execBlock("pull", "x", `echo "$RTMPD_APP $RTMPD_NAME" >>$DIR/names; `+fmt.Sprintf(waits, "pids"), `streams = ["cam*"]
      respawn_timeout = "20ms"`+more) + "reconnect_grace = \"0s\"\n    idle_streams = false")
	}
	r := newRig(t, cfg(""))
	r.linger = 300 * time.Millisecond
	if _, err := r.fake().play("live", "other"); err == nil {
		t.Fatal("a name that nobody pulls is waited for")
	}
	one, err := r.fake().play("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	two, err := r.fake().play("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("it runs", func() bool { return len(r.pids("pids")) == 1 })
	if r.file("names") != "live cam\n" {
		t.Errorf("it is told %q", r.file("names"))
	}
	pid := r.pids("pids")[0]
	one.Leave()
	if !alive(pid) {
		t.Error("it ended with the first player of two")
	}
	r.reload(cfg("\n      kill_timeout = \"7s\""))
	r.eventually("a changed block runs anew", func() bool { return len(r.pids("pids")) == 2 && !alive(pid) })
	pid = r.pids("pids")[1]
	for range 100 { // who comes back at once finds it running
		two.Leave()
		if two, err = r.fake().play("live", "cam"); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.pids("pids"); len(got) != 2 || !alive(pid) {
		t.Errorf("players that come and go have started %v", got)
	}
	two.Leave()
	r.eventually("it ends with the last player", func() bool { return !alive(pid) })

	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	three, err := r.fake().play("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // some respawn_timeouts
	if len(r.pids("pids")) != 2 {
		t.Error("it runs although there is a publisher")
	}
	p.Leave(true)
	r.eventually("it runs once the publisher is gone", func() bool { return len(r.pids("pids")) == 3 })
	three.Leave()
	r.reload(liveWith(""))
	r.eventually("a removed block leaves nothing, though its time was not over", func() bool { return !alive(r.pids("pids")[2]) })
}

// The next stream of a name has its outputs at once, though the program of the one
// before takes its time; the program itself waits.
func TestAProgramThatEndsSlowlyHoldsUpNoOutput(t *testing.T) {
	t.Parallel()
	shop := &toyShop{}
	r := newRig(t, liveWith(execBlock("push", "x", `trap 'sleep 1; echo end >>$DIR/order; exit' TERM; echo begin >>$DIR/order; while :; do sleep 0.05; done`, "")+`reconnect_grace = "0s"`))
	r.outputKinds = append([]OutputKind{shop.kind()}, outputKinds...)
	p, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("it runs", func() bool { return r.file("order") == "begin\n" })
	p.Leave(true)
	q, err := r.fake().publish("live", "cam")
	if err != nil {
		t.Fatal(err)
	}
	defer q.Leave(true)
	r.eventually("the other output of the next stream", func() bool { return len(shop.opened()) == 2 })
	if strings.Contains(r.file("order"), "end") {
		t.Error("the output waited for the program")
	}
	r.eventually("the program runs again", func() bool { return strings.Count(r.file("order"), "begin") == 2 })
	if r.file("order") != "begin\nend\nbegin\n" {
		t.Errorf("order %q", r.file("order"))
	}
}

// A thousand publishes leave no process behind.
func TestManyPublishesLeaveNoProcess(t *testing.T) {
	t.Parallel()
	r := newRig(t, liveWith(execBlock("push", "x", "exec sleep 1001", "")+execBlock("publish_done", "x", "exit 1", "")+`reconnect_grace = "0s"`))
	before := len(sleepers("1001"))
	for i := range 1000 {
		p, err := r.fake().publish("live", fmt.Sprintf("cam%d", i%20))
		if err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			r.eventually("some run", func() bool { return len(sleepers("1001")) > before })
		}
		p.Leave(true)
	}
	r.eventually("all are gone", func() bool { return len(sleepers("1001")) == before && zombies() == 0 })
}

// sleepers are the processes that sleep for so long.
func sleepers(seconds string) (out []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && string(b) == "sleep\x00"+seconds+"\x00" {
			out = append(out, path)
		}
	}
	return out
}

// zombies are children of this process that nobody waited for.
func zombies() (n int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		b, _ := os.ReadFile(path)
		if i := strings.LastIndex(string(b), ") "); i > 0 {
			if f := strings.Fields(string(b)[i+2:]); len(f) > 1 && f[0] == "Z" && f[1] == strconv.Itoa(os.Getpid()) {
				n++
			}
		}
	}
	return n
}
