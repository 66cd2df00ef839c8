package config

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// Application is one application block with all its defaults inherited. The
// same struct, merged with the first matching stream block, is what a stream of
// that name sees: see For. Fields with the tag stream may stand in a stream block.
type Application struct {
	Name  string `hcl:"NAME,label"` // "*" takes every name that no other application has
	Range hcl.Range

	Live              bool          `hcl:"live" default:"true" reload:"now"`
	WaitKey           bool          `hcl:"wait_key" default:"true" reload:"connection"`
	WaitVideo         bool          `hcl:"wait_video" reload:"connection"`
	GOPCache          bool          `hcl:"gop_cache" default:"true" reload:"connection"`
	IdleStreams       bool          `hcl:"idle_streams" default:"true" reload:"now"`
	Meta              string        `hcl:"meta" default:"copy" one:"on copy off" reload:"publish"`
	PublishNotify     bool          `hcl:"publish_notify" reload:"now"`
	PlayRestart       bool          `hcl:"play_restart" reload:"now"`
	DropIdlePublisher time.Duration `hcl:"drop_idle_publisher" default:"30s" off:"yes" reload:"publish"` // 0: off
	MaxPublishers     int           `hcl:"max_publishers" default:"0" reload:"now"`
	MaxPlayers        int           `hcl:"max_players" default:"0" stream:"yes" reload:"now"`
	MaxBitrate        value.Bitrate `hcl:"max_bitrate" default:"0" stream:"yes" reload:"now"`   // bits/s in
	MaxBandwidth      value.Bitrate `hcl:"max_bandwidth" default:"0" stream:"yes" reload:"now"` // bits/s out, per stream
	PlayerQueue       time.Duration `hcl:"player_queue" default:"10s" stream:"yes" reload:"connection"`
	OnConflict        string        `hcl:"on_conflict" default:"auto" one:"auto reject replace standby" stream:"yes" reload:"now"`
	ReconnectGrace    time.Duration `hcl:"reconnect_grace" default:"30s" off:"yes" stream:"yes" reload:"now"`
	HandoverGrace     time.Duration `hcl:"handover_grace" default:"0s" off:"yes" stream:"yes" reload:"now"`
	Access            Access        `hcl:"access,block" stream:"yes" reload:"judge"`
	StreamKeys        []StreamKey   `hcl:"stream_key,block" reload:"judge"`
	StreamKeysFile    value.Path    `hcl:"stream_keys_file" reload:"judge"` // empty: none
	FileKeys          []StreamKey   // what StreamKeysFile says
	Hooks             Hooks         `hcl:",inline" reload:"now"`
	Notify            Notify        `hcl:",inline" reload:"now"`
	Fallback          string        `hcl:"fallback" reload:"now"`                            // a stream's name or a file
	HLS               *HLS          `hcl:"hls,block" output:"yes" stream:"yes" reload:"cut"` // nil: none (or enabled = false)
	DASH              *DASH         `hcl:"dash,block" output:"yes" stream:"yes" reload:"cut"`
	Records           []Record      `hcl:"record,block" output:"yes" stream:"yes" reload:"cut"`
	Pushes            []Push        `hcl:"push,block" output:"yes" stream:"yes" reload:"cut"`
	Pulls             []Pull        `hcl:"pull,block" output:"yes" reload:"now"`
	Execs             []Exec        `hcl:"exec,block" output:"yes" stream:"yes" reload:"cut"`
	VOD               *VOD          `hcl:"vod,block" output:"yes" reload:"now"`
	Sessions          *Sessions     `hcl:"sessions,block" reload:"now"`
	Triggers          []Trigger     `hcl:"trigger,block" reload:"now"`
	Streams           []StreamRule  `hcl:"stream,block" reload:"now"`
}

// StreamRule is a stream block: what an application's streams that match see.
type StreamRule struct {
	Pattern     string
	Application *Application // the application merged with the block
}

// Access is an application's access block. Nil lists let everyone in, except
// Keyless, which lets in no one: see AllowsKeyless.
type Access struct {
	Publish value.Rules `hcl:"publish"`
	Play    value.Rules `hcl:"play" stream:"yes"` // RTMP players
	Keyless value.Rules `hcl:"keyless"`           // who may publish without a key although keys are in force
}

