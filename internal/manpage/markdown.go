package manpage

import (
	"regexp"
	"strings"
)

// Markdown appends what docs/reference.md and its like consist of: headings of the second
// and third level, paragraphs, lists whose items are "- `code` (facts)" and then text,
// tables of two columns, blocks of code, and in text `code`, **bold** and links. The
// title is left out.
func (p *Page) Markdown(text string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "# "), line == "", tableRule.MatchString(line):
			i++
		case strings.HasPrefix(line, "## "):
			p.Subsection(line[3:])
			i++
		case strings.HasPrefix(line, "### "):
			p.Subsection(line[4:])
			i++
		case strings.HasPrefix(line, "```"):
			end := i + 1
			for end < len(lines) && lines[end] != "```" {
				end++
			}
			p.Code(strings.Join(lines[i+1:end], "\n"))
			i = end + 1
		case strings.HasPrefix(line, "|"):
			header := i+1 < len(lines) && tableRule.MatchString(lines[i+1])
			if cells := strings.Split(strings.Trim(line, "| "), " | "); !header && len(cells) == 2 {
				p.buf.WriteString(".TP\n")
				p.line("\\fB" + plain(cells[0]) + "\\fR")
				p.line(inline(cells[1]))
			}
			i++
		default:
			item := strings.HasPrefix(line, "- ")
			end := i + 1
			for end < len(lines) && (item && strings.HasPrefix(lines[end], "  ") || !item && goesOn(lines[end])) {
				end++
			}
			if item {
				p.item(lines[i][2:], strings.Join(lines[i+1:end], " "))
			} else {
				p.paragraph()
				p.line(inline(strings.Join(lines[i:end], " ")))
			}
			i = end
		}
	}
}

var tableRule = regexp.MustCompile(`^\|[-|]+\|$`)

// goesOn reports whether a line goes on with the paragraph before it.
func goesOn(line string) bool {
	return line != "" && !strings.ContainsAny(line[:1], "#|") && !strings.HasPrefix(line, "```") && !strings.HasPrefix(line, "- ")
}

// itemHead is "`code` (facts)".
var itemHead = regexp.MustCompile("^`([^`]*)`(?: (.*))?$")

// item writes an item of a list: the code is the word that it explains.
func (p *Page) item(head, text string) {
	p.buf.WriteString(".TP\n")
	head = strings.TrimSpace(head)
	m := itemHead.FindStringSubmatch(head)
	switch {
	case m != nil:
		p.line("\\fB" + escape(m[1]) + "\\fR")
		head = m[2]
	case strings.HasPrefix(head, "`"):
		p.line(inline(head))
		head = ""
	default:
		p.line(`\(bu`)
	}
	if head == "" {
		head, text = text, ""
	}
	p.line(inline(strings.Join(strings.Fields(head), " ")))
	if text = strings.Join(strings.Fields(text), " "); text != "" {
		p.buf.WriteString(".br\n")
		p.line(inline(text))
	}
}

// spans are the parts of a text that look different: code, bold, links.
var spans = regexp.MustCompile("`([^`]+)`|\\*\\*([^*]+)\\*\\*|\\[([^]]+)\\]\\(([^)]+)\\)")

// inline is text with its spans in other fonts. Of a link to another document only the
// text stays.
func inline(s string) string {
	var b strings.Builder
	at := 0
	for _, m := range spans.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(escape(s[at:m[0]]))
		at = m[1]
		switch {
		case m[2] >= 0:
			b.WriteString(`\fB` + escape(s[m[2]:m[3]]) + `\fR`)
		case m[4] >= 0:
			b.WriteString(`\fB` + escape(s[m[4]:m[5]]) + `\fR`)
		default:
			b.WriteString(escape(s[m[6]:m[7]]))
			if url := s[m[8]:m[9]]; strings.Contains(url, "://") && url != s[m[6]:m[7]] {
				b.WriteString(" (" + escape(url) + ")")
			}
		}
	}
	return b.String() + escape(s[at:])
}

// plain is text without its spans' marks.
func plain(s string) string { return escape(strings.NewReplacer("`", "", "**", "").Replace(s)) }
