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

	// Whether the application takes live streams at all.
	Live bool `hcl:"live" nginx:"live" default:"true" reload:"now"`
	// Whether a player's first picture is a keyframe.
	WaitKey bool `hcl:"wait_key" nginx:"wait_key" default:"true" reload:"connection"`
	// Whether a player gets no sound before the first picture.
	WaitVideo bool `hcl:"wait_video" nginx:"wait_video" reload:"connection"`
	// Whether a player begins at the newest keyframe and so has a picture at once.
	// Otherwise it waits for the next keyframe.
	GOPCache bool `hcl:"gop_cache" default:"true" reload:"connection"`
	// Whether players may wait for a stream that nobody publishes, and stay when
	// it ends.
	IdleStreams bool `hcl:"idle_streams" nginx:"idle_streams" default:"true" reload:"now"`
	// What players get of the publisher's metadata: on makes it anew, copy hands
	// it on as it came, off sends none.
	Meta string `hcl:"meta" nginx:"meta" default:"copy" one:"on copy off" reload:"publish"`
	// Whether players get a status when publishing begins and ends.
	PublishNotify bool `hcl:"publish_notify" nginx:"publish_notify" reload:"now"`
	// Whether players get Play.Start and Play.Stop as the stream begins and
	// ends.
	PlayRestart bool `hcl:"play_restart" nginx:"play_restart" reload:"now"`
	// How long a publisher may send no media before it is closed; off: for ever.
	DropIdlePublisher time.Duration `hcl:"drop_idle_publisher" nginx:"drop_idle_publisher" default:"30s" off:"yes" reload:"publish"`
	// How many publishers the application takes at a time; 0: no limit.
	MaxPublishers int `hcl:"max_publishers" default:"0" reload:"now"`
	// How many players and HTTP viewers a stream takes; 0: no limit.
	MaxPlayers int `hcl:"max_players" default:"0" stream:"yes" reload:"now"`
	// How many players and HTTP viewers of a stream may come from one address (of
	// IPv6: one /64). 0: a quarter of max_players, so that one address cannot take
	// every place; without max_players no limit.
	MaxPlayersPerIP int `hcl:"max_players_per_ip" default:"0" stream:"yes" reload:"now"`
	// The bit rate that a publisher may send, over 10 s. One that sends more is
	// closed. 0: no limit.
	MaxBitrate value.Bitrate `hcl:"max_bitrate" default:"0" stream:"yes" reload:"now" example:"\"8M\""`
	// The bit rate that may go out for one stream: its own bit rate times its
	// players. A player beyond it is refused. 0: no limit.
	MaxBandwidth value.Bitrate `hcl:"max_bandwidth" default:"0" stream:"yes" reload:"now" example:"\"500M\""`
	// What all streams of the application together may have at a time.
	Limits *Limits `hcl:"limits,block" reload:"now"`
	// How far a player may lag behind. One that lags more goes on at the newest
	// keyframe.
	PlayerQueue time.Duration `hcl:"player_queue" default:"10s" stream:"yes" reload:"connection"`
	// What a second publisher of a live name gets. auto: with the same stream key
	// (without keys: from the same address) it takes over, anyone else is refused.
	// reject: it is refused. replace: it takes over. standby: it waits until the
	// first one leaves.
	OnConflict string `hcl:"on_conflict" default:"auto" one:"auto reject replace standby" stream:"yes" reload:"now"`
	// How long a stream waits for a publisher that has lost its connection.
	// Players stay, playlists and recordings go on, the name is kept for the same
	// key or address.
	ReconnectGrace time.Duration `hcl:"reconnect_grace" default:"30s" off:"yes" stream:"yes" reload:"now"`
	// How long a stream waits after its publisher has stopped on purpose.
	HandoverGrace time.Duration `hcl:"handover_grace" default:"0s" off:"yes" stream:"yes" reload:"now" example:"\"5s\""`
	// Who may publish and play, by address.
	Access Access `hcl:"access,block" stream:"yes" reload:"check"`
	// A stream key: who may publish, and under which public name. An application
	// with any stream_key block or a stream_keys_file refuses every publisher
	// without a valid key.
	StreamKeys []StreamKey `hcl:"stream_key,block" reload:"check"`
	// A file of stream keys, one a line: HOLDER SECRET|sha256:HEX [stream=NAME]
	// [not_after=TIME]. It is read again when it changes; while it cannot be read,
	// its last content counts.
	StreamKeysFile value.Path  `hcl:"stream_keys_file" reload:"check" example:"\"/etc/rtmpd/stream.keys\""`
	FileKeys       []StreamKey // the keys of StreamKeysFile
	Hooks          Hooks       `hcl:",inline" reload:"now"`
	Notify         Notify      `hcl:",inline" reload:"now"`
	// What a stream shows while its publisher is gone: the name of another stream of
	// the application, or the path of an FLV or MP4 file, which begins with a slash; $stream,
	// $base, $wildcard and $pluswildcard are placeholders; or "latest recording", the
	// newest that a record block has made of the stream. In a stream block without * and ? it is shown before the first publisher, too.
	Fallback string `hcl:"fallback" stream:"yes" reload:"now" example:"\"/srv/slate.flv\""`
	// HLS: fragments and playlists on disk.
	HLS *HLS `hcl:"hls,block" nginx:"hls" output:"yes" stream:"yes" reload:"cut"`
	// DASH: fragments and manifests on disk.
	DASH *DASH `hcl:"dash,block" nginx:"dash" output:"yes" stream:"yes" reload:"cut"`
	// A recorder: the stream in files.
	Records []Record `hcl:"record,block" nginx:"recorder" output:"yes" stream:"yes" reload:"cut"`
	// A restream: the stream is published to another server.
	Pushes []Push `hcl:"push,block" nginx:"push" output:"yes" stream:"yes" reload:"cut"`
	// A stream that is played from another server.
	Pulls []Pull `hcl:"pull,block" nginx:"pull" output:"yes" reload:"now"`
	// A command that runs beside a stream.
	Execs []Exec `hcl:"exec,block" nginx:"exec" output:"yes" stream:"yes" reload:"cut"`
	// Files that can be played.
	VOD *VOD `hcl:"vod,block" nginx:"play" output:"yes" reload:"now"`
	// What makes two HTTP requests one viewer.
	Sessions *Sessions `hcl:"sessions,block" reload:"now"`
	// Tokens: watching, over RTMP or HTTP, takes a link that is signed and expires.
	Tokens *Tokens `hcl:"tokens,block" output:"yes" stream:"yes" reload:"check"`
	// A trigger as MistServer has them.
	Triggers []Trigger `hcl:"trigger,block" reload:"now"`
	// What the streams whose public names match have of their own. The first block
	// that matches counts, alone.
	Streams []StreamRule `hcl:"stream,block" reload:"now"`
}

