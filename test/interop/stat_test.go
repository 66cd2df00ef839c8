package interop

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// A steered is one of two servers with stat and control, set up alike.
type steered struct {
	side
	http string // base URL
}

// startSteered runs nginx-rtmp or rtmpd with the applications live and other,
// and off with live off.
func startSteered(t *testing.T, nginx bool) *steered {
	t.Helper()
	s := &steered{side: side{t: t, nginx: nginx}}
	dir, err := os.MkdirTemp("", "rtmpd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if nginx {
		s.address, s.web = testport.Address(), testport.Address()
		path := filepath.Join(dir, "nginx.conf")
		conf := fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log info;
events {}
rtmp {
  access_log off;
  server {
    listen %[2]s;
    application live { live on; }
    application other { live on; }
    application off { live off; }
  }
}
http {
  access_log off;
  server {
    listen %[3]s;
    location /stat { rtmp_stat all; rtmp_stat_stylesheet stat.xsl; }
    location /control { rtmp_control all; }
    location /dropper { rtmp_control drop; }
  }
}
`, dir, s.address, s.web)
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		background(t, command(t, 2*time.Minute, "nginx", "-c", path, "-p", dir, "-e", dir+"/error.log"))
	} else {
		path := filepath.Join(dir, "rtmpd.hcl")
		conf := fmt.Sprintf(`state_dir = "%[1]s/state"
runtime_dir = "%[1]s/run"
rtmp {
  listen = "127.0.0.1:0"
  application "live" {}
  application "other" {}
  application "off" {
    live = false
  }
}
http {
  listen = "127.0.0.1:0"
  location "/stat" {
    stat { stylesheet = "stat.xsl" }
  }
  location "/page" {
    stat {}
  }
  location "/control" {
    control {}
    access = ["allow loopback", "deny all"]
  }
  location "/dropper" {
    control { allow = ["drop"] }
    access = ["allow loopback", "deny all"]
  }
}
`, dir)
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		s.log = watch(t, exec.Command(rtmpd, "run", "-c", path)).String
		s.askAddress()
		s.web = listensAt(t, s.log, "http", 1)[0]
	}
	s.http = "http://" + s.web
	s.waitListening()
	eventually(t, 90*time.Second, s.name()+" answers HTTP", func() bool { _, err := get(s.http + "/stat"); return err == nil })
	return s
}

// ffmpegs publishes the test card as name, and plays it. options are ffmpeg's, of
// the output.
func (s *steered) ffmpegs(name string, options ...string) {
	s.t.Helper()
	url := "rtmp://" + s.address + "/live/" + name
	args := append([]string{
		"-nostdin", "-re", "-stream_loop", "-1", "-i", filepath.Join("..", "..", "internal", "demo", "testcard.flv"), "-c", "copy",
	}, options...)
	background(s.t, command(s.t, 2*time.Minute, "ffmpeg", append(args, "-f", "flv", url)...))
	s.waitStat("<publishing/>")
	background(s.t, command(s.t, 2*time.Minute, "ffmpeg", "-nostdin", "-i", url, "-c", "copy", "-f", "null", "-"))
	s.waitStat("<nclients>2</nclients>")
}

func (s *steered) waitStat(want string) string {
	s.t.Helper()
	var page string
	eventually(s.t, 90*time.Second, s.name()+" has "+want, func() bool {
		b, err := get(s.http + "/stat")
		page = string(b)
		return err == nil && strings.Contains(page, want)
	})
	return page
}

// ours are the elements that rtmpd has and nginx-rtmp has not; compiler depends
// on how nginx was built.
var ours = []string{"viewers", "viewers_peak", "viewers_unique", "finding", "compiler"}

// elements lists the page's elements, each with its depth, in their order; the
// line ends between them are kept.
func elements(t *testing.T, page string) []string {
	t.Helper()
	var out []string
	d := xml.NewDecoder(strings.NewReader(page))
	depth, skip := 0, false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, page)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			skip = slices.Contains(ours, e.Name.Local)
			if !skip {
				out = append(out, strings.Repeat(" ", depth)+e.Name.Local)
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if !strings.Contains(string(e), "\n") {
				continue
			}
			if !skip {
				out = append(out, "line end")
			}
			skip = false
		}
	}
}

func TestStatBesideNginx(t *testing.T) {
	t.Parallel()
	var pages [2]string
	for i, nginx := range []bool{true, false} {
		s := startSteered(t, nginx)
		s.ffmpegs("cam")
		s.waitStat("<meta>")
		eventually(t, 90*time.Second, "media at the player", func() bool {
			return strings.Count(s.waitStat("</rtmp>"), "<active/>") == 3
		})
		pages[i] = s.waitStat("</rtmp>")
		keep(t, s.name()+".xml", []byte(pages[i]))
	}
	compare(t, "a publisher and a player", elements(t, pages[1]), elements(t, pages[0]))
	for _, line := range []string{ // that must be the same, byte for byte
		"<meta>", "<codec>H264</codec>", "<profile>LC</profile>", `<?xml-stylesheet type="text/xsl" href="stat.xsl" ?>`, "<nginx_rtmp_version>",
	} {
		if got, want := lineWith(pages[1], line), lineWith(pages[0], line); got != want || got == "" {
			t.Errorf("line with %s:\n got %q\nwant %q", line, got, want)
		}
	}
}

// A stream of one medium has both in <meta>, as at nginx-rtmp.
func TestStatOfOneMediumBesideNginx(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"-an", "-vn"} {
		t.Run(option, func(t *testing.T) {
			var metas [2]string
			for i, nginx := range []bool{true, false} {
				s := startSteered(t, nginx)
				s.ffmpegs("cam", option)
				s.waitStat("<codec>") // nginx-rtmp has <meta> before it knows what is in it
				metas[i] = lineWith(s.waitStat("</rtmp>"), "<meta>")
			}
			if metas[1] != metas[0] {
				t.Errorf("got %s want %s", metas[1], metas[0])
			}
		})
	}
}

func lineWith(page, part string) string {
	for line := range strings.Lines(page) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: rtmpd's page is\n%s\nnginx-rtmp's\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// call calls control; rtmpd's 4xx with a reason stand for nginx-rtmp's 500.
func (s *steered) call(method, path string) string {
	s.t.Helper()
	req, err := http.NewRequest(method, s.http+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	switch {
	case res.StatusCode < 300:
		return fmt.Sprintf("%d %q", res.StatusCode, body)
	case s.nginx && res.StatusCode == 500, !s.nginx && res.StatusCode == 400 && len(body) > 1:
		return "not understood"
	}
	return fmt.Sprint(res.StatusCode)
}

func TestControlBesideNginx(t *testing.T) {
	t.Parallel()
	n, r := startSteered(t, true), startSteered(t, false)
	both := func(method, path string) string {
		t.Helper()
		got, want := r.call(method, path), n.call(method, path)
		if got != want {
			t.Errorf("%s %s: rtmpd answers %s, nginx-rtmp %s", method, path, got, want)
		}
		return got
	}
	n.ffmpegs("cam")
	r.ffmpegs("cam")
	for _, path := range []string{
		"/control/record/start?app=live&name=cam",
		"/control/record/stop?app=live&name=cam&rec=r",
		"/control/record/start?app=live&name=nobody",
		"/control/record/start?app=live&name=nobody&rec=x",
		"/control/record/start?app=nope",
		"/control/record/nope?app=live",
		"/control/record",
		"/control/drop/nope?app=live",
		"/control/",
		"/control/x/y",
		"/control/drop/publisher?srv=7&app=live",
		"/control/drop/publisher?srv=x&app=live",
		"/control/drop/publisher?app=nope",
		"/control/drop/publisher?app=live&name=nobody",
		"/control/drop/publisher?app=live&name=cam&clientid=99999",
		"/control/drop/client?app=live&name=cam&addr=192.0.2.1",
		"/control/redirect/publisher?app=live&name=cam",
		"/control/redirect/publisher?app=live&name=nobody&newname=x",
		"/control/a/b/drop/publisher?app=live&name=nobody",
		"/dropper/record/start?app=live&name=cam",
		"/dropper/drop/publisher?app=other",
	} {
		both("GET", path)
		both("POST", path)
	}
	// A player that is moved waits for the new name; the publisher follows.
	if got := both("GET", "/control/redirect/subscriber?app=live&name=cam&newname=new"); got != `200 "1"` {
		t.Errorf("the player is moved with %s", got)
	}
	for _, s := range []*steered{n, r} {
		eventually(t, 90*time.Second, s.name()+" has both names", func() bool {
			return slices.Equal(streamsOf(t, s.waitStat("</rtmp>")), []string{"cam 1", "new 1"})
		})
	}
	both("GET", "/control/redirect/publisher?app=live&name=cam&newname=new")
	for _, s := range []*steered{n, r} {
		eventually(t, 90*time.Second, s.name()+" has one name with media", func() bool {
			page := s.waitStat("</rtmp>")
			return slices.Equal(streamsOf(t, page), []string{"new 2"}) && strings.Count(page, "<active/>") == 3 && strings.Contains(page, "<width>640</width>")
		})
	}
	if got := both("GET", "/control/drop/client?app=live&name=new"); got != `200 "2"` {
		t.Errorf("both are dropped with %s", got)
	}
	for _, s := range []*steered{n, r} {
		eventually(t, 90*time.Second, s.name()+" has nobody", func() bool { return len(streamsOf(t, s.waitStat("</rtmp>"))) == 0 })
	}
}

// streamsOf lists the streams of a page with their clients, sorted.
func streamsOf(t *testing.T, page string) []string {
	t.Helper()
	var p struct {
		Streams []struct {
			Name     string `xml:"name"`
			NClients string `xml:"nclients"`
		} `xml:"server>application>live>stream"`
	}
	if err := xml.Unmarshal([]byte(page), &p); err != nil {
		t.Fatalf("%v in\n%s", err, page)
	}
	var out []string
	for _, s := range p.Streams {
		out = append(out, s.Name+" "+s.NClients)
	}
	slices.Sort(out)
	return out
}

// A browser gets a page for people without asking for anything.
func TestStatInChromium(t *testing.T) {
	t.Parallel()
	s := startSteered(t, false)
	s.ffmpegs("Müller+1")
	s.waitStat("<width>640</width>")
	rate := regexp.MustCompile(`<bw_in>[1-9]`)
	eventually(t, 90*time.Second, "a bit rate", func() bool { return rate.MatchString(s.waitStat("</rtmp>")) })
	p := open(t, s.http+"/page")
	var text string
	if err := chromedp.Run(p.ctx, chromedp.Text("body", &text)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rtmpd/", "live", "Müller+1", "640×360", "30 fps", "H264 Main", "AAC LC 48000 Hz 2 ch", "b/s", "2 connected"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
}
