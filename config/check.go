package config

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

// checker holds what is wrong only in relation to something else: attribute to
// attribute, block to block.
type checker struct {
	*loader
	cfg     *Config
	claims  []claim
	listen  value.Addresses
	acme    []hcl.Range // domains of tls blocks
	answers bool        // an authority gets an answer here
}

func (c *checker) rtmp(n *node, r *RTMP) {
	if c.listenTLS(n, r.Listen, r.TLS) && r.TLS.Redirect {
		c.errorAt(n.one("tls").attrs["redirect"].nameRng, "redirect is for http", "RTMP has no redirect to RTMPS")
	}
	c.logFormat(n, r.AccessLog, string(r.AccessLogFormat), "rtmp.log")
}

func (c *checker) http(n *node, h *HTTP) {
	if c.listenTLS(n, h.Listen, h.TLS) && len(h.TLS.Domains) > 0 && !n.one("tls").said("redirect") {
		h.TLS.Redirect = true
	}
	c.asked(h)
	c.logFormat(n, h.AccessLog, string(h.AccessLogFormat), "access.log")
	c.locations(n, h)
}

// logFormat reports a format for a log that there is not.
func (c *checker) logFormat(n *node, path value.Path, format, example string) {
	if format != "combined" && path == "" && !n.said("access_log") && !c.broken {
		c.errorAt(n.at("access_log_format"), "access_log_format without an access_log", "write access_log = \"/var/log/rtmpd/"+example+"\"")
	}
}

// listenTLS checks what rtmp and http blocks have in common. It reports whether
// there is a tls block.
func (c *checker) listenTLS(n *node, plain value.Addresses, t *TLS) bool {
	if !n.bad("listen") {
		c.listen = append(c.listen, withRange(plain, n)...)
	}
	b := n.one("tls")
	if t == nil || b == nil {
		if len(plain) == 0 && n.said("listen") && !n.bad("listen") {
			c.errorAt(n.at("listen"), n.title()+" listens nowhere", "name an address, or add a tls block with its own listen")
		}
		return false
	}
	c.listen = append(c.listen, withRange(t.Listen, b)...)
	if c.broken {
		return true
	}
	if len(t.Listen) == 0 && !b.bad("listen") {
		c.errorAt(b.rng, "tls needs listen", "write listen = \":443\"")
	}
	cert, key, domains := b.said("certificate"), b.said("key"), b.said("domains")
	switch {
	case domains && (cert || key):
		c.errorAt(b.at("domains"), "domains and certificate exclude each other", "certificates for domains are fetched; keep one of the two")
	case domains:
		c.acme = append(c.acme, b.at("domains"))
		if len(t.Domains) == 0 && !b.bad("domains") {
			c.errorAt(b.at("domains"), "domains names nothing", "write domains = [\"live.example.org\"]")
		}
	case !cert && !key:
		c.errorAt(b.rng, "tls has no certificate", "write certificate and key (PEM files)")
	case !cert:
		c.errorAt(b.rng, "tls has a key but no certificate", "write certificate = \"/etc/…/fullchain.pem\"")
	case !key:
		c.errorAt(b.rng, "tls has a certificate but no key", "write key = \"/etc/…/privkey.pem\"")
	default:
		c.keyPair(b, t)
	}
	return true
}

func withRange(list value.Addresses, n *node) value.Addresses {
	out := make(value.Addresses, len(list))
	for i, a := range list {
		if a.Range.Filename == "" {
			a.Range = n.rng
		}
		out[i] = a
	}
	return out
}

// keyPair reads a certificate and its key.
func (c *checker) keyPair(b *node, t *TLS) {
	if t.Certificate == "" || t.Key == "" {
		return
	}
	var pem [2][]byte
	for i, name := range []string{"certificate", "key"} {
		path := string(b.attrs[name].value.(value.Path))
		data, err := c.reading.file(path)
		if err != nil {
			c.secretFile(b.at(name), fmt.Sprintf("%s: %v", name, pathError(path, err)))
			return
		}
		pem[i] = data
	}
	if _, err := tls.X509KeyPair(pem[0], pem[1]); err != nil {
		c.errorAt(b.at("certificate"), "this certificate and key can't be used: "+strings.TrimPrefix(err.Error(), "tls: "), "both are PEM files, the certificate first in its chain")
	}
}

// secretFile reports a file that only the service may be able to read.
func (c *checker) secretFile(at hcl.Range, summary string) {
	if c.o.Check && !c.o.Strict {
		c.warnAt(at, summary, "known only to the service; -strict makes it an error")
		return
	}
	c.errorAt(at, summary, "rtmpd needs to read it")
}

// whole checks what spans blocks.
func (c *checker) whole(root *node) {
	for i, a := range c.listen {
		for _, b := range c.listen[:i] {
			if a.Overlaps(b) && (a.Range != b.Range || a.String() != b.String()) {
				c.errorAt(a.Range, fmt.Sprintf("%q is listened on already", a), fmt.Sprintf("%q at %s overlaps it", b, place(b.Range)))
				break
			}
		}
	}
	c.pathConflicts()
	c.unserved()
	c.fetched(root)
	if len(c.cfg.RTMP) == 0 && len(c.cfg.HTTP) == 0 && !c.broken && !c.diags.HasErrors() {
		c.diags = append(c.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "this configuration has neither an rtmp nor an http block: rtmpd would listen nowhere",
		})
	}
	if n := root.attrs["runtime_dir"]; n != nil && len(c.cfg.RuntimeDir) > 60 {
		c.errorAt(n.rng, "this path is too long for a socket", "it has at most 60 bytes")
	}
}

// claim is a directory that an application writes to.
type claim struct {
	app  string
	rtmp int
	path string // resolved; may hold $app
	keys bool   // it is for the keys of fragments
	at   hcl.Range
}

func (c *checker) claim(app string, path value.Path, keys bool, at hcl.Range) {
	if path == "" {
		return
	}
	c.claims = append(c.claims, claim{app: app, rtmp: len(c.cfg.RTMP), path: value.Resolve(string(path)), keys: keys, at: at})
}

// pathConflicts reports directories that two applications would write to.
func (c *checker) pathConflicts() {
	first := make(map[string]claim)
	var wild []claim
	report := func(a, b claim, name string) {
		c.errorAt(a.at, fmt.Sprintf("application %q writes to this directory too", name), "give each application its own; the other one is at "+place(b.at))
	}
	for _, a := range c.claims {
		b, taken := first[a.path]
		switch {
		case !taken:
			first[a.path] = a
		case a.app != b.app || a.rtmp != b.rtmp:
			report(a, b, b.app)
		}
		if a.app == "*" {
			wild = append(wild, a)
		}
	}
	for _, w := range wild {
		for _, a := range c.claims {
			if name, ok := w.makes(a); ok {
				report(a, w, name)
			}
		}
	}
}

// makes reports whether the application "*" that claims w could write to a's
// directory, and by which name it would.
func (w claim) makes(a claim) (name string, ok bool) {
	prefix, suffix, ok := strings.Cut(w.path, "$app")
	if !ok || a.app == "*" || !strings.HasPrefix(a.path, prefix) || !strings.HasSuffix(a.path, suffix) || len(a.path) <= len(prefix)+len(suffix) {
		return "", false
	}
	name = a.path[len(prefix) : len(a.path)-len(suffix)]
	return name, (name != a.app || w.rtmp != a.rtmp) && value.ValidStreamName(name) == nil
}
