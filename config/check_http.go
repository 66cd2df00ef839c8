package config

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// locations checks the location blocks of an http block.
func (c *checker) locations(n *node, h *HTTP) {
	first := make(map[string]hcl.Range)
	blocks := n.all("location")
	for i := range h.Locations {
		loc, b := &h.Locations[i], blocks[i]
		if rest, ok := strings.CutPrefix(loc.Path, "="); ok {
			loc.Exact = true
			loc.Path = strings.TrimSpace(rest)
		}
		c.locationPath(b, loc.Path)
		key := fmt.Sprint(loc.Exact, loc.Path)
		if at, taken := first[key]; taken {
			c.errorAt(b.rng, b.title()+" stands here twice", "the first is at "+place(at))
		}
		first[key] = b.rng
		c.location(b, loc)
	}
	if c.o.Check && !n.said("trusted_proxies") {
		c.behindProxy(blocks, h)
	}
}

// behindProxy warns of locations for this machine alone beside public ones: a proxy on
// this machine that does not forward the client's address would open the one
// with the other.
func (c *checker) behindProxy(blocks []*node, h *HTTP) {
	public := false
	for i := range h.Locations {
		l := &h.Locations[i]
		public = public || (l.Root != "" || l.Alias != "" || l.Player != nil) && !l.closed()
	}
	if !public {
		return
	}
	for i := range h.Locations {
		if l := &h.Locations[i]; (l.Stat != nil || l.Metrics) && !l.closed() {
			c.warnAt(blocks[i].rng, "this answers everybody whom a proxy on this machine lets through without a word",
				"nginx's plain proxy_pass says nothing of its clients: if a proxy stands here, write trusted_proxies = [\"loopback\"] and have it send X-Forwarded-For, "+
					"or give this location access, token or basic_auth; if none does, trusted_proxies = []")
		}
	}
}

// closed: the configuration restricts access.
func (l *Location) closed() bool {
	return len(l.Access) > 0 || l.Token != "" || len(l.BasicAuth) > 0
}

func (c *checker) locationPath(b *node, p string) {
	switch {
	case strings.HasPrefix(p, "~"):
		c.errorAt(b.rng, "a location is no regular expression", "write a prefix like \"/live\", or \"= /x\" for one path alone")
	case strings.HasPrefix(p, "^~"):
		c.errorAt(b.rng, "^~ is not needed", "write the prefix itself: the longest one wins, there are no regular expressions")
	case !strings.HasPrefix(p, "/"):
		c.errorAt(b.rng, fmt.Sprintf("location %q does not start with /", p), fmt.Sprintf("write %q", "/"+p))
	case path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/":
		c.errorAt(b.rng, fmt.Sprintf("location %q is not a clean path", p), fmt.Sprintf("write %q", path.Clean(p)))
	case strings.ContainsAny(p, "?#*"):
		c.errorAt(b.rng, fmt.Sprintf("location %q is not a path", p), "it has neither ?, # nor *")
	}
}

// servers are the attributes and blocks that say what a location serves.
const servers = "root alias redirect stat control metrics api health player"

func (c *checker) location(b *node, loc *Location) {
	var serves []string
	for _, name := range strings.Fields(servers) {
		if b.said(name) || b.one(name) != nil {
			serves = append(serves, name)
		}
	}
	switch {
	case len(serves) == 0 && !c.broken:
		c.errorAt(b.rng, b.title()+" serves nothing", "write one of: "+strings.Join(strings.Fields(servers), ", "))
	case len(serves) > 1:
		c.errorAt(b.rng, b.title()+" serves several things", "keep one of: "+strings.Join(serves, ", "))
	}
	guarded := b.said("access") || b.said("token") || b.said("basic_auth") || loc.API != nil && len(loc.API.Tokens) > 0
	for _, name := range []string{"control", "api"} {
		if n := b.one(name); n != nil && !guarded && !c.broken {
			c.errorAt(n.rng, name+" is open to everyone", "give the location access, token or basic_auth")
		}
	}
	if a := b.attrs["token"]; a != nil && a.value != nil {
		c.bearer(a.rng, loc.Token.Reveal())
	}
	if a := b.attrs["basic_auth"]; a != nil && a.value != nil && len(loc.BasicAuth) == 0 {
		c.errorAt(a.rng, "basic_auth names nobody", "write { USER = \"BCRYPT HASH\" }")
	}
	if p := loc.Player; p != nil {
		c.player(b.one("player"), p)
		if loc.Exact {
			c.errorAt(b.rng, "pages are several paths", fmt.Sprintf("write location %q", loc.Path))
		}
	}
	if loc.API != nil {
		c.apiTokens(b.one("api"), loc)
	}
	if loc.Autoindex && loc.Root == "" && loc.Alias == "" && !b.bad("root") && !b.bad("alias") {
		c.errorAt(b.at("autoindex"), "autoindex needs root or alias", "")
	}
}

