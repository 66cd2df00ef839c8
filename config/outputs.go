package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// Exec is an exec block: a command that runs beside a stream.
type Exec struct {
	Kind string `hcl:"KIND,label" one:"push pull publish play publish_done play_done record_started record_done static"`
	Name string `hcl:"NAME,label"`
	// The program and its arguments, with placeholders. No shell is involved.
	Command value.Command `hcl:"command" nginx:"exec" need:"yes" example:"[\"ffmpeg\", \"-i\", \"rtmp://127.0.0.1/live/$name\", \"-c\", \"copy\", \"-f\", \"flv\", \"rtmp://127.0.0.1/copy/$name\"]"`
	// The streams that it runs for; unset: all.
	Streams value.Patterns `hcl:"streams" nginx:"exec_options"`
	// Whether a program of kind push, pull or static that ended is started again.
	Respawn bool `hcl:"respawn" nginx:"respawn" default:"true"`
	// How long rtmpd waits before it starts a program again; the time doubles up
	// to 60 s while it keeps ending.
	RespawnTimeout time.Duration `hcl:"respawn_timeout" nginx:"respawn_timeout" default:"5s"`
	// The signal that ends the program and all that it has started.
	KillSignal string `hcl:"kill_signal" nginx:"exec_kill_signal" default:"TERM" one:"TERM INT HUP QUIT KILL USR1 USR2"`
	// How long after that signal the whole process group is killed; off: not before
	// rtmpd stops.
	KillTimeout time.Duration `hcl:"kill_timeout" default:"5s" off:"yes"`
	// Variables that the program gets beside a small environment and RTMPD_*.
	Environment value.Environment `hcl:"environment"`
	// The file that gets what the program writes to standard error. Unset: the
	// log.
	Log   value.Path `hcl:"log" example:"\"/var/log/rtmpd/ffmpeg.log\""`
	Range hcl.Range
}

// Record is a record block.
type Record struct {
	Name string `hcl:"NAME,label"`
	// The streams that are recorded; unset: all.
	Streams value.Patterns `hcl:"streams"`
	When    When           `hcl:",inline"`
	// What is recorded. keyframes: the keyframes of the video only.
	Tracks []string `hcl:"tracks" nginx:"record" default:"audio video" one:"audio video keyframes data"`
	// Whether the recorder waits until the control location starts it.
	Manual bool `hcl:"manual" nginx:"record manual"`
	// The format of the files.
	Format string `hcl:"format" default:"flv" one:"flv mp4 mkv ts"`
	// The directory for recordings; it is made if need be.
	Path value.Path `hcl:"path" nginx:"record_path" vars:"app" need:"yes" example:"\"/srv/recordings\""`
	// What stands behind the stream's name in the name of a file; strftime's
	// directives are expanded.
	Suffix string `hcl:"suffix" nginx:"record_suffix" example:"\"-%Y-%m-%d-%H%M.flv\""`
	// The whole name of a file, in place of stream name, unique and suffix.
	Filename value.Template `hcl:"filename" vars:"app name recorder stream base basename wildcard pluswildcard datetime utcdatetime year month day hour minute second wday yday week unix"`
	// Whether the name of a file carries the time in seconds.
	Unique bool `hcl:"unique" nginx:"record_unique"`
	// Whether a recording goes on in the file that is there.
	Append bool `hcl:"append" nginx:"record_append"`
	// Whether a file of the same name is overwritten, as nginx-rtmp does.
	// Otherwise a name that is taken gets a number.
	Overwrite bool `hcl:"overwrite"`
	// Whether the file is locked (fcntl) while it is written.
	Lock bool `hcl:"lock" nginx:"record_lock"`
	// The size at which the next file begins, at a keyframe; 0: no limit.
	MaxSize value.Size `hcl:"max_size" nginx:"record_max_size" default:"0" example:"\"1G\""`
	// The number of video frames at which the next file begins; 0: no limit.
	MaxFrames int `hcl:"max_frames" nginx:"record_max_frames" default:"0"`
	// How long a file is before the next one begins; off: no limit.
	Interval time.Duration `hcl:"interval" nginx:"record_interval" default:"0" off:"yes" example:"\"1h\""`
	// Whether the publisher gets a status when recording begins and ends.
	Notify bool `hcl:"notify" nginx:"record_notify"`
	// How much room must be left on the disk. Recording stops before it is gone,
	// and starts again when there is room.
	MinFree value.Size `hcl:"min_free" default:"512M"`
	// How long recordings are kept; off: for ever.
	KeepFor time.Duration `hcl:"keep_for" default:"off" off:"yes" example:"\"30d\""`
	// How much room recordings may take together; the oldest go first. off: no
	// limit.
	KeepSize value.Size `hcl:"keep_size" default:"off" off:"yes" example:"\"100G\""`
	// A file in path that lists the finished recordings there, as JSON, the newest first.
	Index string `hcl:"index" example:"\"recordings.json\""`
	// An HLS playlist of a stream's recordings, in path; it needs format = "ts". A
	// recording is in it once it is finished.
	Playlist value.Template `hcl:"playlist" vars:"app name recorder stream base basename wildcard pluswildcard" example:"\"$name.m3u8\""`
	// The URL that is called when a file of this recorder is closed. Unset: that of
	// the application.
	OnRecordDone value.URL `hcl:"on_record_done" nginx:"on_record_done"`
	// The URL that is called when this recorder has begun a file. Unset: that of the
	// application.
	OnRecordStarted value.URL `hcl:"on_record_started" nginx:"on_record_started"`
	// A command for this recorder's files: record_started and record_done only.
	Execs []Exec `hcl:"exec,block" nginx:"exec_record_done" output:"yes"`
	Range hcl.Range
}

