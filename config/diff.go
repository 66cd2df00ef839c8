package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// Diff returns what changes from old to new. It is pure; old may be nil, the
// empty configuration that rtmpd starts from. Equal configurations give an empty
// plan. Ranges, file names and the order of things that have names do not count.
func Diff(old, new *Config) Plan { return diff(newSchema(), old, new) }

func diff(schema *blockSchema, old, new *Config) Plan {
	d := &differ{schema: schema}
	if old == nil {
		old = &Config{}
	} else {
		d.block("", d.schema, reflect.ValueOf(*old), reflect.ValueOf(*new))
	}
	d.listeners(old, new)
	rtmp := d.schema.block("rtmp")
	d.pairs(rtmp, len(old.RTMP), len(new.RTMP),
		func(i int) string { return listenText(old.RTMP[i].Listen, old.RTMP[i].TLS) },
		func(i int) string { return listenText(new.RTMP[i].Listen, new.RTMP[i].TLS) },
		func(where string, i, j int) { d.rtmp(where, rtmp, at(old.RTMP, i), at(new.RTMP, j)) })
	http := d.schema.block("http")
	d.pairs(http, len(old.HTTP), len(new.HTTP),
		func(i int) string { return listenText(old.HTTP[i].Listen, old.HTTP[i].TLS) },
		func(i int) string { return listenText(new.HTTP[i].Listen, new.HTTP[i].TLS) },
		func(where string, i, j int) { d.http(where, http, at(old.HTTP, i), at(new.HTTP, j)) })
	return d.plan
}

func at[T any](list []T, i int) *T {
	if i < 0 {
		return nil
	}
	return &list[i]
}

type differ struct {
	schema *blockSchema
	plan   Plan
}

