package config

import (
	"bytes"
	"testing"
)

func TestExamplesLoadWithoutDiagnostics(t *testing.T) {
	cfg, files, diags := Load("../examples/scanlines.hcl", LoadOptions{Env: map[string]string{"HOME": "/home/u"}})
	if len(diags) > 0 {
		var b bytes.Buffer
		WriteDiagnostics(&b, files, diags)
		t.Fatalf("diagnostics:\n%s", b.String())
	}
	app := cfg.RTMP[0].Application("show")
	if got, want := app.HLS.MaxFragment.String(), "9s"; got != want {
		t.Errorf("max_fragment is %s, want %s", got, want)
	}
	if !app.StreamKeys[0].Generated || app.StreamKeys[0].Stream != "test" {
		t.Errorf("stream key %+v", app.StreamKeys[0])
	}
}
