package config

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// HTTP is one http block.
type HTTP struct {
	// The addresses for HTTP.
	Listen value.Addresses `hcl:"listen" nginx:"listen" default:":8080" reload:"now"`
	// HTTPS: HTTP over TLS, with HTTP/2.
	TLS *TLS `hcl:"tls,block" reload:"now"`
	// The address that viewers know, the base of absolute URLs. With several,
	// headers of a trusted proxy choose one of them.
	PublicURL value.BaseURLs `hcl:"public_url" reload:"now"`
	// The networks whose headers about the client and the public address are
	// believed.
	TrustedProxies value.Networks `hcl:"trusted_proxies" nginx:"set_real_ip_from" default:"loopback" reload:"now"`
	// The networks whose connections must begin with a PROXY header.
	ProxyProtocol value.Networks `hcl:"proxy_protocol" nginx:"listen … proxy_protocol" reload:"connection"`
	// What all viewers of the block together may have at a time; the bandwidth is that of
	// all its answers.
	Limits *Limits `hcl:"limits,block" reload:"now"`
	// The file that gets one line for each request.
	AccessLog value.Path `hcl:"access_log" nginx:"access_log" reload:"now" example:"\"/var/log/rtmpd/access.log\""`
	// The line of the access log: combined, json, or text with variables.
	AccessLogFormat value.HTTPLogFormat `hcl:"access_log_format" nginx:"log_format" default:"combined" reload:"now"`
	// What is served under a path. The longest path that matches counts, at the
	// boundary of a part: /live is /live and /live/…, never /livestream. "= /x" is
	// that path alone.
	Locations []Location `hcl:"location,block" nginx:"location" reload:"request"`
	Range     hcl.Range
}

// Location is one location block. Exactly one of Root, Alias, Redirect, Stat,
// Control, Metrics, API, Health and Player is set.
type Location struct {
	Path  string `hcl:"PATH,label"` // prefix; or the whole path when Exact
	Exact bool   // "= /x"

	// The directory that the whole path of a request is looked for in.
	Root value.Path `hcl:"root" nginx:"root" example:"\"/nginx\""`
	// The directory that takes the place of the location's path.
	Alias value.Path `hcl:"alias" nginx:"alias" example:"\"/nginx/live\""`
	// Where every request is sent.
	Redirect value.Target `hcl:"redirect" nginx:"return 302"`
	// What happens now, as XML, JSON or a page.
	Stat *Stat `hcl:"stat,block" nginx:"rtmp_stat"`
	// Commands over HTTP: record, drop, redirect. It needs access, token or
	// basic_auth.
	Control *Control `hcl:"control,block" nginx:"rtmp_control"`
	// Metrics for Prometheus.
	Metrics bool `hcl:"metrics,block"`
	// The API: MistServer's calls, and REST at v1. It needs access, token, basic_auth
	// or tokens of its own.
	API *API `hcl:"api,block"`
	// Whether all is well, for load balancers and containers.
	Health bool `hcl:"health,block"`
	// Pages with a player: one for each stream, a list, frames and a script for
	// other sites.
	Player *Player `hcl:"player,block"`

	// Who may see the location, by address.
	Access value.Rules `hcl:"access" nginx:"allow, deny"`
	// A word that requests must carry: Authorization: Bearer TOKEN.
	Token value.Secret `hcl:"token"`
	// Who may see the location, by name and password; the passwords stand as
	// bcrypt hashes.
	BasicAuth value.Passwords `hcl:"basic_auth" nginx:"auth_basic_user_file"`
	// The web pages whose scripts may read what is served. Unset: every one for
	// root, alias and player, none for the others.
	CORSOrigins value.Origins `hcl:"cors_origins"`
	// Headers that every answer carries.
	Headers value.Headers `hcl:"headers" nginx:"add_header"`
	// The Cache-Control of every answer. Unset: what fits a playlist, a fragment,
	// a file.
	CacheControl value.HeaderValue `hcl:"cache_control" nginx:"expires"`
	// Whether a directory is listed.
	Autoindex bool `hcl:"autoindex" nginx:"autoindex"`
	Range     hcl.Range
}

// Stat is a stat block.
type Stat struct {
	// The XSL stylesheet that the XML names.
	Stylesheet string `hcl:"stylesheet" nginx:"rtmp_stat_stylesheet" example:"\"/stat.xsl\""`
}

// Control is a control block.
type Control struct {
	// Which commands there are.
	Allow []string `hcl:"allow" nginx:"rtmp_control" default:"record drop redirect push stage title sessions" one:"record drop redirect push stage title sessions"`
}

// API is an api block.
type API struct {
	// A bearer token of the API, which may do less than the location's own.
	Tokens []APIToken `hcl:"token,block"`
}

// APIToken is a token block of an api block.
type APIToken struct {
	Name string `hcl:"NAME,label"`
	// What a request carries: Authorization: Bearer SECRET.
	Secret value.Secret `hcl:"secret"`
	// The SHA-256 of the secret instead of the secret itself; rtmpd key hash
	// prints it.
	SHA256 value.SHA256 `hcl:"secret_sha256"`
	// What it may do: read shows, sessions ends and tags who watches, push begins and
	// ends pushes, keys changes stream keys and ends streams.
	Scopes []string `hcl:"scopes" default:"read" one:"read sessions push keys"`
}

// Scopes are what the tokens of an API may do.
var Scopes = []string{"read", "sessions", "push", "keys"}

// Player is a player block.
type Player struct {
	// The applications whose streams it shows. Unset: all.
	Applications []string `hcl:"applications" example:"[\"show\"]"`
	// The title of the page.
	Title string `hcl:"title" example:"\"The show\""`
	// The picture that is shown before the stream: a URL, a path on this server, or
	// a file name below the location.
	Poster string `hcl:"poster" example:"\"/poster.jpg\""`
	// What is said while there is no stream.
	OfflineText string `hcl:"offline_text" example:"\"Back on Friday at 20:00\""`
	// Whether it plays by itself.
	Autoplay bool `hcl:"autoplay" default:"true"`
	// The sites that may show it in a frame.
	EmbedFrom value.Origins `hcl:"embed_from" default:"*"`
}
