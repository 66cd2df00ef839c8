package config

import (
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// RTMP is one rtmp block: its listeners and applications.
type RTMP struct {
	Listen              []Address      `hcl:"listen" default:":1935" reload:"now"`
	TLS                 *TLS           `hcl:"tls,block" reload:"now"`
	ProxyProtocol       []netip.Prefix `hcl:"proxy_protocol" reload:"connection"` // peers that must send a PROXY header
	ChunkSize           int            `hcl:"chunk_size" kind:"size" default:"65536" min:"128" max:"16777215" reload:"publish"`
	FlushInterval       time.Duration  `hcl:"flush_interval" default:"100ms" min:"1ms" reload:"now"` // the smallest of all blocks counts
	AckWindow           int            `hcl:"ack_window" kind:"size" default:"5000000" min:"1000" max:"2147483647" reload:"connection"`
	MaxMessage          int            `hcl:"max_message" kind:"size" default:"10M" min:"65536" max:"16777215" reload:"connection"` // bytes
	MaxConnections      int            `hcl:"max_connections" default:"0" reload:"now"`
	MaxConnectionsPerIP int            `hcl:"max_connections_per_ip" default:"0" reload:"now"` // IPv6: per /64
	HandshakeTimeout    time.Duration  `hcl:"handshake_timeout" default:"10s" reload:"connection"`
	Timeout             time.Duration  `hcl:"timeout" default:"60s" reload:"connection"` // of a write
	Ping                time.Duration  `hcl:"ping" default:"60s" off:"yes" reload:"connection"`
	PingTimeout         time.Duration  `hcl:"ping_timeout" default:"30s" reload:"connection"`
	OnConnect           Secret         `hcl:"on_connect" kind:"url" reload:"now"`
	OnDisconnect        Secret         `hcl:"on_disconnect" kind:"url" reload:"now"`
	Notify              Notify         `hcl:",inline" reload:"now"`
	AccessLog           string         `hcl:"access_log" kind:"path" reload:"now"`
	AccessLogFormat     string         `hcl:"access_log_format" kind:"rtmp_log" default:"combined" reload:"now"` // combined or variables
	Applications        []Application  `hcl:"application,block" reload:"now"`                                    // "*" included; use Application to look one up
	Range               hcl.Range
}

// TLS is an rtmp or http tls block.
type TLS struct {
	Listen      []Address `hcl:"listen"`
	Certificate string    `hcl:"certificate" kind:"path"`
	Key         string    `hcl:"key" kind:"path"`
	Domains     []string  `hcl:"domains" kind:"domains"`
	MinVersion  uint16    `hcl:"min_version" default:"1.2"` // crypto/tls version
	Redirect    bool      `hcl:"redirect" kind:"redirect"`  // http only; true with domains unless it says false
	Range       hcl.Range
}

// Notify is how hooks are called: the notify_* attributes.
type Notify struct {
	Method        string            `hcl:"notify_method" default:"post" one:"post get"`
	Timeout       time.Duration     `hcl:"notify_timeout" default:"10s"`
	UpdateTimeout time.Duration     `hcl:"notify_update_timeout" default:"30s" off:"yes"` // 0: no on_update
	UpdateStrict  bool              `hcl:"notify_update_strict"`
	RelayRedirect bool              `hcl:"notify_relay_redirect"`
	Headers       map[string]Secret `hcl:"notify_headers" kind:"headers"`
	Concurrency   int               `hcl:"notify_concurrency" default:"64" min:"1"`
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
