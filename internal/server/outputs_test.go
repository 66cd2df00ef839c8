package server

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const packaged = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path            = "$DIR/www/hls"
      fragment        = "1s"
      playlist_length = "60s"
    }
  }
  application "other" {}
}`

// until sends media until cond holds.
func (c *client) until(what string, cond func() bool) {
	c.rig.Helper()
	c.rig.eventually(what, func() bool {
		if err := c.frame(); err != nil {
			c.rig.Fatalf("until %s: the publisher is cut off: %v", what, err)
		}
		return cond()
	})
}

// halfFiles are temporary files anywhere below the rig's directory.
func (r *rig) halfFiles() []string {
	var out []string
	_ = filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".tmp") {
			out = append(out, path)
		}
		return nil
	})
	return out
}

func TestAStreamGoesOnWhileItsHLSPathCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := start(t, packaged)
	w := r.witness("other", "cam")
	p := r.publish("live", "cam")
	p.seconds(2.5)
	r.eventually("a playlist", func() bool { return r.read("www/hls/cam.m3u8") != "" })

	// Somebody removes the directory, and a file takes its parent's place.
	r.eventually("the directory is gone", func() bool { return os.RemoveAll(filepath.Join(r.dir, "www")) == nil })
	r.write("www", "in the way")
	p.until("the trouble is said", func() bool {
		return r.hasLogged("hls output can't write; the stream goes on without it until it can", "")
	})
	n := r.packets("live", "cam")
	p.seconds(3)
	r.eventually("the stream goes on", func() bool { return r.packets("live", "cam") >= n+100 })
	if n := r.logs.FilterMessage("hls output can't write; the stream goes on without it until it can").Len(); n != 1 {
		t.Errorf("%d lines about it, want 1", n)
	}

	if err := os.Remove(filepath.Join(r.dir, "www")); err != nil {
		t.Fatal(err)
	}
	p.until("the output writes again", func() bool { return r.hasLogged("hls output writes again", "") })
	p.until("the playlist is back", func() bool { return strings.Contains(r.read("www/hls/cam.m3u8"), "#EXT-X-DISCONTINUITY\n") })
	if half := r.halfFiles(); len(half) > 0 {
		t.Errorf("half files: %v", half)
	}
	if !p.alive() || len(p.heard()) > 0 {
		t.Errorf("the publisher was told %v", p.heard())
	}
	w.undisturbed()
}

func TestAnHLSPathThatCannotBeMadeIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "*" {
    hls {
      path     = "$DIR/www/$app"
      fragment = "1s"
    }
  }
}`)
	r.write("www", "in the way")
	p := r.publish("church", "cam")
	p.seconds(2)
	r.logged("hls output failed", "retry_in:1s")
	r.eventually("the stream lives all the same", func() bool { return r.packets("church", "cam") == int(p.sent.Load()) })
	if err := os.Remove(filepath.Join(r.dir, "www")); err != nil {
		t.Fatal(err)
	}
	p.until("a playlist", func() bool { return r.read("www/church/cam.m3u8") != "" })
	if !p.alive() {
		t.Error("the publisher is gone")
	}
}

var (
	mediaSequence = regexp.MustCompile(`#EXT-X-MEDIA-SEQUENCE:(\d+)`)
	fragmentURI   = regexp.MustCompile(`(?m)^\w+-(\d+)\.ts$`)
)

