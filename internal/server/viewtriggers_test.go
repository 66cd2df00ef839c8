package server

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// playTriggers are all that a player meets.
const playTriggers = `
    trigger "CONN_OPEN" { handler = "$HOOK/" }
    trigger "CONN_CLOSE" { handler = "$HOOK/" }
    trigger "CONN_PLAY" { handler = "$HOOK/" }
    trigger "PLAY_REWRITE" { handler = "$HOOK/" }
    trigger "STREAM_LOAD" { handler = "$HOOK/" }
    trigger "STREAM_SOURCE" { handler = "$HOOK/" }
    trigger "DEFAULT_STREAM" { handler = "$HOOK/" }
    trigger "USER_NEW" { handler = "$HOOK/" }
    trigger "USER_END" { handler = "$HOOK/" }
    `

// order are the names of the triggers in the order in which they came.
func (h *triggerServer) order() string {
	var names []string
	for _, f := range h.all("") {
		names = append(names, f.header.Get("X-Trigger"))
	}
	return strings.Join(names, " ")
}

func TestTheTriggersOfAPlayer(t *testing.T) {
	r, h := startTriggered(t, "", playTriggers, triggerAnswers(map[string]string{
		"CONN_OPEN": "1", "CONN_PLAY": "true", "PLAY_REWRITE": "hidden", "STREAM_LOAD": "yes", "DEFAULT_STREAM": "vod+last", "USER_NEW": "true",
	}))
	r.publish("live", "vod+last").seconds(0.2)
	s := r.spectate("live?a=b", "viewtoken0123?tkn=good&key=x", dialling{})
	r.eventually("a player", func() bool { return r.players("live", "vod+last") == 1 })
	url := "rtmp://" + r.addr(0) + "/live?a=b/viewtoken0123?tkn=good"
	for name, want := range map[string]string{
		"CONN_OPEN":      "\n127.0.0.1\nRTMP\nrtmp://" + r.addr(0) + "/live?a=b",
		"PLAY_REWRITE":   "viewtoken0123\n127.0.0.1\nRTMP\n" + url,
		"STREAM_LOAD":    "hidden",
		"STREAM_SOURCE":  "hidden",
		"DEFAULT_STREAM": "\nhidden\n127.0.0.1\nRTMP\n" + url,
		"CONN_PLAY":      "vod+last\n127.0.0.1\nRTMP\n" + url,
	} {
		all := h.all(name)
		if got := all[len(all)-1].body; got != want {
			t.Errorf("%s gets\n%s\nwant\n%s", name, got, want)
		}
	}
	user := h.all("USER_NEW")[0].lines
	if len(user) != 7 || strings.Join(user[:5], "\n") != "vod+last\n127.0.0.1\ngood\nRTMP\n"+url || len(user[5]) != 64 || user[6] != "false" {
		t.Errorf("USER_NEW gets %q", user)
	}
	s.Close()
	r.eventually("USER_END", func() bool { return len(h.all("USER_END")) == 1 })
	if end := h.all("USER_END")[0].lines; len(end) != 12 || strings.Join(end[:4], "\n") != "good\nvod+last\nRTMP\n127.0.0.1" || end[11] != user[5] {
		t.Errorf("USER_END gets %q", end)
	}
	r.eventually("CONN_CLOSE", func() bool { return len(h.all("CONN_CLOSE")) == 1 })
	if f := h.all("CONN_CLOSE")[0]; f.lines[0] != "vod+last" {
		t.Errorf("CONN_CLOSE gets %q", f.lines)
	}
	if want := "CONN_OPEN CONN_OPEN PLAY_REWRITE STREAM_LOAD STREAM_SOURCE DEFAULT_STREAM CONN_PLAY USER_NEW USER_END CONN_CLOSE"; h.order() != want {
		t.Errorf("the order is %s, want %s", h.order(), want)
	}
	if strings.Contains(r.allText(), "viewtoken0123") {
		t.Error("the log has the token")
	}
}

