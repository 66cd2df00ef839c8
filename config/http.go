package config

import (
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

// HTTP is one http block.
type HTTP struct {
	Listen          []Address      `hcl:"listen" default:":8080" reload:"now"`
	TLS             *TLS           `hcl:"tls,block" reload:"now"`
	PublicURL       []string       `hcl:"public_url" kind:"urls" reload:"now"`
	TrustedProxies  []netip.Prefix `hcl:"trusted_proxies" default:"loopback" reload:"now"`
	ProxyProtocol   []netip.Prefix `hcl:"proxy_protocol" reload:"connection"`
	AccessLog       string         `hcl:"access_log" kind:"path" reload:"now"`
	AccessLogFormat string         `hcl:"access_log_format" kind:"http_log" default:"combined" reload:"now"` // combined json or variables
	Locations       []Location     `hcl:"location,block" reload:"request"`
	Range           hcl.Range
}

// Location is one location block. Exactly one of Root, Alias, Redirect, Stat,
// Control, Metrics, API, Health and Player is set.
type Location struct {
	Path  string `hcl:"PATH,label"` // prefix; or the whole path when Exact
	Exact bool   // "= /x"

	Root     string   `hcl:"root" kind:"path"`
	Alias    string   `hcl:"alias" kind:"path"`
	Redirect string   `hcl:"redirect" kind:"target"`
	Stat     *Stat    `hcl:"stat,block"`
	Control  *Control `hcl:"control,block"`
	Metrics  bool     `hcl:"metrics,block"` // the empty block
	API      bool     `hcl:"api,block"`
	Health   bool     `hcl:"health,block"`
	Player   *Player  `hcl:"player,block"`

	Access       Rules             `hcl:"access"`
	Token        Secret            `hcl:"token"`
	BasicAuth    map[string]Secret `hcl:"basic_auth" kind:"bcrypt"`    // user to bcrypt hash
	CORSOrigins  []string          `hcl:"cors_origins" kind:"origins"` // nil: the kind's default
	Headers      map[string]string `hcl:"headers" kind:"headers"`
	CacheControl string            `hcl:"cache_control" kind:"header"`
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
	Applications []string `hcl:"applications"` // nil: all
	Title        string   `hcl:"title"`
	Poster       string   `hcl:"poster"`
	OfflineText  string   `hcl:"offline_text"`
	Autoplay     bool     `hcl:"autoplay" default:"true"`
	EmbedFrom    []string `hcl:"embed_from" kind:"origins" default:"*"`
}