// AllowsKeyless says whether addr may publish without a key although keys are
// in force.
func (a Access) AllowsKeyless(addr netip.Addr) bool {
	return a.Keyless != nil && a.Keyless.Allows(addr)
}

// StreamKey is one way to publish under a name.
type StreamKey struct {
	Holder    string        `hcl:"HOLDER,label"`
	Stream    string        `hcl:"stream"` // public name; the holder when unset
	Secret    value.Secret  `hcl:"secret"` // empty with SHA256 or Generated
	SHA256    value.SHA256  `hcl:"secret_sha256"`
	Generated bool          // neither said: the state directory keeps one
	NotBefore time.Time     `hcl:"not_before"`
	NotAfter  time.Time     `hcl:"not_after"` // zero: for ever
	Priority  value.Integer `hcl:"priority" default:"0"`
	Range     hcl.Range
}

// Hooks are the HTTP callbacks of an application; empty means none.
type Hooks struct {
	OnPublish       value.URL `hcl:"on_publish"`
	OnPlay          value.URL `hcl:"on_play"`
	OnDone          value.URL `hcl:"on_done"`
	OnPlayDone      value.URL `hcl:"on_play_done"`
	OnPublishDone   value.URL `hcl:"on_publish_done"`
	OnUpdate        value.URL `hcl:"on_update"`
	OnRecordStarted value.URL `hcl:"on_record_started"`
	OnRecordDone    value.URL `hcl:"on_record_done"`
	OnPlaylist      value.URL `hcl:"on_playlist"`
	OnPlayHTTP      bool      `hcl:"on_play_http" default:"true"`
}

// Sessions is a sessions block: what makes two HTTP requests one viewer.
type Sessions struct {
	Identify  []string      `hcl:"identify" default:"stream address token" one:"stream address token agent"`
	TokenFrom []string      `hcl:"token_from" default:"query cookie bearer" one:"query cookie bearer"`
	Timeout   time.Duration `hcl:"timeout" default:"15s"`
	DenyFor   time.Duration `hcl:"deny_for" default:"10m" off:"yes"`
	Range     hcl.Range
}

// For returns what the stream with that public name sees: the application
// merged with the first stream block that matches, or the application itself.
func (a *Application) For(stream string) *Application {
	for i := range a.Streams {
		if value.Matches(a.Streams[i].Pattern, stream) {
			return a.Streams[i].Application
		}
	}
	return a
}

// Named returns the application as the one called name sees it: "*" with $app
// expanded in its paths. For any other application it is the application itself.
// The name must have passed ValidStreamName.
func (a *Application) Named(name string) *Application {
	if a.Name != "*" {
		return a
	}
	b := *a
	b.Name = name
	b.expandApp()
	b.Streams = make([]StreamRule, len(a.Streams))
	for i, r := range a.Streams {
		app := *r.Application
		app.Name = name
		app.expandApp()
		b.Streams[i] = StreamRule{Pattern: r.Pattern, Application: &app}
	}
	return &b
}

// expandApp puts the application's name into the paths that may hold $app. The
// blocks are copied first: others share them.
func (a *Application) expandApp() {
	if a.HLS != nil {
		h := *a.HLS
		h.Path = expandApp(h.Path, a.Name)
		if h.Keys != nil {
			k := *h.Keys
			k.Path = expandApp(k.Path, a.Name)
			h.Keys = &k
		}
		a.HLS = &h
	}
	if a.DASH != nil {
		d := *a.DASH
		d.Path = expandApp(d.Path, a.Name)
		a.DASH = &d
	}
	a.Records = slices.Clone(a.Records)
	for i := range a.Records {
		a.Records[i].Path = expandApp(a.Records[i].Path, a.Name)
	}
}

func expandApp(path value.Path, app string) value.Path {
	return value.Path(value.Template(path).Expand(func(name string) string {
		if name == "app" {
			return app
		}
		return ""
	}))
}