// StreamRule is a stream block: what an application's streams that match see.
type StreamRule struct {
	Pattern     string
	Application *Application // the application merged with the block
}

// Access is an application's access block. Nil lists let everyone in, except
// Keyless, which lets in no one: see AllowsKeyless.
type Access struct {
	// Who may publish: the first rule that matches decides.
	Publish value.Rules `hcl:"publish" nginx:"allow publish, deny publish"`
	// Who may play over RTMP. HTTP viewers are subject to the access of their
	// location.
	Play value.Rules `hcl:"play" nginx:"allow play, deny play" stream:"yes"`
	// Who may publish without a key although the application has keys. Unset:
	// nobody.
	Keyless value.Rules `hcl:"keyless"`
}

// AllowsKeyless reports whether addr may publish without a key although keys are
// in force.
func (a Access) AllowsKeyless(addr netip.Addr) bool {
	return a.Keyless != nil && a.Keyless.Allows(addr)
}

// StreamKey is one way to publish under a name.
type StreamKey struct {
	Holder string `hcl:"HOLDER,label"`
	// The public name of the stream. Unset: the label of the block. Several
	// holders may share one.
	Stream string `hcl:"stream" example:"\"test\""`
	// What the publisher sends as its stream key: 12 or more of A-Z a-z 0-9 . _ ~
	// -. Unset: rtmpd makes one, keeps it in state_dir and prints it once; rtmpd
	// key show prints it again.
	Secret value.Secret `hcl:"secret"`
	// The SHA-256 of the secret instead of the secret itself; rtmpd key hash
	// prints it.
	SHA256    value.SHA256 `hcl:"secret_sha256"`
	Generated bool         // neither said: the state directory keeps one
	// The time from which the key is valid.
	NotBefore time.Time `hcl:"not_before"`
	// The time until which the key is valid.
	NotAfter time.Time `hcl:"not_after"`
	// Of several waiting publishers the one with the highest priority publishes first.
	Priority value.Integer `hcl:"priority" default:"0"`
	// The bit rate that a publisher with this key may send, over 10 s, in place of the
	// application's max_bitrate; 0: the application's.
	MaxBitrate value.Bitrate `hcl:"max_bitrate" default:"0" reload:"now" example:"\"8M\""`
	// How many players and HTTP viewers the stream takes while it is published with this
	// key, in place of the application's max_players; 0: the application's.
	MaxPlayers int `hcl:"max_players" default:"0" reload:"now"`
	// The bit rate that may go out for the stream while it is published with this key, in
	// place of the application's max_bandwidth; 0: the application's.
	MaxBandwidth value.Bitrate `hcl:"max_bandwidth" default:"0" reload:"now" example:"\"500M\""`
	Range        hcl.Range
}

