package config

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/rtmpd/rtmpd/config/value"
)

// Format gives src its canonical form. It is not changed if it does not parse;
// the diagnostics say why, the Files hold the source for WriteDiagnostics.
func Format(src []byte, filename string) ([]byte, Files, hcl.Diagnostics) {
	text, err := value.PlainText(src) // canonical is without a byte order mark
	if err != nil {
		return src, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: filename + ": " + err.Error()}}
	}
	src = text
	s := source{name: filename, data: src}
	parser := hclparse.NewParser()
	if d := guard(s); d != nil {
		return src, Files{filename: {Bytes: src}}, hcl.Diagnostics{d}
	}
	if strings.HasSuffix(filename, ".json") {
		if _, diags := parser.ParseJSON(src, filename); diags.HasErrors() {
			return src, parser.Files(), tidy(explainSyntax(s, diags), []source{s})
		}
		var out bytes.Buffer
		if err := json.Indent(&out, bytes.TrimSpace(src), "", "  "); err != nil {
			return src, parser.Files(), hcl.Diagnostics{{Severity: hcl.DiagError, Summary: filename + ": " + err.Error()}}
		}
		out.WriteByte('\n')
		return out.Bytes(), parser.Files(), nil
	}
	if IsNginxConf(src) {
		return src, nil, hcl.Diagnostics{nginxFile(s)}
	}
	if _, diags := parser.ParseHCL(src, filename); diags.HasErrors() {
		return src, parser.Files(), tidy(explainSyntax(s, diags), []source{s})
	}
	out := hclwrite.Format(src)
	if out = bytes.TrimRight(out, " \t\r\n"); len(out) > 0 {
		out = append(out, '\n')
	}
	return out, parser.Files(), nil
}
