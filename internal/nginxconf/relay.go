package nginxconf

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// relays maps push and pull, which no application inherits.
func (im *importer) relays(b *item, s *scope) {
	own := &scope{block: s.block}
	for _, d := range own.own("push") {
		im.relay(b, d, s, "push")
	}
	for _, d := range own.own("pull") {
		im.relay(b, d, s, "pull")
	}
}

func (im *importer) relay(b *item, d *directive, s *scope, typ string) {
	if len(d.args) == 0 {
		im.note(d, lost, "it names no server")
		return
	}
	address := d.arg(0)
	if !strings.Contains(address, "://") {
		address = "rtmp://" + address
	}
	scheme, rest, _ := strings.Cut(address, "://")
	host, path, _ := strings.Cut(rest, "/")
	r := b.block(d, typ, label(b, typ, name(host)))
	app, key, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if strings.Contains(app, "?") {
		app, key = strings.Trim(path, "/"), ""
	}
	o := im.relayOptions(r, d, typ)
	if o.app != "" && o.app != app {
		r.set(nil, "app", quote(o.app))
		if rest, ok := strings.CutPrefix(strings.Trim(path, "/"), o.app); ok && (rest == "" || rest[0] == '/') {
			app, key = o.app, strings.TrimPrefix(rest, "/") // a path that has several parts
			r.remove("app")
		}
	}
	if o.playPath != "" {
		key = o.playPath
	}
	if far, ok := im.tunnels[host]; ok && typ == "push" {
		im.note(d, better, "push speaks TLS itself: rtmps to %s, to which nginx's stream block hands it", far)
		scheme, host = "rtmps", far
	}
	u := scheme + "://" + host
	if app != "" {
		u += "/" + app
	}
	switch {
	case key == "":
	case key == "$name" || key == "${name}":
		im.note(d, better, "nginx-rtmp sends the letters $name; here the stream keeps its name over there")
	case typ == "push":
		r.set(nil, "key", expression(key, same)) // the stream name over there is a secret as a rule
	default:
		u += "/" + key
		if app == "" {
			r.set(nil, "play_path", quote(key))
		}
	}
	at := 0
	if r.has("enabled") {
		at = 1
	}
	r.items = slices.Insert(r.items, at, &item{head: "url", value: expression(u, template)})
	t := s.get(typ + "_reconnect")
	if t != nil {
		if v, err := readDuration(t.arg(0)); err == nil && v == 0 {
			im.note(t, better, "rtmpd waits a little before it connects again")
		} else {
			im.set(r, t, attribute{"reconnect", duration, 0})
		}
	}
}

// name is how a block for a server is called.
func name(host string) string {
	if u, err := url.Parse("rtmp://" + host); err == nil && u.Hostname() != "" {
		return strings.Trim(u.Hostname(), "[]")
	}
	return "server"
}

// options are what a relay says behind its address and what goes into the URL.
type options struct{ app, playPath string }

// relayOptions maps key=value.
func (im *importer) relayOptions(r *item, d *directive, typ string) (o options) {
	for _, a := range d.args[1:] {
		k, v, _ := strings.Cut(a.text, "=")
		switch k = strings.ToLower(k); {
		case k == "app":
			o.app = strings.Trim(v, "/")
		case k == "playpath":
			o.playPath = v
		case k == "name" && typ == "push":
			r.replace("streams", list(v), nil)
		case k == "name":
			r.replace("stream", quote(v), nil)
		case k == "tcurl":
			r.replace("tc_url", expression(v, template), nil)
		case k == "pageurl":
			r.replace("page_url", quote(v), nil)
		case k == "swfurl":
			r.replace("swf_url", quote(v), nil)
		case k == "flashver":
			r.replace("flash_ver", quote(v), nil)
		case k == "static" && typ == "pull":
			if v != "0" {
				r.replace("static", "true", nil)
			}
		case k == "live" && typ == "pull":
		case (k == "start" || k == "stop") && typ == "pull":
			if n, err := strconv.Atoi(v); err == nil && n > 0 && n < 1e9 {
				r.replace(k, quote(value.FormatDuration(time.Duration(n)*time.Second)), nil)
			}
		case k == "live" || k == "start" || k == "stop" || k == "static":
			im.note(d, unneeded, "%s means nothing to a push", k)
		default:
			im.note(d, lost, "there is no %s", k)
		}
	}
	return o
}

// findTunnels finds the servers of stream blocks that speak TLS to another server:
// nginx-rtmp reaches RTMPS through them.
func (im *importer) findTunnels(list []*directive) {
	for _, d := range list {
		if d.name != "stream" || !d.isBlock {
			continue
		}
		for _, s := range d.block {
			sc := &scope{block: s.block, parent: &scope{block: d.block}}
			l, p := sc.get("listen"), sc.get("proxy_pass")
			if s.name != "server" || l == nil || p == nil || !sc.on("proxy_ssl") || strings.Contains(p.arg(0), "$") || !strings.Contains(p.arg(0), ":") {
				continue
			}
			port := l.arg(0)[strings.LastIndexByte(l.arg(0), ':')+1:]
			for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
				im.tunnels[host+":"+port] = p.arg(0)
			}
			s.done = true
		}
	}
}
