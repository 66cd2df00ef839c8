package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// Exec is an exec block: a command that runs beside a stream.
type Exec struct {
	Kind           string            `hcl:"KIND,label" one:"push pull publish play publish_done play_done record_started record_done static"`
	Name           string            `hcl:"NAME,label"`
	Command        value.Command     `hcl:"command" need:"yes"`
	Streams        value.Patterns    `hcl:"streams"`
	Respawn        bool              `hcl:"respawn" default:"true"`
	RespawnTimeout time.Duration     `hcl:"respawn_timeout" default:"5s"` // doubling to 60 s
	KillSignal     string            `hcl:"kill_signal" default:"TERM" one:"TERM INT HUP QUIT KILL USR1 USR2"`
	KillTimeout    time.Duration     `hcl:"kill_timeout" default:"5s" off:"yes"` // then KILL, the whole group
	Environment    value.Environment `hcl:"environment"`
	Log            value.Path        `hcl:"log"`
	Range          hcl.Range
}

// Record is a record block.
type Record struct {
	Name            string         `hcl:"NAME,label"`
	Tracks          []string       `hcl:"tracks" default:"audio video" one:"audio video keyframes data"`
	Manual          bool           `hcl:"manual"`
	Format          string         `hcl:"format" default:"flv" one:"flv mp4 mkv ts"`
	Path            value.Path     `hcl:"path" vars:"app" need:"yes"`
	Suffix          string         `hcl:"suffix"`                                                                                                 // strftime
	Filename        value.Template `hcl:"filename" vars:"app name recorder stream base wildcard datetime year month day hour minute second unix"` // whole name; empty: nginx's
	Unique          bool           `hcl:"unique"`
	Append          bool           `hcl:"append"`
	Overwrite       bool           `hcl:"overwrite"` // nginx-rtmp's way; else a name that is taken gets a number
	Lock            bool           `hcl:"lock"`
	MaxSize         value.Size     `hcl:"max_size" default:"0"` // 0: no limit
	MaxFrames       int            `hcl:"max_frames" default:"0"`
	Interval        time.Duration  `hcl:"interval" default:"0" off:"yes"`
	Notify          bool           `hcl:"notify"`
	MinFree         value.Size     `hcl:"min_free" default:"512M"`
	KeepFor         time.Duration  `hcl:"keep_for" default:"off" off:"yes"`
	KeepSize        value.Size     `hcl:"keep_size" default:"off" off:"yes"`
	OnRecordDone    value.URL      `hcl:"on_record_done"`
	OnRecordStarted value.URL      `hcl:"on_record_started"`
	Execs           []Exec         `hcl:"exec,block" output:"yes"`
	Range           hcl.Range
}

// Remote is what push and pull say about the other side.
type Remote struct {
	URL       value.RTMPURL  `hcl:"url" need:"yes"` // a Template: placeholders
	Key       value.Secret   `hcl:"key"`            // the stream name over there; never expanded
	App       string         `hcl:"app"`
	TCURL     value.RTMPURL  `hcl:"tc_url"`
	PageURL   string         `hcl:"page_url"`
	SWFURL    string         `hcl:"swf_url"`
	FlashVer  string         `hcl:"flash_ver"`
	PlayPath  string         `hcl:"play_path"`
	Streams   value.Patterns `hcl:"streams"`
	Reconnect time.Duration  `hcl:"reconnect" default:"3s"` // doubling to 60 s
	Queue     time.Duration  `hcl:"queue" default:"10s"`
}

// Push is a push block.
type Push struct {
	Name   string `hcl:"NAME,label"`
	Remote Remote `hcl:",inline"`
	Range  hcl.Range
}

// Pull is a pull block.
type Pull struct {
	Name   string           `hcl:"NAME,label"`
	Stream value.StreamName `hcl:"stream"` // local name
	Static bool             `hcl:"static"`
	Live   bool             `hcl:"live" default:"true"`
	Start  time.Duration    `hcl:"start" default:"0" off:"yes"`
	Stop   time.Duration    `hcl:"stop" default:"0" off:"yes"`
	Remote Remote           `hcl:",inline"`
	Range  hcl.Range
}

// VOD is a vod block (nginx: play).
type VOD struct {
	Path      value.Sources `hcl:"path" need:"yes"` // directories or http URLs
	TempPath  value.Path    `hcl:"temp_path"`
	LocalPath value.Path    `hcl:"local_path"`
	Range     hcl.Range
}

// Trigger is a MistServer trigger block.
type Trigger struct {
	Name    string        `hcl:"NAME,label"`
	Handler value.Handler `hcl:"handler" need:"yes"` // one http(s) URL, or a command
	Sync    bool          `hcl:"sync" default:"true"`
	Streams value.Filters `hcl:"streams"`
	OnError string        `hcl:"on_error" one:"deny pass allow default"` // empty: deny for access and rewrites, pass for sources
	Default string        `hcl:"default"`
	Timeout time.Duration `hcl:"timeout" default:"5s"`
	Retries int           `hcl:"retries" default:"0"`
	Format  string        `hcl:"format" default:"mist" one:"mist json"`
	Secret  value.Secret  `hcl:"secret"` // of the HMAC
	Range   hcl.Range
}
