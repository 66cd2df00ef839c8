package server

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const vodBlock = `
rtmp {
  listen = "127.0.0.1:0"
  application "vod" {
    vod { path = ["$DIR/missing", "$DIR/videos"] }
    %s
  }
}
`

// vod runs a server whose application "vod" has the test card as card.flv and
// sub/card.flv.
func vodRig(t *testing.T, more string) *rig {
	t.Helper()
	r := newRig(t)
	b, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		t.Fatal(err)
	}
	r.write("videos/card.flv", string(b))
	r.write("videos/sub/card.flv", string(b))
	r.write("secret.flv", string(b))
	r.cfg = r.load(strings.Replace(vodBlock, "%s", more, 1))
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// A viewer plays a file.
type viewer struct{ *spectator }

// playFile asks to play, with a buffer of so many seconds.
func (r *rig) playFile(name string, buffer time.Duration, args ...amf.Value) viewer {
	r.Helper()
	s := &spectator{Client: r.mustDial("vod", dialling{}).Client, rig: r, done: make(chan struct{})}
	v := viewer{s}
	if err := s.WriteCommand(0, "createStream", 2, nil); err != nil {
		r.Fatal(err)
	}
	if err := s.WriteUserControl(rtmp.BufferLength, 1, uint32(buffer.Milliseconds())); err != nil {
		r.Fatal(err)
	}
	v.say("play", append([]amf.Value{name}, args...)...)
	s.read()
	return v
}

func (v viewer) say(command string, args ...amf.Value) {
	v.rig.Helper()
	if err := v.WriteCommand(1, command, 0, append([]amf.Value{nil}, args...)...); err != nil {
		v.rig.Fatal(err)
	}
	if err := v.Flush(); err != nil {
		v.rig.Fatal(err)
	}
}

// toEnd waits for the end of the file, n times.
func (v viewer) toEnd(n int) {
	v.rig.Helper()
	v.rig.eventually("the end of the file", func() bool {
		return len(slices.DeleteFunc(v.codes(), func(c string) bool { return c != rtmp.StatusPlayStop })) == n
	})
}

// since are the frames after the n-th status of a code.
func (v viewer) since(code string, n int) (out []rtmp.Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, m := range v.all {
		if m.Type == rtmp.TypeCommandAMF0 {
			if st, ok := statusIn(m); ok && st.Code == code {
				n--
				out = nil
			}
			continue
		}
		if n == 0 && (m.Type == rtmp.TypeAudio || m.Type == rtmp.TypeVideo) {
			out = append(out, m)
		}
	}
	return out
}

func TestAFileIsPlayed(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	for _, name := range []string{"card", "card.flv", "flv:card", "FLV:card.flv", "sub/card", "/sub/card.flv", "mp4:card", "card?x=1"} {
		v := r.playFile(name, time.Hour)
		v.toEnd(1)
		got, want := v.frames(), card().frames
		if len(got) != len(want) {
			t.Fatalf("%s: %d frames, want %d", name, len(got), len(want))
		}
		for i := range want {
			if got[i].Timestamp != want[i].Timestamp || string(got[i].Payload) != string(want[i].Payload) {
				t.Fatalf("%s: frame %d is another", name, i)
			}
		}
		if codes := v.codes(); !slices.Equal(codes, []string{rtmp.StatusPlayReset, rtmp.StatusPlayStart, rtmp.StatusPlayStop}) {
			t.Errorf("%s: %v", name, codes)
		}
		if m := v.metadata(); len(m) != 1 || m[0].Get("duration") != 15.979 {
			t.Errorf("%s: metadata %v", name, m)
		}
		v.Close()
	}
	r.logged("play stopped", "card")
	r.eventually("nobody plays", func() bool { return r.connections() == 0 })
}

func TestAFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	if err := os.Symlink(filepath.Join(r.dir, "secret.flv"), filepath.Join(r.dir, "videos/out.flv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("card.flv", filepath.Join(r.dir, "videos/in.flv")); err != nil {
		t.Fatal(err)
	}
	r.write("videos/.hidden.flv", "FLV")
	r.write("videos/text.flv", "no FLV at all, but long enough to look like one")
	for name, want := range map[string]string{
		"nothing": rtmp.StatusPlayStreamNotFound, "out": rtmp.StatusPlayStreamNotFound, "sub": rtmp.StatusPlayStreamNotFound,
		"../secret": rtmp.StatusPlayFailed, "sub/../../secret": rtmp.StatusPlayFailed, ".hidden": rtmp.StatusPlayFailed,
		"a\x00b": rtmp.StatusPlayFailed, strings.Repeat("a", 256): rtmp.StatusPlayFailed, "a//b": rtmp.StatusPlayFailed,
		"sub/%2e%2e/secret": rtmp.StatusPlayStreamNotFound, "a\\..\\secret": rtmp.StatusPlayFailed, "text": rtmp.StatusPlayFailed,
		strings.Repeat("a", 255): rtmp.StatusPlayStreamNotFound,
	} {
		if st := r.playFile(name, time.Hour).told(); st.Code != want || st.Level != "error" {
			t.Errorf("%.40q: %v, want %s", name, st, want)
		}
	}
	r.playFile("in", time.Hour).toEnd(1)
	r.logged("file can't be opened", "escapes")
	if n := r.logs.FilterMessage("file can't be opened").Len(); n != 1 {
		t.Errorf("%d lines about files that can't be opened, want one", n)
	}
	if strings.Contains(r.allText(), "panic") {
		t.Error(r.allText())
	}
}

