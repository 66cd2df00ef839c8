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
	Path            string        // absolute path of the file or directory it came from; empty for the built-in one
	StateDir        value.Path    `hcl:"state_dir" reload:"start"`   // absolute; kept stream keys
	RuntimeDir      value.Path    `hcl:"runtime_dir" reload:"start"` // absolute; the control socket
	ShutdownTimeout time.Duration `hcl:"shutdown_timeout" default:"10s" reload:"now"`
	Log             Log           `hcl:"log,block" reload:"now"`
	ACME            ACME          `hcl:"acme,block" reload:"now"`
	Metrics         Metrics       `hcl:"metrics,block" reload:"now"`
	RTMP            []RTMP        `hcl:"rtmp,block"`
	HTTP            []HTTP        `hcl:"http,block"`
	Triggers        []Trigger     `hcl:"trigger,block" reload:"now"`

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
	Level  string     `hcl:"level" default:"info" one:"debug info warn error"`
	Format string     `hcl:"format" default:"text" one:"text json"`
	File   value.Path `hcl:"file"` // empty: stderr
}

// ACME is the top-level acme block.
type ACME struct {
	Email        value.Email        `hcl:"email"`         // the authority writes there; may be empty
	DirectoryURL value.DirectoryURL `hcl:"directory_url"` // empty: Let's Encrypt
	Storage      value.Path         `hcl:"storage"`       // empty: acme in the state directory
}

// Metrics is the top-level metrics block.
type Metrics struct {
	Streams int  `hcl:"streams" default:"1000"` // how many streams get series of their own
	Mist    bool `hcl:"mist"`                   // also MistServer's names
}
