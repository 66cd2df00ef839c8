package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Exec is an exec block: a command that runs beside a stream.
type Exec struct {
	Kind           string            `hcl:"KIND,label" one:"push pull publish play publish_done play_done record_started record_done static"`
	Name           string            `hcl:"NAME,label"`
	Command        []Template        `hcl:"command" need:"yes"`
	Streams        Patterns          `hcl:"streams"`
	Respawn        bool              `hcl:"respawn" default:"true"`
	RespawnTimeout time.Duration     `hcl:"respawn_timeout" default:"5s"` // doubling to 60 s
	KillSignal     string            `hcl:"kill_signal" default:"TERM" one:"TERM INT HUP QUIT KILL USR1 USR2"`
	KillTimeout    time.Duration     `hcl:"kill_timeout" default:"5s" off:"yes"` // then KILL, the whole group
	Environment    map[string]Secret `hcl:"environment"`
	Log            string            `hcl:"log" kind:"path"`
	Range          hcl.Range
}

// Record is a record block.
type Record struct {
	Name            string        `hcl:"NAME,label"`
	Tracks          []string      `hcl:"tracks" default:"audio video" one:"audio video keyframes data"`
	Manual          bool          `hcl:"manual"`
	Format          string        `hcl:"format" default:"flv" one:"flv mp4 mkv ts"`
	Path            Template      `hcl:"path" kind:"template_path" vars:"app" need:"yes"`
	Suffix          string        `hcl:"suffix"`                                                                                                                 // strftime
	Filename        Template      `hcl:"filename" kind:"template" vars:"app name recorder stream base wildcard datetime year month day hour minute second unix"` // whole name; empty: nginx's
	Unique          bool          `hcl:"unique"`
	Append          bool          `hcl:"append"`
	Overwrite       bool          `hcl:"overwrite"` // nginx-rtmp's way; else a name that is taken gets a number
	Lock            bool          `hcl:"lock"`
	MaxSize         int64         `hcl:"max_size" kind:"size" default:"0"` // 0: no limit
	MaxFrames       int           `hcl:"max_frames" default:"0"`
	Interval        time.Duration `hcl:"interval" default:"0" off:"yes"`
	Notify          bool          `hcl:"notify"`
	MinFree         int64         `hcl:"min_free" kind:"size" default:"512M"`
	KeepFor         time.Duration `hcl:"keep_for" default:"off" off:"yes"`
	KeepSize        int64         `hcl:"keep_size" kind:"size" default:"off" off:"yes"`
	OnRecordDone    Secret        `hcl:"on_record_done" kind:"url"`
	OnRecordStarted Secret        `hcl:"on_record_started" kind:"url"`
	Execs           []Exec        `hcl:"exec,block" output:"yes"`
	Range           hcl.Range
}

// Remote is what push and pull say about the other side.
type Remote struct {
	URL       Secret        `hcl:"url" kind:"rtmp_url" need:"yes"` // a Template: placeholders
	Key       Secret        `hcl:"key"`                            // the stream name over there; never expanded
	App       string        `hcl:"app"`
	TCURL     Secret        `hcl:"tc_url" kind:"rtmp_url"`
	PageURL   string        `hcl:"page_url"`
	SWFURL    string        `hcl:"swf_url"`
	FlashVer  string        `hcl:"flash_ver"`
	PlayPath  string        `hcl:"play_path"`
	Streams   Patterns      `hcl:"streams"`
	Reconnect time.Duration `hcl:"reconnect" default:"3s"` // doubling to 60 s
	Queue     time.Duration `hcl:"queue" default:"10s"`
}

// Push is a push block.
type Push struct {
	Name   string `hcl:"NAME,label"`
	Remote Remote `hcl:",inline"`
	Range  hcl.Range
}

// Pull is a pull block.
type Pull struct {
	Name   string        `hcl:"NAME,label"`
	Stream string        `hcl:"stream" kind:"name"` // local name
	Static bool          `hcl:"static"`
	Live   bool          `hcl:"live" default:"true"`
	Start  time.Duration `hcl:"start" default:"0" off:"yes"`
	Stop   time.Duration `hcl:"stop" default:"0" off:"yes"`
	Remote Remote        `hcl:",inline"`
	Range  hcl.Range
}

// VOD is a vod block (nginx: play).
type VOD struct {
	Path      []string `hcl:"path" kind:"sources" need:"yes"` // directories or http URLs
	TempPath  string   `hcl:"temp_path" kind:"path"`
	LocalPath string   `hcl:"local_path" kind:"path"`
	Range     hcl.Range
}

// Trigger is a MistServer trigger block.
type Trigger struct {
	Name    string        `hcl:"NAME,label"`
	Handler []Template    `hcl:"handler" kind:"handler" need:"yes"` // one http(s) URL, or a command
	Sync    bool          `hcl:"sync" default:"true"`
	Streams Patterns      `hcl:"streams" kind:"filters"`
	OnError string        `hcl:"on_error" one:"deny pass allow default"` // empty: deny for access and rewrites, pass for sources
	Default string        `hcl:"default"`
	Timeout time.Duration `hcl:"timeout" default:"5s"`
	Retries int           `hcl:"retries" default:"0"`
	Format  string        `hcl:"format" default:"mist" one:"mist json"`
	Secret  Secret        `hcl:"secret"` // of the HMAC
	Range   hcl.Range
}