// Hooks are the HTTP callbacks of an application; empty means none.
type Hooks struct {
	// The URL that is called before a client publishes. 2xx allows, 3xx names
	// another public name, or by rtmp:// a server that the stream is pushed to;
	// anything else refuses.
	OnPublish value.URL `hcl:"on_publish" nginx:"on_publish"`
	// The URL that is called before a client plays. 2xx allows, 3xx names another
	// stream, or by rtmp:// a server that the stream is pulled from; anything else
	// refuses.
	OnPlay value.URL `hcl:"on_play" nginx:"on_play"`
	// The URL that is called after a publisher or player has left.
	OnDone value.URL `hcl:"on_done" nginx:"on_done"`
	// The URL that is called after a player has left.
	OnPlayDone value.URL `hcl:"on_play_done" nginx:"on_play_done"`
	// The URL that is called after a publisher has left.
	OnPublishDone value.URL `hcl:"on_publish_done" nginx:"on_publish_done"`
	// The URL that is asked about every publisher and player again and again; a
	// refusal ends the session.
	OnUpdate value.URL `hcl:"on_update" nginx:"on_update"`
	// The URL that is called when a recording has begun.
	OnRecordStarted value.URL `hcl:"on_record_started" nginx:"on_record_started"`
	// The URL that is called when a recording is closed.
	OnRecordDone value.URL `hcl:"on_record_done" nginx:"on_record_done"`
	// The URL that is called when a playlist was written.
	OnPlaylist value.URL `hcl:"on_playlist" nginx:"on_playlist"`
	// Whether on_play is asked for HTTP viewers too.
	OnPlayHTTP bool `hcl:"on_play_http" default:"true"`
}

// Sessions is a sessions block: what makes two HTTP requests one viewer.
type Sessions struct {
	// What a viewer is known by: two requests that agree in all of it are one session.
	// stream must be among it. A viewer without a token is known by its user agent
	// instead.
	Identify []string `hcl:"identify" default:"stream address token" one:"stream address token agent protocol"`
	// Where a viewer's token is looked for, in this order. With cookie, a token that came
	// in the query is kept in a cookie as well.
	TokenFrom []string `hcl:"token_from" default:"query cookie bearer" one:"query cookie bearer"`
	// How long after its last request a viewer's session ends; at least three fragments.
	Timeout time.Duration `hcl:"timeout" default:"15s"`
	// How long on_play's refusal of a viewer holds. What it allows holds for the session.
	DenyFor time.Duration `hcl:"deny_for" default:"10m" off:"yes"`
	Range   hcl.Range
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

// WithStreams is the application, then what each of its stream blocks makes of it.
func (a *Application) WithStreams() []*Application {
	all := []*Application{a}
	for _, r := range a.Streams {
		all = append(all, r.Application)
	}
	return all
}

// SegmentPaths are the directories for segments: hls.path and dash.path.
func (a *Application) SegmentPaths() (dirs []string) {
	if a.HLS != nil {
		dirs = append(dirs, string(a.HLS.Path))
	}
	if a.DASH != nil && !slices.Contains(dirs, string(a.DASH.Path)) {
		dirs = append(dirs, string(a.DASH.Path))
	}
	return dirs
}

// OneSetOfSegments says whether hls and dash name the same segments: fragmented MP4 in the
// same directory.
func (a *Application) OneSetOfSegments() bool {
	return a.HLS != nil && a.DASH != nil && a.HLS.Format == "fmp4" && value.Resolve(string(a.HLS.Path)) == value.Resolve(string(a.DASH.Path))
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

// LatestRecording is the fallback that is the stream's newest finished recording.
const LatestRecording = "latest recording"
