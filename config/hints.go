package config

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/rtmpd/rtmpd/config/value"
)

// Bounds on the shape of a file. HCL's parser and evaluator recurse: a file of
// nothing but brackets or operators must not exhaust the stack.
const (
	maxDepth     = 100
	maxOperators = 20000
)

// guard refuses what the parser should not see.
func guard(s source) *hcl.Diagnostic {
	depth, operators := 0, 0
	tokens, _ := hclsyntax.LexConfig(s.data, s.name, hcl.InitialPos)
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
			hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenQuestion, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual:
			operators++
		}
		if depth > maxDepth || operators > maxOperators {
			return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "this is too deeply nested for a configuration", Subject: t.Range.Ptr()}
		}
	}
	return nil
}

var (
	nginxLine = regexp.MustCompile(`^\s*[a-z_]+(\s+[^=;{}"]+|\s*"[^"]*"|\s+'[^']*')*\s*;\s*(#.*)?$`)
	// name = value, the value not beginning like an expression that is one.
	bareLine = regexp.MustCompile(`^(\s*[A-Za-z_][A-Za-z0-9_-]*\s*=\s*)([^\s"\[{(<][^\s"]*)\s*(?:#.*|//.*)?$`)
	// location / { and location ~ \.ts$ {
	nginxLocation = regexp.MustCompile(`^\s*location\s+(?:(=|~|~\*|\^~)\s+)?([^\s"{]+)\s*\{\s*(#.*)?$`)
	semicolon     = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_-]*\s*=[^#;]*;\s*(#.*)?$`)
	bare          = regexp.MustCompile(`^([0-9.]+[A-Za-z][0-9A-Za-z]*|[/~:*].*|[0-9]+\.[0-9]+\.[0-9]+\..*|[A-Za-z]+:.*|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+:[0-9]+.*)$`)
	bareDuration  = regexp.MustCompile(`^[0-9.]+(ms|s|m|h|d|w)([0-9]+(ms|s|m|h))*$`)
	bareSize      = regexp.MustCompile(`^[0-9.]+[kKmMgG]$`)
)

const importHint = "write name = value, without a semicolon; rtmpd import FILE turns a whole nginx.conf into HCL"

const redefined = "Attribute redefined" // HCL's summary for a duplicate attribute

// explainSyntax replaces the parser's messages by advice about
// lines that nginx fingers type. The parser falls silent after its first error in
// a body: lines of that kind are reported wherever they stand.
func explainSyntax(s source, diags hcl.Diagnostics) hcl.Diagnostics {
	if !diags.HasErrors() || strings.HasSuffix(s.name, ".json") {
		return diags
	}
	explained := make(map[int]*hcl.Diagnostic) // by line
	var out hcl.Diagnostics
	nginx, offset := false, 0
	for i, b := range bytes.Split(s.data, []byte("\n")) {
		text := strings.TrimRight(string(b), "\r")
		at := hcl.Range{Filename: s.name, Start: hcl.Pos{Line: i + 1, Column: 1, Byte: offset}}
		offset += len(b) + 1
		d := explainLine(at, text)
		if d == nil {
			continue
		}
		explained[i+1] = d
		if d.Summary == nginxSummary {
			if nginx {
				continue // once is enough
			}
			nginx = true
		}
		out = append(out, d)
	}
	strings := false
	for _, d := range diags {
		if d.Subject != nil && explained[d.Subject.Start.Line] != nil || nginx && noise.MatchString(d.Summary) {
			continue
		}
		switch d.Summary {
		case redefined:
			d = &hcl.Diagnostic{Severity: hcl.DiagError, Subject: d.Subject, Summary: "this attribute is said twice", Detail: "keep one of the two"}
		case "Invalid single-argument block definition":
			d = &hcl.Diagnostic{
				Severity: hcl.DiagError, Subject: d.Subject, Summary: "one line holds one attribute",
				Detail: "a block with several has one per line, and no commas",
			}
		case "Invalid multi-line string":
			if strings {
				continue // an open quote runs on to the end
			}
			strings = true
			d = &hcl.Diagnostic{Severity: hcl.DiagError, Subject: d.Subject, Summary: "this string does not end on its line", Detail: "close it with a quote"}
		}
		out = append(out, d)
	}
	return out
}

