package nginxconf

import (
	"fmt"
	"net"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// serverAttributes are directives of rtmp and server that stand in rtmpd's rtmp block.
var serverAttributes = map[string]attribute{
	"ack_window": {"ack_window", size, 2147483647}, "max_message": {"max_message", size, 16777215},
	"timeout": {"timeout", duration, 0}, "ping": {"ping", timer, 0}, "ping_timeout": {"ping_timeout", duration, 0},
	"on_connect": {"on_connect", hook, 0}, "on_disconnect": {"on_disconnect", hook, 0},
	"notify_method": {"notify_method", word1, 0}, "netcall_timeout": {"notify_timeout", duration, 0},
	"notify_update_timeout": {"notify_update_timeout", timer, 0}, "notify_update_strict": {"notify_update_strict", onOff, 0},
	"notify_relay_redirect": {"notify_relay_redirect", onOff, 0},
	"max_connections":       {"max_connections", count, 0},
}

var serverNames = strings.Fields("ack_window max_message timeout ping ping_timeout on_connect on_disconnect " +
	"notify_method netcall_timeout notify_update_timeout notify_update_strict notify_relay_redirect max_connections")

// rtmp maps the rtmp block: one block for each of its servers.
func (im *importer) rtmp(root *item, d *directive) {
	d.done = true
	for _, f := range d.block {
		if f.name == "log_format" && len(f.args) > 0 {
			im.access[f.arg(0)] = f
		}
	}
	main := &scope{block: d.block}
	var first *item
	for _, s := range d.block {
		if s.name == "server" && s.isBlock {
			b := im.server(root, s, &scope{block: s.block, parent: main})
			if first == nil {
				first = b
			}
		}
	}
	for _, f := range im.access {
		if !f.done {
			im.note(f, unneeded, "no access_log names it")
		}
	}
	if first == nil {
		return
	}
	leftover(first, d.block, d.tail)
	first.comments = append(d.comments, first.comments...)
	d.comments = nil
}

func (im *importer) server(root *item, d *directive, s *scope) *item {
	b := root.block(d, "rtmp")
	im.listen(b, d, s)
	im.chunkSize(s)
	if m := s.get("max_message"); m != nil {
		if n, err := readSize(m.arg(0)); err == nil && n < 10<<20 {
			im.note(m, better, "rtmpd takes messages of up to 10M: keyframes of 4K fit")
			s.drop("max_message")
		}
	}
	for _, name := range serverNames {
		if name == "max_message" && s.get(name) != nil && s.get(name).done {
			continue
		}
		im.set(b, s.get(name), serverAttributes[name])
	}
	im.rtmpLog(b, s)
	im.serverTLS(b, s)

	defaults := newBlock(nil, "defaults")
	im.shared(defaults, s)
	if len(defaults.items) > 0 {
		b.items = append(b.items, defaults)
	}
	names := make(map[string]bool)
	for _, a := range d.block {
		if a.name != "application" || !a.isBlock {
			continue
		}
		if names[a.arg(0)] || len(a.args) != 1 {
			im.note(a, lost, "an application %q stands here already, or it has no name", a.arg(0))
			im.forget(a)
			continue
		}
		names[a.arg(0)] = true
		im.application(b, a, &scope{block: a.block, parent: s})
	}
	leftover(b, d.block, d.tail)
	return b
}

func (im *importer) chunkSize(s *scope) {
	if c := s.get("chunk_size"); c != nil {
		im.note(c, better, "rtmpd sends chunks of 65536 bytes, which cost less")
		s.drop("chunk_size")
	}
}

// listen maps the addresses of a server.
func (im *importer) listen(b *item, server *directive, s *scope) {
	var plain, secure []string
	var from, proxy *directive
	all := s.own("listen")
	withProxy := 0
	for _, l := range all {
		ssl := false
		for _, opt := range l.args[min(1, len(l.args)):] {
			switch name, _, _ := strings.Cut(opt.text, "="); name {
			case "ssl":
				ssl = true
			case "proxy_protocol":
				proxy = l
				withProxy++
			case "bind", "ipv6only", "so_keepalive", "reuseport", "backlog", "default_server", "default", "fastopen", "rcvbuf", "sndbuf", "deferred", "http2":
			default:
				im.note(l, lost, "its option %s has no counterpart", opt.text)
			}
		}
		addr := im.address(l, "1935")
		if addr == "" {
			l.done = true
			continue
		}
		if ssl {
			secure = append(secure, addr)
		} else {
			plain = append(plain, addr)
		}
		if from == nil {
			from = l
		} else {
			from.comments = append(from.comments, l.comments...)
			l.comments = nil
		}
		l.done = true
	}
	switch {
	case len(all) == 0:
		im.note(server, changed, "it has no listen: nginx does not reach it, rtmpd takes port 1935 if it is free")
		if im.free(":1935") {
			plain = append(plain, quote(":1935"))
		}
		b.set(nil, "listen", "["+strings.Join(plain, ", ")+"]")
	case len(plain) == 1:
		b.set(from, "listen", plain[0])
	default:
		b.set(from, "listen", "["+strings.Join(plain, ", ")+"]")
	}
	if len(secure) > 0 {
		tls := b.block(nil, "tls")
		tls.set(nil, "listen", one(secure))
	}
	im.proxyProtocol(b, proxy, withProxy, len(all))
}

func one(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (im *importer) proxyProtocol(b *item, d *directive, with, of int) {
	switch {
	case d == nil:
	case with == of:
		b.set(nil, "proxy_protocol", list("0.0.0.0/0", "::/0"))
		im.note(d, changed, "everybody must send a PROXY header, as before; better name your balancer alone in proxy_protocol: whoever may send it may claim any address")
	default:
		b.set(nil, "proxy_protocol", list("loopback", "private"))
		im.note(d, changed, "proxy_protocol holds for all addresses of the block: private networks must send the header, all others must not; name your balancer in it")
	}
}

// address is what a listen names, as HCL; empty if another one covers it.
func (im *importer) address(d *directive, port string) string {
	s, hcl := im.normal(d, port)
	if hcl != "" {
		return hcl
	}
	if !im.free(s) {
		im.note(d, unneeded, "another listen covers it: rtmpd's addresses are of both families")
		return ""
	}
	im.listens = append(im.listens, s)
	return quote(s)
}

// normal is what a listen names as rtmpd writes addresses; hcl is the expression if the
// environment says it.
func (im *importer) normal(d *directive, port string) (s, hcl string) {
	s = d.arg(0)
	switch {
	case fromEnvironment.MatchString(s):
		name := strings.Trim(fromEnvironment.FindString(s), "${}")
		hcl = fmt.Sprintf("env(%q, %q)", name, port)
		if host, rest, ok := strings.Cut(s, ":"); ok && rest != "" && net.ParseIP(host) != nil {
			hcl = fmt.Sprintf(`"%s:${env(%q, %q)}"`, host, name, port)
		}
		return hcl, hcl
	case strings.HasPrefix(s, "unix:"):
	case s == "" || strings.Trim(s, "0123456789") == "":
		if s == "" {
			s = port
		}
		s = ":" + s
	default:
		host, p, err := net.SplitHostPort(s)
		if err != nil {
			host, p = strings.Trim(s, "[]"), port
		}
		switch {
		case host == "*":
			host = ""
		case host == "localhost":
			host = "127.0.0.1"
		case host != "" && net.ParseIP(host) == nil:
			im.note(d, changed, "a listener takes an IP address: %s became all addresses", host)
			host = ""
		}
		s = net.JoinHostPort(host, p)
	}
	return s, ""
}

// free says whether an address overlaps none that is listened on.
func (im *importer) free(s string) bool {
	a, err := value.ParseAddress(s)
	for _, other := range im.listens {
		if b, e := value.ParseAddress(other); err == nil && e == nil && a.Overlaps(b) {
			return false
		}
	}
	return true
}

// serverTLS maps the certificates of the later versions of the fork.
func (im *importer) serverTLS(b *item, s *scope) {
	for _, t := range b.items {
		if t.isBlock && t.head == "tls" {
			im.certificates(t, s)
		}
	}
}

// certificates fills a tls block.
func (im *importer) certificates(t *item, s *scope) {
	im.set(t, s.get("ssl_certificate"), attribute{"certificate", file, 0})
	im.set(t, s.get("ssl_certificate_key"), attribute{"key", file, 0})
	if p := s.get("ssl_protocols"); p != nil {
		p.done = true
		if len(p.args) == 1 && p.arg(0) == "TLSv1.3" {
			t.set(p, "min_version", quote("1.3"))
		} else {
			im.note(p, better, "rtmpd speaks TLS 1.2 and 1.3")
		}
	}
}
