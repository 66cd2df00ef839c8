package apistate

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func mustPush(t testing.TB, app, streams, target string, inhibit ...string) Push {
	t.Helper()
	p, err := NewPush(app, streams, target, inhibit)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAStateIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	if s, err := Load(dir); err != nil || !s.Empty() {
		t.Fatalf("none: %v, %v", s, err)
	}
	key, err := NewKey("live", "anna", "a-secret-of-anna")
	if err != nil {
		t.Fatal(err)
	}
	s := &State{Pushes: []Push{mustPush(t, "live", "show+", "rtmp://example.org/app/KEY?a=b", "show+x")}, Keys: []Key{key}, Wait: 5}
	timed := mustPush(t, "live", "show", "rtmp://example.org/app/x")
	if err := timed.Between(1700000000, 0); err != nil || timed.Between(5, 5) == nil || timed.Between(-1, 0) == nil {
		t.Errorf("between: %v", err)
	}
	s.Pushes = append(s.Pushes, timed)
	for range 2 {
		if err := s.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, want %+v", got, s)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "api.json"))
	if err != nil || strings.Contains(string(b), "a-secret-of-anna") || !strings.Contains(string(b), "/app/KEY?a=b") {
		t.Errorf("the file is %s", b)
	}
}

func TestAPushIsForTheStreamsItNames(t *testing.T) {
	t.Parallel()
	for streams, want := range map[string][]string{"show": {"show"}, "show+": {"show+a", "show+b"}} {
		p := mustPush(t, "live", streams, "rtmp://example.org/app", "show+no")
		var got []string
		for _, name := range []string{"show", "show+a", "show+b", "show+no", "other", "shows"} {
			if p.Matches("live", name) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) || p.Matches("other", "show") {
			t.Errorf("%s: %q, want %q", streams, got, want)
		}
	}
	for _, c := range [][2]string{
		{"show", "/mnt/x.mkv"},
		{"show", "x.mkv"},
		{"show", "srt://h"},
		{"show", "rtmp://"},
		{"show", "rtmp://h/$nothing"},
		{"show", "http://h/x"},
		{"../x", "rtmp://h/a"},
		{"", "rtmp://h/a"},
		{"a*", "rtmp://h/a"},
		{"show", "rtmp://h/" + strings.Repeat("x", 5000)},
	} {
		if _, err := NewPush("live", c[0], c[1], nil); err == nil {
			t.Errorf("%.40q to %.40q is taken", c[0], c[1])
		}
	}
}

// keyed is a configuration with an api location and two applications, of which live has a
// key.
func keyed() *config.Config {
	return &config.Config{
		HTTP: []config.HTTP{{Locations: []config.Location{{Path: "/api2", API: &config.API{}}}}},
		RTMP: []config.RTMP{{Applications: []config.Application{
			{
				Name: "live", Live: true, StreamKeys: []config.StreamKey{{Holder: "file", Stream: "file", Secret: "the-key-of-the-file"}},
				Pushes:  []config.Push{{Name: "own", Remote: config.Remote{URL: "rtmp://example.org/app/own"}}},
				Streams: []config.StreamRule{{Pattern: "x*", Application: &config.Application{Name: "live", Live: true}}},
			},
			{Name: "open", Live: true},
		}}},
	}
}

func TestTheConfigurationWins(t *testing.T) {
	t.Parallel()
	cfg, before := keyed(), keyed()
	var s State
	for _, k := range []struct{ app, stream, secret string }{
		{"live", "anna", "a-secret-of-anna"}, {"live", "eve", "the-key-of-the-file"}, {"open", "x", "a-secret-of-open"}, {"gone", "x", "a-secret-of-gone"},
	} {
		key, err := NewKey(k.app, k.stream, k.secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddKey(key); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"rtmp://example.org/app/own", "rtmp://example.org/app/other"} {
		if fresh, err := s.AddPush(mustPush(t, "live", "xa", target)); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
	}
	got := s.With(cfg)
	live, open := got.RTMP[0].Application("live"), got.RTMP[0].Application("open")
	if len(live.StreamKeys) != 2 || live.StreamKeys[1].Stream != "anna" || len(open.StreamKeys) != 0 {
		t.Errorf("keys: %v, %v", live.StreamKeys, open.StreamKeys)
	}
	if len(live.Pushes) != 2 || live.Pushes[1].Remote.URL != "rtmp://example.org/app/other" {
		t.Errorf("pushes: %+v", live.Pushes)
	}
	if rule := live.For("xa"); len(rule.Pushes) != 2 {
		t.Errorf("a stream block has %d pushes", len(rule.Pushes)) // it has no push of its own
	}
	if !reflect.DeepEqual(cfg, before) {
		t.Error("the configuration was changed")
	}
	lines := strings.Join(s.Lines(cfg, func(*Push) string { return "T" }), "\n")
	for _, want := range []string{
		"of live/anna (in force)", `of live/eve (without effect: the configuration has this key, for "file"`, "of open/x (without effect: application \"open\" has neither",
		`of gone/x (without effect: there is no application "gone")`, "of live/xa to T (in force)", `of live/xa to T (without effect: the configuration has this target, as push "own"`,
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, lines)
		}
	}
	cfg.HTTP = nil
	if s.With(cfg) != cfg {
		t.Error("it has an effect without an api location")
	}
}

func TestAStateIsBounded(t *testing.T) {
	t.Parallel()
	s := State{Keys: make([]Key, maxKeys-1)}
	for i, secret := range []string{"the-last-secret", "one-secret-too-many"} {
		if err := s.AddKey(Key{SHA256: HashOf(secret), App: "live", Stream: "x"}); (err != nil) != (i == 1) {
			t.Errorf("%s: %v", secret, err)
		}
	}
	s.Pushes = make([]Push, maxPushes)
	if _, err := s.AddPush(mustPush(t, "live", "x", "rtmp://h/a")); err == nil {
		t.Error("one push too many")
	}
}

// FuzzState: what somebody has made of the file is read or refused, and written as it was
// read.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"pushes":[{"id":"x","application":"live","streams":"a+","target":"rtmp://h/a/$stream"}],"keys":[],"wait":3}`))
	f.Add([]byte(`{"keys":[{"sha256":"` + HashOf("x") + `","application":"live","stream":"a"}]}`))
	f.Add([]byte(`{"wait":-1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		s, err := parse(b)
		if err != nil {
			return
		}
		text, err := s.text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for i := range s.Pushes {
			if !reflect.DeepEqual(s.Pushes[i], again.Pushes[i]) {
				t.Fatalf("push %d: %+v, then %+v", i, s.Pushes[i], again.Pushes[i])
			}
		}
		if len(s.Keys) != len(again.Keys) || s.Wait != again.Wait {
			t.Fatalf("%+v, then %+v", s, again)
		}
		_ = s.With(keyed())
		_ = s.Lines(keyed(), func(p *Push) string { return value.Hidden })
	})
}
