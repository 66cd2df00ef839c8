package snippet

import (
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// facts are what snippets say of a configuration.
type facts struct {
	Config  string   // its path
	Host    string   // as viewers know it
	Base    string   // https://Host, with what public_url says of it
	Prefix  string   // of the path, which the proxy takes off; empty: none
	Backend string   // host:port of the first http block, seen from this machine
	Port    string   // of Backend
	Paths   []string // of the locations that viewers need, without a slash at the end
	Watch   string   // the path of a playlist
	Player  string   // the path of the first player location, without a slash at the end
	Pages   bool     // there is one
	Stream  string   // the public name in it

	RTMP     string // address for encoders without the scheme: host, host:port
	RTMPPort string
	App      string
	Holder   string   // of the first stream key; empty: the application has none
	Ports    []string // to be opened in a firewall, as ufw writes them
	HLSPath  string   // of the application
}

// example stands for a host name that the configuration does not say.
const example = "live.example.org"

func factsOf(cfg *config.Config, path string) (*facts, error) {
	f := &facts{Config: path, Host: example, Base: "https://" + example, Backend: "127.0.0.1:8080", Port: "8080", RTMPPort: "1935", Stream: "test"}
	if len(cfg.HTTP) > 0 {
		f.http(&cfg.HTTP[0])
	}
	app := firstApplication(cfg)
	if app == nil {
		return nil, errors.New("the configuration has no application")
	}
	f.App = app.Name
	if app.Name == "*" {
		f.App = "live"
	}
	if len(app.StreamKeys) > 0 {
		f.Holder = app.StreamKeys[0].Holder
		f.Stream = app.StreamKeys[0].Stream
	}
	if app.HLS != nil {
		f.HLSPath = strings.ReplaceAll(string(app.HLS.Path), "$app", f.App)
		f.watch(cfg, app)
	}
	for i := range cfg.RTMP {
		f.open(cfg.RTMP[i].Listen)
		if t := cfg.RTMP[i].TLS; t != nil {
			f.open(t.Listen)
		}
	}
	if a := firstTCP(cfg.RTMP[0].Listen); a != nil {
		f.RTMPPort = strconv.Itoa(int(a.Port))
	}
	f.RTMP = f.Host
	if f.RTMPPort != "1935" {
		f.RTMP = net.JoinHostPort(f.Host, f.RTMPPort)
	}
	for i := range cfg.HTTP {
		f.open(cfg.HTTP[i].Listen)
		if t := cfg.HTTP[i].TLS; t != nil {
			f.open(t.Listen)
		}
	}
	return f, nil
}

// firstApplication is the first that makes HLS, else the first.
func firstApplication(cfg *config.Config) *config.Application {
	var first *config.Application
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			a := &cfg.RTMP[i].Applications[j]
			if a.HLS != nil {
				return a
			}
			if first == nil {
				first = a
			}
		}
	}
	return first
}

func firstTCP(all value.Addresses) *value.Address {
	i := slices.IndexFunc(all, func(a value.Address) bool { return a.Network != "unix" })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (f *facts) http(b *config.HTTP) {
	if a := firstTCP(b.Listen); a != nil {
		host := a.Host
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		f.Port = strconv.Itoa(int(a.Port))
		f.Backend = net.JoinHostPort(host, f.Port)
	}
	switch {
	case len(b.PublicURL) > 0:
		if u, err := url.Parse(b.PublicURL[0]); err == nil && u.Hostname() != "" {
			f.Host, f.Base = u.Hostname(), strings.TrimSuffix(b.PublicURL[0], "/")
			f.Prefix = strings.TrimSuffix(u.Path, "/")
		}
	case b.TLS != nil && len(b.TLS.Domains) > 0:
		f.Host = b.TLS.Domains[0]
		f.Base = "https://" + f.Host
	}
	for i := range b.Locations {
		l := &b.Locations[i]
		path := strings.TrimSuffix(l.Path, "/")
		if path != "" && (l.Root != "" || l.Alias != "") || l.Player != nil {
			f.Paths = append(f.Paths, path)
		}
		if l.Player != nil && !f.Pages {
			f.Player, f.Pages = path, true
		}
	}
	// What lies below another path goes with it; below "" lies all of the host.
	all := slices.Clone(f.Paths)
	f.Paths = slices.DeleteFunc(f.Paths, func(path string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return strings.HasPrefix(path, other+"/") })
	})
}

// watch finds the path under which the first http block serves the playlist.
func (f *facts) watch(cfg *config.Config, app *config.Application) {
	name := f.Stream + ".m3u8"
	if app.HLS.Nested {
		name = f.Stream + "/index.m3u8"
	}
	file := filepath.Join(f.HLSPath, name)
	f.Watch = "/" + name
	if len(cfg.HTTP) == 0 {
		return
	}
	for i := range cfg.HTTP[0].Locations {
		l := &cfg.HTTP[0].Locations[i]
		prefix := strings.TrimSuffix(l.Path, "/")
		for _, dir := range []struct{ root, path string }{{filepath.Join(string(l.Root), prefix), prefix}, {string(l.Alias), prefix}} {
			if rest, ok := strings.CutPrefix(file, strings.TrimSuffix(dir.root, "/")+"/"); ok && dir.root != "" && (l.Root != "" || l.Alias != "") {
				f.Watch = dir.path + "/" + rest
				return
			}
		}
	}
}

// open adds the ports of addresses that others can reach.
func (f *facts) open(all value.Addresses) {
	for _, a := range all {
		ip := net.ParseIP(a.Host)
		if a.Network == "unix" || a.Host == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		if port := strconv.Itoa(int(a.Port)) + "/tcp"; !slices.Contains(f.Ports, port) {
			f.Ports = append(f.Ports, port)
		}
	}
}

// BackendHost is Backend without its port.
func (f *facts) BackendHost() string {
	host, _, _ := net.SplitHostPort(f.Backend)
	return host
}

// ConfigDir is the directory of the configuration.
func (f *facts) ConfigDir() string {
	if strings.HasSuffix(f.Config, ".hcl") {
		return filepath.Dir(f.Config)
	}
	return f.Config
}

// Outside is the directory of the fragments, unless it is in rtmpd's own.
func (f *facts) Outside() string {
	if f.HLSPath == "" || strings.HasPrefix(f.HLSPath, "/var/lib/rtmpd/") {
		return ""
	}
	return f.HLSPath
}

// PublishedPorts are Ports without the protocol.
func (f *facts) PublishedPorts() []string {
	out := make([]string, len(f.Ports))
	for i, p := range f.Ports {
		out[i] = strings.TrimSuffix(p, "/tcp")
	}
	return out
}

// Fronts are the paths that a proxy forwards.
func (f *facts) Fronts() []string {
	if f.Prefix != "" {
		return []string{f.Prefix}
	}
	return f.Paths
}