func TestSeekAndPauseInAFile(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	v := r.playFile("card", time.Hour)
	v.toEnd(1)
	for i, seek := range []struct{ to, first float64 }{{5500, 5000}, {0, 0}, {1e12, 15000}, {-3, 0}, {7000, 7000}} {
		v.say("seek", seek.to)
		v.toEnd(2 + i)
		got := v.since(rtmp.StatusSeekNotify, i+1)
		frames := slices.DeleteFunc(slices.Clone(got), func(m rtmp.Message) bool { return m.Payload[1] == 0 })
		if len(frames) == 0 || !isKeyframe(frames[0]) || frames[0].Timestamp != uint32(seek.first) {
			t.Fatalf("seek to %v: %d frames, the first at %d", seek.to, len(frames), frames[0].Timestamp)
		}
		if headers := len(got) - len(frames); headers != 2 || got[0].Payload[1] != 0 {
			t.Errorf("seek to %v: %d headers", seek.to, headers)
		}
		want := len(slices.DeleteFunc(slices.Clone(card().frames), func(m rtmp.Message) bool { return m.Timestamp < uint32(seek.first) }))
		if len(frames) > want || len(frames) < want-3 { // sound that stands before the keyframe
			t.Errorf("seek to %v: %d frames, want %d", seek.to, len(frames), want)
		}
	}
	v.say("pause", true, 0.0)
	v.say("seek", 3000.0)
	r.eventually("the seek is answered", func() bool { return len(v.since(rtmp.StatusSeekNotify, 6)) > 0 })
	if got := v.since(rtmp.StatusSeekNotify, 6); len(got) > 2 {
		t.Errorf("%d messages while paused", len(got))
	}
	v.say("pause", false, 0.0)
	v.toEnd(7)
	if codes := v.codes(); slices.Index(codes, rtmp.StatusPauseNotify) < 0 || slices.Index(codes, rtmp.StatusUnpauseNotify) < 0 {
		t.Errorf("%v", codes)
	}
}

func TestStartAndDurationOfAPlay(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	v := r.playFile("card", time.Hour, 4200.0, 3000.0)
	v.toEnd(1)
	f := v.frames()
	if first, last := f[0].Timestamp, f[len(f)-1].Timestamp; first != 4000 || last >= 7200 || last < 7000 {
		t.Errorf("from %d to %d", first, last)
	}
	w := r.playFile("card", time.Hour, -2000.0, -1000.0)
	w.toEnd(1)
	if f := w.frames(); len(f) != len(card().frames) {
		t.Errorf("%d frames", len(f))
	}
}

// MP4 is played by its extension or prefix, with its frames and no others.
func TestAnMP4FileIsPlayed(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	for from, to := range map[string]string{"h264.mp4": "videos/movie.mp4", "hevc.mp4": "videos/plain"} {
		b, err := os.ReadFile("../vod/testdata/" + from)
		if err != nil {
			t.Fatal(err)
		}
		r.write(to, string(b))
	}
	r.write("videos/cut.mp4", r.read("videos/movie.mp4")[:3000])
	for _, name := range []string{"movie.mp4", "mp4:movie", "mp4:movie.mp4", "movie", "mp4:plain"} {
		v := r.playFile(name, time.Hour)
		v.toEnd(1)
		video := slices.DeleteFunc(v.since(rtmp.StatusPlayStart, 1), func(m rtmp.Message) bool {
			return m.Type != rtmp.TypeVideo || m.Payload[0]&0x8f == 0x80 || m.Payload[0]&0x80 == 0 && m.Payload[1] == 0
		})
		if len(video) != 30 {
			t.Errorf("%s: %d frames", name, len(video))
		}
		if m := v.metadata(); len(m) != 1 || m[0].Get("width") != 64.0 && name != "mp4:plain" {
			t.Errorf("%s: metadata %v", name, m)
		}
		v.say("seek", 1500.0)
		v.toEnd(2)
		if got := v.since(rtmp.StatusSeekNotify, 1); len(got) < 20 || got[0].Timestamp < 800 || got[0].Timestamp > 1300 {
			t.Errorf("%s: a seek is answered with %d messages, the first at %d", name, len(got), got[0].Timestamp)
		}
		v.Close()
	}
	if st := r.playFile("cut.mp4", time.Hour).told(); st.Code != rtmp.StatusPlayFailed || !strings.Contains(st.Description, "cut off") {
		t.Errorf("%v", st)
	}
}

