package manpage

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

const markdown = `# Title

A paragraph with ` + "`code -x`" + `, **bold**, [a link](docs/tls.md) and
[one elsewhere](https://example.org/a-b). A back\slash.

| word | meaning |
|---|---|
| ` + "`a`" + ` | first |
| b | second, at ` + "`c`" + ` |

## ` + "`rtmp { … }`" + `

- ` + "`listen = [\":1935\"]`" + ` (addresses; at once)  
  Where it listens.
- ` + "`SIGTERM`, `SIGINT`" + `
  Stops.
- An item with neither.

` + "```hcl\n.code { }\n\n  'x'\n```\n"

const page = `.TH RTMPD\-X 1 2026-03-01 "rtmpd v1.0 ""x"""
.nh
.ad l
.SH NAME
rtmpd\-x \- what \[u2026] does
.SH SYNOPSIS
\fBrtmpd x\fR [\-f FILE]
.SH DESCRIPTION
One line and another.
.PP
.RS 4
.nf
    as it is
.fi
.RE
.PP
\&.dots begin no request.
.TP
\fB\-f, \-\-file FILE\fR
The file.
.PP
A paragraph with \fBcode \-x\fR, \fBbold\fR, a link and one elsewhere (https://example.org/a\-b). A back\eslash.
.TP
\fBa\fR
first
.TP
\fBb\fR
second, at \fBc\fR
.SS \fBrtmp { \[u2026] }\fR
.TP
\fBlisten = [":1935"]\fR
(addresses; at once)
.br
Where it listens.
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Stops.
.TP
\(bu
An item with neither.
.RS 4
.nf
\&.code { }
\&
  'x'
.fi
.RE
`

func write() *Page {
	p := New("rtmpd-x", 1, "what … does", time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC), `rtmpd v1.0 "x"`)
	p.Section("Synopsis")
	p.Synopsis("rtmpd x", "[-f FILE]")
	p.Section("Description")
	p.Text("One line\nand another.\n\n    as it is\n\n.dots begin no request.")
	p.Item("-f, --file FILE", "The file.")
	p.Markdown(markdown)
	return p
}

func TestAPageIsManAndNothingOfTheTextIsARequest(t *testing.T) {
	t.Parallel()
	if got := string(write().Bytes()); got != page {
		t.Errorf("got\n%s\nwant\n%s", got, page)
	}
}

// TestAPageShowsItsText to who reads it on a terminal.
func TestAPageShowsItsText(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("mandoc", "-T", "utf8", "-O", "width=200")
	cmd.Stdin = strings.NewReader(string(write().Bytes()))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mandoc: %v: see scripts/test-deps", err)
	}
	text := regexp.MustCompile(".\x08").ReplaceAllString(string(out), "") // bold on paper
	for _, want := range []string{"rtmpd-x - what … does", "code -x", ".dots begin", "back\\slash", ".code { }", "  'x'", `listen = [":1935"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