// newest is the number of a playlist's last fragment, -1 without one.
func newest(t testing.TB, playlist string) int {
	t.Helper()
	all := fragmentURI.FindAllStringSubmatch(playlist, -1)
	if len(all) == 0 {
		return -1
	}
	n, err := strconv.Atoi(all[len(all)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnHLSBlockComesChangesAndGoesUnderALiveStream(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	p := r.publish("live", "cam")
	p.seconds(2.5)
	st := r.stream("live", "cam")
	block := func(path, length string) string {
		return strings.Replace(oneApp, `"live" {}`, "\"live\" {\n    hls {\n      path = \"$DIR/"+path+"\"\n      fragment = \"1s\"\n      playlist_length = \""+length+"\"\n    }\n  }", 1)
	}

	r.reload(block("a", "60s")) // comes
	p.seconds(3)
	p.until("a playlist", func() bool { return newest(t, r.read("a/cam.m3u8")) >= 1 })

	r.reload(block("a", "2s")) // changes in place
	p.until("the new length", func() bool {
		m := mediaSequence.FindStringSubmatch(r.read("a/cam.m3u8"))
		return m != nil && m[1] != "0"
	})
	if text := r.read("a/cam.m3u8"); strings.Contains(text, "#EXT-X-DISCONTINUITY\n") {
		t.Errorf("a changed length made a break:\n%s", text)
	}

	last := newest(t, r.read("a/cam.m3u8"))
	r.reload(block("b", "60s")) // moves
	p.until("a playlist at the new path", func() bool { return newest(t, r.read("b/cam.m3u8")) >= 0 })
	if m := mediaSequence.FindStringSubmatch(r.read("b/cam.m3u8")); m == nil {
		t.Error("no sequence number")
	} else if n, _ := strconv.Atoi(m[1]); n < last {
		t.Errorf("at the new path numbers begin at %d, at the old one they ended at %d or later", n, last)
	}

	r.reload(oneApp) // goes
	r.eventually("its output has ended", func() bool { _, n := st.FailingOutputs(); return n == 0 })
	st.WaitOutputs()
	before := r.read("b/cam.m3u8")
	p.seconds(3)
	r.eventually("the stream goes on", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
	if after := r.read("b/cam.m3u8"); after != before || strings.Contains(after, "ENDLIST") {
		t.Errorf("after the block has gone the playlist is\n%s\nit was\n%s", after, before)
	}

	r.reload(block("b", "60s")) // and comes back
	p.until("the playlist goes on", func() bool { return newest(t, r.read("b/cam.m3u8")) > newest(t, before)+1 })
	if text := r.read("b/cam.m3u8"); strings.Count(text, "#EXT-X-DISCONTINUITY\n") != 2 {
		t.Errorf("want a break at the new path and one where the block was missing:\n%s", text)
	}
	if r.stream("live", "cam") != st || !p.alive() {
		t.Error("the stream is another one")
	}
}

func TestAReloadThatChangesNothingTouchesNoOutput(t *testing.T) {
	t.Parallel()
	r := start(t, packaged)
	p := r.publish("live", "cam")
	p.seconds(2.5)
	r.eventually("a playlist", func() bool { return r.read("www/hls/cam.m3u8") != "" })
	r.reload("\n\n# moved down\n" + strings.Replace(packaged, `application "other" {}`, "application \"other\" {\n    max_publishers = 2\n  }", 1))
	if r.hasLogged("hls output changes at the next keyframe", "") {
		t.Error("the log says that the output changes")
	}
}

func TestTheBaseNameIsRefusedWhileARenditionIsLive(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = "400ms"
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
      variant "_hi" {}
      variant "_lo" {}
    }
  }
}`)
	p := r.publish("live", "cam_hi")
	p.seconds(2.5)
	r.eventually("a master playlist", func() bool { return strings.Contains(r.read("hls/cam.m3u8"), "cam_hi") })
	r.refused("live", "cam", dialling{}, rtmp.StatusPublishBadName, `the rendition "cam_hi" is live`)
	lo := r.publish("live", "cam_lo")
	r.publish("live", "camera") // another name
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("one rendition has ended", func() bool { return r.stream("live", "cam_hi") == nil })
	lo.cut()
	r.logged("publisher lost; the stream waits for it", "cam_lo")
	r.refused("live", "cam", dialling{}, rtmp.StatusPublishBadName, `the rendition "cam_lo" is live`)
	r.eventually("the other's grace is over", func() bool { return r.stream("live", "cam_lo") == nil })
	r.publish("live", "cam")
}

// The disk of an output is not there at the start, read-only to everybody: that is
// the output's trouble. Once the path leads elsewhere HLS goes on there, over HTTP too.
func TestADiskThatIsNotThereStopsNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	live := filepath.Join(r.dir, "www", "live")
	if err := errors.Join(os.Mkdir(filepath.Join(r.dir, "www"), 0o755), os.Symlink("/sys/kernel", live)); err != nil {
		t.Fatal(err)
	}
	text := `
rtmp {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/www/live/access.log"
  application "live" {
    hls {
      path            = "$DIR/www/live"
      fragment        = "1s"
      playlist_length = "10s"
    }
  }
  application "plain" {}
}
http {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/www/live/http.log"
  location "/live" {
    root = "$DIR/www"
  }
}`
	r.cfg = r.load(text)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	r.logged("hls path can't be used: outputs in it fail until it can", "")
	other, p := r.publish("plain", "x"), r.publish("live", "cam")
	p.seconds(3)
	r.eventually("the packager says that it fails", func() bool {
		_, found := r.stream("live", "cam").Health()
		return len(found) > 0
	})
	r.reload(strings.Replace(text, `"10s"`, `"20s"`, 1)) // a reload is not refused either
	if err := errors.Join(os.Remove(live), os.Mkdir(live, 0o755)); err != nil {
		t.Fatal(err)
	}
	r.eventually("HLS is served from where the path is", func() bool {
		p.seconds(1)
		res, err := probe.Get(r.web() + "/live/cam.m3u8")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		_, uri, ok := strings.Cut(strings.TrimSpace(string(body)), ",\n")
		if res.StatusCode != 200 || !ok {
			return false
		}
		uri, _, _ = strings.Cut(uri, "\n")
		fragment, err := probe.Get(r.web() + "/live/" + uri)
		if err != nil {
			return false
		}
		fragment.Body.Close()
		return fragment.StatusCode == 200
	})
	if !other.alive() || !p.alive() {
		t.Error("a publisher was cut")
	}
}
