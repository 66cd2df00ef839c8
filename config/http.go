package config

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// HTTP is one http block.
type HTTP struct {
	Listen          value.Addresses     `hcl:"listen" default:":8080" reload:"now"`
	TLS             *TLS                `hcl:"tls,block" reload:"now"`
	PublicURL       value.BaseURLs      `hcl:"public_url" reload:"now"`
	TrustedProxies  value.Networks      `hcl:"trusted_proxies" default:"loopback" reload:"now"`
	ProxyProtocol   value.Networks      `hcl:"proxy_protocol" reload:"connection"`
	AccessLog       value.Path          `hcl:"access_log" reload:"now"`
	AccessLogFormat value.HTTPLogFormat `hcl:"access_log_format" default:"combined" reload:"now"` // combined json or variables
	Locations       []Location          `hcl:"location,block" reload:"request"`
	Range           hcl.Range
}

// Location is one location block. Exactly one of Root, Alias, Redirect, Stat,
// Control, Metrics, API, Health and Player is set.
type Location struct {
	Path  string `hcl:"PATH,label"` // prefix; or the whole path when Exact
	Exact bool   // "= /x"

	Root     value.Path   `hcl:"root"`
	Alias    value.Path   `hcl:"alias"`
	Redirect value.Target `hcl:"redirect"`
	Stat     *Stat        `hcl:"stat,block"`
	Control  *Control     `hcl:"control,block"`
	Metrics  bool         `hcl:"metrics,block"` // the empty block
	API      bool         `hcl:"api,block"`
	Health   bool         `hcl:"health,block"`
	Player   *Player      `hcl:"player,block"`

	Access       value.Rules       `hcl:"access"`
	Token        value.Secret      `hcl:"token"`
	BasicAuth    value.Passwords   `hcl:"basic_auth"`   // user to bcrypt hash
	CORSOrigins  value.Origins     `hcl:"cors_origins"` // nil: the kind's default
	Headers      value.Headers     `hcl:"headers"`
	CacheControl value.HeaderValue `hcl:"cache_control"`
	Autoindex    bool              `hcl:"autoindex"`
	Range        hcl.Range
}

// Stat is a stat block.
type Stat struct {
	Stylesheet string `hcl:"stylesheet"`
}

// Control is a control block.
type Control struct {
	Allow []string `hcl:"allow" default:"record drop redirect" one:"record drop redirect"`
}

// Player is a player block.
type Player struct {
	Applications []string      `hcl:"applications"` // nil: all
	Title        string        `hcl:"title"`
	Poster       string        `hcl:"poster"`
	OfflineText  string        `hcl:"offline_text"`
	Autoplay     bool          `hcl:"autoplay" default:"true"`
	EmbedFrom    value.Origins `hcl:"embed_from" default:"*"`
}
