package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// restream is a well-known nginx-rtmp set-up as rtmpd has it: who may publish is
// asked of a script, which names the stream; it is pushed to two servers, recorded in
// three ways, and each recording is remuxed by a command.
const restream = `
  ping          = "30s"
  timeout       = "20s"
  max_message   = "10M"
  notify_method = "get"
  on_connect    = "$HOOK/connect"

  application "ingest" {
    idle_streams        = false
    drop_idle_publisher = "15s"
    reconnect_grace     = "10s"
    access {
      publish = ["allow loopback", "deny all"]
    }
    on_publish            = "$HOOK/publish"
    on_publish_done       = "$HOOK/done"
    on_update             = "$HOOK/update"
    notify_update_timeout = "2s"
    notify_update_strict  = true

    push "public" {
      url = "rtmp://$SELF/public"
    }
    push "far" {
      url       = "rtmp://$NGINX/live2"
      key       = "the-key-over-there"
      reconnect = "1s"
    }
    record "archive" {
      path           = "$DIR/rec"
      unique         = true
      suffix         = "-%Y%m%d.flv"
      min_free       = 0
      on_record_done = "$HOOK/rec"
      exec "record_done" "remux" {
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", "$path", "-c", "copy", "$DIR/mp4/$basename.mp4"]
      }
    }
    record "thumbs" {
      tracks     = ["keyframes"]
      max_frames = 4
      path       = "$DIR/thumbs"
      min_free   = 0
    }
    record "ondemand" {
      manual   = true
      append   = true
      lock     = true
      path     = "$DIR/manual"
      min_free = 0
    }
  }
  application "public" {
    access {
      publish = ["allow loopback", "deny all"]
    }
    hls {
      path              = "$DIR/hls"
      nested            = true
      fragment          = "2s"
      fragment_naming   = "system"
      fragment_slicing  = "aligned"
      playlist_length   = "20s"
      keys {
        path              = "$DIR/keys"
        url               = "/keys/"
        fragments_per_key = 2
      }
    }
  }`

// TestARestreamWithRecordings runs that set-up with real processes: nginx-rtmp as the
// far server, ffmpeg as the encoder and as the command.
func TestARestreamWithRecordings(t *testing.T) {
	t.Parallel()
	far := startNginx(t, "application live2 { live on; record all; record_path $DIR; }", nil)
	answer := func(c hookCall) reply {
		if c.call() == "publish" {
			if c.get("name") != "a-typed-secret" {
				return reply{status: 403}
			}
			return reply{status: 302, location: "alice"}
		}
		return reply{}
	}
	text := strings.ReplaceAll(restream, "$NGINX", far.address)
	// The pushes to itself need to know where it listens: they come by a reload.
	first := strings.Replace(text, "push \"public\" {", "push \"public\" {\n      enabled = false", 1)
	us := startHooked(t, strings.ReplaceAll(first, "$SELF", "127.0.0.1:1"), answer)
	for _, d := range []string{"mp4", "rec", "thumbs", "manual"} {
		if err := os.MkdirAll(filepath.Join(us.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	us.rewrite(strings.ReplaceAll(text, "$SELF", us.address))

	clip := makeClip(t, 8)
	encoder := command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", clip, "-c", "copy", "-f", "flv", "rtmp://"+us.address+"/ingest/a-typed-secret")
	if err := encoder.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 90*time.Second, "the stream is pushed to both", func() bool { return strings.Count(us.log(), "push is live") >= 2 })
	if got := us.control("/control/record/start?app=ingest&name=alice&rec=ondemand"); !strings.Contains(got, "/manual/alice") {
		t.Errorf("record/start answers %q", got)
	}
	if err := encoder.Wait(); err != nil {
		t.Fatal(err)
	}
	files := func(pattern string) []string { all, _ := filepath.Glob(filepath.Join(us.dir, pattern)); return all }
	eventually(t, 90*time.Second, "the recording is remuxed", func() bool {
		all := files("mp4/alice-*.mp4")
		return len(all) == 1
	})
	// What viewers of HLS, the far server and the recordings have is what was sent.
	archive := files("rec/alice-*.flv")
	if len(archive) != 1 {
		t.Fatalf("recordings: %v", archive)
	}
	sameFrames(t, "the recording", archive[0], clip)
	eventually(t, 90*time.Second, "the remuxed file is whole", func() bool {
		return command(t, time.Minute, "ffprobe", "-v", "error", files("mp4/alice-*.mp4")[0]).Run() == nil
	})
	sameFrames(t, "the remuxed recording", files("mp4/alice-*.mp4")[0], clip)
	var recorded []string
	eventually(t, 90*time.Second, "the far server has it under its own key", func() bool {
		recorded, _ = filepath.Glob(filepath.Join(far.dir, "the-key-over-there*.flv"))
		return len(recorded) == 1
	})
	if n := len(files("thumbs/alice*.flv")); n == 0 {
		t.Error("no recording of keyframes")
	}
	if n := len(files("manual/alice*.flv")); n != 1 {
		t.Errorf("%d recordings by hand, want one", n)
	}
	eventually(t, 90*time.Second, "a playlist with keys that ends", func() bool {
		text, _ := os.ReadFile(filepath.Join(us.dir, "hls", "alice", "index.m3u8"))
		return strings.Contains(string(text), "#EXT-X-KEY:METHOD=AES-128") && strings.Contains(string(text), "#EXT-X-ENDLIST")
	})
	for _, call := range []string{"connect", "publish", "publish_done", "record_done"} {
		if !us.script.has(call) {
			t.Errorf("the script was not asked %s", call)
		}
	}
	if !slices.ContainsFunc(us.script.seen(), func(c hookCall) bool { return strings.HasPrefix(c.call(), "update_publish") }) {
		t.Error("the script was asked for no update")
	}
	for _, secret := range []string{"the-key-over-there", "a-typed-secret"} {
		if strings.Contains(us.log(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// rewrite replaces the text in the rtmp block of a running rtmpd, and waits for the
// reload.
func (s *side) rewrite(text string) {
	s.t.Helper()
	old, err := os.ReadFile(s.conf)
	if err != nil {
		s.t.Fatal(err)
	}
	begin, end := strings.Index(string(old), "rtmp {"), strings.Index(string(old), "\nhttp {")
	next := string(old[:begin]) + "rtmp {\n  listen = \"127.0.0.1:0\"\n" + strings.NewReplacer("$HOOK", s.script.url, "$DIR", s.dir).Replace(text) + "\n}" + string(old[end:])
	before := strings.Count(s.log(), "configuration reloaded")
	if err := os.WriteFile(s.conf, []byte(next), 0o600); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, 90*time.Second, "the reload", func() bool { return strings.Count(s.log(), "configuration reloaded") > before })
}
