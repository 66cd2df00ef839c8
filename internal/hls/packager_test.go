package hls

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestPlaylistsLookAsTheyDid(t *testing.T) {
	tests := []struct {
		name string
		cfg  func(*config.HLS)
		play func(*mediatest.Script)
		stop error
		file string
	}{
		{name: "live.m3u8", play: func(s *mediatest.Script) { s.Play(17 * time.Second) }},
		{name: "ended.m3u8", play: func(s *mediatest.Script) { s.Play(5 * time.Second) }, stop: eof},
		{
			name: "event.m3u8", play: func(s *mediatest.Script) { s.Play(25 * time.Second) }, stop: eof,
			cfg: func(c *config.HLS) { c.Type = "event"; c.BaseURL = "https://cdn.example/v/"; c.Datetime = false },
		},
		{
			name: "nested.m3u8", file: "test/index.m3u8", play: func(s *mediatest.Script) { s.Play(5 * time.Second) },
			cfg: func(c *config.HLS) { c.Nested = true; c.FragmentNaming = "timestamp" },
		},
		{
			name: "nested-base.m3u8", file: "test/index.m3u8", play: func(s *mediatest.Script) { s.Play(5 * time.Second) },
			cfg: func(c *config.HLS) {
				c.Nested, c.BaseURL, c.FragmentNaming, c.FragmentNamingGranularity = true, "/x/", "system", 500
			},
		},
		{
			name: "reconnect.m3u8", play: func(s *mediatest.Script) {
				s.Play(5 * time.Second)
				s.Epoch++
				s.Play(5 * time.Second)
			},
		},
		{
			name: "audio-only.m3u8", play: func(s *mediatest.Script) {
				s.Video = nil
				s.Play(9 * time.Second)
			},
		},
		{
			name: "long-gop.m3u8", play: func(s *mediatest.Script) {
				s.Play(4 * time.Second)
				s.GOP = 10 * time.Second
				s.Play(12 * time.Second)
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			cfg := testConfig(b.dir)
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			s := mediatest.NewScript(t)
			tt.play(s)
			b.run(b.packager("test", cfg), s.Packets, tt.stop)
			file := tt.file
			if file == "" {
				file = "test.m3u8"
			}
			golden(t, tt.name, b.read(file))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}