// Remote describes the other server of a push or pull.
type Remote struct {
	// The address of the other server, rtmp or rtmps. Without a path, application
	// and stream name are kept.
	URL value.RTMPURL `hcl:"url" nginx:"push, pull" need:"yes" example:"\"rtmp://live.example.org/app\""`
	// The stream name over there. It is never expanded and never shown.
	Key value.Secret `hcl:"key" example:"env(\"TARGET_KEY\")"`
	// The application over there. Unset: from the URL.
	App string `hcl:"app" nginx:"app=" example:"\"live\""`
	// The tcUrl that is sent to the other server. Unset: from the URL.
	TCURL value.RTMPURL `hcl:"tc_url" nginx:"tcUrl=" example:"\"rtmp://live.example.org/app\""`
	// The pageUrl that is sent to the other server.
	PageURL string `hcl:"page_url" nginx:"pageUrl=" example:"\"https://example.org/\""`
	// The swfUrl that is sent to the other server.
	SWFURL string `hcl:"swf_url" nginx:"swfUrl=" example:"\"https://example.org/p.swf\""`
	// The flashVer that is sent to the other server.
	FlashVer string `hcl:"flash_ver" nginx:"flashVer=" example:"\"FMLE/3.0 (compatible; rtmpd)\""`
	// The stream name over there, where it is not the last part of the URL.
	PlayPath string `hcl:"play_path" nginx:"playPath=" example:"\"test\""`
	// The streams that it is for; unset: all.
	Streams value.Patterns `hcl:"streams"`
	// How long rtmpd waits before it connects again; the time doubles up to 60 s.
	Reconnect time.Duration `hcl:"reconnect" nginx:"push_reconnect, pull_reconnect" default:"3s"`
	// How far the other server may lag behind before media is passed over.
	Queue time.Duration `hcl:"queue" default:"10s"`
}

// Push is a push block.
type Push struct {
	Name string `hcl:"NAME,label"`
	// Whether it waits until the control location, or rtmpd push start, starts it.
	Manual bool   `hcl:"manual"`
	Remote Remote `hcl:",inline"`
	When   When   `hcl:",inline"`
	Range  hcl.Range
}

// When is at what times an output runs.
type When struct {
	// The times of the week at which it runs: days, from, until, and a time zone, the
	// server's if there is none. An end before the beginning is on the next day. Unset:
	// always.
	Schedule value.Schedule `hcl:"schedule"`
	// The time from which it runs.
	NotBefore time.Time `hcl:"not_before"`
	// The time until which it runs.
	NotAfter time.Time `hcl:"not_after"`
}

// Open reports whether an output runs at a moment.
func (w *When) Open(now time.Time) bool {
	return !now.Before(w.NotBefore) && (w.NotAfter.IsZero() || now.Before(w.NotAfter)) && w.Schedule.Open(now)
}

// Always reports whether it runs at all times.
func (w *When) Always() bool {
	return w.Schedule == nil && w.NotBefore.IsZero() && w.NotAfter.IsZero()
}

// Pull is a pull block.
type Pull struct {
	Name string `hcl:"NAME,label"`
	// The public name here. Unset: that of the URL.
	Stream value.StreamName `hcl:"stream" nginx:"name="`
	// Whether it is played from the start of rtmpd on. Otherwise from the first
	// player on.
	Static bool `hcl:"static" nginx:"static"`
	// Whether the other server is asked for a live stream.
	Live bool `hcl:"live" nginx:"live=" default:"true"`
	// Where to begin in a file over there.
	Start time.Duration `hcl:"start" nginx:"start=" default:"0" off:"yes"`
	// Where to end in a file over there.
	Stop   time.Duration `hcl:"stop" nginx:"stop=" default:"0" off:"yes"`
	Remote Remote        `hcl:",inline"`
	Range  hcl.Range
}

// VOD is a vod block (nginx: play).
type VOD struct {
	// Directories and http URLs in which files are looked for, in this order.
	Path value.Sources `hcl:"path" nginx:"play" need:"yes"`
	// Where files that are fetched over HTTP lie meanwhile.
	TempPath value.Path `hcl:"temp_path" nginx:"play_temp_path" example:"\"/var/tmp/rtmpd\""`
	// Where files that were fetched over HTTP are kept.
	LocalPath value.Path `hcl:"local_path" nginx:"play_local_path" example:"\"/var/cache/rtmpd\""`
	Range     hcl.Range
}