func TestWhatTriggersRefuseAPlayer(t *testing.T) {
	yes := map[string]string{"CONN_OPEN": "1", "CONN_PLAY": "1", "PLAY_REWRITE": "cam", "STREAM_LOAD": "1", "DEFAULT_STREAM": "other", "USER_NEW": "1"}
	for _, c := range []struct{ trigger, answer, code, words string }{
		{"CONN_PLAY", "false", rtmp.StatusPlayFailed, "refused by CONN_PLAY"},
		{"USER_NEW", "", rtmp.StatusPlayFailed, "refused by USER_NEW"},
		{"PLAY_REWRITE", "", rtmp.StatusPlayFailed, "refused by PLAY_REWRITE"},
		{"PLAY_REWRITE", "../../x", rtmp.StatusPlayFailed, "PLAY_REWRITE answers with what is no name"},
		{"STREAM_SOURCE", "file:///etc/passwd", rtmp.StatusPlayFailed, "wrong source"},
		{"STREAM_SOURCE", "rtmp://u:p@h/", rtmp.StatusPlayFailed, "wrong source"},
		{"DEFAULT_STREAM", "", rtmp.StatusPlayStreamNotFound, "No such stream"},
		{"DEFAULT_STREAM", "cam", rtmp.StatusPlayStreamNotFound, "No such stream"},
		{"DEFAULT_STREAM", "other", rtmp.StatusPlayStreamNotFound, "No such stream"}, // which is not there either
	} {
		t.Run(c.trigger+" "+strings.ReplaceAll(c.answer, "/", "_"), func(t *testing.T) {
			by := map[string]string{}
			for k, v := range yes {
				by[k] = v
			}
			by[c.trigger] = c.answer
			r, h := startTriggered(t, "", playTriggers, triggerAnswers(by))
			if c.trigger == "CONN_PLAY" || c.trigger == "USER_NEW" {
				r.publish("live", "cam").seconds(0.1)
			}
			s := r.spectate("live", "cam", dialling{})
			if st := s.told(); st.Code != c.code || !strings.Contains(st.Description, c.words) {
				t.Errorf("the player is told %+v", st)
			}
			if n := len(h.all("DEFAULT_STREAM")); n > 3 {
				t.Errorf("DEFAULT_STREAM is asked %d times", n)
			}
			if len(h.all("USER_END")) > 0 {
				t.Error("USER_END hears of who was never let in")
			}
		})
	}
}

func TestConnOpenRefusesAConnection(t *testing.T) {
	r, _ := startTriggered(t, `trigger "CONN_OPEN" { handler = "$HOOK/" }`, "", triggerAnswers(nil))
	r.refused("live", "cam", dialling{}, rtmp.StatusConnectRejected, "refused by CONN_OPEN")
}

func TestStreamPushIsAskedOfThePublicName(t *testing.T) {
	var no atomic.Bool
	r, h := startTriggered(t, "", rewrite+`trigger "STREAM_PUSH" {
      handler = "$HOOK/push"
      streams = ["streams"]
    }`, func(f firing, w http.ResponseWriter, _ *http.Request) {
		if f.path == "/rewrite" {
			_, _ = io.WriteString(w, map[bool]string{true: "streams+john", false: "other"}[strings.HasPrefix(f.lines[2], "tok")])
			return
		}
		_, _ = io.WriteString(w, strconv.FormatBool(!no.Load()))
	})
	r.publish("live", "tok0123456789?x=tok0123456789").seconds(0.1)
	r.publish("live", "another0123456")
	if all := h.all("STREAM_PUSH"); len(all) != 1 || all[0].body != "streams+john\n127.0.0.1\nRTMP\nrtmp://"+r.addr(0)+"/live/streams+john?x=" {
		t.Errorf("STREAM_PUSH gets %+v", all)
	}
	no.Store(true)
	r.refused("live", "tok0123456789", dialling{}, rtmp.StatusPublishDenied, "refused by STREAM_PUSH")
}