const nginxSummary = "this looks like nginx.conf"

// noise is what the parser reports for each line of an nginx.conf.
var noise = regexp.MustCompile(`^(Invalid (block definition|character|expression|argument name|template.*)|Argument or block definition required|Missing (newline|expression|item).*|Unbalanced.*|Unclosed.*|Unterminated.*|Unsupported.*)$`)

// explainLine advises about a line that can't be meant as HCL; nil for any other.
func explainLine(at hcl.Range, text string) *hcl.Diagnostic {
	m := bareLine.FindStringSubmatch(text)
	switch {
	case nginxLine.MatchString(text):
		return lineDiag(at, text, nginxSummary, importHint)
	case m != nil && bare.MatchString(strings.TrimSuffix(m[2], ";")):
		name, _, _ := strings.Cut(m[1], "=")
		return bareValue(at, strings.TrimSpace(name), len(m[1]), strings.TrimSuffix(m[2], ";"))
	case nginxLocation.MatchString(text):
		return lineDiag(at, text, "the path of a location needs quotes", quotedLocation(nginxLocation.FindStringSubmatch(text)))
	case semicolon.MatchString(text):
		return lineDiag(at, text, "a line has no semicolon here", "leave it out")
	}
	return nil
}

// quotedLocation shows how to write nginx's location, given as its modifier and
// its path.
func quotedLocation(m []string) string {
	switch m[1] {
	case "~", "~*":
		return "write a prefix like location \"/live\" {; there are no regular expressions"
	case "=":
		return fmt.Sprintf("write location %q {", "= "+m[2])
	}
	return fmt.Sprintf("write location %q {", m[2])
}

// lineDiag is a diagnostic for a whole line.
func lineDiag(at hcl.Range, line, summary, detail string) *hcl.Diagnostic {
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: detail,
		Subject: lineRange(at, indent, len(strings.TrimRight(line, " \t"))).Ptr(),
	}
}

// lineRange is the bytes from..to of the line where at starts.
func lineRange(at hcl.Range, from, to int) hcl.Range {
	start := at.Start.Byte - (at.Start.Column - 1) // exact in ASCII, near enough elsewhere
	return hcl.Range{
		Filename: at.Filename,
		Start:    hcl.Pos{Line: at.Start.Line, Column: from + 1, Byte: start + from},
		End:      hcl.Pos{Line: at.Start.Line, Column: to + 1, Byte: start + to},
	}
}

// bareValue shows how to write a value that lacks its quotes.
func bareValue(at hcl.Range, name string, from int, value string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Subject: lineRange(at, from, from+len(value)).Ptr(), Summary: "this value needs quotes"}
	switch {
	case bareDuration.MatchString(value):
		d.Detail = fmt.Sprintf("a duration is a string: %q", value)
	case bareSize.MatchString(value):
		d.Detail = fmt.Sprintf("a size is a string: %q", value)
	default:
		d.Detail = fmt.Sprintf("quote it: %q", value)
	}
	if slices.Contains(strings.Fields(sensitiveNames), name) {
		d.Detail = "quote it"
	}
	return d
}

// bareWord advises about a name that stands where a value should. It does not
// repeat the name: it may be a secret that lacks its quotes.
func (l *loader) bareWord(t hcl.Traversal) string {
	switch name := t.RootName(); strings.ToLower(name) {
	case "on", "yes", "enable", "enabled":
		return fmt.Sprintf("write true (or %q where a word is asked for)", name)
	case "off", "no", "disable", "disabled":
		return fmt.Sprintf("write false (or %q where a word is asked for)", name)
	case "env", "file", "credential":
		return fmt.Sprintf("it is a function: %s(\"NAME\")", name)
	}
	at := t.SourceRange()
	if f := l.files[at.Filename]; f != nil && at.Start.Byte <= len(f.Bytes) && bytes.HasSuffix(bytes.TrimRight(f.Bytes[:at.Start.Byte], " "), []byte("${")) {
		return "a placeholder has no braces: write $name; it ends at the first character that is not a letter"
	}
	return "quote it; only local.x is a variable"
}

