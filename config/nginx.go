package config

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2"
)

var (
	nginxServer    = regexp.MustCompile(`(?m)(^|[\s{};])server\s*\{`)
	nginxDirective = regexp.MustCompile(`(?m)(^|[\s{};])[a-z_]+\s+[^\s=;{}"'#][^=;{}"'#]*;`)
	hclAttribute   = regexp.MustCompile(`(?m)^\s*[A-Za-z_][A-Za-z0-9_-]*\s+=\s+\S`)
)

// IsNginxConf says whether a file is an nginx.conf with servers, not a configuration
// in which somebody typed a line of nginx's.
func IsNginxConf(data []byte) bool {
	if len(data) > maxNginxConf {
		data = data[:maxNginxConf]
	}
	return nginxServer.Match(data) && nginxDirective.Match(data) && !hclAttribute.Match(data)
}

const maxNginxConf = 1 << 20 // bytes that are looked at

// nginxFile is the one diagnostic about such a file. It shows no line of it: a line may
// hold the key of another server.
func nginxFile(s source) *hcl.Diagnostic {
	at := nginxServer.FindIndex(s.data)[1]
	pos := hcl.Pos{Line: 1 + bytes.Count(s.data[:at], []byte("\n")), Column: 1, Byte: bytes.LastIndexByte(s.data[:at], '\n') + 1}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "this is an nginx.conf",
		Detail:  fmt.Sprintf("type: rtmpd import -o rtmpd.hcl %s", s.name),
		Subject: &hcl.Range{Filename: s.name, Start: pos, End: pos},
	}
}
