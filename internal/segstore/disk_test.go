package segstore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADirectoryThatIsSomebodyElsesSaysWhoHelps(t *testing.T) {
	t.Parallel()
	err := &fs.PathError{Op: "mkdir", Path: "/nginx", Err: fs.ErrPermission}
	want := fmt.Sprintf(" (let root give it to you: install -d -o %d /nginx/live)", os.Geteuid())
	if got := forbidden("/nginx/live", err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&disk{path: file + "/live"}).open(); err == nil || strings.Contains(err.Error(), "install") {
		t.Errorf("below a file: %v, want an error without that advice", err)
	}
}
