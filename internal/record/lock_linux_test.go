package record

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// Locks of an open file description stand for those of another process.
func TestLockKeepsOthersOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cam.flv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	try := func(kind int16) error {
		return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind})
	}
	if err := try(unix.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, config.Record{Path: value.Path(dir), Lock: true, Overwrite: true}, nil)
	b.feed("kp")
	if info, err := os.Stat(path); err != nil || info.Size() != 0 || b.logs.FilterMessageSnippet("can't write").Len() != 1 {
		t.Errorf("somebody else's file is written: %v, %v", info, err)
	}
	if err := try(unix.F_UNLCK); err != nil {
		t.Fatal(err)
	}
	b.feed("2kp")
	if err := try(unix.F_WRLCK); err == nil {
		t.Error("the recording is not locked")
	}
	b.end()
	if err := try(unix.F_WRLCK); err != nil {
		t.Errorf("a finished recording is locked: %v", err)
	}
	if got := tags(t, path); got != "Hkp 40" {
		t.Errorf("recorded %s", got)
	}
}