// explainValues shortens HCL's messages about expressions.
func explainValues(diags hcl.Diagnostics) hcl.Diagnostics {
	call := regexp.MustCompile(`^Call to function "([a-z]+)" failed: (.*)$`)
	for _, d := range diags {
		d.Detail = strings.TrimSuffix(d.Detail, ".")
		if m := call.FindStringSubmatch(d.Detail); m != nil {
			d.Summary, d.Detail = m[1]+"(): "+m[2], ""
		}
	}
	return diags
}

// notNeeded are directives of nginx-rtmp that have no counterpart because nothing is
// missing without them (docs/nginx-rtmp.md, "Not needed").
const notNeeded = "worker_processes rtmp_auto_push rtmp_auto_push_reconnect rtmp_socket_dir max_streams out_queue out_cork buffer sync interleave busy stream_buckets " +
	"play_time_fix publish_time_fix hls_muxdelay hls_audio_buffer_size session_relay buflen relay_buffer so_keepalive ipv6only netcall_buffer hls_allow_client_cache record_interval_size"

// execHint is elsewhere for the exec directives.
func execHint(name string) string {
	kind, isExec := strings.CutPrefix(name, "exec_")
	switch {
	case name == "exec_options":
		return `in rtmpd a block says which streams it is for: exec "push" "NAME" { streams = ["foo*"] }`
	case name == "exec_kill_signal", name == "respawn", name == "respawn_timeout":
		return fmt.Sprintf("in rtmpd this stands in a block: exec \"KIND\" \"NAME\" { %s = … }", kind)
	case !isExec:
		return ""
	}
	return fmt.Sprintf("it is a block: exec %q \"NAME\" { command = [\"ffmpeg\", \"-i\", \"…\"] }", kind)
}

// elsewhere returns where the equivalent of an nginx-rtmp directive is, by the block it is
// looked for in.
func elsewhere(name string) string {
	prefixes := []struct{ prefix, block string }{
		{"hls_", "hls"},
		{"dash_", "dash"},
		{"record_", `record "NAME"`},
		{"ssl_", "tls"},
	}
	if name == "hls_variant" {
		return `in rtmpd this is a block in a block: hls { variant "_low" {} }`
	}
	if hint := execHint(name); hint != "" {
		return hint
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(name, p.prefix); ok {
			return fmt.Sprintf("in rtmpd this stands in a block: %s { %s = … }", p.block, rest)
		}
	}
	switch name {
	case "allow", "deny":
		return `write access { publish = ["allow 127.0.0.1", "deny all"] }`
	case "server":
		return "there is no server block: rtmp and http are servers themselves"
	case "server_name":
		return "there are no virtual hosts: every request finds its location by its path"
	case "push", "pull":
		return fmt.Sprintf("it is a block: %s \"NAME\" { url = \"rtmp://…\" }", name)
	case "hls", "dash", "stat", "control", "access", "record", "vod":
		return "it is a block: " + name + " { … }"
	case "play":
		return `it is a block: vod { path = ["/var/vod"] }`
	case "include":
		return "a directory is a configuration too: all its *.hcl files are read"
	case "drop_idle":
		return "it is drop_idle_publisher"
	case "max_connections":
		return "it stands in rtmp; applications have max_publishers and max_players"
	}
	return ""
}

var (
	unknownName = regexp.MustCompile(`(?:An argument named|Blocks of type|No argument or block type is named) "([^"]+)"`)
	suggestion  = regexp.MustCompile(`Did you mean (?:to define (?:a block of type|argument) )?"([^"]+)"`)
)

