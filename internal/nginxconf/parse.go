package nginxconf

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"

	"github.com/rtmpd/rtmpd/config/value"
)

// Bounds on what is read: files that include each other must end, and nothing real
// comes near.
const (
	MaxFile       = 4 << 20  // bytes of one file; Import refuses more
	maxBytes      = 16 << 20 // of all files
	maxFiles      = 1000
	maxDirectives = 200000 // directives of all files
	maxDepth      = 50     // of blocks in blocks
	maxIncludes   = 20     // of files in files
)

// word is one argument of a directive.
type word struct {
	text   string
	quoted bool
	line   int
}

// directive is a line of nginx.conf, or a block.
type directive struct {
	name    string
	args    []word
	isBlock bool
	block   []*directive // includes are put in their place
	tail    []string     // comments behind the last directive of the block

	file *source
	line int

	comments []string // above it and beside it
	written  bool     // it stands in the result
	done     bool     // that, or there is a note about it
}

func (d *directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i].text
	}
	return ""
}

// strings are the arguments.
func (d *directive) strings() []string {
	out := make([]string, len(d.args))
	for i, a := range d.args {
		out[i] = a.text
	}
	return out
}

// source is a file that was read.
type source struct {
	name string
	text []byte
}

// SyntaxError is a file that is not an nginx.conf.
type SyntaxError struct {
	File string
	Line int
	What string
	Text string // the line
}

func (e *SyntaxError) Error() string {
	out := fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What)
	if text := strings.TrimSpace(e.Text); text != "" {
		out += "\n  | " + text
	}
	return out
}

func (s *source) errorAt(line int, what string) error {
	lines := strings.Split(string(s.text), "\n")
	e := &SyntaxError{File: s.name, Line: line, What: what}
	if line > 0 && line <= len(lines) && len(lines[line-1]) < 200 {
		e.Text = strings.ToValidUTF8(lines[line-1], "�")
	}
	return e
}

// parser reads files into directives.
type parser struct {
	im         *importer
	dir        string // of the main file: relative includes start there
	bytes      int
	files      int
	directives int
}

