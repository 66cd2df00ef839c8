package interop

import (
	"context"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A page plays DASH where there is nothing else, and where HLS can't be had.
func TestAPageOfDASH(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.NewReplacer(
		`      fragment = "2s"
    }
  }
`, `      fragment = "2s"
      format   = "fmp4"
    }
    dash {
      path = "`+s.dir+`/www/live"
    }
  }
  application "manifest" {
    dash {
      path     = "`+s.dir+`/www/manifest"
      fragment = "2s"
    }
  }
`).Replace(s.paged(t, `  location "/manifest" {
    root = "`+s.dir+`/www"
  }`)))
	for _, name := range []string{"manifest/alone", "live/both"} {
		background(t, command(t, 10*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", forEver, "-i", testcard, "-c", "copy", "-f", "flv", "rtmp://"+s.rtmp+"/"+name))
	}
	eventually(t, 60*time.Second, "both are live", func() bool {
		list, err := get("http://" + s.http + "/live.m3u")
		body, err2 := get("http://" + s.http + "/json_both.js")
		return err == nil && err2 == nil && strings.Contains(string(list), "/manifest/alone.mpd") && strings.Contains(string(body), "both.mpd")
	})
	p := open(t, "http://"+s.http+"/alone.html")
	p.plays(t, 0)
	p.shot(t, "alone")
	p.quiet(t)
	if err := chromedp.Run(p.ctx, network.Enable(), network.SetBlockedURLs([]string{"*.m3u8*"}), chromedp.Navigate("http://"+s.http+"/both.html")); err != nil {
		t.Fatal(err)
	}
	p.plays(t, 0)
	var asked string
	p.eval(t, `performance.getEntriesByType("resource").map((e) => e.name).join(" ")`, &asked)
	if !strings.Contains(asked, "both.mpd") {
		t.Errorf("it plays without the MPD: %s", asked)
	}
}

// A page takes parts where the playlist offers them, and does without if the clock does not
// go on.
func TestAPageOfLowLatency(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.Replace(s.paged(t, ""), `      fragment = "2s"`, `      fragment    = "2s"
      format      = "fmp4"
      low_latency = true`, 1))
	s.publish(t, "test", forEver)
	s.waitLow(t, "test")
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	asked := func(what string) int {
		log, _ := os.ReadFile(filepath.Join(s.dir, "access.log")) // polled
		return strings.Count(string(log), what)
	}
	eventually(t, 60*time.Second, "it asks for parts of fragments", func() bool { return asked("_HLS_part=") > 3 })
	p.shot(t, "low")
	p.quiet(t)
	stuck := chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(`Object.defineProperty(HTMLMediaElement.prototype, "currentTime", { get: () => 1, set: () => {} });`).Do(ctx)
		return err
	})
	if err := chromedp.Run(p.ctx, stuck, chromedp.Navigate("http://"+s.http+"/test.html")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 4*time.Minute, "it asks for the playlist without parts", func() bool { return asked("_ll=0") > 0 })
}

// waitLow waits until the pictures of stream have parts.
func (s *server) waitLow(t *testing.T, stream string) {
	t.Helper()
	eventually(t, 60*time.Second, "the playlist has parts", func() bool {
		list, err := get("http://" + s.http + "/live/" + stream + "-video.m3u8")
		return err == nil && strings.Contains(string(list), "#EXT-X-PART:")
	})
}

// captioned is a long clip with the words "RTMPD 1", "RTMPD 2" … as closed captions, each
// for a second: CEA-608 in SEI messages, as broadcasters' encoders send them.
func captioned(t *testing.T) (tags []sentTag) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "long.flv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-stream_loop", "30", "-i", testcard, "-c", "copy", "-f", "flv", file))
	var pairs [][2]byte // of CEA-608, one for each picture
	n := 0
	for _, tag := range flvTags(t, file) {
		if tag.kind == tagScript {
			continue
		}
		if tag.kind == tagVideo && tag.body[1] == 1 {
			if len(pairs) == 0 {
				n++
				pairs = popOn(fmt.Sprintf("RTMPD %d", n))
			}
			tag.body = append(tag.body[:5:5], append(captionNALU(pairs[0]), tag.body[5:]...)...)
			pairs = pairs[1:]
		}
		tags = append(tags, sentTag{tag, tag.timestamp})
	}
	return tags
}

