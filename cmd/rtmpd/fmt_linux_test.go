package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

const (
	untidy = "\xef\xbb\xbfrtmp {\n listen = \":1935\"\n}\n"
	tidied = "rtmp {\n  listen = \":1935\"\n}\n"
)

// TestFmtKeepsTheFile: rtmpd fmt -w changes what a file holds, and nothing else of it.
func TestFmtKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	path, link, hard := filepath.Join(dir, "a.hcl"), filepath.Join(dir, "link.hcl"), filepath.Join(dir, "hard.hcl")
	for _, step := range []error{
		os.WriteFile(path, []byte(untidy), 0o600),
		os.Chmod(path, 0o664),
		os.Symlink("a.hcl", link),
		os.Link(path, hard),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, 0, 65534); err != nil {
			t.Fatal(err)
		}
	}
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	before := stat(t, path)
	for _, name := range []string{link, path, hard} {
		if err := os.WriteFile(path, []byte(untidy), 0o600); err != nil {
			t.Fatal(err)
		}
		if code := execute([]string{"fmt", "-w", name}); code != exitOK {
			t.Fatalf("%s: exit %d", name, code)
		}
		after := stat(t, path)
		if after.Ino != before.Ino || after.Mode != before.Mode || after.Uid != before.Uid || after.Gid != before.Gid || after.Nlink != 2 {
			t.Errorf("%s: the file was %+v, is %+v", name, before, after)
		}
		if fi, err := os.Lstat(link); err != nil || fi.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s: the link is %v, %v", name, fi, err)
		}
		if b, err := os.ReadFile(hard); err != nil || string(b) != tidied {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func stat(t *testing.T, path string) syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// TestFmtPutsTheOldContentBack: the file may not grow, as on a full disk.
func TestFmtPutsTheOldContentBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.hcl")
	old := bytes.Repeat([]byte("# old\n"), 100)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small := limit
	small.Cur = uint64(len(old))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	err := overwrite(path, old, bytes.Repeat([]byte("# new\n"), 200))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); err == nil || !bytes.Equal(got, old) {
		t.Errorf("err %v, the file has %d bytes", err, len(got))
	}
}