func TestRTMPPushRewriteAnswersWithAURL(t *testing.T) {
	for _, c := range []struct{ name, answer, stream, words string }{
		{"as in MistServer's guide", "rtmp://example.com//streams+john", "streams+john", ""},
		{"the same application", "rtmp://example.com/live/john?a=b", "john", ""},
		{"another application", "rtmp://example.com/other/john", "", "another application"},
		{"a name alone", "john", "", "wrong URL"},
		{"no name", "rtmp://example.com/live/", "", "no name"},
		{"empty", "", "", "refused by RTMP_PUSH_REWRITE"},
		{"HTTP", "http://example.com/live/john", "", "wrong URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, h := startTriggered(t, "", `trigger "RTMP_PUSH_REWRITE" { handler = "$HOOK/" }`, triggerAnswers(map[string]string{"RTMP_PUSH_REWRITE": c.answer}))
			if c.stream == "" {
				r.refused("live", "token0123456789", dialling{}, rtmp.StatusPublishDenied, c.words)
				return
			}
			r.publish("live", "token0123456789").seconds(0.1)
			r.eventually("the stream", func() bool { return r.stream("live", c.stream) != nil })
			if f := h.all("")[0]; f.body != "rtmp://"+r.addr(0)+"/live/token0123456789\n127.0.0.1" {
				t.Errorf("the handler gets %q", f.body)
			}
		})
	}
}

