package config

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

//go:embed builtin.hcl
var builtinText string

// Builtin loads the configuration that rtmpd has without a file: application
// "live" on :1935, HLS in the state directory, HTTP on :8080, publishing with the
// key made at the first start. It is HCL text, loaded like any other.
func Builtin(o LoadOptions) (*Config, Files, hcl.Diagnostics) {
	l := newLoader(o)
	quote := func(s string) []byte { return hclwrite.TokensForValue(cty.StringVal(s)).Bytes() }
	dir := stateDir(l.o.Env)
	text := builtinText + fmt.Sprintf("\nlocals {\n  state_dir = %s\n  hls_dir   = %s\n}\n",
		quote(dir), quote(strings.ReplaceAll(dir, "$", "$$")+"/hls"))
	sources := []source{{name: "built-in.hcl", data: []byte(text)}}
	cfg := l.load(sources)
	cfg.Reading = nil
	return cfg, l.files, tidy(l.diags, sources)
}