// A file goes out as fast as it is played, and what the player buffers before that.
func TestAFileIsPlayedInRealTime(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	begin := time.Now()
	v := r.playFile("card", 500*time.Millisecond)
	for {
		v.first()
		f := v.frames()
		passed := time.Since(begin)
		last := time.Duration(f[len(f)-1].Timestamp) * time.Millisecond
		if ahead := last - passed; ahead > 1600*time.Millisecond {
			t.Fatalf("%s after %s", last, passed)
		}
		if last > 4*time.Second {
			return
		}
		if passed > patience {
			t.Fatalf("only %s after %s", last, passed)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// on_play is asked about files: it refuses, and names another file.
func TestOnPlayIsAskedAboutAFile(t *testing.T) {
	t.Parallel()
	var done atomic.Int32
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.FormValue("call") == "play_done":
			done.Add(1)
		case r.FormValue("name") == "denied":
			w.WriteHeader(http.StatusForbidden)
		case r.FormValue("name") == "alias":
			w.Header().Set("Location", "card")
			w.WriteHeader(http.StatusFound)
		}
	}))
	defer hook.Close()
	r := vodRig(t, `on_play = "`+hook.URL+`"
    on_play_done = "`+hook.URL+`"`)
	if st := r.playFile("denied", time.Hour).told(); st.Code != rtmp.StatusPlayFailed {
		t.Errorf("%v", st)
	}
	for _, name := range []string{"alias", "sub/card"} {
		v := r.playFile(name, time.Hour)
		v.toEnd(1)
		v.Close()
	}
	r.eventually("play_done is called for both", func() bool { return done.Load() == 2 })
}

