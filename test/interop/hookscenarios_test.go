package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Set-ups of nginx-rtmp as people use them, reduced to the hooks of publishers and
// players: exec, record, push and HTTP locations are left out.
const (
	// 12.2 authenticated ingest
	ingestNginx = `ping 30s; timeout 20s; max_message 10M; notify_method get;
    on_connect http://$HOOK/rtmp/connect;
    application ingest {
      live on; idle_streams off; drop_idle_publisher 15s;
      allow publish 127.0.0.0/8; allow publish 2001:db8::/32; deny publish all; deny play all;
      on_publish http://$HOOK/rtmp/publish;
      on_publish_done http://$HOOK/rtmp/done;
      on_update http://$HOOK/rtmp/update; notify_update_timeout 1s; notify_update_strict on;
    }`
	ingestHCL = `ping = "30s"
  timeout = "20s"
  max_message = "10M"
  notify_method = "get"
  on_connect = "$HOOK/rtmp/connect"
  application "ingest" {
    idle_streams        = false
    drop_idle_publisher = "15s"
    access {
      publish = ["allow 127.0.0.0/8", "allow 2001:db8::/32", "deny all"]
      play    = ["deny all"]
    }
    on_publish            = "$HOOK/rtmp/publish"
    on_publish_done       = "$HOOK/rtmp/done"
    on_update             = "$HOOK/rtmp/update"
    notify_update_timeout = "1s"
    notify_update_strict  = true
  }`

	// 12.3 chat
	chatNginx = `application chat {
      live on; interleave on; sync 10ms;
      on_play http://$HOOK/redirect; notify_relay_redirect on; on_done http://$HOOK/done;
    }`
	chatHCL = `application "chat" {
    on_play      = "$HOOK/redirect"
    on_done      = "$HOOK/done"
    on_play_http = false

    notify_relay_redirect = true
  }`

	// all hooks of a session, by POST
	allNginx = `on_connect http://$HOOK/connect; on_disconnect http://$HOOK/disconnect; notify_method post;
    application live {
      live on; notify_method post;
      on_publish http://$HOOK/publish; on_play http://$HOOK/play;
      on_publish_done http://$HOOK/publish_done; on_play_done http://$HOOK/play_done; on_done http://$HOOK/done;
    }`
	allHCL = `on_connect = "$HOOK/connect"
  on_disconnect = "$HOOK/disconnect"
  application "live" {
    on_publish      = "$HOOK/publish"
    on_play         = "$HOOK/play"
    on_publish_done = "$HOOK/publish_done"
    on_play_done    = "$HOOK/play_done"
    on_done         = "$HOOK/done"
    on_play_http    = false
  }`
)

// recordings, in a directory of each server's own
const (
	recordNginx = `application live {
      live on; on_publish http://$HOOK/publish; on_record_done http://$HOOK/record_done;
      recorder archive { record all; record_path $DIR; record_suffix -all.flv; }
      recorder later { record all manual; record_path $DIR; record_suffix -later.flv; }
    }`
	recordHCL = `application "live" {
    on_publish      = "$HOOK/publish"
    on_record_done  = "$HOOK/record_done"
    reconnect_grace = "0s"
    record "archive" {
      path   = "$DIR"
      suffix = "-all.flv"
    }
    record "later" {
      path   = "$DIR"
      suffix = "-later.flv"
      manual = true
    }
  }`
)

