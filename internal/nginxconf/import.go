// Package nginxconf turns an nginx.conf with nginx-rtmp into a configuration of rtmpd.
//
// What it writes always passes rtmpd check and rtmpd fmt -check: Import loads it
// itself, and makes a comment of whatever does not pass. Every directive either
// stands in the result or has a note that says why not.
package nginxconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options are what reading includes depends on.
type Options struct {
	// Open reads an included file; nil: from the disk.
	Open func(path string) ([]byte, error)
	// Glob finds the files of an include with * or ?; nil: on the disk.
	Glob func(pattern string) ([]string, error)
}

// Result is an imported configuration.
type Result struct {
	HCL     []byte
	Notes   []Note // by file and line
	Written int    // directives that stand in HCL
}

// Complete says that nothing was lost.
func (r *Result) Complete() bool {
	return !slices.ContainsFunc(r.Notes, func(n Note) bool { return n.Kind == lost })
}

// Summary counts what became of the directives.
func (r *Result) Summary() string {
	count := make(map[Kind]int)
	for _, n := range r.Notes {
		count[n.Kind]++
	}
	out := fmt.Sprintf("%d directives imported", r.Written)
	for _, k := range []Kind{lost, changed, better, unneeded} {
		if count[k] > 0 {
			out += fmt.Sprintf(", %d %s", count[k], k)
		}
	}
	return out
}

// Kind is what a note says of its directive.
type Kind string

const (
	lost     Kind = "not taken over" // it has no counterpart
	changed  Kind = "look at this"   // it was taken over, and differs
	better   Kind = "better now"     // rtmpd does it by itself, or does it right
	unneeded Kind = "not needed"     // nothing is missing without it
)

// Note is a line of the report.
type Note struct {
	File      string
	Line      int
	Directive string
	Kind      Kind
	Text      string
}

func (n Note) String() string {
	return fmt.Sprintf("%s:%d: %s: %s: %s", n.File, n.Line, n.Directive, n.Kind, n.Text)
}

// importer is the state of one import.
type importer struct {
	o     Options
	notes []Note
	noted map[Note]bool

	access  map[string]*directive // log_format of rtmp, by name
	applied []*application        // of all servers
	dirs    map[string]string     // directories of HLS, DASH, keys and recordings, and what lies there
	claimed map[string]string     // directories that an application writes to, and its name
	listens []string              // addresses that are taken
	hooks   []hooked
	yes     map[*directive]bool // locations that always said yes to a hook
	places  []place             // locations that serve files
	tunnels map[string]string   // listeners of stream blocks that speak TLS to another server, and its address
}

// Import turns the nginx.conf text, which was read from the file name, into HCL.
// The error is about a file that is no nginx.conf or has no rtmp block.
func Import(name string, text []byte, o Options) (*Result, error) {
	if o.Open == nil {
		o.Open = open
	}
	if o.Glob == nil {
		o.Glob = filepath.Glob
	}
	im := &importer{o: o, noted: make(map[Note]bool), access: make(map[string]*directive), dirs: make(map[string]string), claimed: make(map[string]string), tunnels: make(map[string]string), yes: make(map[*directive]bool)}
	p := &parser{im: im, dir: filepath.Dir(name)}
	main, tail, err := p.file(name, text, 0)
	if err != nil {
		return nil, err
	}
	root := &item{isBlock: true}
	if err := im.main(name, root, main); err != nil {
		return nil, err
	}
	im.sweep(main)
	leftover(root, main, tail)
	out, err := im.pass(root)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(im.notes, func(a, b Note) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
	return &Result{HCL: out, Notes: im.notes, Written: written(main)}, nil
}

// open reads a file, but not an endless one.
func open(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular() && fi.Mode()&fs.ModeNamedPipe == 0:
		return nil, errors.New("this is no file")
	case fi.Size() > MaxFile:
		return nil, errors.New("it is too large")
	}
	return os.ReadFile(path)
}

// cause is an error without the path, which stands before it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func (im *importer) note(d *directive, k Kind, format string, args ...any) {
	if d == nil {
		return
	}
	d.done = true
	n := Note{d.file.name, d.line, d.name, k, fmt.Sprintf(format, args...)}
	if !im.noted[n] {
		im.noted[n] = true
		im.notes = append(im.notes, n)
	}
}

// main maps the top level.
func (im *importer) main(name string, root *item, list []*directive) error {
	var rtmp, http []*directive
	for _, d := range list {
		switch {
		case d.name == "rtmp" && d.isBlock:
			rtmp = append(rtmp, d)
		case d.name == "http" && d.isBlock:
			http = append(http, d)
		}
	}
	if len(rtmp) == 0 {
		return fmt.Errorf("%s has no rtmp block: there is nothing to import", name)
	}
	if err := hasServer(rtmp); err != nil {
		return err
	}
	if err := semicolons(rtmp); err != nil {
		return err
	}
	im.findTunnels(list)
	for _, d := range rtmp {
		im.rtmp(root, d)
	}
	im.alwaysYes(http)
	for _, d := range http {
		im.http(root, d)
	}
	im.serveKeys()
	im.answered(http)
	return nil
}

// hasServer wants a server block: there is nothing to import without one.
func hasServer(rtmp []*directive) error {
	for _, d := range rtmp {
		for _, s := range d.block {
			if s.name == "server" && s.isBlock {
				return nil
			}
			if s.arg(0) == "=" {
				return d.file.errorAt(s.line, "this is no nginx.conf: it looks like a configuration of rtmpd")
			}
		}
	}
	return rtmp[0].file.errorAt(rtmp[0].line, "the rtmp block has no server block: there is nothing to import")
}

// semicolons finds directives of one value that go on in the next line: nginx refuses
// them too, and what follows would be lost without a word.
func semicolons(list []*directive) error {
	for _, d := range list {
		if n := len(d.args); n > 1 && known[d.name] && d.args[n-1].line > d.line && !slices.Contains([]string{"record", "log_format", "access_log"}, d.name) {
			return d.file.errorAt(d.line, fmt.Sprintf("%s takes one value and has %d: is a ; missing here?", d.name, n))
		}
		if err := semicolons(d.block); err != nil {
			return err
		}
	}
	return nil
}

// leftover keeps the comments of directives that were not written: those of a block
// stand above it, those behind its last directive at its end.
func leftover(i *item, list []*directive, tail []string) {
	var rest []string
	for _, d := range list {
		if !d.isBlock || !slices.Contains([]string{"server", "application", "recorder", "location", "http", "rtmp"}, d.name) {
			rest = append(rest, d.comments...)
			d.comments = nil
		}
	}
	i.tail = append(i.tail, tail...)
	if i.head == "" && len(i.items) > 0 { // the file
		i.items[0].comments = append(rest, i.items[0].comments...)
		return
	}
	i.comments = append(i.comments, rest...)
}

// written counts the directives that stand in the result.
func written(list []*directive) (n int) {
	for _, d := range list {
		if d.written {
			n++
		}
		n += written(d.block)
	}
	return n
}
