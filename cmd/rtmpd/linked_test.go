package main

import (
	"os/exec"
	"strings"
	"testing"
)

// Peers of tests stand in go.mod and are never in the binary.
func TestPeersOfTestsAreNotLinked(t *testing.T) {
	const peer = "github.com/yutopp/"
	list := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
		if err != nil {
			t.Fatalf("go list %v: %v", args, err)
		}
		return string(out)
	}
	if !strings.Contains(list("-deps", "-test", module+"internal/rtmp"), peer+"go-rtmp") {
		t.Error("go-rtmp is no peer of internal/rtmp's tests: this test finds nothing")
	}
	for _, forbidden := range []string{peer, "github.com/bluenviron/gortmplib", "testing"} {
		for dep := range strings.Lines(list("-deps", module+"cmd/rtmpd")) {
			if dep = strings.TrimSpace(dep); dep == forbidden || strings.HasSuffix(forbidden, "/") && strings.HasPrefix(dep, forbidden) || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("%s is linked into rtmpd", dep)
			}
		}
	}
}