func hookScenarios() []hookScenario {
	all := []hookScenario{
		{
			// 12.1 has no hooks: nobody is asked, whatever happens.
			name:  "12.1 has none",
			nginx: `chunk_size 4000; application show { live on; deny play all; }`,
			hcl: `application "show" {
    access {
      play = ["deny all"]
    }
  }`,
			drive: func(s *side) []string {
				c, publishing := s.publish("show", "stream?tok=1")
				c.Close()
				return []string{publishing}
			},
		},
		{
			name: "12.2 a publisher comes, is there and goes", nginx: ingestNginx, hcl: ingestHCL,
			drive: func(s *side) []string {
				c, publishing := s.publish("ingest?tok=app+a%20b", "alice?tok=a+b%20c&x=1&x=2&empty=&bare")
				s.send(c, 20)
				stays := s.whetherClosed(c, func() bool { return s.script.has("update_publish") })
				if err := c.Unpublish(); err != nil {
					s.t.Error(err)
				}
				return []string{publishing, stays}
			},
			calls: "connect publish update_publish publish_done",
		},
		{
			name: "12.2 302 to rtmp://", nginx: ingestNginx, hcl: ingestHCL,
			reply: answering("publish", reply{status: 302, location: "rtmp://127.0.0.1:9/public/alice"}),
			drive: publishAndClose("ingest", "alice"),
			calls: "connect publish publish_done",
		},
		{
			name:  "12.2 an address that may not publish",
			nginx: strings.Replace(ingestNginx, "127.0.0.0/8", "10.0.0.0/8", 1), hcl: strings.Replace(ingestHCL, "127.0.0.0/8", "10.0.0.0/8", 1),
			drive: publishAndClose("ingest", "alice"),
			calls: "connect publish publish_done", own: "connect", outcomes: "not publishing",
			why: "access is judged first: nginx-rtmp asks, says Publish.Start, and then hangs up",
		},
		{
			name: "12.3 a player comes and goes", nginx: chatNginx, hcl: chatHCL,
			drive: playAndClose("chat", "room?tok=1"), calls: "play done",
		},
		{
			name: "12.3 302 to rtmp://", nginx: chatNginx, hcl: chatHCL,
			reply: answering("play", reply{status: 302, location: "rtmp://127.0.0.1:9/public/alice"}),
			drive: playAndClose("chat", "room"),
			calls: "play done",
		},
		{
			name: "12.3 302 to another name", nginx: chatNginx, hcl: chatHCL,
			reply: answering("play", reply{status: 302, location: "lobby"}),
			drive: func(s *side) []string {
				p, publishing := s.publish("chat", "lobby")
				v, playing := s.play("chat", "room")
				s.send(p, 100)
				sees := s.sees(v)
				v.Close()
				s.t.Cleanup(func() { p.Close() })
				return []string{publishing, playing, sees}
			},
			calls: "play done",
		},
		{
			name: "a publisher is given another name", nginx: allNginx, hcl: allHCL,
			reply: func(c hookCall) reply {
				if c.call() == "publish" {
					return reply{status: 301, location: "renamed"}
				}
				return reply{}
			},
			drive: func(s *side) []string {
				p, publishing := s.publish("live", "typed?tok=1")
				v, playing := s.play("live", "renamed")
				s.send(p, 100)
				sees := s.sees(v)
				v.Close()
				eventually(s.t, 90*time.Second, "the player's good-bye", func() bool { return s.script.has("disconnect") })
				p.Close()
				return []string{publishing, playing, sees}
			},
			calls: "connect publish connect play publish_done play_done done done disconnect disconnect",
		},
		{
			name: "what a client says of itself", nginx: allNginx, hcl: allHCL,
			drive: func(s *side) []string {
				c, err := s.connect("live?tok=1&x=y", rtmp.ClientOptions{
					FlashVer: " !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^", SWFURL: "_`az{|}~\x7f\x80é\r\n\t", PageURL: "http://p/?a=b&c=d#e",
				})
				if err != nil {
					return []string{s.outcome("connected", err)}
				}
				return []string{s.publishOn(c, "s?tok=1"), closing(c)}
			},
			calls: "connect publish publish_done done disconnect",
		},
		{
			name: "what is long", nginx: allNginx, hcl: allHCL,
			drive: func(s *side) []string {
				long := strings.Repeat("0123456789", 40)
				c, err := s.connect("live", rtmp.ClientOptions{FlashVer: long, SWFURL: long, PageURL: long, TCURL: long})
				if err != nil {
					return []string{s.outcome("connected", err)}
				}
				return []string{s.publishOn(c, "s"), closing(c)}
			},
			calls: "connect publish publish_done done disconnect",
		},
		{
			name: "arguments that would override fields", nginx: allNginx, hcl: allHCL,
			drive: publishAndClose("live", "s?tok=1&name=victim&addr=1.2.3.4&call=play&stream=x&key=secret&a=b;c#d%"),
			calls: "connect publish publish_done done disconnect",
		},
		{
			name: "what a player asks for", nginx: allNginx, hcl: allHCL,
			drive: func(s *side) []string {
				c, err := s.connect("live", rtmp.ClientOptions{})
				if err != nil {
					return []string{s.outcome("connected", err)}
				}
				for _, err := range []error{
					c.WriteCommand(0, "createStream", 9, nil), c.WriteCommand(1, "play", 10, nil, "s?tok=1", -1000.0, 5000.0, true), c.Flush(),
				} {
					if err != nil {
						s.t.Fatal(err)
					}
				}
				eventually(s.t, 90*time.Second, "on_play", func() bool { return s.script.has("play") })
				return []string{closing(c)}
			},
			calls: "connect play play_done done disconnect",
		},
		{
			name: "a publisher that is lost", nginx: allNginx, hcl: allHCL,
			drive: publishAndClose("live", "s?tok=1"), calls: "connect publish publish_done done disconnect",
		},
		{
			name:  "a GET to a URL with a query",
			nginx: `application live { live on; notify_method get; on_publish http://$HOOK/publish?x=1; }`,
			hcl: `application "live" {
    notify_method = "get"
    on_publish    = "$HOOK/publish?x=1"
  }`,
			drive: publishAndClose("live", "s"),
			calls: "publish",
		},
		{
			name:  "a method for each block",
			nginx: `on_connect http://$HOOK/connect; application live { live on; notify_method get; on_publish http://$HOOK/publish; }`,
			hcl: `on_connect = "$HOOK/connect"
  application "live" {
    notify_method = "get"
    on_publish    = "$HOOK/publish"
  }`,
			drive: publishAndClose("live", "s"), calls: "connect publish", method: "POST",
		},
		{
			name: "another application", nginx: `on_connect http://$HOOK/connect; application real { live on; on_publish http://$HOOK/publish; notify_method post; }`,
			hcl: `on_connect = "$HOOK/connect"
  application "real" {
    on_publish = "$HOOK/publish"
  }`,
			reply: answering("connect", reply{status: 302, location: "real"}),
			drive: publishAndClose("alias?tok=1", "s"),
			calls: "connect publish",
		},
		{
			name: "ffmpeg and rtmpdump", nginx: allNginx, hcl: allHCL,
			drive: func(s *side) []string {
				card := filepath.Join("..", "..", "internal", "demo", "testcard.flv")
				ffmpeg := command(s.t, time.Minute, "ffmpeg", "-v", "error", "-re", "-i", card, "-t", "5", "-c", "copy", "-f", "flv", "rtmp://"+s.address+"/live/s?tok=1&x=y")
				if err := ffmpeg.Start(); err != nil {
					s.t.Fatal(err)
				}
				eventually(s.t, 90*time.Second, "on_publish", func() bool { return s.script.has("publish") })
				output(s.t, command(s.t, 3*time.Second, "rtmpdump", "-q", "-v", "-r", "rtmp://"+s.address+"/live", "-y", "s?tok=2",
					"-p", "http://p/", "-W", "http://p/player.swf", "-o", "/dev/null"))
				if err := ffmpeg.Wait(); err != nil {
					return []string{"ffmpeg fails"}
				}
				return []string{"ffmpeg is content"}
			},
			calls: "connect publish connect play publish_done play_done done done disconnect disconnect",
		},
		{
			name: "recordings, one of them through control", nginx: recordNginx, hcl: recordHCL,
			drive: func(s *side) []string {
				c, publishing := s.publish("live", "cam+1?tok=1&path=/x&recorder=y")
				out := []string{publishing, s.control("record/stop?app=live&name=" + s.typed("cam+1") + "&rec=later")}
				s.send(c, 200)
				out = append(out, s.control("record/start?app=live&name="+s.typed("cam+1")+"&rec=later"), s.control("record/start?app=live&name="+s.typed("cam+1")+"&rec=later"))
				s.send(c, 400)
				eventually(s.t, 90*time.Second, "media in the manual recording", func() bool {
					info, err := os.Stat(filepath.Join(s.dir, "cam%2B1-later.flv"))
					return err == nil && info.Size() > 20000
				})
				out = append(out, s.control("record/stop?app=live&name="+s.typed("cam+1")+"&rec=later"), s.control("record/start?app=live&name=nobody&rec=later"))
				eventually(s.t, 90*time.Second, "record_done", func() bool { return s.script.has("record_done") })
				if err := c.Unpublish(); err != nil {
					s.t.Error(err)
				}
				return out
			},
			calls: "publish record_done record_done",
		},
		{
			name: "an unknown application", nginx: allNginx, hcl: allHCL,
			drive: publishAndClose("elsewhere", "s"), calls: "connect disconnect",
		},
	}
	for _, a := range []struct {
		name string
		reply
	}{
		{"204", reply{status: 204}},
		{"403", reply{status: 403}},
		{"500", reply{status: 500}},
		{"302 without a Location", reply{status: 302}},
		{"no answer", reply{hangUp: true}},
		{"garbage", reply{raw: "I am no HTTP server at all\r\n\r\n"}},
	} {
		yes := strings.HasPrefix(a.name, "2") || strings.HasPrefix(a.name, "302")
		story := func(call string) string {
			switch {
			case yes && call == "connect":
				return "connect publish publish_done done disconnect"
			case call == "connect":
				return "connect"
			case yes:
				return fmt.Sprintf("connect %s %[1]s_done done disconnect", call)
			}
			return "connect " + call + " disconnect"
		}
		for _, call := range []string{"connect", "publish", "play"} {
			drive := publishAndClose("live", "s")
			if call == "play" {
				drive = playAndClose("live", "s")
			}
			sc := hookScenario{
				name: call + " is answered " + a.name, nginx: allNginx, hcl: allHCL,
				reply: answering(call, a.reply), drive: drive, calls: story(call),
			}
			if a.hangUp && call != "connect" {
				sc.own = strings.Replace(sc.calls, call, call+" "+call, 1)
				sc.why = "a kept connection that is closed without an answer may have been closed before: it is asked again on a new one"
			}
			all = append(all, sc)
		}
	}
	return append(all, updateScenarios()...)
}

