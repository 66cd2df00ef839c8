package interop

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// An edge is the golden nginx.conf with relays, cameras, chat and files, imported and run.
// Where it names servers of the Internet there are servers of the test.
type edge struct {
	*side         // of its first rtmp block
	in      *side // of its second
	host    string
	process *os.Process

	origin, cdn, one, two *side        // nginx-rtmp: what it pulls from, what it pushes to
	fetched               atomic.Int32 // files of vod that were fetched over HTTP
}

func startEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{host: loopback()}
	second := loopback() // of 10.0.0.2, which is named without a port
	const asked = "on_play http://$HOOK/play;"
	e.origin = startNginx(t, "application live { live on; "+asked+" }", nil)
	e.cdn = startNginx(t, "application main { live on; "+asked+" }", nil)
	e.one = startNginx(t, "listen "+second+":1935; application in { live on; record all; record_path $DIR; }", nil)
	e.two = startNginx(t, "application in { live on; record all; record_path $DIR; }", nil)
	e.side = &side{t: t, address: e.host + ":1935", dir: recordings(t)}
	e.in = &side{t: t, address: e.host + ":1936"}
	e.script = newHookScript(t, func(c hookCall) reply {
		if c.call() == "play" {
			return reply{status: 302, location: "rtmp://" + e.origin.address + "/live/cam"}
		}
		return reply{}
	})
	e.script.address.Store(e.address)
	files := e.files()

	golden := string(read(t, "../../internal/nginxconf/testdata/golden/edge.txtar"))
	parts := goldenPart.FindAllStringIndex(golden, -1)
	conf := golden[parts[0][1]:parts[1][0]]
	for _, r := range [][2]string{
		{"listen 1935;", "listen " + e.address + ";"},
		{"listen 127.0.0.1:1936", "listen " + e.in.address},
		{"rtmp://origin.example.com/", "rtmp://" + e.origin.address + "/"},
		{"rtmp://cdn.example.com/", "rtmp://" + e.cdn.address + "/"},
		{"/usr/bin/ffmpeg -rtsp_transport tcp -i rtsp://cam1/stream", tool(t, "ffmpeg") + " -re -stream_loop -1 -i " + e.dir + "/film.flv"},
		{"rtmp://127.0.0.1/", "rtmp://" + e.host + "/"},
		{"/var/log/cam1.log", e.dir + "/cam1.log"},
		{"http://src.example.com/", files + "/src/"},
		{"http://other.example.com/", files + "/other/"},
		{"/tmp/viewers", e.dir + "/viewers"},
		{"http://127.0.0.1:9000/", e.script.url + "/"},
		{"/var/flvs", e.dir + "/flvs"},
		{"http://files.example.com/", files + "/"},
		{"/var/tmp", e.dir + "/tmp"},
		{"push 10.0.0.2;", "push " + second + ";"},
		{"10.0.0.3:1934", e.two.address},
	} {
		if !strings.Contains(conf, r[0]) {
			t.Fatalf("the golden nginx.conf has no %s", r[0])
		}
		conf = strings.ReplaceAll(conf, r[0], r[1])
	}
	path := filepath.Join(e.dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	e.conf = filepath.Join(e.dir, "rtmpd.hcl")
	succeed(t, exec.Command(rtmpd, "import", "-strict", "-o", e.conf, path))
	cmd := exec.Command(rtmpd, "run", "-c", e.conf)
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(e.dir, "state"), "RUNTIME_DIRECTORY="+filepath.Join(e.dir, "run"))
	e.log = watch(t, cmd).String
	e.process = cmd.Process
	listensAt(t, e.log, "rtmp", 2)
	return e
}

