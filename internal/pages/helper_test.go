package pages

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStreams are the streams of applications that have a place for every name.
type fakeStreams struct {
	mu       sync.Mutex
	apps     []string
	streams  []Stream
	keyframe *media.Packet
	looks    int // calls of Find
}

func (f *fakeStreams) Instead(context.Context, Stream, netip.Addr, string) bool { return false }

func (f *fakeStreams) Find(apps []string, app, name string) (Stream, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	for _, s := range f.streams {
		if s.Name == name && (app == "" || s.App == app) && (apps == nil || slices.Contains(apps, s.App)) {
			return s, true
		}
	}
	if app == "" {
		app = f.apps[0]
	}
	return Stream{App: app, Name: name, State: Offline, Dir: "/hls", Playlist: name + ".m3u8"}, slices.Contains(f.apps, app)
}

// looked is how often Find was called.
func (f *fakeStreams) looked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks
}

func (f *fakeStreams) All([]string) []Stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.streams)
}

func (f *fakeStreams) Unlock(_, _, word string, _ netip.Addr) (string, error) {
	switch word {
	case "open sesame":
		return "TOKEN", nil
	case "again":
		return "", ErrTooMany
	}
	return "", ErrLocked
}

func (f *fakeStreams) Opens(_, _, query string) bool { return query == "token=TOKEN" }

func (f *fakeStreams) Keyframe(string, string) *media.Packet { return f.keyframe }

// set replaces the streams.
func (f *fakeStreams) set(all ...Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams = all
}

var (
	h264 = &media.Track{Kind: media.Video, Codec: media.CodecH264, Width: 1280, Height: 720, CodecString: "avc1.64001f", FrameRate: 30}
	aac  = &media.Track{Kind: media.Audio, Codec: media.CodecAAC, SampleRate: 48000, Channels: 2, CodecString: "mp4a.40.2"}
)

// live is a stream of the application "show".
func live(name string) Stream {
	return Stream{App: "show", Name: name, State: Live, Dir: "/hls", Playlist: name + ".m3u8", Video: h264, Audio: aac}
}

// defaults is a player block as it is without attributes.
func defaults() config.Player {
	return config.Player{Autoplay: true, EmbedFrom: value.Origins{"*"}}
}

func handler(tb testing.TB, cfg config.Player, streams ...Stream) (*Handler, *fakeStreams) {
	tb.Helper()
	f := &fakeStreams{apps: []string{"show", "other"}, streams: streams}
	h, err := New(cfg, f)
	if err != nil {
		tb.Fatal(err)
	}
	return h, f
}

// visit is a request below the location, at https://tv.example/mist.
func visit(location, path string) Visit {
	return Visit{
		Location: location, Path: path, Depth: strings.Count(path, "/") - 1, Client: netip.MustParseAddr("192.0.2.1"),
		Base:         func() string { return "https://tv.example/mist" },
		Mark:         func(h http.Header) { h.Add("Vary", "X-Mst-Path") },
		PlaylistPath: func(_, name string) string { return "/live/" + name },
	}
}

// ask gets a path below the location "/watch". Words are "GET /path" and headers.
func ask(tb testing.TB, h *Handler, what string, headers ...string) (*http.Response, string) {
	tb.Helper()
	method, target, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, "/watch"+target, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return serve(tb, h, r, visit("/watch", r.URL.Path[len("/watch"):]))
}

func serve(tb testing.TB, h *Handler, r *http.Request, v Visit) (*http.Response, string) {
	tb.Helper()
	w := httptest.NewRecorder()
	h.Serve(w, r, v)
	resp := w.Result()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp, string(b)
}

func differs[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}
