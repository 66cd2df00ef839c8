package apiserver

import (
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// MistServer knows no applications. A stream is called NAME; where several applications
// have one of that name, each is called APP/NAME. Calls may always say APP/NAME.

// shownNames returns what each of the streams is called.
func shownNames(all []*origin.Figures) []string {
	count := make(map[string]int, len(all))
	for i := range all {
		count[all[i].Name]++
	}
	names := make([]string, len(all))
	for i := range all {
		if names[i] = all[i].Name; count[all[i].Name] > 1 {
			names[i] = all[i].App + "/" + all[i].Name
		}
	}
	return names
}

// A filter selects streams: APP/NAME or NAME, which may be "base+" for all of base's
// wildcard streams.
type filter struct {
	app, name string
	wildcards bool // all of name's
}

func newFilter(text string) filter {
	var f filter
	app, name, both := strings.Cut(text, "/")
	if !both {
		app, name = "", text
	}
	f.app = app
	if base, ok := strings.CutSuffix(name, "+"); ok {
		f.name, f.wildcards = value.NormalName(base), true
		return f
	}
	f.name = value.WildcardName(value.NormalName(name))
	return f
}

func newFilters(texts []string) []filter {
	var out []filter
	for _, t := range texts {
		out = append(out, newFilter(t))
	}
	return out
}

func (f *filter) selects(app, name string) bool {
	if f.app != "" && f.app != app {
		return false
	}
	if f.wildcards {
		base, _, wild := strings.Cut(name, "+")
		return wild && base == f.name
	}
	return name == f.name
}

// selected reports whether one of the filters selects a stream; without any, all are.
func selected(filters []filter, app, name string) bool {
	for i := range filters {
		if filters[i].selects(app, name) {
			return true
		}
	}
	return len(filters) == 0
}

// selectedBase is selected where the name of a base stands for its wildcard streams too.
func selectedBase(filters []filter, app, name string) bool {
	base, _, _ := strings.Cut(name, "+")
	return selected(filters, app, name) || selected(filters, app, base)
}
