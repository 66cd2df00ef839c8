package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// unserved warns of directories of fragments that no location reaches although one seems to be
// meant for them: a root with one directory too many or too few. Viewers get 404 then, and
// nothing else is wrong. Directories that have nothing in common with a location may well be
// served by another web server.
func (c *checker) unserved() {
	if c.broken || c.diags.HasErrors() {
		return
	}
	for _, a := range c.claims {
		dir, _, _ := strings.Cut(a.path, "/$app")
		if a.keys || strings.Contains(dir, "$") {
			continue
		}
		meant, serves := "", ""
		reached := c.served(func(l *Location, files string) bool {
			if within(dir, files) || within(files, dir) && (l.Alias != "" || dir != a.path) {
				return true
			}
			if meant == "" && (l.Root != "" && dir == value.Resolve(string(l.Root)) || l.Path != "/" && filepath.Base(l.Path) == filepath.Base(dir)) {
				meant, serves = l.Path, files
				if l.Root != "" {
					serves += " (root: the path is appended)"
				}
			}
			return false
		})
		if !reached && meant != "" {
			c.warnAt(a.at, "no location serves this directory: viewers get 404", fmt.Sprintf("location %q serves %s; write alias = %q there", meant, serves, dir))
		}
	}
}

// served reports whether yes holds for a location that serves files, and the directory of these.
func (c *checker) served(yes func(*Location, string) bool) bool {
	for _, h := range c.cfg.HTTP {
		for i := range h.Locations {
			l, files := &h.Locations[i], ""
			switch {
			case l.Exact:
			case l.Alias != "":
				files = string(l.Alias)
			case l.Root != "":
				files = filepath.Join(string(l.Root), filepath.FromSlash(l.Path))
			}
			if files != "" && yes(l, value.Resolve(files)) {
				return true
			}
		}
	}
	return false
}

// within reports whether path is dir, or in it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