// files puts films where the configuration looks for them, and serves the others over
// HTTP, whose address it returns.
func (e *edge) files() string {
	t := e.t
	film := filepath.Join(e.dir, "film.flv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=60", "-f", "lavfi", "-i", "sine=frequency=440:duration=60",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac", "-b:a", "64k", "-shortest", "-f", "flv", film))
	for _, dir := range []string{"flvs", "tmp", "www/src", "www/other", "www/vod"} {
		if err := os.MkdirAll(filepath.Join(e.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"flvs/here.flv", "www/src/film.ts", "www/other/x.ts", "www/vod/there.flv"} {
		succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-i", film, "-c", "copy", filepath.Join(e.dir, to)))
	}
	www := http.FileServer(http.Dir(filepath.Join(e.dir, "www")))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/vod/") {
			e.fetched.Add(1)
		}
		www.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv.URL
}

// plays has ffprobe take 20 pictures of a stream.
func (e *edge) plays(stream string) {
	e.t.Helper()
	got := output(e.t, command(e.t, time.Minute, "ffprobe", "-v", "error", "-rw_timeout", "30000000", "-read_intervals", "%+#20", "-select_streams", "v",
		"-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", "rtmp://"+e.address+"/"+stream))
	if strings.TrimSpace(got) != "20" {
		e.t.Errorf("%s: %q pictures, want 20", stream, got)
	}
}

// feed publishes to another server until the test ends.
func (e *edge) feed(s *side, stream string) {
	background(e.t, command(e.t, 5*time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", filepath.Join(e.dir, "film.flv"),
		"-c", "copy", "-f", "flv", "rtmp://"+s.address+"/"+stream))
}

// TestAnEdgeWithCamerasChatAndFiles runs a well-known nginx-rtmp set-up as it is imported,
// with real processes: nginx-rtmp before and behind it, ffmpeg as its commands.
func TestAnEdgeWithCamerasChatAndFiles(t *testing.T) {
	t.Parallel()
	e := startEdge(t)
	e.feed(e.origin, "live/cam")
	e.feed(e.cdn, "main/ch")

	e.plays("edge/cam")   // pulled for its first player
	e.plays("lobby/ch_a") // pulled from the start on
	if !slices.ContainsFunc(e.cdn.script.seen(), func(c hookCall) bool { return c.get("name") == "ch" && c.get("id") == "12" }) {
		t.Errorf("the source is not asked as the pull says: %v", e.cdn.script.seen())
	}
	e.plays("camera/cam1") // a command that publishes, from the start on
	if text := read(t, filepath.Join(e.dir, "cam1.log")); !strings.Contains(string(text), "Input #0") {
		t.Errorf("its log has %q", text)
	}
	e.plays("ondemand/film") // commands that publish for the first player
	e.plays("ondemand/special")
	eventually(t, 90*time.Second, "the command for players has run for both", func() bool {
		text, _ := os.ReadFile(filepath.Join(e.dir, "viewers"))
		return strings.Count(string(text), "127.0.0.1") == 2
	})

	// The script sends each room to one and the same stream.
	n := len(e.origin.script.seen())
	var rooms []*rtmp.Client
	for _, room := range []string{"room1", "room2"} {
		c, outcome := e.play("chat", room)
		if sees := e.sees(c); outcome != "playing" || sees != "sees it" {
			t.Errorf("%s: %s, %s", room, outcome, sees)
		}
		rooms = append(rooms, c)
	}
	if pulls := len(e.origin.script.seen()) - n; pulls != 1 {
		t.Errorf("%d pulls for two rooms", pulls)
	}
	for _, c := range rooms {
		c.Close()
	}
	eventually(t, 90*time.Second, "the script is told that both are gone", func() bool {
		gone := 0
		for _, c := range e.script.seen() {
			if c.call() == "done" && strings.HasPrefix(c.get("name"), "room") {
				gone++
			}
		}
		return gone == 2
	})

	e.plays("vod/here") // files, of which some are fetched, once
	e.plays("vod/there")
	e.plays("vod/there")
	if _, err := os.Stat(filepath.Join(e.dir, "flvs", "there.flv")); err != nil || e.fetched.Load() != 1 {
		t.Errorf("%d requests for a file that is kept, %v", e.fetched.Load(), err)
	}
	e.pushesOn()
	eventually(t, 90*time.Second, "the commands for players have ended, the camera has not", func() bool { return len(children(t, e.process.Pid)) == 1 })
}

// pushesOn publishes to the second server, whose clients come through a balancer: both
// servers behind it get the stream.
func (e *edge) pushesOn() {
	t := e.t
	t.Helper()
	through := func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			_, err = fmt.Fprintf(nc, "PROXY TCP4 203.0.113.7 %s 4711 1936\r\n", e.host)
		}
		return nc, err
	}
	c, err := e.in.connect("in", rtmp.ClientOptions{DialTCP: through})
	if err != nil {
		t.Fatal(err)
	}
	if outcome := e.in.publishOn(c, "show"); outcome != "publishing" {
		t.Fatal(outcome)
	}
	const sent = 300
	e.in.send(c, sent)
	if err := c.Unpublish(); err != nil {
		t.Error(err)
	}
	pictures := 0
	for _, tag := range flvTags(t, testcard)[:sent] {
		if tag.kind == tagVideo && tag.body[1] != 0 {
			pictures++
		}
	}
	want := packetSums(t, testcard, "v")[:pictures]
	for _, s := range []*side{e.one, e.two} {
		file := filepath.Join(s.dir, "show.flv")
		eventually(t, 90*time.Second, "a server behind it has a recording", func() bool {
			_, err := os.Stat(file)
			return err == nil && !isOpen(file)
		})
		if got := packetSums(t, file, "v"); !slices.Equal(got, want) {
			t.Errorf("a server behind it has %d pictures, or others, want %d", len(got), len(want))
		}
	}
	if !strings.Contains(e.log(), "203.0.113.7") {
		t.Error("the log does not say who came through the balancer")
	}
	if _, err := e.in.connect("in", rtmp.ClientOptions{}); err == nil {
		t.Error("a client that did not come through the balancer is let in")
	}
}