// Timestamps that leap do not make a player wait, or a file rush by.
func TestTimestampsOfAFileLeap(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	f, err := os.Create(filepath.Join(r.dir, "videos/leap.flv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec := flv.NewRecording(f, 0)
	write := func(m rtmp.Message, at uint32) {
		if err := rec.WriteTag(flv.FileTag{Type: uint8(m.Type), Timestamp: at, Body: m.Payload}, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range card().headers[1:] {
		write(m, 0)
	}
	for _, from := range []uint32{36e6, 7200e3, 0} { // 1.5 s of each
		for _, m := range card().frames {
			if m.Timestamp < 1500 {
				write(m, from+m.Timestamp)
			}
		}
	}
	if err := rec.Finish(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	v := r.playFile("leap", 10*time.Millisecond)
	v.toEnd(1)
	if took := time.Since(begin); took < 2500*time.Millisecond {
		t.Errorf("4.5 s, of which 1.01 s are sent ahead, take %s", took)
	}
}

// Rules for players hold for files, too.
func TestRulesForPlayersOfFiles(t *testing.T) {
	t.Parallel()
	r := vodRig(t, `max_players = 2
    max_players_per_ip = 2
    live = false`)
	a := r.playFile("card", time.Second)
	a.first()
	b := r.playFile("mp4:card", time.Second)
	b.first()
	if st := r.playFile("card.flv", time.Second).told(); !strings.Contains(st.Description, "max_players = 2 reached") {
		t.Errorf("a third player: %v", st)
	}
	r.playFile("sub/card", time.Second).first()
	if st := r.playFile("nothing", time.Second).told(); st.Code != rtmp.StatusPlayStreamNotFound {
		t.Errorf("%v", st)
	}
	r.refused("vod", "x", dialling{}, statusDenied, "live = false")
	b.Close()
	r.eventually("there is room again", func() bool {
		v := r.playFile("card", time.Second)
		defer v.Close()
		r.eventually("an answer", func() bool { return len(v.codes()) > 0 })
		return !slices.Contains(v.codes(), rtmp.StatusPlayFailed)
	})
	r.reload(strings.Replace(strings.Replace(vodBlock, "%s", "access {\n play = [\"deny all\"]\n }", 1), "\"$DIR/missing\", ", "", 1))
	if st := a.told(); !strings.Contains(st.Description, "access denied") {
		t.Errorf("%v", st)
	}
	if st := r.playFile("card", time.Second).told(); !strings.Contains(st.Description, "access denied") {
		t.Errorf("%v", st)
	}
}

// A live stream comes before a file of its name.
func TestAStreamComesBeforeAFile(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "reconnect_grace = 0")
	p := r.publish("vod", "card")
	p.seconds(1.5)
	v := r.playFile("card", time.Hour)
	r.fanOf("vod", "card", 1)
	v.first()
	p.Close()
	r.eventually("the stream ends", func() bool { return r.stream("vod", "card") == nil })
	v.Close()
	r.playFile("card", time.Hour).toEnd(1)
}

// What a directory does not have is fetched from a web server, once.
func TestAFileIsFetchedAndPlayed(t *testing.T) {
	t.Parallel()
	card, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/films/card.flv" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(card)
	}))
	defer web.Close()
	r := newRig(t)
	r.write("local/readme", "")
	r.cfg = r.load(`
rtmp {
  listen = "127.0.0.1:0"
  application "vod" {
    vod {
      path       = ["$DIR/local", "` + web.URL + `/films"]
      temp_path  = "$DIR/temp"
      local_path = "$DIR/local"
    }
  }
}
`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v := r.playFile("card", time.Hour)
		v.toEnd(1)
		v.Close()
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the web server is asked %d times", n)
	}
	if r.read("local/card.flv") != string(card) {
		t.Error("the file is not kept")
	}
	if names, err := os.ReadDir(filepath.Join(r.dir, "temp")); err != nil || len(names) > 0 {
		t.Errorf("temp_path has %v, %v", names, err)
	}
	if st := r.playFile("nothing", time.Hour).told(); st.Code != rtmp.StatusPlayStreamNotFound {
		t.Errorf("%v", st)
	}
}

// stat shows who plays a file, and control ends it, also one that reads nothing.
func TestPlayersOfFilesInStatAndControl(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	stuck := r.mustDial("vod", dialling{small: true})
	for _, err := range []error{stuck.WriteCommand(0, "createStream", 2, nil), stuck.WriteUserControl(rtmp.BufferLength, 1, 3600000), stuck.WriteCommand(1, "play", 0, nil, "sub/card"), stuck.Flush()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	v := r.playFile("card", time.Second)
	v.first()
	files := func() string {
		var b strings.Builder
		if err := api.WriteXML(&b, r.srv.Snapshot(), ""); err != nil {
			t.Fatal(err)
		}
		_, play, _ := strings.Cut(b.String(), "<play>")
		play, _, _ = strings.Cut(play, "</play>")
		return strings.NewReplacer("\r\n", "").Replace(play)
	}
	r.eventually("both are shown", func() bool { return strings.HasSuffix(files(), "<nclients>2</nclients>") })
	if got := files(); !strings.HasPrefix(got, "<stream><name>card.flv</name><client><id>") || !strings.Contains(got, "<name>sub/card.flv</name>") || strings.Contains(got, "<timestamp>0</timestamp><active/></client><active/>") {
		t.Errorf("%s", got)
	}
	out, err := r.srv.origin.Control(api.Command{Section: "drop", Method: "subscriber", App: "vod"})
	if err != nil || out.Count != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	if st := v.told(); !strings.Contains(st.Description, "dropped by an operator") {
		t.Errorf("%v", st)
	}
	r.eventually("both are gone", func() bool { return r.connections() == 0 && files() == "<nclients>0</nclients>" })
}

// A hundred players of one file get all of it.
func TestManyPlayersOfAFile(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	var all []viewer
	for range 100 {
		all = append(all, r.playFile("card", time.Hour))
	}
	for _, v := range all {
		v.toEnd(1)
		if n := len(v.frames()); n != len(card().frames) {
			t.Errorf("%d frames", n)
		}
	}
	for _, v := range all {
		v.Close()
	}
	r.eventually("nobody plays", func() bool { return r.connections() == 0 })
}

// Many seeks cost no more than the newest of them, and each player is for itself.
func TestASeekStorm(t *testing.T) {
	t.Parallel()
	r := vodRig(t, "")
	var all []viewer
	for range 20 {
		all = append(all, r.playFile("card", time.Hour))
	}
	for i := range 50 {
		for _, v := range all {
			v.say("seek", float64(i*997%16000))
			v.say("pause", i%2 == 0, 0.0)
		}
	}
	for _, v := range all {
		v.say("pause", false, 0.0)
		v.say("seek", 12500.0)
		r.eventually("the last seek", func() bool {
			f, codes := v.frames(), v.codes()
			return len(f) > 0 && f[len(f)-1].Timestamp >= 15900 && codes[len(codes)-1] == rtmp.StatusPlayStop
		})
		v.Close()
	}
}
