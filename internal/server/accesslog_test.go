package server

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const logged = `
rtmp {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/made/rtmp.log"
  FORMAT
  application "live" {
    LINES
    reconnect_grace = 0
  }
}`

// startLogged runs a server with an access log of this format.
func startLogged(t *testing.T, format, lines string) *rig {
	t.Helper()
	return start(t, loggedConfig(format, lines))
}

func loggedConfig(format, lines string) string {
	if format != "" {
		format = "access_log_format = " + strconv.Quote(format)
	}
	return strings.NewReplacer("FORMAT", format, "LINES", lines).Replace(logged)
}

// lines waits until the access log has n lines, and returns them.
func (r *rig) lines(name string, n int) []string {
	r.Helper()
	var got []string
	r.eventually(strconv.Itoa(n)+" lines in "+name, func() bool {
		got = strings.Split(r.read(name), "\n")
		return len(got) == n+1
	})
	return got[:n]
}

func TestAccessLogIsNginxRTMPsCombined(t *testing.T) {
	t.Parallel()
	r := startLogged(t, "", "")
	o := dialling{ClientOptions: rtmp.ClientOptions{PageURL: "http://page/?token=abc&a=b", FlashVer: "FMLE/3.0 \"x\"\n"}}
	p, err := r.tryPublish("live", "cam?a=b&KEY=nope&secret=s", o)
	if err != nil {
		t.Fatal(err)
	}
	p.seconds(1)
	v := r.spectate("live", "cam", dialling{from: "127.0.0.9"})
	r.eventually("a frame", func() bool { return len(v.frames()) > 0 })
	v.Close()
	line := r.lines("made/rtmp.log", 1)[0]
	re := regexp.MustCompile(`^127\.0\.0\.9 \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] PLAY "live" "cam" "" - (\d+) (\d+) "" "[^"]*" \(\d+s\)$`)
	m := re.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the player's line is\n%s", line)
	}
	if in, _ := strconv.Atoi(m[1]); in < 3073 || in > 10000 {
		t.Errorf("received %d bytes of a player, want little more than its handshake", in)
	}
	media := 0
	for _, f := range v.frames() {
		media += len(f.Payload)
	}
	if out, _ := strconv.Atoi(m[2]); out < media+3073 {
		t.Errorf("sent %d bytes, want at least the %d of media", out, media)
	}
	p.Close()
	line = r.lines("made/rtmp.log", 2)[1]
	re = regexp.MustCompile(`^127\.0\.0\.1 \[.*\] PUBLISH "live" "cam" "a=b&secret=\*\*\*" - (\d+) \d+ "http://page/\?token=\*\*\*&a=b" "FMLE/3\.0 \\x22x\\x22\\x0A" \(\d+s\)$`)
	if m = re.FindStringSubmatch(line); m == nil {
		t.Fatalf("the publisher's line is\n%s", line)
	}
	sent := 3073
	for _, f := range card().frames[:p.frames] {
		sent += len(f.Payload)
	}
	if in, _ := strconv.Atoi(m[1]); in < sent || in > sent+sent/10+10000 {
		t.Errorf("received %s bytes, want about the %d of media and handshake", m[1], sent)
	}
}

