package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// RTMP is one rtmp block: its listeners and applications.
type RTMP struct {
	Listen              value.Addresses     `hcl:"listen" default:":1935" reload:"now"`
	TLS                 *TLS                `hcl:"tls,block" reload:"now"`
	ProxyProtocol       value.Networks      `hcl:"proxy_protocol" reload:"connection"` // peers that must send a PROXY header
	ChunkSize           value.Size          `hcl:"chunk_size" default:"65536" min:"128" max:"16777215" reload:"publish"`
	FlushInterval       time.Duration       `hcl:"flush_interval" default:"100ms" min:"1ms" reload:"now"` // the smallest of all blocks counts
	AckWindow           value.Size          `hcl:"ack_window" default:"5000000" min:"1000" max:"2147483647" reload:"connection"`
	MaxMessage          value.Size          `hcl:"max_message" default:"10M" min:"65536" max:"16777215" reload:"connection"` // bytes
	MaxConnections      int                 `hcl:"max_connections" default:"0" reload:"now"`
	MaxConnectionsPerIP int                 `hcl:"max_connections_per_ip" default:"0" reload:"now"` // IPv6: per /64
	HandshakeTimeout    time.Duration       `hcl:"handshake_timeout" default:"10s" reload:"connection"`
	Timeout             time.Duration       `hcl:"timeout" default:"60s" reload:"connection"` // of a write
	Ping                time.Duration       `hcl:"ping" default:"60s" off:"yes" reload:"connection"`
	PingTimeout         time.Duration       `hcl:"ping_timeout" default:"30s" reload:"connection"`
	OnConnect           value.URL           `hcl:"on_connect" reload:"now"`
	OnDisconnect        value.URL           `hcl:"on_disconnect" reload:"now"`
	Notify              Notify              `hcl:",inline" reload:"now"`
	AccessLog           value.Path          `hcl:"access_log" reload:"now"`
	AccessLogFormat     value.RTMPLogFormat `hcl:"access_log_format" default:"combined" reload:"now"` // combined or variables
	Applications        []Application       `hcl:"application,block" reload:"now"`                    // "*" included; use Application to look one up
	Range               hcl.Range
}

// TLS is an rtmp or http tls block.
type TLS struct {
	Listen      value.Addresses  `hcl:"listen"`
	Certificate value.Path       `hcl:"certificate"`
	Key         value.Path       `hcl:"key"`
	Domains     value.Domains    `hcl:"domains"`
	MinVersion  value.TLSVersion `hcl:"min_version" default:"1.2"` // crypto/tls version
	Redirect    bool             `hcl:"redirect" computed:"yes"`   // http only; true with domains unless it says false
	Range       hcl.Range
}

// Notify is how hooks are called: the notify_* attributes.
type Notify struct {
	Method        string              `hcl:"notify_method" default:"post" one:"post get"`
	Timeout       time.Duration       `hcl:"notify_timeout" default:"10s"`
	UpdateTimeout time.Duration       `hcl:"notify_update_timeout" default:"30s" off:"yes"` // 0: no on_update
	UpdateStrict  bool                `hcl:"notify_update_strict"`
	RelayRedirect bool                `hcl:"notify_relay_redirect"`
	Headers       value.SecretHeaders `hcl:"notify_headers"`
	Concurrency   int                 `hcl:"notify_concurrency" default:"64" min:"1"`
}

// Application returns the block that serves the application called name, its
// own or "*" with $app expanded, or nil.
func (r *RTMP) Application(name string) *Application {
	var wild *Application
	for i := range r.Applications {
		switch a := &r.Applications[i]; a.Name {
		case name:
			return a
		case "*":
			wild = a
		}
	}
	if wild == nil {
		return nil
	}
	return wild.Named(name)
}
