package config

import "testing"

func BenchmarkLoadScanlines(b *testing.B) {
	for b.Loop() {
		if _, _, diags := Load("../examples/scanlines.hcl", LoadOptions{Env: testEnv}); len(diags) > 0 {
			b.Fatal(diags)
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	cfg, _, _ := Load("testdata/valid/everything.hcl", LoadOptions{Env: testEnv})
	for b.Loop() {
		if !Diff(cfg, cfg).Empty() {
			b.Fatal("not empty")
		}
	}
}
