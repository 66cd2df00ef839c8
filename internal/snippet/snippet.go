// Package snippet prints what to paste elsewhere for a configuration at hand: into
// the configuration of a proxy, OBS, a web page, a firewall, a container's.
//
//	config.Config → facts (facts.go) → the text of a kind (proxies.go, containers.go, others.go, multitrack.go)
package snippet

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/rtmpd/rtmpd/config"
)

// texts are the templates by kind; their data are facts.
var texts = map[string]string{
	"traefik": traefik, "nginx": nginx, "caddy": caddy, "apache": apache, "lighttpd": lighttpd, "haproxy": haproxy,
	"obs": obs, "videojs": videojs, "discourse": discourse, "ufw": ufw, "docker": docker, "compose": compose,
}

// Kinds are the snippets there are, sorted.
func Kinds() []string {
	out := make([]string, 0, len(texts))
	for kind := range texts {
		out = append(out, kind)
	}
	out = append(out, Multitrack)
	slices.Sort(out)
	return out
}

// Write prints the snippet of a kind for a configuration that was read from path.
//
// Errors: an unknown kind, with those there are; a configuration that has nothing
// for it (no http block, no application).
func Write(w io.Writer, kind string, cfg *config.Config, path string) error {
	if kind == Multitrack {
		return WriteLadder(w, cfg, path, DefaultLadder)
	}
	text, ok := texts[kind]
	if !ok {
		return fmt.Errorf("there is no snippet %q: there are %s", kind, strings.Join(Kinds(), " "))
	}
	f, err := factsOf(cfg, path)
	if err != nil {
		return err
	}
	if kind == "discourse" && !f.Pages {
		return fmt.Errorf("no http block has pages: add a location \"/\" with player {}")
	}
	if kind != "obs" && kind != "ufw" && kind != "docker" && len(f.Paths) == 0 {
		return fmt.Errorf("no http block serves streams: add a location with root or alias for the hls path")
	}
	t, err := template.New(kind).Parse(strings.TrimPrefix(text, "\n"))
	if err != nil {
		return err
	}
	return t.Execute(w, f)
}