// A session's line has the last thing it did, and all that it was.
func TestAccessLogCommands(t *testing.T) {
	t.Parallel()
	const key = "s3cret-of-the-cam"
	for _, c := range []struct{ name, lines, do, want string }{
		{"who only connects", "", "", `NONE "" ""`},
		{"a publisher", "", "publish cam?x=1", `PUBLISH "cam" "x=1"`},
		{"a player", "", "play cam?x=1&key=abc", `PLAY "cam" "x=1"`},
		{"a publisher that is denied", `access { publish = ["deny all"] }`, "publish cam?x=1", `PUBLISH "cam" "x=1"`},
		{"a publisher that is denied where there are keys", `access { publish = ["deny all"] }
    stream_key "cam" { secret = "` + key + `" }`, "publish " + key, `PUBLISH "" ""`},
		{"a player that is denied", `access { play = ["deny all"] }`, "play cam", `PLAY "cam" ""`},
		{"a bad name", "", "publish ../cam", `PUBLISH "" ""`},
		{"a bad name to play", "", "play ../cam", `PLAY "" ""`},
		{"a key as the name", `stream_key "cam" { secret = "` + key + `" }`, "publish " + key + "?x=" + key, `PUBLISH "cam" "x="`},
		{"a key as an argument", `stream_key "cam" { secret = "` + key + `" }`, "publish cam?key=" + key + "&x=1", `PUBLISH "cam" "x=1"`},
		{"a wrong key", `stream_key "cam" { secret = "` + key + `x" }`, "publish " + key + "?x=" + key, `PUBLISH "" "x="`},
		{"a key to play", `stream_key "cam" { secret = "` + key + `" }`, "play " + key + "?x=" + key, `PLAY "" "x="`},
		{"several", "", "publish cam, close, play one?y=2", `PLAY+PUBLISH "one" "y=2"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := startLogged(t, `$command "$name" "$args"`, c.lines)
			cl := r.mustDial("live", dialling{})
			for _, do := range strings.Split(c.do, ", ") {
				verb, arg, _ := strings.Cut(do, " ")
				switch verb {
				case "publish":
					_ = cl.Client.Publish(t.Context(), arg)
				case "play":
					_ = cl.Client.Play(t.Context(), arg)
				case "close":
					if err := errors.Join(cl.WriteCommand(1, "closeStream", 0, nil), cl.Flush()); err != nil {
						t.Fatal(err)
					}
				}
			}
			cl.Close()
			if got := r.lines("made/rtmp.log", 1)[0]; got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(r.allText(), key) {
				t.Error("the log has the key")
			}
		})
	}
}

// What a hook replaces is a secret, and it may be one before the hook has said so.
func TestAccessLogHasOnlyWhatAHookMadeOfAName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, do string
		status   int
		location string
		want     string
	}{
		{"renamed", "publish", 302, "public", `PUBLISH "public" "" rtmp://h/`},
		{"let in as it is", "publish", 200, "", `PUBLISH "typed-name" "" rtmp://h/typed-name`},
		{"refused", "publish", 403, "", `PUBLISH "" "" rtmp://h/typed-name`},
		{"renamed player", "play", 302, "public", `PLAY "public" "" rtmp://h/`},
		{"refused player", "play", 500, "", `PLAY "" "" rtmp://h/typed-name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHookServer(t, status(c.do, c.status, c.location))
			r := startLogged(t, `$command "$name" "$args" $tcurl`, strings.ReplaceAll(allHooks, "$HOOK", h.url))
			cl := r.mustDial("live", dialling{ClientOptions: rtmp.ClientOptions{TCURL: "rtmp://h/typed-name"}})
			if c.do == "publish" {
				_ = cl.Client.Publish(t.Context(), "typed-name?key=abc")
			} else {
				_ = cl.Client.Play(t.Context(), "typed-name")
			}
			cl.Close()
			if got := r.lines("made/rtmp.log", 1)[0]; got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestWhoIsNotLetInAtConnectHasNoLine(t *testing.T) {
	t.Parallel()
	r := startLogged(t, "$app $remote_addr", "")
	if c, err := r.dial("none", dialling{}); err == nil {
		c.Close()
		t.Fatal("there is an application none")
	}
	nc := r.rawConn(t)
	_, _ = nc.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	_, _ = io.Copy(io.Discard, nc)
	r.mustDial("live", dialling{}).Close()
	if got := r.lines("made/rtmp.log", 1)[0]; got != "live 127.0.0.1" {
		t.Errorf("the log is %q", got)
	}
}

func TestEveryVariableOfTheSchemaIsThere(t *testing.T) {
	t.Parallel()
	r := startLogged(t, strings.Join(strings.Fields(`$connection $${remote_addr} $app $flashver $swfurl $tcurl $pageurl $command $name $args
		$bytes_sent $bytes_received $time_local $msec $session_time $session_readable_time`), "|"), "")
	r.mustDial("live", dialling{ClientOptions: rtmp.ClientOptions{SWFURL: "s", TCURL: "t", FlashVer: "f", PageURL: "p\x7f"}}).Close()
	re := regexp.MustCompile(`^\d+\|127\.0\.0\.1\|live\|f\|s\|t\|p\\x7F\|NONE\|\|\|\d+\|\d+\|[^|]+\|\d{10}\.\d{3}\|0\|0s$`)
	if got := r.lines("made/rtmp.log", 1)[0]; !re.MatchString(got) {
		t.Errorf("the line is %q", got)
	}
}

func TestAccessLogFollowsReloadsAndReopens(t *testing.T) {
	t.Parallel()
	r := startLogged(t, "one $name", "")
	pub := []*client{r.publish("live", "a"), r.publish("live", "b"), r.publish("live", "c"), r.publish("live", "d")}
	pub[0].Close()
	if got := r.lines("made/rtmp.log", 1)[0]; got != "one a" {
		t.Errorf("got %q", got)
	}

	// Moved away and opened anew.
	path := filepath.Join(r.dir, "made", "rtmp.log")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := r.srv.ReopenLogs(); err != nil {
		t.Fatal(err)
	}
	pub[1].Close()
	if got := r.lines("made/rtmp.log", 1)[0]; got != "one b" {
		t.Errorf("got %q", got)
	}

	// Another format and file: for sessions that are there, too.
	second := strings.ReplaceAll(loggedConfig("two $name", ""), "made/rtmp.log", "second.log")
	r.reload(second)
	pub[2].Close()
	if got := r.lines("second.log", 1)[0]; got != "two c" {
		t.Errorf("got %q", got)
	}

	// A log that can't be opened changes nothing.
	r.write("file", "")
	if _, err := r.srv.Apply(r.load(strings.ReplaceAll(loggedConfig("three $name", ""), "made/rtmp.log", "file/x.log"))); err == nil || !strings.Contains(err.Error(), "access_log") {
		t.Errorf("got %v, want an error that names access_log", err)
	}

	// None any more.
	r.reload("rtmp {\n listen = \"127.0.0.1:0\"\n application \"live\" {}\n}")
	pub[3].Close()
	r.eventually("nobody is there", func() bool { return r.connections() == 0 })
	if got := r.read("second.log"); got != "two c\n" {
		t.Errorf("the closed log is %q", got)
	}
}

// Whoever a reload or a stop shows out has its line; of a block that is gone as well.
func TestAccessLogOfABlockThatIsGone(t *testing.T) {
	t.Parallel()
	two := `
rtmp {
  listen = "127.0.0.1:0"
  access_log = "$DIR/first.log"
  access_log_format = "$app $command"
  application "live" {}
}
rtmp {
  listen = "[::1]:0"
  access_log = "$DIR/second.log"
  access_log_format = "$app $command"
  application "other" {}
}`
	r := start(t, two)
	first := r.publish("live", "a")
	second, err := r.tryPublish("other", "b", dialling{server: 1})
	if err != nil {
		t.Fatal(err)
	}
	first.seconds(0.1)
	r.reload(two[:strings.LastIndex(two, "rtmp {")])
	second.ended()
	if got := r.lines("second.log", 1)[0]; got != "other PUBLISH" {
		t.Errorf("got %q", got)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if got := r.read("first.log"); got != "live PUBLISH\n" {
		t.Errorf("after the stop the log is %q", got)
	}
}
