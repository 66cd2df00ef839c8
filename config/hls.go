package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// HLS is an hls block.
type HLS struct {
	Path                      value.Path    `hcl:"path" vars:"app" need:"yes"` // absolute, $app expanded
	Fragment                  time.Duration `hcl:"fragment" default:"5s" min:"100ms" max:"1h"`
	MaxFragment               time.Duration `hcl:"max_fragment" min:"100ms"` // 3 × fragment when unset
	PlaylistLength            time.Duration `hcl:"playlist_length" default:"30s" min:"100ms"`
	Format                    string        `hcl:"format" default:"mpegts" one:"mpegts fmp4"`
	LowLatency                bool          `hcl:"low_latency"`
	Part                      time.Duration `hcl:"part" default:"200ms" min:"10ms"`
	Nested                    bool          `hcl:"nested"`
	FragmentNaming            string        `hcl:"fragment_naming" default:"sequential" one:"sequential timestamp system"`
	FragmentNamingGranularity int           `hcl:"fragment_naming_granularity" default:"0"`
	FragmentSlicing           string        `hcl:"fragment_slicing" default:"plain" one:"plain aligned"`
	Type                      string        `hcl:"type" default:"live" one:"live event"`
	Continuous                bool          `hcl:"continuous" default:"true"`
	Cleanup                   bool          `hcl:"cleanup" default:"true"`
	BaseURL                   value.Base    `hcl:"base_url"`
	Sync                      time.Duration `hcl:"sync" default:"2ms" off:"yes"`
	MaxAudioDelay             time.Duration `hcl:"max_audio_delay" default:"300ms" off:"yes"`
	Datetime                  bool          `hcl:"datetime" default:"true"`
	Endlist                   bool          `hcl:"endlist" default:"true"`
	Variants                  []Variant     `hcl:"variant,block"`
	Keys                      *Keys         `hcl:"keys,block"`
	Range                     hcl.Range
}

// Variant is an hls variant block; zero fields are measured.
type Variant struct {
	Suffix           string           `hcl:"SUFFIX,label"`
	Bandwidth        value.Bitrate    `hcl:"bandwidth"`
	AverageBandwidth value.Bitrate    `hcl:"average_bandwidth"`
	Resolution       value.Resolution `hcl:"resolution"`
	Codecs           string           `hcl:"codecs"`
	FrameRate        float64          `hcl:"frame_rate"`
}

// Keys is an hls keys block.
type Keys struct {
	Path            value.Path `hcl:"path" vars:"app" need:"yes"` // absolute
	URL             value.Base `hcl:"url"`
	FragmentsPerKey int        `hcl:"fragments_per_key" default:"0"`
	Method          string     `hcl:"method" default:"AES-128" one:"AES-128"`
}

// DASH is a dash block.
type DASH struct {
	Path           value.Path    `hcl:"path" vars:"app" need:"yes"` // absolute, $app expanded
	Fragment       time.Duration `hcl:"fragment" default:"5s" min:"100ms" max:"1h"`
	PlaylistLength time.Duration `hcl:"playlist_length" default:"30s" min:"100ms"`
	Nested         bool          `hcl:"nested"`
	Cleanup        bool          `hcl:"cleanup" default:"true"`
	LowLatency     bool          `hcl:"low_latency"`
	Clock          string        `hcl:"clock" default:"off" one:"off ntp http_head http_iso"`
	ClockURI       string        `hcl:"clock_uri"`
	Range          hcl.Range
}