func TestStreamSourceIsPulledFrom(t *testing.T) {
	from := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "up" {}
}`)
	from.publish("up", "cam").seconds(0.2)
	r, _ := startTriggered(t, "", `trigger "STREAM_SOURCE" { handler = "$HOOK/" }`, triggerAnswers(map[string]string{"STREAM_SOURCE": "rtmp://" + from.addr(0) + "/up/cam"}))
	r.spectate("live", "show", dialling{})
	r.eventually("the stream", func() bool { return r.stream("live", "show") != nil })
}

// watchedTriggers is an application live with HLS and triggers, whose handler is $HOOK.
func watchedTriggers(t *testing.T, lines string, reply func(f firing, w http.ResponseWriter, r *http.Request)) (*rig, *triggerServer) {
	t.Helper()
	h := newTriggerServer(t, reply)
	return start(t, strings.ReplaceAll(watched(lines), "$HOOK", h.url)), h
}

func TestUserNewDecidesOnHTTPViewers(t *testing.T) {
	r, h := watchedTriggers(t, `trigger "USER_NEW" { handler = "$HOOK/" }`, func(f firing, w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, map[bool]string{true: "true", false: "false"}[f.lines[2] == "good"])
	})
	r.show(t, "paid")
	good, bad := r.watcher("192.0.2.1"), r.watcher("192.0.2.2")
	list := good.gets("/live/paid.m3u8?tkn=good", 200, "#EXTINF")
	for range 20 {
		good.gets("/live/paid.m3u8?tkn=good", 200, "#EXTINF")
	}
	segment := "/live/" + list.body[strings.Index(list.body, "paid-"):strings.Index(list.body, ".ts")] + ".ts"
	good.gets(segment, 200, "")
	bad.gets(segment, 403, "USER_NEW has not let")
	bad.gets("/live/paid.m3u8?tkn=bad", 403, "refused by USER_NEW")
	bad.gets("/live/paid.m3u8?tkn=bad", 403, "refused by USER_NEW")
	bad.gets("/live/paid.m3u8", 403, "refused by USER_NEW")
	all := h.all("USER_NEW")
	if len(all) != 3 {
		t.Fatalf("USER_NEW is asked %d times", len(all))
	}
	if l := all[0].lines; len(l) != 7 || strings.Join(l[:5], "\n") != "paid\n192.0.2.1\ngood\nHLS\n"+r.web()+"/live/paid.m3u8?tkn=good" || len(l[5]) != 64 {
		t.Errorf("USER_NEW gets %q", l)
	}
}

func TestAStreamForWhichNoTriggerIsIsOpen(t *testing.T) {
	r, h := watchedTriggers(t, "trigger \"USER_NEW\" {\n handler = \"$HOOK/\"\n streams = [\"paid\"]\n}", triggerAnswers(nil))
	r.show(t, "free")
	w := r.watcher("192.0.2.1")
	list := w.gets("/live/free.m3u8", 200, "#EXTINF")
	w.gets("/live/"+list.body[strings.Index(list.body, "free-"):strings.Index(list.body, ".ts")]+".ts", 200, "")
	if n := len(h.all("")); n != 0 {
		t.Errorf("the handler is asked %d times", n)
	}
}

func TestDefaultStreamLeadsHTTPViewersElsewhere(t *testing.T) {
	r, h := watchedTriggers(t, `trigger "DEFAULT_STREAM" { handler = "$HOOK/" }`, func(f firing, w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, map[string]string{"tokenABC": "hidden", "lost": "nowhere", "loop": "loop", "evil": "../../x"}[f.lines[1]])
	})
	r.show(t, "hidden")
	w := r.watcher("192.0.2.1")
	w.gets("/live/tokenABC.m3u8?tkn=a", 200, "#EXTINF")
	for _, name := range []string{"lost", "loop", "evil", "unknown"} {
		w.gets("/live/"+name+".m3u8", 404, "")
		w.gets("/live/"+name+".m3u8", 404, "")
	}
	if f := h.all("")[0]; f.body != "\ntokenABC\n192.0.2.1\nHLS\n"+r.web()+"/live/tokenABC.m3u8?tkn=a" {
		t.Errorf("the handler gets %q", f.body)
	}
	if n := len(h.all("")); n != 5 {
		t.Errorf("the handler is asked %d times", n)
	}
}

// The name of the stream that DEFAULT_STREAM has answered stays secret, whatever its files
// are like.
func TestAViewTokenShowsNoOtherName(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{
		"MPEG-TS":     "",
		"nested":      "nested = true",
		"MP4":         "format = \"fmp4\"",
		"low latency": "format = \"fmp4\"\nlow_latency = true",
		"encrypted":   "keys {\n path = \"$DIR/www/live/keys\"\n url = \"keys/\"\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newTriggerServer(t, func(f firing, w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, map[string]string{"viewtoken_1": "secretcam"}[f.lines[1]])
			})
			text := watched("trigger \"DEFAULT_STREAM\" {\n handler = \"$HOOK/\"\n}\ndash {\n path = \"$DIR/www/live\"\n fragment = \"1s\"\n}")
			text = strings.Replace(text, `playlist_length = "10s"`, "playlist_length = \"10s\"\n"+lines, 1)
			if name != "MP4" && name != "low latency" { // which name the same segments
				text = strings.Replace(text, "dash {\n path = \"$DIR/www/live\"", "dash {\n path = \"$DIR/www/dash\"", 1)
			}
			if name == "encrypted" {
				text = strings.Replace(text, "  location \"/live\"", "  location \"/live/keys\" {\n    alias = \"$DIR/www/live/keys\"\n  }\n  location \"/live\"", 1)
			}
			text = strings.Replace(text, "  location \"/live\"", "  location \"/watch\" {\n    player {}\n  }\n  location \"/dash\" {\n    root = \"$DIR/www\"\n  }\n  location \"/live\"", 1)
			r := start(t, strings.ReplaceAll(text, "$HOOK", h.url))
			r.publish("live", "secretcam").seconds(6.2)
			w := r.watcher("192.0.2.1")
			file := map[bool]string{true: "/index.m3u8", false: ".m3u8"}[name == "nested"]
			r.eventually("a playlist", func() bool { return w.get("/live/secretcam"+file).status == 200 })
			mpds := map[bool]string{true: "/live/", false: "/dash/"}[name == "MP4" || name == "low latency"]
			r.eventually("an MPD", func() bool { return w.get(mpds+"secretcam.mpd").status == 200 })
			if p := w.gets("/live/viewtoken_1-0.ts", 404, ""); strings.Contains(p.body, "secretcam") {
				t.Errorf("before the playlist was asked for: %s", p.body)
			}
			if name == "nested" { // the page asks first
				for _, page := range []string{"json_viewtoken_1.js", "viewtoken_1.html", "info_viewtoken_1.js"} {
					p := w.gets("/watch/"+page, 200, map[bool]string{true: "viewtoken_1/index.m3u8", false: "viewtoken_1"}[strings.HasPrefix(page, "json")])
					if strings.Contains(p.body, "secretcam") {
						t.Errorf("%s names the stream: %s", page, p.body)
					}
				}
				if p := w.gets("/watch/json_viewtoken_2.js", 200, "offline"); strings.Contains(p.body, "source") {
					t.Errorf("a token that is none: %s", p.body)
				}
			}
			known := map[string]bool{"/live/viewtoken_1" + file: true}
			dash := mpds + "viewtoken_1.mpd"
			known[dash] = true
			segments := 0
			for queue := slices.Sorted(maps.Keys(known)); len(queue) > 0; queue = queue[1:] {
				at := queue[0]
				if strings.Contains(at, "EXT-X-PRELOAD") {
					continue
				}
				p := w.gets(at, 200, "")
				if !strings.HasSuffix(at, ".m3u8") && !strings.HasSuffix(at, ".mpd") {
					segments++
					continue
				}
				if all := fmt.Sprint(p.header, p.body); strings.Contains(all, "secretcam") {
					t.Errorf("%s names the stream: %s", at, all)
				}
				for _, uri := range linksOf(p.body) {
					to := path.Join(path.Dir(at), uri)
					if !known[to] {
						known[to] = true
						queue = append(queue, to)
					}
				}
			}
			if segments < 5 {
				t.Errorf("%d segments, of %v", segments, slices.Sorted(maps.Keys(known)))
			}
			w.gets("/live/viewtoken_2"+file, 404, "")
			w.gets("/live/viewtoken_1x"+file, 404, "")
		})
	}
}

// linksOf are the URIs of a playlist without those of parts that are still to come, or the
// initialisation segments and the templates' first segments of an MPD.
func linksOf(text string) (all []string) {
	if strings.HasPrefix(text, "#EXTM3U") {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if _, uri, is := strings.Cut(line, `URI="`); is && !strings.HasPrefix(line, "#EXT-X-PRELOAD-HINT") {
				uri, _, _ = strings.Cut(uri, `"`)
				all = append(all, uri)
			} else if line != "" && line[0] != '#' {
				all = append(all, line)
			}
		}
		return all
	}
	for _, m := range regexp.MustCompile(`initialization="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	for _, m := range regexp.MustCompile(`(?s)media="([^"]+)".*?<S t="([0-9]+)"`).FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(m[1], "$Time$", m[2]))
	}
	return all
}

