package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// loads counts loads of path, which happen at a time since the first look, and what
// they read.
type loads struct {
	path string
	n    int
	text string
}

func (l *loads) load() (*Config, Files, hcl.Diagnostics) {
	l.n++
	r := make(Reading)
	data, _ := r.file(l.path)
	l.text = string(data)
	return &Config{Reading: r}, nil, nil
}

func TestLoadStillBelievesNoHalfWrittenFile(t *testing.T) {
	const whole = "rtmp {}\nhttp {}\n"
	for name, c := range map[string]struct {
		writes []string // the first before the first look, then one every gap; "-" removes
		gap    time.Duration
		want   string
		took   time.Duration
	}{
		"a longer file is believed at once":              {[]string{whole + "log {}\n"}, 0, whole + "log {}\n", Still},
		"a file of the same length, too":                 {[]string{"rtmp {}\nhttp ()\n"}, 0, "rtmp {}\nhttp ()\n", Still},
		"a shorter one takes longer":                     {[]string{"rtmp {}\n"}, 0, "rtmp {}\n", 10 * Still},
		"emptied, then whole again":                      {[]string{"", whole}, 500 * time.Millisecond, whole, 10*Still + Still},
		"gone, then there again":                         {[]string{"-", whole}, time.Second, whole, 10*Still + Still},
		"cut behind a block, then written anew":          {[]string{"rtmp {}\n", whole + "\n"}, 500 * time.Millisecond, whole + "\n", 10*Still + Still},
		"still growing":                                  {[]string{whole + "a", whole + "ab", whole + "abc"}, Still * 2 / 5, whole + "abc", 2 * Still},
		"empty for good: its diagnostics say that it is": {[]string{""}, 0, "", 10 * Still},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "rtmpd.hcl")
				write := func(s string) {
					if s == "-" {
						must(t, os.Remove(path))
						return
					}
					put(t, path, s)
				}
				write(whole)
				running := Read([]string{path})
				write(c.writes[0])
				go func() {
					for _, s := range c.writes[1:] {
						time.Sleep(c.gap)
						write(s)
					}
				}()
				begun := time.Now()
				l := &loads{path: path}
				cfg, _, _, err := LoadStill(t.Context(), running, running, l.load)
				if err != nil || l.text != c.want || !cfg.Reading.Equal(Read([]string{path})) {
					t.Errorf("read %q, %v; want %q", l.text, err, c.want)
				}
				if took := time.Since(begun); took != c.took {
					t.Errorf("took %s, want %s", took, c.took)
				}
				synctest.Wait()
			})
		})
	}
}

func TestLoadStillGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rtmpd.hcl")
		put(t, path, "0")
		l := &loads{path: path}
		n := 0
		_, _, _, err := LoadStill(t.Context(), nil, nil, func() (*Config, Files, hcl.Diagnostics) {
			n++
			put(t, path, string(rune('a'+n)))
			return l.load()
		})
		if !errors.Is(err, errUnrest) || n < 10 {
			t.Errorf("got %v after %d loads", err, n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, _, err := LoadStill(ctx, nil, nil, l.load); !errors.Is(err, context.Canceled) {
			t.Errorf("a stop: got %v", err)
		}
	})
}
