package config

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// mask shows the lines of a source without what a secret could be: strings in
// an attribute that holds one, in a local that such an attribute uses, and user
// and query of URLs. It works on tokens, because the file may not parse.
type mask struct {
	src    []byte
	starts []int    // of the lines
	hidden [][2]int // byte ranges, ascending
}

// sensitiveNames are the attributes whose source lines could show a secret.
const sensitiveNames = "secret secret_sha256 token key passphrase basic_auth notify_headers headers environment"

func newMask(name string, src []byte) *mask {
	m := &mask{src: src, starts: []int{0}}
	for i, c := range src {
		if c == '\n' {
			m.starts = append(m.starts, i+1)
		}
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	sensitive := make(map[string]bool)
	for _, n := range strings.Fields(sensitiveNames) {
		sensitive[n] = true
	}
	// A local used by a sensitive attribute or local is sensitive: until no more.
	for known := 0; known != len(sensitive); {
		known = len(sensitive)
		m.hidden = nil
		m.walk(tokens, sensitive)
	}
	return m
}

// walk hides strings from a sensitive name's = to the end of its expression, and
// collects the locals used there.
func (m *mask) walk(tokens hclsyntax.Tokens, sensitive map[string]bool) {
	inside, depth := false, 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenEqual, hclsyntax.TokenColon:
			if !inside && sensitive[nameBefore(tokens, i)] {
				inside, depth = true, 0
			}
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCHeredoc:
			depth--
			if depth < 0 {
				inside = false
			}
		case hclsyntax.TokenNewline:
			if depth <= 0 {
				inside = false
			}
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit, hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8:
			switch {
			case inside && calledBy(tokens, i):
			case inside:
				m.hide(t.Range.Start.Byte, t.Range.End.Byte)
			case t.Type == hclsyntax.TokenQuotedLit || t.Type == hclsyntax.TokenStringLit:
				m.hideURL(t)
			}
		case hclsyntax.TokenIdent:
			name := string(t.Bytes)
			if !inside {
				continue
			}
			if i >= 2 && tokens[i-1].Type == hclsyntax.TokenDot && string(tokens[i-2].Bytes) == "local" {
				sensitive[name] = true
				continue
			}
			// A bare word may be the secret itself without its quotes; a
			// function's name, local and a map's key are not.
			next := hclsyntax.TokenNewline
			if i+1 < len(tokens) {
				next = tokens[i+1].Type
			}
			if next != hclsyntax.TokenOParen && next != hclsyntax.TokenDot && next != hclsyntax.TokenEqual && name != "null" && name != "local" {
				m.hide(t.Range.Start.Byte, t.Range.End.Byte)
			}
		}
	}
}

// nameBefore is the name in front of the = or : at i: an identifier, or a
// quoted one (JSON).
func nameBefore(tokens hclsyntax.Tokens, i int) string {
	switch {
	case i >= 1 && tokens[i-1].Type == hclsyntax.TokenIdent:
		return string(tokens[i-1].Bytes)
	case i >= 3 && tokens[i-1].Type == hclsyntax.TokenCQuote && tokens[i-2].Type == hclsyntax.TokenQuotedLit:
		return string(tokens[i-2].Bytes)
	}
	return ""
}

// calledBy reports whether the string at i is the argument of env, file or credential.
func calledBy(tokens hclsyntax.Tokens, i int) bool {
	if i < 3 || tokens[i-1].Type != hclsyntax.TokenOQuote || tokens[i-2].Type != hclsyntax.TokenOParen {
		return false
	}
	name := string(tokens[i-3].Bytes)
	return name == "env" || name == "file" || name == "credential"
}

var (
	urlUser  = regexp.MustCompile(`://([^/@\s"]*)@`)
	urlQuery = regexp.MustCompile(`://[^?\s"]*\?([^\s"]+)`)
)

func (m *mask) hideURL(t hclsyntax.Token) {
	for _, re := range []*regexp.Regexp{urlUser, urlQuery} {
		if i := re.FindSubmatchIndex(t.Bytes); i != nil {
			m.hide(t.Range.Start.Byte+i[2], t.Range.Start.Byte+i[3])
		}
	}
}

func (m *mask) hide(from, to int) {
	if n := len(m.hidden); n > 0 && from < m.hidden[n-1][1] {
		return
	}
	m.hidden = append(m.hidden, [2]int{from, to})
}

// line returns line n (from 1) as it may be shown, and where in it the bytes
// from..to of the source stand.
func (m *mask) line(n, from, to int) (text string, start, end int) {
	if n < 1 || n > len(m.starts) {
		return "", 0, 0
	}
	begin := m.starts[n-1]
	stop := len(m.src)
	if n < len(m.starts) {
		stop = m.starts[n] - 1
	}
	var b bytes.Buffer
	start, end = -1, -1
	note := func(at int) {
		if start < 0 && from <= at {
			start = b.Len()
		}
		if end < 0 && to <= at {
			end = b.Len()
		}
	}
	for at := begin; at < stop; {
		note(at)
		if h := m.hiddenAt(at); h > at {
			b.WriteString("…")
			at = min(h, stop)
			continue
		}
		b.WriteByte(m.src[at])
		at++
	}
	note(max(from, to, stop))
	text = strings.ToValidUTF8(strings.TrimRight(b.String(), "\r"), "?")
	return text, min(start, len(text)), min(max(start, end), len(text))
}

// hiddenAt returns where the hidden range that holds at ends, or 0.
func (m *mask) hiddenAt(at int) int {
	for _, h := range m.hidden {
		if h[0] <= at && at < h[1] {
			return h[1]
		}
	}
	return 0
}
