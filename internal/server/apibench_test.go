package server

import "testing"

// BenchmarkFigures is what the API's history costs each second with ten thousand streams.
func BenchmarkFigures(b *testing.B) {
	r := start(b, statApps)
	r.crowd(r.app("live"), 10000, 10000)
	b.ResetTimer()
	for b.Loop() {
		if n := len(r.srv.origin.SampleFigures()); n != 10000 {
			b.Fatalf("%d streams", n)
		}
	}
}
