// Package config is the HCL schema of rtmpd as Go values: load, default,
// validate with source ranges, compare. A loaded Config is read-only.
package config

import (
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Config is one whole configuration after defaults and inheritance.
type Config struct {
	Path            string // absolute path of the file or directory it came from; empty for the built-in one
	StateDir        string // absolute
	RuntimeDir      string // absolute
	ShutdownTimeout time.Duration
	Log             Log
	ACME            ACME
	Metrics         Metrics
	RTMP            []RTMP
	HTTP            []HTTP
	Triggers        []Trigger

	// Files lists every file the configuration was read from, file(),
	// credential() and stream_keys_file included: what Watch watches.
	Files []string
}

// Log is the top-level log block.
type Log struct {
	Level  string // debug info warn error
	Format string // text json
	File   string // empty: stderr
}

// ACME is the top-level acme block.
type ACME struct{ Email, DirectoryURL, Storage string }

// Metrics is the top-level metrics block.
type Metrics struct {
	Streams int
	Mist    bool
}

// Address is where a listener binds.
type Address struct {
	Network string // "tcp" or "unix"
	Host    string // empty: every address of both families
	Port    uint16
	Path    string    // unix socket
	Range   hcl.Range // where the config says so
}

// Rule is one line of an access list.
type Rule struct {
	Allow  bool
	All    bool
	Prefix netip.Prefix
}

// Rules is an ordered access list; the first match wins.
type Rules []Rule

// Secret is a value that may appear in no output. Its String, GoString,
// MarshalText and Format hide it; Reveal gives it.
type Secret string

// Patterns selects stream names: * and ?, a leading ! excludes.
type Patterns []string

// Template is a string with $placeholders that were checked at load.
type Template string

// TLS is an rtmp or http tls block.
type TLS struct {
	Listen           []Address
	Certificate, Key string
	Domains          []string
	MinVersion       uint16 // crypto/tls version
	Redirect         bool   // http only
	Range            hcl.Range
}

// RTMP is one rtmp block: its listeners and applications.
type RTMP struct {
	Listen              []Address
	TLS                 *TLS
	ProxyProtocol       []netip.Prefix
	ChunkSize           int
	FlushInterval       time.Duration
	AckWindow           int
	MaxMessage          int // bytes
	MaxConnections      int
	MaxConnectionsPerIP int
	HandshakeTimeout    time.Duration
	Timeout             time.Duration
	Ping                time.Duration
	PingTimeout         time.Duration
	OnConnect           Secret
	OnDisconnect        Secret
	Notify              Notify
	AccessLog           string
	AccessLogFormat     string
	Applications        []Application // "*" included; use Application to look one up
	Range               hcl.Range
}

// Notify is how hooks are called.
type Notify struct {
	Method        string // post get
	Timeout       time.Duration
	UpdateTimeout time.Duration
	UpdateStrict  bool
	RelayRedirect bool
	Headers       map[string]Secret
	Concurrency   int
}

// Application is one application block with all its defaults inherited. The
// same struct, merged with the first matching stream block, is what a stream of
// that name sees: see For.
type Application struct {
	Name  string // "*" takes every name that no other application has
	Range hcl.Range

	Live              bool
	WaitKey           bool
	WaitVideo         bool
	GOPCache          bool
	IdleStreams       bool
	Meta              string // on copy off
	PublishNotify     bool
	PlayRestart       bool
	DropIdlePublisher time.Duration // 0: off
	MaxPublishers     int
	MaxPlayers        int
	MaxBitrate        int64 // bits/s in
	MaxBandwidth      int64 // bits/s out, per stream
	PlayerQueue       time.Duration
	OnConflict        string // auto reject replace
	ReconnectGrace    time.Duration
	HandoverGrace     time.Duration
	Access            Access
	StreamKeys        []StreamKey
	StreamKeysFile    string      // path; empty: none
	FileKeys          []StreamKey // what StreamKeysFile says
	Hooks             Hooks
	Notify            Notify
	HLS               *HLS // nil: none (or enabled = false)
	Streams           []StreamRule
}

// StreamRule is a stream block: what an application's streams that match see.
type StreamRule struct {
	Pattern     string
	Application *Application // the application merged with the block
}

// Access is an application's access block. Nil lists let everyone in, except
// Keyless, which lets in no one.
type Access struct{ Publish, Play, Keyless Rules }

// StreamKey is one way to publish under a name.
type StreamKey struct {
	Holder    string
	Stream    string // public name
	Secret    Secret // empty with SHA256 or Generated
	SHA256    []byte // of the secret; nil with Secret
	Generated bool   // neither said: the state directory keeps one
	NotBefore time.Time
	NotAfter  time.Time // zero: for ever
	Priority  int
	Range     hcl.Range
}

// Hooks are the HTTP callbacks of an application; empty means none.
type Hooks struct {
	OnPublish, OnPlay, OnDone, OnPlayDone, OnPublishDone, OnUpdate Secret
	OnRecordStarted, OnRecordDone, OnPlaylist                      Secret
	OnPlayHTTP                                                     bool
}

// HLS is an hls block.
type HLS struct {
	Path                      string // absolute, $app expanded
	Fragment                  time.Duration
	MaxFragment               time.Duration
	PlaylistLength            time.Duration
	Format                    string // mpegts fmp4
	LowLatency                bool
	Part                      time.Duration
	Nested                    bool
	FragmentNaming            string // sequential timestamp system
	FragmentNamingGranularity int
	FragmentSlicing           string // plain aligned
	Type                      string // live event
	Continuous                bool
	Cleanup                   bool
	BaseURL                   string
	Sync                      time.Duration
	MaxAudioDelay             time.Duration
	Datetime                  bool
	Endlist                   bool
	Variants                  []Variant
	Keys                      *Keys
	Range                     hcl.Range
}

// Variant is an hls variant block; zero fields are measured.
type Variant struct {
	Suffix           string
	Bandwidth        int64
	AverageBandwidth int64
	Resolution       string
	Codecs           string
	FrameRate        float64
}

// Keys is an hls keys block.
type Keys struct {
	Path            string // absolute
	URL             string
	FragmentsPerKey int
	Method          string // AES-128
}

// HTTP is one http block.
type HTTP struct {
	Listen          []Address
	TLS             *TLS
	PublicURL       []string
	TrustedProxies  []netip.Prefix
	ProxyProtocol   []netip.Prefix
	AccessLog       string
	AccessLogFormat string // combined json or variables
	Locations       []Location
	Range           hcl.Range
}

// Location is one location block. Exactly one of Root, Alias, Redirect, Stat,
// Control, Metrics, API, Health and Player is set.
type Location struct {
	Path  string // prefix; or the whole path when Exact
	Exact bool   // "= /x"

	Root, Alias, Redirect string
	Stat                  *Stat
	Control               *Control
	Metrics, API, Health  bool
	Player                *Player

	Access       Rules
	Token        Secret
	BasicAuth    map[string]Secret // user to bcrypt hash
	CORSOrigins  []string          // nil: the kind's default
	Headers      map[string]string
	CacheControl string
	Autoindex    bool
	Range        hcl.Range
}

// Stat is a stat block.
type Stat struct{ Stylesheet string }

// Control is a control block.
type Control struct{ Allow []string }

// Player is a player block.
type Player struct {
	Applications  []string
	Title, Poster string
	OfflineText   string
	Autoplay      bool
	EmbedFrom     []string
}

// Trigger is a MistServer trigger block.
type Trigger struct{ Name string }
