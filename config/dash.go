package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// DASH is a dash block.
type DASH struct {
	// The directory for manifests and fragments; it is made if need be. $app is
	// the application's name. If it is hls.path, and hls has format = "fmp4", both
	// name the same fragments, and fragment, playlist_length, nested and cleanup
	// are those of hls.
	Path value.Path `hcl:"path" nginx:"dash_path" vars:"app" need:"yes" example:"\"/nginx/dash\""`
	// The length of a fragment. It ends at the first keyframe after it.
	Fragment time.Duration `hcl:"fragment" nginx:"dash_fragment" default:"5s" min:"100ms" max:"1h"`
	// How much media the manifest names.
	PlaylistLength time.Duration `hcl:"playlist_length" nginx:"dash_playlist_length" default:"30s" min:"100ms"`
	// Whether each stream has a directory of its own, with index.mpd.
	Nested bool `hcl:"nested" nginx:"dash_nested"`
	// Whether fragments that no manifest names are removed.
	Cleanup bool `hcl:"cleanup" nginx:"dash_cleanup" default:"true"`
	// Low-latency DASH: the MPD names the fragment that is being written, which players get as
	// it grows.
	LowLatency bool `hcl:"low_latency"`
	// Where players get the time from (UTCTiming); off: from their own clock.
	Clock string `hcl:"clock" nginx:"dash_clock_compensation" default:"off" one:"off ntp http_head http_iso"`
	// The address of that clock. Unset: for http_iso rtmpd itself, for http_head
	// whoever serves the manifest.
	ClockURI string `hcl:"clock_uri" nginx:"dash_clock_helper_uri" example:"\"https://time.example.org/\""`
	Range    hcl.Range
}
