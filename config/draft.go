package config

import (
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// A Draft is a configuration that is not in force.
type Draft struct {
	Names []string // of the files, for diagnostics
	Texts []string // what they hold
}

// ReadDraft reads a file or a directory. The errors name what can't be read.
func ReadDraft(path string) (Draft, hcl.Diagnostics) {
	l := newLoader(LoadOptions{})
	var d Draft
	for _, s := range l.sources(path) {
		d.Names, d.Texts = append(d.Names, s.name), append(d.Texts, string(s.data))
	}
	return d, l.diags
}

// LoadDraft is Load(path) with the draft in place of what lies there: its relative
// paths are those of files at path.
func LoadDraft(path string, d Draft, o LoadOptions) (*Config, Files, hcl.Diagnostics) {
	l := newLoader(o)
	if path != "" {
		l.dir = AbsPath(path)
		if fi, err := os.Stat(path); err == nil && !fi.IsDir() {
			l.dir = filepath.Dir(l.dir)
		}
	}
	var sources []source
	for i, name := range d.Names {
		if i < len(d.Texts) {
			sources = append(sources, source{name: name, data: []byte(d.Texts[i])})
		}
	}
	cfg := l.load(sources)
	cfg.Path = AbsPath(path)
	return cfg, l.files, tidy(l.diags, sources)
}

// dirOf returns the directory that relative paths in a file are relative to.
func (l *loader) dirOf(file string) string {
	if l.dir != "" {
		return l.dir
	}
	return filepath.Dir(AbsPath(file))
}