// popOn are 30 pairs of bytes that show a text (CEA-608-E §6.4): resume caption loading,
// erase what is loaded, row 15, the text, end of caption.
func popOn(text string) [][2]byte {
	pairs := [][2]byte{{0x14, 0x20}, {0x14, 0x2e}, {0x14, 0x70}}
	if len(text)%2 != 0 {
		text += " "
	}
	for i := 0; i < len(text); i += 2 {
		pairs = append(pairs, [2]byte{text[i], text[i+1]})
	}
	pairs = append(pairs, [2]byte{0x14, 0x2f})
	for len(pairs) < 30 {
		pairs = append(pairs, [2]byte{})
	}
	return pairs
}

// captionNALU is a SEI message with one pair (ATSC A/53 part 4 §6.2.3), with its length.
func captionNALU(pair [2]byte) []byte {
	for i, b := range pair {
		if bits.OnesCount8(b)%2 == 0 {
			pair[i] |= 0x80 // odd parity
		}
	}
	payload := []byte{0xb5, 0x00, 0x31, 'G', 'A', '9', '4', 0x03, 0xc1, 0xff, 0xfc, pair[0], pair[1], 0xff}
	nalu := append([]byte{0x06, 4, byte(len(payload))}, payload...)
	nalu = append(nalu, 0x80)
	return append([]byte{0, 0, 0, byte(len(nalu))}, nalu...)
}

// A page has a button for captions once the stream has some, and keys for it, the sound and
// the pause.
func TestAPageOfCaptions(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	tags := captioned(t)
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- sendInTime(ctx, s, "test", tags, time.Now()) }()
	defer func() {
		cancel()
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}()
	s.waitLive(t, "test")
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	button := fmt.Sprintf(playerN, 0) + `.shadowRoot.querySelector("[aria-label=Captions]")`
	eventually(t, 60*time.Second, "a button for captions", func() (there bool) {
		p.eval(t, "!"+button+".hidden", &there)
		return there
	})
	pressed := func() (on bool) {
		p.eval(t, button+`.getAttribute("aria-pressed") === "true"`, &on)
		return on
	}
	p.eval(t, button+".focus()", nil)
	press := func(keys string) {
		t.Helper()
		if err := chromedp.Run(p.ctx, chromedp.KeyEvent(keys)); err != nil {
			t.Fatal(err)
		}
	}
	press("\r")
	eventually(t, 90*time.Second, "the captions are on", pressed)
	eventually(t, 60*time.Second, "the captions are seen", func() bool {
		var text string
		p.eval(t, `[...`+fmt.Sprintf(videoN, 0)+`.textTracks].filter((t) => t.mode === "showing").flatMap((t) => [...t.activeCues]).map((c) => c.text).join("|")`, &text)
		return strings.HasPrefix(text, "RTMPD ")
	})
	p.shot(t, "captions")
	p.accessible(t)
	press("c")
	eventually(t, 90*time.Second, "the captions are off", func() bool { return !pressed() })
	var before, after struct{ Muted, Paused bool }
	state := `({ muted: ` + fmt.Sprintf(videoN, 0) + `.muted, paused: ` + fmt.Sprintf(videoN, 0) + `.paused })`
	p.eval(t, state, &before)
	press("m")
	press("k")
	eventually(t, 90*time.Second, "keys change sound and pause", func() bool {
		p.eval(t, state, &after)
		return after.Muted != before.Muted && after.Paused != before.Paused
	})
	p.quiet(t)
}
