package web

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestAStreamKeyInAURLIsInNoLog(t *testing.T) {
	t.Parallel()
	const key = "s3cret-of.cam-0"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there.txt"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ request, want string }{
		{"/live/" + key + ".m3u8", "/live/***.m3u8"},
		{"/live/" + key + "?a=b", "/live/***?a=b"},
		{"/live/" + key + "/index.m3u8", "/live/***/index.m3u8"},
		{"/live/%733cret-of.cam-0.m3u8", "/live/***.m3u8"},
		{"/else/" + key, "/else/***"},
		{"/live/a/../" + key, "/live/a/../***"},
		{"/live/x?newname=" + key + "&n=1", "/live/x?newname=***&n=1"},
		{"/live/there.txt?a=b", "/live/there.txt?a=b"},
		{"/live/not-there.txt", "/live/not-there.txt"},
		// A page answers whatever name somebody makes up.
		{"/watch/" + key + ".html", "/watch/***.html"},
		{"/watch/json_" + key + ".js?app=live", "/watch/json_***.js?app=live"},
		{"/watch/info_" + key + ".js", "/watch/info_***.js"},
		{"/watch/" + key + ".poster.mp4", "/watch/***.poster.mp4"},
		{"/watch/embed/" + key, "/watch/embed/***"},
		{"/watch/oembed?url=http%3A%2F%2Fh%2F" + key + ".html&x=1", "/watch/oembed?url=http%3A%2F%2Fh%2F%2A%2A%2A.html&x=1"},
		{"/watch/oembed?url=http%3A%2F%2Fh%2Ftest.html", "/watch/oembed?url=http%3A%2F%2Fh%2Ftest.html"},
	} {
		log := filepath.Join(t.TempDir(), "access.log")
		cfg := locations(config.Location{Path: "/live", Alias: value.Path(dir)}, config.Location{Path: "/watch", Player: &config.Player{}})
		cfg.AccessLog, cfg.AccessLogFormat = value.Path(log), "$request_uri|$uri|$args|$http_referer"
		s, err := Compile(cfg, Deps{
			IsKey:  func(word string) bool { return word == key },
			Player: player(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a page") })),
		})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, s, "GET "+c.request, "Referer: http://h/live/"+key+".m3u8")
		for _, p := range s.Traffic().Figures(s.now()).Paths {
			if strings.Contains(p.Path, key) {
				t.Errorf("%s is counted as %s", c.request, p.Path)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		line, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(string(line), "|"); got != c.want {
			t.Errorf("%s is logged as %s, want %s", c.request, got, c.want)
		}
		if there := strings.Contains(c.request, "there.txt"); !there && strings.Contains(string(line), key) {
			t.Errorf("%s is logged as %s", c.request, line)
		}
	}
}
