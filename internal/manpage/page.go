// Package manpage writes manual pages in the language of man(7), from text and from the
// Markdown of docs/reference.md.
package manpage

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// A Page is one manual page. Its methods append to it.
type Page struct {
	buf   bytes.Buffer
	begun bool // a section was begun and has no text yet
}

// New begins a page: its name and section, what it is about in a few words, when it was
// made, and the version of what it describes.
func New(name string, section int, summary string, date time.Time, version string) *Page {
	p := new(Page)
	fmt.Fprintf(&p.buf, ".TH %s %d %s \"%s\"\n", strings.ToUpper(quoted(name)), section, date.UTC().Format(time.DateOnly), quoted(version))
	p.buf.WriteString(".nh\n.ad l\n") // commands and paths are not broken
	p.Section("Name")
	fmt.Fprintf(&p.buf, "%s \\- %s\n", escape(name), escape(summary))
	return p
}

// Bytes is the page.
func (p *Page) Bytes() []byte { return p.buf.Bytes() }

// Section begins a section.
func (p *Page) Section(title string) {
	fmt.Fprintf(&p.buf, ".SH %s\n", strings.ToUpper(escape(title)))
	p.begun = true
}

// Subsection begins a part of a section.
func (p *Page) Subsection(title string) {
	fmt.Fprintf(&p.buf, ".SS %s\n", inline(title))
	p.begun = true
}

// paragraph begins a paragraph, unless the section does.
func (p *Page) paragraph() {
	if !p.begun {
		p.buf.WriteString(".PP\n")
	}
}

// Text writes paragraphs, which empty lines separate. A line that begins with a blank
// stays as it is.
func (p *Page) Text(text string) {
	for i, paragraph := range strings.Split(strings.Trim(text, "\n"), "\n\n") {
		if i > 0 {
			p.paragraph()
		}
		if strings.HasPrefix(paragraph, " ") {
			p.Code(paragraph)
			continue
		}
		p.line(inline(strings.Join(strings.Fields(paragraph), " ")))
	}
}

// Synopsis writes how a command is called.
func (p *Page) Synopsis(command, arguments string) {
	p.line(strings.TrimRight("\\fB"+escape(command)+"\\fR "+escape(strings.TrimSpace(arguments)), " "))
}

// Item explains a word, as a list of options does.
func (p *Page) Item(word, text string) {
	p.buf.WriteString(".TP\n")
	p.line("\\fB" + escape(word) + "\\fR")
	p.line(inline(strings.Join(strings.Fields(text), " ")))
}

// Code writes lines as they are.
func (p *Page) Code(text string) {
	p.buf.WriteString(".RS 4\n.nf\n")
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		p.line(escape(strings.TrimRight(line, "\n")))
	}
	p.buf.WriteString(".fi\n.RE\n")
}

// line writes a line of text. One that is empty, or begins as a request of roff does,
// gets a character of no width in front of it.
func (p *Page) line(s string) {
	if s == "" || s[0] == '.' || s[0] == '\'' {
		p.buf.WriteString(`\&`)
	}
	p.buf.WriteString(s + "\n")
	p.begun = false
}

// escape keeps roff from reading s: backslashes, and hyphens, which it would make
// longer. Letters that are not ASCII are named.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r > 0x7e:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// quoted is s within the quotes of an argument of a request.
func quoted(s string) string { return strings.ReplaceAll(escape(s), `"`, `""`) }