// explainNames advises what to write instead of a name that a block does not have.
func (l *loader) explainNames(s *blockSchema, diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		d.Detail = strings.TrimSuffix(d.Detail, ".")
		m := unknownName.FindStringSubmatch(d.Detail)
		if m == nil {
			continue
		}
		name, where := m[1], s.name
		if where == "" {
			where = "the configuration"
		}
		longer := s.longer(name, d.Summary == "Unsupported block type")
		d.Summary = fmt.Sprintf("there is no %s in %s", name, where)
		near := suggestion.FindStringSubmatch(d.Detail)
		block, attr := s.block(name), s.attr(name)
		switch {
		case slices.Contains(strings.Fields(notNeeded), name):
			d.Summary, d.Detail = name+" is not needed", "rtmpd does without it: leave it out"
		case block != nil && block.empty:
			d.Summary, d.Detail = name+" is a block", "write "+name+" {}"
		case block != nil:
			d.Summary, d.Detail = name+" is a block", "write "+header(block)+" { … }"
		case attr != nil:
			d.Summary, d.Detail = name+" is an attribute", "write "+name+" = …"
		case s.whole != nil && (s.whole.attr(name) != nil || s.whole.block(name) != nil):
			d.Detail = "an application can say this, a stream block can't"
		case elsewhere(name) != "":
			d.Detail = elsewhere(name)
		case where == "stream_key" && (name == "key" || name == "password"):
			d.Detail = "did you mean secret?"
		case longer != "":
			d.Detail = fmt.Sprintf("did you mean %s?", longer)
		case l.whereKnown(name) != "":
			d.Detail = l.whereKnown(name)
		case near != nil:
			d.Detail = fmt.Sprintf("did you mean %s?", near[1])
		case s.empty:
			d.Detail = s.name + " is an empty block: write " + s.name + " {}"
		case s.nearest(name) != "":
			d.Detail = fmt.Sprintf("did you mean %s?", s.nearest(name))
		default:
			d.Detail = "rtmpd knows no such name; unknown ones are errors so that nothing is silently ignored"
		}
	}
	return diags
}

func header(s *blockSchema) string {
	out := s.name
	for _, l := range s.labels {
		out += fmt.Sprintf(" %q", l.name)
	}
	return out
}

// nearest is the name of an attribute or block that name may have meant.
func (s *blockSchema) nearest(name string) string {
	return value.Nearest(name, append(s.names(true), s.names(false)...))
}

// longer is the only block, or attribute, here whose last word is name: stream_key for key.
func (s *blockSchema) longer(name string, block bool) (found string) {
	for _, n := range s.names(block) {
		if strings.HasSuffix(n, "_"+name) {
			if found != "" {
				return ""
			}
			found = n
		}
	}
	return found
}

// names are those of the blocks, or of the attributes.
func (s *blockSchema) names(blocks bool) (all []string) {
	if blocks {
		for _, b := range s.blocks {
			all = append(all, b.name)
		}
		return all
	}
	for _, a := range s.attrs {
		all = append(all, a.name)
	}
	return all
}

// whereKnown returns in which blocks a name that is wrong here can stand; "" if
// in none, or in too many to be of help.
func (l *loader) whereKnown(name string) string {
	var in []string
	seen := make(map[string]bool)
	var walk func(s *blockSchema)
	walk = func(s *blockSchema) {
		if (s.attr(name) != nil || s.block(name) != nil) && !seen[s.name] && s.name != "defaults" {
			seen[s.name] = true
			where := s.name
			if where == "" {
				where = "the top level"
			}
			in = append(in, where)
		}
		for _, b := range s.blocks {
			walk(b)
		}
	}
	walk(l.schema)
	if len(in) == 0 || len(in) > 4 {
		return ""
	}
	return "it stands in " + strings.Join(in, ", ")
}
