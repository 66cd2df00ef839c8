package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// HLS is an hls block.
type HLS struct {
	// The directory for playlists and fragments; it is made if need be. $app is
	// the application's name, required in defaults and in "*".
	Path value.Path `hcl:"path" nginx:"hls_path" vars:"app" need:"yes" example:"\"/nginx/live\""`
	// The length of a fragment. It ends at the first keyframe after it, so it
	// should be a multiple of the encoder's keyframe interval.
	Fragment time.Duration `hcl:"fragment" nginx:"hls_fragment" default:"5s" min:"100ms" max:"1h"`
	// The longest fragment: without a keyframe it is cut anyway. Unset: 3 times
	// fragment.
	MaxFragment time.Duration `hcl:"max_fragment" nginx:"hls_max_fragment" min:"100ms" example:"\"15s\""`
	// How much media the playlist names.
	PlaylistLength time.Duration `hcl:"playlist_length" nginx:"hls_playlist_length" default:"30s" min:"100ms"`
	// How much of the stream stays on disk and is named by a second playlist,
	// NAME-dvr.m3u8, for viewers who want to go back; off: there is none.
	DVR time.Duration `hcl:"dvr" default:"0s" off:"yes" max:"1d" example:"\"2h\""`
	// MPEG-TS, which everything plays, or fragmented MP4.
	Format string `hcl:"format" default:"mpegts" one:"mpegts fmp4"`
	// Low-latency HLS: parts, blocking reload, preload hints. It needs fmp4.
	LowLatency bool `hcl:"low_latency"`
	// The length of a part of low-latency HLS.
	Part time.Duration `hcl:"part" default:"200ms" min:"10ms"`
	// Whether each stream has a directory of its own, with index.m3u8.
	Nested bool `hcl:"nested" nginx:"hls_nested"`
	// What fragments are named by: their number, the stream's timestamp or the
	// time of day.
	FragmentNaming string `hcl:"fragment_naming" nginx:"hls_fragment_naming" default:"sequential" one:"sequential timestamp system"`
	// A number that the names of fragments are rounded down to multiples of; 0:
	// not.
	FragmentNamingGranularity int `hcl:"fragment_naming_granularity" nginx:"hls_fragment_naming_granularity" default:"0"`
	// plain cuts at keyframes after fragment, aligned at multiples of fragment on
	// the publisher's clock, so that renditions are cut at the same frames.
	FragmentSlicing string `hcl:"fragment_slicing" nginx:"hls_fragment_slicing" default:"plain" one:"plain aligned"`
	// live: old fragments leave the playlist. event: they stay, and the stream can
	// be watched from its beginning.
	Type string `hcl:"type" nginx:"hls_type" default:"live" one:"live event"`
	// Whether numbers go on where the last run of the stream ended.
	Continuous bool `hcl:"continuous" nginx:"hls_continuous" default:"true"`
	// Whether fragments that no playlist names are removed.
	Cleanup bool `hcl:"cleanup" nginx:"hls_cleanup" default:"true"`
	// What stands before the names of fragments in playlists.
	BaseURL value.Base `hcl:"base_url" nginx:"hls_base_url"`
	// How far audio timestamps may be off the sample clock before they count as
	// they are.
	Sync time.Duration `hcl:"sync" nginx:"hls_sync" default:"2ms" off:"yes"`
	// How long audio frames are gathered in one packet of the transport stream.
	MaxAudioDelay time.Duration `hcl:"max_audio_delay" nginx:"hls_max_audio_delay" default:"300ms" off:"yes"`
	// Whether playlists say at what time of day each fragment was (EXT-X-PROGRAM-
	// DATE-TIME).
	Datetime bool `hcl:"datetime" nginx:"hls_datetime" default:"true"`
	// Whether the playlist of a stream that ended says so (EXT-X-ENDLIST).
	Endlist bool `hcl:"endlist" default:"true"`
	// With fmp4: whether the multivariant playlist offers the sound alone, for bad
	// links. It does so over rtmpd's own HTTP and for players other than VLC, which
	// loses picture or sound by it; the file on disk never does.
	AudioOnly bool `hcl:"audio_only" default:"true"`
	// A rendition: a stream NAME with this suffix belongs to the multivariant
	// playlist NAME.m3u8.
	Variants []Variant `hcl:"variant,block" nginx:"hls_variant"`
	// Encryption of fragments.
	Keys  *Keys `hcl:"keys,block" nginx:"hls_keys"`
	Range hcl.Range
}

// Variant is an hls variant block; zero fields are measured.
type Variant struct {
	Suffix string `hcl:"SUFFIX,label"`
	// The peak bit rate that the multivariant playlist names. Unset: measured.
	Bandwidth value.Bitrate `hcl:"bandwidth" example:"\"3M\""`
	// The average bit rate. Unset: measured.
	AverageBandwidth value.Bitrate `hcl:"average_bandwidth"`
	// The size of the picture. Unset: measured.
	Resolution value.Resolution `hcl:"resolution"`
	// The codecs as RFC 6381 writes them. Unset: measured.
	Codecs string `hcl:"codecs" example:"\"avc1.64001f,mp4a.40.2\""`
	// The frames per second. Unset: measured.
	FrameRate float64 `hcl:"frame_rate"`
}

// Keys is an hls keys block.
type Keys struct {
	// The directory for keys. It is not served by root.
	Path value.Path `hcl:"path" nginx:"hls_key_path" vars:"app" need:"yes" example:"\"/var/lib/rtmpd/keys\""`
	// What stands before the names of keys in playlists.
	URL value.Base `hcl:"url" nginx:"hls_key_url" example:"\"/keys/\""`
	// After how many fragments a new key is made; 0: one key for the stream.
	FragmentsPerKey int `hcl:"fragments_per_key" nginx:"hls_fragments_per_key" default:"0"`
	// How fragments are encrypted.
	Method string `hcl:"method" default:"AES-128" one:"AES-128"`
}