// USER_END has what a viewer was sent over HTTP, playlists and fragments, also where no
// sessions block makes sessions of viewers; and the tags of a session. STREAM_END has the
// sum.
func TestUserEndHasWhatAViewerWasSent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, lines, tags string }{
		{"no sessions", "", ""},
		{"sessions", "sessions {}", "[guest][of the house]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, h := watchedTriggers(t, c.lines+"\nhandover_grace = \"0s\"\ntrigger \"USER_END\" { handler = \"$HOOK/\" }\ntrigger \"STREAM_END\" { handler = \"$HOOK/\" }", triggerAnswers(nil))
			p := r.show(t, "cam")
			sent := make(map[string]int)
			for _, w := range []watcher{r.watcher("192.0.2.1"), r.watcher("192.0.2.2")} {
				w.plain = true
				for range 2 {
					sent[w.addr] += len(w.gets("/live/cam.m3u8", 200, "#EXTINF").body)
				}
				sent[w.addr] += len(w.gets("/live/cam-0.ts", 200, "").body)
				if w.addr == "192.0.2.2" {
					sent[w.addr] += len(w.gets("/live/cam-1.ts", 200, "").body)
				}
			}
			for _, s := range r.srv.origin.Sessions(origin.SessionFilter{}) {
				for _, tag := range []string{"guest", "of the house"} {
					r.srv.origin.TagSessions(origin.SessionFilter{ID: s.ID}, tag)
				}
			}
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			r.eventually("STREAM_END", func() bool { return len(h.all("STREAM_END")) > 0 })
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			ends := h.all("USER_END")
			if len(ends) != 2 {
				t.Fatalf("USER_END %d times, want 2", len(ends))
			}
			sum := 0
			for _, end := range ends {
				up, err := strconv.Atoi(end.lines[5])
				sum += up
				if want := sent[end.lines[3]]; err != nil || up < want || up > want+8<<10 || end.lines[6] != "0" || end.lines[7] != c.tags {
					t.Errorf("USER_END gets %q, want %d bytes and headers, tags %q", end.lines, want, c.tags)
				}
			}
			if all := h.all("STREAM_END"); len(all) != 1 || all[0].lines[2] != strconv.Itoa(sum) || all[0].lines[3] != "2" {
				t.Errorf("STREAM_END gets %+v, want %d bytes to 2 viewers", all, sum)
			}
		})
	}
}