// updateScenarios are the answers to on_update, strict and not.
func updateScenarios() (all []hookScenario) {
	const lax = "stays"
	for _, a := range []struct {
		name string
		reply
		strict     bool
		their, our string
	}{
		{"200", reply{status: 200}, true, "stays", "stays"},
		{"302", reply{status: 302}, false, "stays", "stays"},
		{"302, strict", reply{status: 302}, true, "closed", "closed"},
		{"404", reply{status: 404}, false, "closed", "closed"},
		{"404, strict", reply{status: 404}, true, "closed", "closed"},
		{"500, strict", reply{status: 500}, true, "closed", "closed"},
		{"no answer, strict", reply{hangUp: true}, true, "closed", "closed"},
		{"500", reply{status: 500}, false, "closed", lax},
		{"no answer", reply{hangUp: true}, false, "closed", lax},
	} {
		sc := hookScenario{
			name:  "update is answered " + a.name,
			nginx: `application live { live on; on_publish_done http://$HOOK/done; on_update http://$HOOK/update; notify_update_timeout 1s; }`,
			hcl: `application "live" {
    on_publish_done       = "$HOOK/done"
    on_update             = "$HOOK/update"
    notify_update_timeout = "1s"
  }`,
			reply: answering("update_publish", a.reply),
			drive: func(s *side) []string {
				c, publishing := s.publish("live", "s?tok=1")
				updates := func() bool {
					n := 0
					for _, c := range s.script.seen() {
						if c.call() == "update_publish" {
							n++
						}
					}
					return n > 1
				}
				outcome := s.whetherClosed(c, updates)
				c.Close()
				return []string{publishing, outcome}
			},
			calls: "update_publish publish_done",
		}
		if a.strict {
			sc.nginx = strings.Replace(sc.nginx, "notify_update_timeout 1s;", "notify_update_timeout 1s; notify_update_strict on;", 1)
			sc.hcl = strings.Replace(sc.hcl, `timeout = "1s"`, "timeout = \"1s\"\n    notify_update_strict = true", 1)
		}
		if a.their != a.our {
			sc.outcomes = "publishing, " + a.our
			sc.why = "a hook that is down ends no session that it let in, unless notify_update_strict: nginx-rtmp's own documentation says so"
		}
		all = append(all, sc)
	}
	return all
}

func closing(c *rtmp.Client) string {
	c.Close()
	return "closed by itself"
}

func publishAndClose(app, name string) func(s *side) []string {
	return func(s *side) []string {
		c, outcome := s.publish(app, name)
		if c != nil {
			c.Close()
		}
		return []string{outcome}
	}
}

func playAndClose(app, name string) func(s *side) []string {
	return func(s *side) []string {
		c, outcome := s.play(app, name)
		if c != nil {
			c.Close()
		}
		return []string{outcome}
	}
}
