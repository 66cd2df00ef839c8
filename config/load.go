package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// LoadOptions holds the inputs of loading besides the files.
type LoadOptions struct {
	// Env is the environment; nil is the process's own. It is fixed at start:
	// hand the same map to every load.
	Env map[string]string
	// Check only looks: what only the service can know (a missing environment
	// variable, credential or secret file) is a warning, unless Strict.
	Check, Strict bool
	// Previous is the running configuration, nil at start. The keys of a
	// stream_keys_file that can't be read any more are taken from it.
	Previous *Config
}

// Files maps the names of the parsed files to their content, for the source
// lines of diagnostics.
type Files map[string]*hcl.File

// loader is the state of one load.
type loader struct {
	o        LoadOptions
	dir      string // where the files count as lying; empty: where they lie
	schema   *blockSchema
	diags    hcl.Diagnostics
	files    Files
	reading  Reading // every file that was read or looked for
	hidden   map[string]bool
	badLines map[line]bool // with a syntax error
	broken   bool          // some file has a syntax error: what is missing may stand in its lost part

	contexts map[string]*hcl.EvalContext // by file name
	locals   map[string]*local
	notes    []string // of the expression being evaluated: what only the service knows
}

// Load reads a file (*.hcl, *.hcl.json) or a directory of them.
//
// Everything wrong is reported at once. If there are errors, the Config is what
// could be understood: good for finding where things lie (RuntimeDir), not for
// serving. The Files hold the sources for WriteDiagnostics.
func Load(path string, o LoadOptions) (*Config, Files, hcl.Diagnostics) {
	l := newLoader(o)
	sources := l.sources(path)
	cfg := l.load(sources)
	cfg.Path = AbsPath(path)
	return cfg, l.files, tidy(l.diags, sources)
}

func newLoader(o LoadOptions) *loader {
	if o.Env == nil {
		o.Env = make(map[string]string)
		for _, kv := range os.Environ() {
			k, v, _ := strings.Cut(kv, "=")
			o.Env[k] = v
		}
	}
	return &loader{
		o: o, schema: newSchema(),
		files: make(Files), reading: make(Reading), hidden: make(map[string]bool), badLines: make(map[line]bool),
		contexts: make(map[string]*hcl.EvalContext), locals: make(map[string]*local),
	}
}

// AbsPath is the absolute path of a config, as Config.Path has it; "" stays "".
func AbsPath(path string) string {
	if path == "" {
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	return abs
}

// line is a line of a file.
type line struct {
	file string
	n    int
}

func lineOf(r hcl.Range) line { return line{r.Filename, r.Start.Line} }

// source is one file before parsing.
type source struct {
	name string // as diagnostics show it
	data []byte
}

func (l *loader) sources(path string) []source {
	fi, err := os.Stat(path)
	if err != nil {
		_, _ = l.reading.note(path, nil, err) // it may come
		l.fileError(path, err)
		return nil
	}
	if !fi.IsDir() {
		return l.readSources(path)
	}
	names, err := l.reading.directory(path)
	if err != nil {
		l.fileError(path, err)
		return nil
	}
	if len(names) == 0 {
		l.fileError(path, errors.New("this directory has no *.hcl file"))
	}
	return l.readSources(names...)
}

// configNames lists what a directory holds of a config, in lexical order.
func configNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if n := e.Name(); isConfigName(n) {
			out = append(out, filepath.Join(dir, n))
		}
	}
	return out, nil
}

func isConfigName(name string) bool {
	return !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "#") &&
		(strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json"))
}

func (l *loader) readSources(paths ...string) []source {
	var out []source
	for _, path := range paths {
		data, err := l.reading.file(path)
		if err != nil {
			l.fileError(path, err)
			continue
		}
		out = append(out, source{name: path, data: data})
	}
	return out
}

func (l *loader) fileError(path string, err error) {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	l.broken = true
	l.diags = append(l.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: fmt.Sprintf("%s: %v", path, err),
	})
}

// fileBody is the first pass over a file: locals, before anything uses them.
type fileBody struct {
	Locals []struct {
		Body hcl.Body `hcl:",remain"`
	} `hcl:"locals,block"`
	Rest hcl.Body `hcl:",remain"`
}

// load turns files into a Config: parse, evaluate, unite, inherit, decode,
// validate.
func (l *loader) load(sources []source) *Config {
	parser := hclparse.NewParser()
	bodies := make(map[string]fileBody)
	for _, s := range sources {
		if body, ok := l.parse(parser, s); ok {
			bodies[s.name] = body
		}
	}
	maps.Copy(l.files, parser.Files())
	for _, s := range sources {
		if body, ok := bodies[s.name]; ok {
			l.collectLocals(s.name, body)
		}
	}
	l.evaluateLocals()
	root := &node{schema: l.schema, attrs: make(map[string]*attr)}
	for _, s := range sources {
		if body, ok := bodies[s.name]; ok {
			n := &node{schema: l.schema, file: s.name, attrs: make(map[string]*attr)}
			l.read(body.Rest, n)
			l.unite(root, n)
		}
	}
	l.uniteBlocks(root)
	cfg := l.decodeConfig(root)
	cfg.Reading = l.reading
	cfg.hidden = l.hidden
	return cfg
}

func (l *loader) parse(parser *hclparse.Parser, s source) (fileBody, bool) {
	var body fileBody
	if d := guard(s); d != nil {
		l.files[s.name] = &hcl.File{Bytes: s.data, Body: hcl.EmptyBody()}
		l.diags, l.broken = append(l.diags, d), true
		return body, false
	}
	if IsNginxConf(s.data) {
		l.diags, l.broken = append(l.diags, nginxFile(s)), true
		return body, false
	}
	parse := parser.ParseHCL
	if strings.HasSuffix(s.name, ".json") {
		parse = parser.ParseJSON
	}
	file, diags := parse(s.data, s.name)
	if diags.HasErrors() {
		l.broken = true
	}
	diags = explainSyntax(s, diags)
	for _, d := range diags {
		if d.Subject != nil && d.Summary != redefined {
			l.badLines[lineOf(*d.Subject)] = true
		}
	}
	l.diags = append(l.diags, diags...)
	if file == nil || file.Body == nil {
		return body, false
	}
	diags = gohcl.DecodeBody(file.Body, nil, &body)
	l.diags = append(l.diags, diags...)
	return body, body.Rest != nil
}

// secretMark keeps values of env, file and credential out of diagnostics.
const secretMark = "secret"

func hide(s string) cty.Value { return cty.StringVal(s).Mark(secretMark) }
