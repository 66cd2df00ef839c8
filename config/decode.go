package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rtmpd/rtmpd/config/value"
)

var rangeType = reflect.TypeFor[hcl.Range]()

// decodeConfig fills a Config from the united tree and validates it.
func (l *loader) decodeConfig(root *node) *Config {
	cfg := &Config{}
	v := reflect.ValueOf(cfg).Elem()
	l.decodeAttrs(root, root.schema, v)
	for _, s := range root.schema.blocks {
		if s.name != "rtmp" && s.name != "http" {
			l.decodeBlock(root, s, v)
		}
	}
	if cfg.StateDir == "" {
		cfg.StateDir = value.Path(stateDir(l.o.Env))
	}
	if cfg.RuntimeDir == "" {
		cfg.RuntimeDir = value.Path(runtimeDir(l.o.Env))
	}
	c := &checker{loader: l, cfg: cfg}
	c.triggers(root, cfg.Triggers, false)
	for _, n := range root.all("rtmp") {
		var r RTMP
		l.decodeRTMP(n, &r, c)
		cfg.RTMP = append(cfg.RTMP, r)
	}
	for _, n := range root.all("http") {
		var h HTTP
		l.decode(n, reflect.ValueOf(&h).Elem())
		c.http(n, &h)
		cfg.HTTP = append(cfg.HTTP, h)
	}
	c.whole(root)
	return cfg
}

// decodeRTMP decodes an rtmp block; its applications after inheritance.
func (l *loader) decodeRTMP(n *node, r *RTMP, c *checker) {
	v := reflect.ValueOf(r).Elem()
	l.decodeAttrs(n, n.schema, v)
	r.Range = n.rng
	for _, name := range []string{"tls", "limits"} {
		if b := n.schema.block(name); b != nil {
			l.decodeBlock(n, b, v)
		}
	}
	c.rtmp(n, r)
	schema := n.schema.block("application")
	base := &node{schema: schema, attrs: make(map[string]*attr)}
	for name, a := range n.attrs {
		if strings.HasPrefix(name, "notify_") {
			base.attrs[name] = a
		}
	}
	if d := n.one("defaults"); d != nil {
		c.defaults(d)
		base = inherit(schema, base, d)
	}
	for _, b := range n.all("application") {
		full := inherit(schema, base, b)
		full.rng, full.labels = b.rng, b.labels
		r.Applications = append(r.Applications, l.decodeApplication(full, b, c))
	}
}

// decodeApplication decodes an application that has inherited everything, and
// its stream blocks, each merged with it. own has only what its block sets.
func (l *loader) decodeApplication(full, own *node, c *checker) Application {
	var app Application
	l.decode(full, reflect.ValueOf(&app).Elem())
	c.application(full, own, &app)
	rest := *full
	rest.blocks = nil
	for _, b := range full.blocks {
		if b.schema.name != "stream" {
			rest.blocks = append(rest.blocks, b)
		}
	}
	for _, b := range full.all("stream") {
		merged := inherit(full.schema, &rest, b)
		merged.rng, merged.labels = b.rng, full.labels
		var s Application
		l.decode(merged, reflect.ValueOf(&s).Elem())
		s.Range = b.rng
		c.stream(merged, b, &app, &s)
		app.Streams = append(app.Streams, StreamRule{Pattern: b.labels[0], Application: &s})
	}
	return app
}

// decode fills the struct v from n: defaults, attributes, labels, blocks.
func (l *loader) decode(n *node, v reflect.Value) {
	l.decodeAttrs(n, n.schema, v)
	for i, s := range n.schema.labels {
		if s.index != nil && i < len(n.labels) {
			v.FieldByIndex(s.index).SetString(n.labels[i])
		}
	}
	if f := v.FieldByName("Range"); f.IsValid() && f.Type() == rangeType {
		f.Set(reflect.ValueOf(n.rng))
	}
	for _, s := range n.schema.blocks {
		l.decodeBlock(n, s, v)
	}
}

func (l *loader) decodeAttrs(n *node, schema *blockSchema, v reflect.Value) {
	for _, s := range schema.attrs {
		if s.index == nil {
			continue
		}
		f := v.FieldByIndex(s.index)
		a := n.attrs[s.name]
		switch {
		case a != nil && a.value != nil:
			f.Set(reflect.ValueOf(placed(a)))
		case s.def != nil:
			f.Set(reflect.ValueOf(s.def))
		case a == nil && s.need && !l.broken:
			l.errorAt(n.rng, fmt.Sprintf("%s needs %s", n.title(), s.name), "write "+s.name+" = "+s.language(nil).Example())
		}
	}
}

// placed puts the place in the config on addresses: errors of binding name it.
func placed(a *attr) any {
	if list, ok := a.value.(value.Addresses); ok {
		return list.At(a.rng)
	}
	return a.value
}

// decodeBlock decodes n's blocks of one type into the field of v they belong to.
func (l *loader) decodeBlock(n *node, s *blockSchema, v reflect.Value) {
	if s.index == nil || s.name == "stream" || s.name == "application" {
		return
	}
	f := v.FieldByIndex(s.index)
	if f.Kind() == reflect.Struct { // always there, if only with its defaults
		b := n.one(s.name)
		if b == nil {
			b = &node{schema: s, rng: n.rng}
		}
		l.decode(b, f)
		return
	}
	for _, b := range n.all(s.name) {
		if b.disabled() {
			continue
		}
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			l.decode(b, f.Elem())
		default:
			e := reflect.New(f.Type().Elem()).Elem()
			l.decode(b, e)
			f.Set(reflect.Append(f, e))
		}
	}
}

// stateDir returns the default of state_dir.
func stateDir(env map[string]string) string {
	first, _, _ := strings.Cut(env["STATE_DIRECTORY"], ":") // systemd.exec(5): several are separated by colons
	switch {
	case filepath.IsAbs(first):
		return filepath.Clean(first)
	case filepath.IsAbs(env["XDG_STATE_HOME"]):
		return filepath.Join(env["XDG_STATE_HOME"], "rtmpd")
	case filepath.IsAbs(env["HOME"]):
		return filepath.Join(env["HOME"], ".local", "state", "rtmpd")
	}
	return "/var/lib/rtmpd"
}

// runtimeDir returns the default of runtime_dir.
func runtimeDir(env map[string]string) string {
	first, _, _ := strings.Cut(env["RUNTIME_DIRECTORY"], ":")
	switch {
	case filepath.IsAbs(first):
		return filepath.Clean(first)
	case filepath.IsAbs(env["XDG_RUNTIME_DIR"]):
		return filepath.Join(env["XDG_RUNTIME_DIR"], "rtmpd")
	case os.Getuid() == 0:
		return "/run/rtmpd"
	}
	return filepath.Join(os.TempDir(), "rtmpd-"+strconv.Itoa(os.Getuid()))
}

// RuntimeDir is the directory of the control socket for a Config that may have
// been loaded with errors, or be nil.
func RuntimeDir(c *Config, env map[string]string) string {
	if c != nil && c.RuntimeDir != "" {
		return string(c.RuntimeDir)
	}
	return runtimeDir(env)
}

// DefaultStateDir is the state directory of a process with this environment
// whose configuration does not say.
func DefaultStateDir(env map[string]string) string { return stateDir(env) }
