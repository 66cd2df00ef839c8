package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// rtmpd is the binary under test, artefacts an absolute directory; both are set
// once in TestMain.
var rtmpd, artefacts string

// benchmarks are run, which measure the rtmpd that people run.
var benchmarks bool

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "rtmpd-interop-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	rtmpd = filepath.Join(dir, "rtmpd")
	build := exec.Command("go", "build", "-o", rtmpd, "./cmd/rtmpd")
	if !benchmarks { // what the race detector finds ends rtmpd with 66, and the test
		build = exec.Command("go", "build", "-race", "-o", rtmpd, "./cmd/rtmpd")
		build.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build rtmpd: %w\n%s", err, out))
	}
	if artefacts, err = filepath.Abs(filepath.Join("..", "artefacts")); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(artefacts, 0o755); err != nil {
		return fail(err)
	}
	return m.Run()
}
