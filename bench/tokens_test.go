//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

func TestEachViewerHasATokenOfItsOwnThatTheServerTakes(t *testing.T) {
	check := viewtoken.NewChecker([]viewtoken.Key{viewtoken.NewSecret("bench", []byte(viewSecret))}, viewtoken.Options{})
	for _, n := range []int{0, 499} {
		got, err := check.Check(viewToken(n, time.Now()))
		if err != nil || got.ID != fmt.Sprint(n) || time.Until(got.Expires) < time.Hour {
			t.Errorf("token of viewer %d: got %+v, %v", n, got, err)
		}
	}
	if len(viewSecret) < viewtoken.MinSecret {
		t.Errorf("the secret has %d bytes, want %d", len(viewSecret), viewtoken.MinSecret)
	}
}

func TestViewerTakesTheLinkOfTheMultivariantPlaylist(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI+" "+r.Header.Get("Cookie"))
		switch r.URL.Path {
		case "/tokens/a.m3u8":
			fmt.Fprint(w, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na_hi.m3u8?token=link&viewer=1\n")
		case "/tokens/a_hi.m3u8":
			http.SetCookie(w, &http.Cookie{Name: "token", Value: "link", Path: "/tokens/", HttpOnly: true})
			fmt.Fprint(w, "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2.0,\na_hi-7.ts\n")
		default:
			fmt.Fprint(w, "segment")
		}
	}))
	defer s.Close()
	a := &audience{addr: s.Listener.Addr().(*net.TCPAddr).String(), path: "/tokens/a.m3u8", query: func(n int) string { return fmt.Sprintf("token=own%d", n) }}
	v := &viewer{audience: a, target: a.path + "?" + a.query(3)}
	defer v.hangUp()
	for range 2 {
		if err := v.poll(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/tokens/a.m3u8?token=own3 ", "/tokens/a_hi.m3u8?token=link&viewer=1 ", "/tokens/a_hi-7.ts token=link", "/tokens/a_hi.m3u8?token=link&viewer=1 token=link"}
	if fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("requests: got %q, want %q", asked, want)
	}
}
