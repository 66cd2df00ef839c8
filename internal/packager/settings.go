package packager

import (
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// Settings are what an output does with a stream. The words are those of the blocks hls
// and dash, which say what they mean.
type Settings struct {
	What   string // the output in log lines: "hls"
	Format string // "mpegts" or "fmp4"

	Fragment       time.Duration
	MaxFragment    time.Duration
	Aligned        bool
	Sync           time.Duration
	MaxAudioDelay  time.Duration
	PlaylistLength time.Duration

	Nested      bool
	Naming      string
	Granularity int

	Event      bool // no segment leaves
	Continuous bool
	Cleanup    bool
	Endlist    bool
	Keys       *config.Keys // nil: in the clear

	// Manifests name the segments; the first is the output's main one. It also decides
	// what of an earlier run goes on.
	Manifests []Spec
}

// check returns why the stream can't have these settings.
func (s *Settings) check(app, stream string) error {
	if _, err := namesFor(app, stream, s); err != nil {
		return err
	}
	if s.Format != "mpegts" {
		return fmt.Errorf("format %s: only mpegts is built", s.Format)
	}
	return nil
}

func (s *Settings) container() segmenter.Container { return segmenter.NewMPEGTS() }

// files are the files of all manifests.
func (s *Settings) files(app, stream string) []string {
	var all []string
	for _, m := range s.Manifests {
		all = append(all, m.Files(app, stream)...)
	}
	return all
}