// file parses one file.
func (p *parser) file(name string, text []byte, depth int) ([]*directive, []string, error) {
	p.files++
	p.bytes += len(text)
	if len(text) > MaxFile || p.bytes > maxBytes || p.files > maxFiles || depth > maxIncludes {
		return nil, nil, fmt.Errorf("%s: this is too large for an nginx.conf, or files include each other", name)
	}
	text, err := value.PlainText(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &source{name: name, text: text}
	t, err := lex(s)
	if err != nil {
		return nil, nil, err
	}
	list, err := t.body(p, 0, depth)
	return list, t.pending, err
}

// tokens is a file in words, and where its parser stands.
type tokens struct {
	source  *source
	list    []crossplane.NgxToken
	at      int
	pending []string // comments that belong to what comes next
}

// lex takes a file apart. It reads the lexer to its end: its goroutine ends too.
func lex(s *source) (*tokens, error) {
	t := &tokens{source: s}
	var failed error
	lua := (&crossplane.Lua{}).RegisterLexer()
	for tok := range crossplane.LexWithOptions(strings.NewReader(string(s.text)), crossplane.LexOptions{Lexers: []crossplane.RegisterLexer{lua}}) {
		if tok.Error != nil && failed == nil {
			what, line := tok.Error.Error(), tok.Line
			var e *crossplane.ParseError
			if errors.As(tok.Error, &e) {
				what = e.What
				if e.Line != nil {
					line = *e.Line
				}
			}
			failed = s.errorAt(line, syntaxAdvice(what))
		}
		if tok.Error == nil {
			t.list = append(t.list, tok)
		}
	}
	return t, failed
}

// syntaxAdvice says what to do about what the lexer says.
func syntaxAdvice(what string) string {
	switch what {
	case `unexpected end of file, expecting "}"`:
		return "the file ends inside a block: a } is missing"
	case `unexpected "}"`:
		return "there is a } too many"
	}
	return what
}

// body reads directives up to the end of the block, or of the file at level 0.
func (t *tokens) body(p *parser, level, depth int) ([]*directive, error) {
	var out []*directive
	if level > maxDepth {
		return nil, fmt.Errorf("%s: blocks are nested too deeply", t.source.name)
	}
	for t.at < len(t.list) {
		tok := t.list[t.at]
		switch {
		case !tok.IsQuoted && strings.HasPrefix(tok.Value, "#"):
			t.comment(out, tok)
			t.at++
		case !tok.IsQuoted && tok.Value == "}":
			if level == 0 {
				return nil, t.source.errorAt(tok.Line, "there is a } too many")
			}
			t.at++
			return out, nil
		default:
			if p.directives++; p.directives > maxDirectives {
				return nil, fmt.Errorf("%s: this is too large for an nginx.conf", t.source.name)
			}
			d, err := t.directive(p, level, depth)
			if err != nil {
				return nil, err
			}
			if d.name != "include" || d.isBlock {
				out = append(out, d)
				continue
			}
			included, err := p.include(d, depth)
			if err != nil {
				return nil, err
			}
			out = append(out, included...)
		}
	}
	if level > 0 {
		return nil, t.source.errorAt(strings.Count(string(t.source.text), "\n")+1, "the file ends inside a block: a } is missing")
	}
	return out, nil
}

// comment keeps a comment for the directive on its line, or for the next one.
func (t *tokens) comment(before []*directive, tok crossplane.NgxToken) {
	text := strings.TrimRight(strings.TrimPrefix(tok.Value, "#"), " \t")
	if t.at > 0 && len(before) > 0 && t.list[t.at-1].Line == tok.Line && before[len(before)-1].file == t.source {
		last := before[len(before)-1]
		last.comments = append(last.comments, text)
		return
	}
	t.pending = append(t.pending, text)
}

// directive reads one, with its block.
func (t *tokens) directive(p *parser, level, depth int) (*directive, error) {
	first := t.list[t.at]
	d := &directive{name: clean(first.Value), file: t.source, line: first.Line, comments: t.pending}
	t.pending = nil
	if !first.IsQuoted && (first.Value == ";" || first.Value == "{") {
		return nil, t.source.errorAt(first.Line, fmt.Sprintf("there is no directive before this %s", first.Value))
	}
	for t.at++; t.at < len(t.list); t.at++ {
		tok := t.list[t.at]
		if tok.IsQuoted {
			d.args = append(d.args, word{unescape(clean(tok.Value)), true, tok.Line})
			continue
		}
		switch {
		case tok.Value == ";":
			t.at++
			return d, nil
		case tok.Value == "{":
			t.at++
			d.isBlock = true
			if t.at < len(t.list) && t.list[t.at].Line == tok.Line && strings.HasPrefix(t.list[t.at].Value, "#") && !t.list[t.at].IsQuoted {
				d.comments = append(d.comments, strings.TrimRight(t.list[t.at].Value[1:], " \t"))
				t.at++
			}
			var err error
			d.block, err = t.body(p, level+1, depth)
			d.tail, t.pending = t.pending, nil
			return d, err
		case tok.Value == "}":
			return nil, t.source.errorAt(t.list[t.at-1].Line, fmt.Sprintf("%s does not end: a ; is missing", d.name))
		case strings.HasPrefix(tok.Value, "#"):
			d.comments = append(d.comments, strings.TrimRight(tok.Value[1:], " \t"))
		default:
			d.args = append(d.args, word{unescape(clean(tok.Value)), false, tok.Line})
		}
	}
	return nil, t.source.errorAt(d.line, fmt.Sprintf("%s does not end: a ;, a block or a closing quote is missing", d.name))
}

// include reads what an include names. What can't be read is a note: the file may
// be on another machine.
func (p *parser) include(d *directive, depth int) ([]*directive, error) {
	pattern := d.arg(0)
	if pattern == "" {
		return nil, d.file.errorAt(d.line, "include names no file")
	}
	if slices.Contains([]string{"mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params"}, filepath.Base(pattern)) {
		p.im.note(d, unneeded, "rtmpd knows what its files are")
		return nil, nil
	}
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	names := []string{path}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if names, err = p.im.o.Glob(path); err != nil {
			p.im.note(d, lost, "%q is no pattern", pattern)
			return nil, nil
		}
		slices.Sort(names)
	}
	var out []*directive
	for _, name := range names {
		text, err := p.im.o.Open(name)
		if err != nil {
			p.im.note(d, lost, "%s can't be read: %v", pattern, cause(err))
			continue
		}
		list, _, err := p.file(name, text, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// clean makes text of what may be any bytes.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// unescape does what nginx does with a backslash in a word.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch s[i+1] {
		case '"', '\'', '\\':
			b.WriteByte(s[i+1])
			i++
		case 't':
			b.WriteByte('\t')
			i++
		case 'r':
			b.WriteByte('\r')
			i++
		case 'n':
			b.WriteByte('\n')
			i++
		default:
			b.WriteByte('\\')
		}
	}
	return b.String()
}
