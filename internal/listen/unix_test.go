package listen

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestASocketFileHasItsModeWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o666} {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := Unix(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != mode {
			t.Errorf("got %v (%v), want %v", fi.Mode().Perm(), err, mode)
		}
		_ = ln.Close()
	}
}

// Files and directories that others make meanwhile get their own mode.
func TestASocketFileLeavesTheUmaskAlone(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan struct{})
	var binding sync.WaitGroup
	binding.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			ln, err := Unix(filepath.Join(dir, "s"), 0o600)
			if err != nil {
				t.Error(err)
				return
			}
			_ = ln.Close()
		}
	})
	for range 300 {
		made := filepath.Join(dir, "made")
		if err := os.Mkdir(made, 0o700); err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(made)
		if err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("a directory has mode %v (%v)", fi.Mode().Perm(), err)
			break
		}
		_ = os.Remove(made)
	}
	close(stop)
	binding.Wait()
}