func listenText(list value.Addresses, t *TLS) string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	if t != nil {
		for _, a := range t.Listen {
			out = append(out, a.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (d *differ) listeners(old, new *Config) {
	all := func(c *Config) map[string]Listener {
		m := make(map[string]Listener)
		add := func(service string, plain value.Addresses, t *TLS) {
			for _, a := range plain {
				m[service+a.String()] = Listener{service, a}
			}
			if t != nil {
				for _, a := range t.Listen {
					m[service+"s"+a.String()] = Listener{service + "s", a}
				}
			}
		}
		for _, r := range c.RTMP {
			add("rtmp", r.Listen, r.TLS)
		}
		for _, h := range c.HTTP {
			add("http", h.Listen, h.TLS)
		}
		return m
	}
	before, after := all(old), all(new)
	for _, key := range sortedKeys(after) {
		if _, kept := before[key]; !kept {
			l := after[key]
			d.plan.AddedListeners = append(d.plan.AddedListeners, l)
			d.add(Change{Where: "listener " + l.String(), Action: "added", When: "now"}, "opened at once")
		}
	}
	for _, key := range sortedKeys(before) {
		if _, kept := after[key]; !kept {
			l := before[key]
			d.plan.RemovedListeners = append(d.plan.RemovedListeners, l)
			d.add(Change{Where: "listener " + l.String(), Action: "removed", When: "now"}, "closed at once; its sessions stay")
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// pairs finds which of the old rtmp or http blocks is which of the new ones: by
// where they listen, the rest in order.
func (d *differ) pairs(s *blockSchema, nOld, nNew int, oldKey, newKey func(int) string, visit func(where string, i, j int)) {
	partner := make([]int, nNew)
	used := make([]bool, nOld)
	for pass := range 2 {
		for j := range nNew {
			if pass == 0 {
				partner[j] = -1
			} else if partner[j] >= 0 {
				continue
			}
			for i := range nOld {
				if !used[i] && (pass == 1 || oldKey(i) == newKey(j)) {
					partner[j], used[i] = i, true
					break
				}
			}
		}
	}
	for j, i := range partner {
		where := s.name
		if nNew > 1 {
			where += " on " + newKey(j)
		}
		visit(where, i, j)
	}
	for i := range nOld {
		if !used[i] {
			visit(s.name+" on "+oldKey(i), i, -1)
		}
	}
}

func (d *differ) rtmp(where string, s *blockSchema, old, new *RTMP) {
	if old != nil && new != nil {
		d.block(where, s, reflect.ValueOf(*old), reflect.ValueOf(*new))
	}
	prefix := ""
	if where != "rtmp" {
		prefix = where + ": "
	}
	app := s.block("application")
	find := func(r *RTMP, name string) *Application {
		for i := 0; r != nil && i < len(r.Applications); i++ {
			if r.Applications[i].Name == name {
				return &r.Applications[i]
			}
		}
		return nil
	}
	for i := 0; new != nil && i < len(new.Applications); i++ {
		a := &new.Applications[i]
		title := fmt.Sprintf("%sapplication %q", prefix, a.Name)
		b := find(old, a.Name)
		if b == nil {
			d.plan.AddedApplications = append(d.plan.AddedApplications, a.Name)
			d.add(Change{Where: title, Action: "added", When: "now"}, "takes publishers and players at once")
			continue
		}
		n := len(d.plan.Changes)
		d.application(title, app, b, a)
		if len(d.plan.Changes) > n {
			d.plan.ChangedApplications = append(d.plan.ChangedApplications, a.Name)
		}
	}
	for i := 0; old != nil && i < len(old.Applications); i++ {
		a := &old.Applications[i]
		if find(new, a.Name) == nil {
			d.plan.RemovedApplications = append(d.plan.RemovedApplications, a.Name)
			d.add(Change{Where: fmt.Sprintf("%sapplication %q", prefix, a.Name), Action: "removed", When: "now"},
				"its sessions are closed with a status that says why")
		}
	}
}

func (d *differ) application(title string, s *blockSchema, old, new *Application) {
	d.block(title, s, reflect.ValueOf(*old), reflect.ValueOf(*new))
	if old.StreamKeysFile == new.StreamKeysFile && !Equal(old.FileKeys, new.FileKeys) {
		d.add(Change{Where: title + ": stream_keys_file", Action: "changed", When: "check"}, "")
	}
	if a, b := old.Tokens, new.Tokens; a != nil && b != nil && a.JWKS == b.JWKS && !Equal(a.KeySet, b.KeySet) {
		d.add(Change{Where: title + ": tokens: jwks", Action: "changed", When: "check"}, "")
	}
	stream := s.block("stream")
	find := func(a *Application, pattern string) int {
		return slices.IndexFunc(a.Streams, func(r StreamRule) bool { return r.Pattern == pattern })
	}
	inOrder, last := true, -1
	for _, r := range new.Streams {
		where := fmt.Sprintf("%s: stream %q", title, r.Pattern)
		i := find(old, r.Pattern)
		if i < 0 {
			d.add(Change{Where: where, Action: "added", When: "cut"}, "")
			continue
		}
		inOrder = inOrder && i > last
		last = i
		d.block(where, stream, reflect.ValueOf(*old.Streams[i].Application), reflect.ValueOf(*r.Application))
	}
	for _, r := range old.Streams {
		if find(new, r.Pattern) < 0 {
			d.add(Change{Where: fmt.Sprintf("%s: stream %q", title, r.Pattern), Action: "removed", When: "cut"}, "")
		}
	}
	if !inOrder {
		d.add(Change{Where: title + ": order of the stream blocks", Action: "changed", When: "cut"}, "the first that matches applies")
	}
}

func (d *differ) http(where string, s *blockSchema, old, new *HTTP) {
	if old == nil || new == nil {
		return // its listeners say it
	}
	d.block(where, s, reflect.ValueOf(*old), reflect.ValueOf(*new))
}

// block compares two structs of one schema. Blocks in it are units of their own;
// what is inside a unit is named by its attributes.
func (d *differ) block(where string, s *blockSchema, old, new reflect.Value) {
	d.unit(where, attrDiff(s, "", old, new))
	for _, b := range s.blocks {
		if b.index == nil || b.name == "rtmp" || b.name == "http" || b.name == "application" || b.name == "stream" {
			continue
		}
		prefix := where
		if prefix != "" {
			prefix += ": "
		}
		o, n := members(b, old), members(b, new)
		for _, key := range n.keys {
			if v, ok := o.values[key]; !ok {
				d.add(Change{Where: prefix + key, Action: "added", When: b.reload}, "")
			} else {
				d.unit(prefix+key, deepDiff(b, "", v, n.values[key]))
			}
		}
		for _, key := range o.keys {
			if _, ok := n.values[key]; !ok {
				d.add(Change{Where: prefix + key, Action: "removed", When: b.reload}, "")
			}
		}
	}
}

// changedAttr is an attribute whose value differs, and when that applies.
type changedAttr struct{ name, when string }

func (d *differ) unit(where string, attrs []changedAttr) {
	byWhen := make(map[string][]string)
	for _, a := range attrs {
		byWhen[a.when] = append(byWhen[a.when], a.name)
	}
	for _, when := range sortedKeys(byWhen) {
		d.add(Change{Where: where, Attributes: byWhen[when], Action: "changed", When: when}, "")
	}
}

// attrDiff lists the attributes of a block that differ.
func attrDiff(s *blockSchema, prefix string, old, new reflect.Value) []changedAttr {
	var out []changedAttr
	for _, a := range s.attrs {
		if a.index == nil {
			continue
		}
		o, n := old.FieldByIndex(a.index), new.FieldByIndex(a.index)
		if a.name == "listen" || equal(o, n) {
			continue // listeners are compared as such
		}
		when := a.reload
		if s.name == "hls" && a.name == "fragment" && roundsAbove(n.Interface().(time.Duration), o.Interface().(time.Duration)) {
			when = "publish" // RFC 8216 §4.3.3.1: the playlist's TARGETDURATION stays
		}
		out = append(out, changedAttr{prefix + a.name, when})
	}
	return out
}

// deepDiff lists what differs in a block and the blocks in it.
func deepDiff(s *blockSchema, prefix string, old, new reflect.Value) []changedAttr {
	if old.Kind() == reflect.Bool {
		return nil
	}
	out := attrDiff(s, prefix, old, new)
	for _, b := range s.blocks {
		if b.index == nil {
			continue
		}
		o, n := members(b, old), members(b, new)
		for _, key := range n.keys {
			if v, ok := o.values[key]; !ok {
				out = append(out, changedAttr{prefix + key, b.reload})
			} else {
				out = append(out, deepDiff(b, prefix+key+".", v, n.values[key])...)
			}
		}
		for _, key := range o.keys {
			if _, ok := n.values[key]; !ok {
				out = append(out, changedAttr{prefix + key, b.reload})
			}
		}
	}
	return out
}