// STREAM_END has what the viewers of its own stream were sent, not those of the stream of that
// name before, and needs no other trigger for that.
func TestStreamEndHasItsOwnViewers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lines   string
		viewers string // of the second stream
		address string // of its viewer
	}{
		{"", "", "192.0.2.2"}, // the first viewer may be there still
		{`sessions { timeout = "3s" }`, "1", "192.0.2.2"},
		{`sessions { timeout = "3s" }`, "1", "192.0.2.1"}, // who had left comes back
	} {
		t.Run(c.lines+c.address, func(t *testing.T) {
			t.Parallel()
			r, h := watchedTriggers(t, c.lines+"\nhandover_grace = \"0s\"\ntrigger \"STREAM_END\" { handler = \"$HOOK/\" }", triggerAnswers(nil))
			end := func(p *client, n int) []string {
				t.Helper()
				if err := p.Unpublish(); err != nil {
					t.Fatal(err)
				}
				r.eventually("STREAM_END", func() bool { return len(h.all("STREAM_END")) == n })
				return h.all("STREAM_END")[n-1].lines
			}
			p := r.show(t, "cam")
			first := r.watcher("192.0.2.1")
			first.plain = true
			sent := len(first.gets("/live/cam.m3u8", 200, "#EXTINF").body) + len(first.gets("/live/cam-0.ts", 200, "").body)
			if c.viewers != "" {
				r.eventually("the viewer has gone", func() bool { return r.counts("cam")[0] == 0 })
			}
			lines := end(p, 1)
			if up, err := strconv.Atoi(lines[2]); err != nil || up < sent || up > sent+8<<10 || lines[3] != "1" {
				t.Errorf("the first STREAM_END gets %q, want %d bytes and headers to 1 viewer", lines, sent)
			}

			p = r.publish("live", "cam")
			p.seconds(4.2)
			second := r.watcher(c.address)
			second.plain = true
			most := 0
			sent = 0
			r.eventually("its playlist", func() bool {
				list := second.get("/live/cam.m3u8")
				sent, most = sent+len(list.body), most+len(list.body)+1<<10
				return list.status == 200 && !strings.Contains(list.body, "ENDLIST")
			})
			lines = end(p, 2)
			if up, err := strconv.Atoi(lines[2]); err != nil || up < sent || up > most || c.viewers != "" && lines[3] != c.viewers {
				t.Errorf("the second STREAM_END gets %q, want %d bytes and headers to 1 viewer", lines, sent)
			}
		})
	}
}
