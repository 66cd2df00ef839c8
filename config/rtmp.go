package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// RTMP is one rtmp block: its listeners and applications.
type RTMP struct {
	// The addresses for RTMP: a port, ":1935" for both families, "127.0.0.1:1935",
	// "[::1]:1935" or "unix:/path" (mode 0660). An empty list leaves RTMPS alone.
	Listen value.Addresses `hcl:"listen" nginx:"listen" default:":1935" reload:"now"`
	// RTMPS: RTMP over TLS.
	TLS *TLS `hcl:"tls,block" reload:"now"`
	// The networks whose connections must begin with a PROXY header, version 1 or
	// 2, which names the client. A header from anyone else closes the connection.
	ProxyProtocol value.Networks `hcl:"proxy_protocol" nginx:"listen … proxy_protocol" reload:"connection"`
	// The size of the chunks that players get, in bytes. Larger ones cost less.
	ChunkSize value.Size `hcl:"chunk_size" nginx:"chunk_size" default:"65536" min:"128" max:"16777215" reload:"publish"`
	// The longest time that media for RTMP players is gathered before it is sent.
	// With few players it goes out at once; under load a longer interval costs
	// less. With several rtmp blocks the shortest counts.
	FlushInterval time.Duration `hcl:"flush_interval" default:"100ms" min:"1ms" reload:"now"`
	// After how many bytes a peer acknowledges what it received.
	AckWindow value.Size `hcl:"ack_window" nginx:"ack_window" default:"5000000" min:"1000" max:"2147483647" reload:"connection"`
	// The largest message that is taken from a client, in bytes. A larger one
	// closes the connection.
	MaxMessage value.Size `hcl:"max_message" nginx:"max_message" default:"10M" min:"65536" max:"16777215" reload:"connection"`
	// How many connections the block takes; 0: no limit.
	MaxConnections int `hcl:"max_connections" nginx:"max_connections" default:"0" reload:"now"`
	// How many connections one address may have; of IPv6 a /64 counts as one. 0:
	// no limit.
	MaxConnectionsPerIP int `hcl:"max_connections_per_ip" default:"0" reload:"now"`
	// What all players of the block together may have at a time.
	Limits *Limits `hcl:"limits,block" reload:"now"`
	// How long a connection may take for PROXY header, TLS and RTMP handshake
	// together.
	HandshakeTimeout time.Duration `hcl:"handshake_timeout" default:"10s" reload:"connection"`
	// How long a write to a client may be stuck before the connection is closed.
	Timeout time.Duration `hcl:"timeout" nginx:"timeout" default:"60s" reload:"connection"`
	// How long a client may be silent before it is asked whether it is there; off:
	// never.
	Ping time.Duration `hcl:"ping" nginx:"ping" default:"60s" off:"yes" reload:"connection"`
	// How long the answer to a ping may take before the connection is closed.
	PingTimeout time.Duration `hcl:"ping_timeout" nginx:"ping_timeout" default:"30s" reload:"connection"`
	// The URL that is asked when a client connects, before an application is
	// looked for. 2xx lets it in, 3xx names another application, anything else
	// refuses.
	OnConnect value.URL `hcl:"on_connect" nginx:"on_connect" reload:"now"`
	// The URL that is called when a connection has ended.
	OnDisconnect value.URL `hcl:"on_disconnect" nginx:"on_disconnect" reload:"now"`
	Notify       Notify    `hcl:",inline" reload:"now"`
	// The file that gets one line for each connection that published or played.
	AccessLog value.Path `hcl:"access_log" nginx:"access_log" reload:"now" example:"\"/var/log/rtmpd/rtmp.log\""`
	// The line of the access log: combined, or text with nginx-rtmp's variables.
	AccessLogFormat value.RTMPLogFormat `hcl:"access_log_format" nginx:"log_format" default:"combined" reload:"now"`
	// An application: what publishers and players name behind the host. "*" takes
	// every name that no other block has.
	Applications []Application `hcl:"application,block" nginx:"application" reload:"now"`
	Range        hcl.Range
}

// TLS is an rtmp or http tls block.
type TLS struct {
	// The addresses for TLS.
	Listen value.Addresses `hcl:"listen"`
	// A PEM file with the certificate and its chain. A changed file is read
	// without a reload.
	Certificate value.Path `hcl:"certificate" nginx:"ssl_certificate" example:"\"/etc/ssl/live/fullchain.pem\""`
	// A PEM file with the private key of the certificate.
	Key value.Path `hcl:"key" nginx:"ssl_certificate_key" example:"\"/etc/ssl/live/privkey.pem\""`
	// The names that certificates are fetched for, from Let's Encrypt or the
	// authority of the acme block. It needs an http listener on port 80 or 443.
	Domains value.Domains `hcl:"domains"`
	// The oldest version of TLS that is spoken.
	MinVersion value.TLSVersion `hcl:"min_version" nginx:"ssl_protocols" default:"1.2"`
	// Whether the plain listeners of the http block only answer ACME challenges
	// and redirect to https. Unset: true where domains is set. Not for rtmp.
	Redirect bool `hcl:"redirect" computed:"yes"`
	Range    hcl.Range
}

// Notify is how hooks are called: the notify_* attributes.
type Notify struct {
	// Whether hooks are called by POST or by GET.
	Method string `hcl:"notify_method" nginx:"notify_method" default:"post" one:"post get"`
	// How long a hook may take to answer. A hook that takes longer refuses.
	Timeout time.Duration `hcl:"notify_timeout" nginx:"netcall_timeout" default:"10s"`
	// How often on_update is asked about each publisher and player; off: never.
	UpdateTimeout time.Duration `hcl:"notify_update_timeout" nginx:"notify_update_timeout" default:"30s" off:"yes"`
	// Whether a failing on_update ends the session. Otherwise only an answer of
	// 4xx does.
	UpdateStrict bool `hcl:"notify_update_strict" nginx:"notify_update_strict"`
	// Whether a stream that an answer of on_publish or on_play (3xx with a Location of
	// rtmp:// or rtmps://) pushes or pulls is called after that URL: 32 hexadecimal
	// digits, its MD5. All names with the same URL share one stream then.
	RelayRedirect bool `hcl:"notify_relay_redirect" nginx:"notify_relay_redirect"`
	// Headers that every call of a hook carries, a token for example.
	Headers value.SecretHeaders `hcl:"notify_headers"`
	// How many calls of hooks an application may have under way.
	Concurrency int `hcl:"notify_concurrency" default:"64" min:"1"`
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