// bearer checks a bearer token.
func (c *checker) bearer(at hcl.Range, s string) {
	if len(s) < value.MinSecret || strings.Contains(strings.ToLower(s), "change-me") {
		c.errorAt(at, fmt.Sprintf("a token has at least %d characters and is not change-me", value.MinSecret), "rtmpd key new makes one")
	} else if strings.ContainsAny(s, " \t\r\n") || value.CheckHeaderValue(s) != nil {
		c.errorAt(at, "a token is one word", "it is sent as Authorization: Bearer TOKEN")
	}
}

// apiTokens checks the tokens of an api block.
func (c *checker) apiTokens(n *node, loc *Location) {
	seen := make(map[string]string) // hash of the secret, where it stands
	for i := range loc.API.Tokens {
		t, b := &loc.API.Tokens[i], n.all("token")[i]
		secret, hash := b.said("secret"), b.said("secret_sha256")
		switch {
		case secret && hash:
			c.errorAt(b.attrs["secret_sha256"].nameRng, "a token has secret or secret_sha256, not both", "keep one")
			continue
		case !secret && !hash:
			c.errorAt(b.rng, b.title()+" has no secret", "write secret = \"...\" or secret_sha256 = \"...\"; rtmpd key new makes a secret, rtmpd key hash its SHA-256")
			continue
		case b.bad("secret") || b.bad("secret_sha256"):
			continue
		case secret:
			c.bearer(b.at("secret"), t.Secret.Reveal())
		}
		at := b.at("secret")
		if hash {
			at = b.at("secret_sha256")
		}
		if first, dup := claimSecret(seen, &StreamKey{Secret: t.Secret, SHA256: t.SHA256}, place(at)); dup {
			c.errorAt(at, "this secret is taken", "each token has its own; the same one stands at "+first)
		}
		if len(t.Scopes) == 0 && !b.bad("scopes") {
			c.errorAt(b.at("scopes"), "scopes names nothing", "write one or more of: "+strings.Join(Scopes, ", "))
		}
	}
}

// player checks a player block.
func (c *checker) player(b *node, p *Player) {
	if p.Poster != "" && !b.bad("poster") {
		if _, err := ParsePoster(p.Poster); err != nil {
			c.errorAt(b.at("poster"), err.Error(), "write \"/poster.jpg\" or \"https://HOST/poster.jpg\"")
		}
	}
	for _, name := range p.Applications {
		there := func(r RTMP) bool {
			return slices.ContainsFunc(r.Applications, func(a Application) bool { return a.Name == name })
		}
		if !slices.ContainsFunc(c.cfg.RTMP, there) && !b.bad("applications") && !c.broken {
			c.errorAt(b.at("applications"), fmt.Sprintf("there is no application %q", name), "write the names of application blocks; \"*\" means those that have none")
		}
	}
}

// ParsePoster reads the poster attribute: http(s)://HOST/PATH, a path on this server, or
// a path below the location.
func ParsePoster(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Opaque != "" || u.User != nil || u.Path == "":
		return nil, fmt.Errorf("poster: %q is not the URL of a picture", s)
	case u.Host == "" && u.Scheme == "":
		return u, nil
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "":
		return nil, fmt.Errorf("poster: %q is not http(s)://HOST/PATH", s) // it becomes a part of the pages' Content-Security-Policy
	}
	return u, nil
}
