// Package config is the HCL schema of rtmpd as Go values: load, default,
// validate with source ranges, compare. A loaded Config is read-only.
//
// The structs are the schema: a field's type is the language of its value (package
// value), its tags say the attribute's name (hcl), its documented default
// (default), what it may hold (one, min, max, off, vars) and when a reload applies
// it (reload: now, cut = the next keyframe cut, connection =
// the next connection, publish = the next publish, start = the next start).
package config

import (
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// Config is one whole configuration after defaults and inheritance.
type Config struct {
	Path string // absolute path of the file or directory it came from; empty for the built-in one
	// Where rtmpd keeps what must survive a restart: the stream keys that it made,
	// the account and certificates of ACME. Unset: $STATE_DIRECTORY (systemd sets
	// it), else rtmpd below $XDG_STATE_HOME or ~/.local/state.
	StateDir value.Path `hcl:"state_dir" reload:"start" example:"\"/var/lib/rtmpd\""`
	// Where the control socket lies, which rtmpd reload, stop, plan, kick and top
	// use. Unset: $RUNTIME_DIRECTORY, else rtmpd below $XDG_RUNTIME_DIR, else
	// /run/rtmpd for root. It must belong to the user who runs rtmpd and be closed
	// to others.
	RuntimeDir value.Path `hcl:"runtime_dir" reload:"start" example:"\"/run/rtmpd\""`
	// How long a stop may take to close segments and recordings; what is not done
	// by then is cut.
	ShutdownTimeout time.Duration `hcl:"shutdown_timeout" default:"10s" reload:"now"`
	// The log of the server itself.
	Log Log `hcl:"log,block" reload:"now"`
	// How certificates for tls domains are fetched (RFC 8555).
	ACME ACME `hcl:"acme,block" reload:"now"`
	// What metrics locations show.
	Metrics Metrics `hcl:"metrics,block" reload:"now"`
	// What all players and viewers of the server together may have at a time.
	Limits *Limits `hcl:"limits,block" reload:"now"`
	// An RTMP server: its listeners, its applications. A configuration may have
	// several.
	RTMP []RTMP `hcl:"rtmp,block"`
	// An HTTP server: its listeners, its locations. A configuration may have
	// several.
	HTTP []HTTP `hcl:"http,block"`
	// A trigger as MistServer has them, for every application.
	Triggers []Trigger `hcl:"trigger,block" reload:"now"`

	// Reading is every file that the configuration was read from or that was looked
	// for, what file(), credential(), stream_keys_file and tls name included.
	Reading Reading

	// KeysFailing says of each stream_keys_file that can't be used what is wrong
	// with it. Its keys are those that were read before.
	KeysFailing map[string]string

	// hidden holds the strings that came out of env, file and credential, so
	// that Dump can leave them out.
	hidden map[string]bool
}

// Log is the top-level log block.
type Log struct {
	// The least serious line that is logged.
	Level string `hcl:"level" default:"info" one:"debug info warn error"`
	// Lines for people (text) or for programs (json).
	Format string `hcl:"format" default:"text" one:"text json" reload:"start"`
	// The file that the log is written to. Unset: standard error, which systemd
	// takes into its journal. rtmpd -s reopen and SIGUSR1 open it again after a
	// rotation.
	File value.Path `hcl:"file" reload:"start" example:"\"/var/log/rtmpd/rtmpd.log\""`
}

// ACME is the top-level acme block.
type ACME struct {
	// The address that the authority writes to about the account. It may be left
	// out.
	Email value.Email `hcl:"email"`
	// The directory of the authority. Unset: Let's Encrypt.
	DirectoryURL value.DirectoryURL `hcl:"directory_url"`
	// Where account and certificates are kept. Unset: acme below state_dir.
	Storage value.Path `hcl:"storage" example:"\"/var/lib/rtmpd/acme\""`
}

// Metrics is the top-level metrics block.
type Metrics struct {
	// How many streams get time series of their own; the others are counted
	// together, so that many names do not make many series.
	Streams int `hcl:"streams" default:"1000"`
	// Whether the metrics of MistServer stand beside those of rtmpd, for
	// dashboards made for it.
	Mist bool `hcl:"mist"`
}
