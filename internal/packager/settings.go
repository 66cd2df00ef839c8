package packager

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// Settings are what an output does with a stream. The words are those of the blocks hls
// and dash, which say what they mean.
type Settings struct {
	What   string // the output in log lines: "hls"
	Format string // "mpegts" or "fmp4"
	Public string // the stream that viewers of the files watch; empty: the one of the files' name

	Fragment       time.Duration
	MaxFragment    time.Duration
	Aligned        bool
	Sync           time.Duration
	MaxAudioDelay  time.Duration
	PlaylistLength time.Duration
	DVR            time.Duration // how much stays in the window beyond that; 0: nothing

	Nested      bool
	Naming      string // that of hls.fragment_naming, or NamingMedia
	NginxDASH   bool   // with NamingMedia: files are called as nginx-rtmp's dash calls them
	Granularity int

	Part time.Duration // how long parts are; 0: there are none
	Days bool          // parts say at what time of day their media was

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
	if s.Format != "mpegts" && s.Format != "fmp4" {
		return fmt.Errorf("format %s: it is mpegts or fmp4", s.Format)
	}
	return nil
}

func (s *Settings) container() segmenter.Container {
	if s.Format == "fmp4" {
		return segmenter.NewFMP4()
	}
	return segmenter.NewMPEGTS()
}

func (s *Settings) codecs(log *zap.Logger) codecFilter {
	if s.Format == "fmp4" {
		return codecFilter{log: log, format: "MP4"}
	}
	return codecFilter{log: log, format: "MPEG-TS"}
}

// files are the files of all manifests.
func (s *Settings) files(app, stream string) []string {
	var all []string
	for _, m := range s.Manifests {
		all = append(all, m.Files(app, stream)...)
	}
	return all
}
