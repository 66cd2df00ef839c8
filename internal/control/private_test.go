package control

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheRuntimeDirectoryIsOursAlone(t *testing.T) {
	t.Parallel()
	verbs := Verbs{"hello": func(context.Context, url.Values) (string, bool) { return "", true }}
	for _, c := range []struct {
		name string
		make func(dir string) error
		want string // of the error; empty: it is used, and 0700
	}{
		{"none there", func(string) error { return nil }, ""},
		{"ours", func(dir string) error { return os.Mkdir(dir, 0o700) }, ""},
		{"ours, and readable, as systemd makes it", func(dir string) error { return os.Mkdir(dir, 0o755) }, ""},
		{"writable for all", func(dir string) error { _ = os.Mkdir(dir, 0o700); return os.Chmod(dir, 0o777) }, "others may write"},
		{"writable for a group", func(dir string) error { _ = os.Mkdir(dir, 0o700); return os.Chmod(dir, 0o770) }, "others may write"},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		{"somebody else's", func(dir string) error {
			if os.Geteuid() != 0 { // only root can give one away, and has some
				return os.Symlink("/usr", dir)
			}
			_ = os.Mkdir(dir, 0o700)
			return os.Chown(dir, 12345, 12345)
		}, "belongs to uid "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			wait, err := Serve(ctx, filepath.Join(dir, "c.sock"), verbs)
			if err == nil {
				defer wait()
			}
			defer stop()
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if fi, _ := os.Stat(dir); fi.Mode().Perm() != 0o700 {
				t.Errorf("mode %o", fi.Mode().Perm())
			}
		})
	}
}

// TestALinkOfSomebodyElses: only its owner says where it leads, root excepted.
func TestALinkOfSomebodyElses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	if err := errors.Join(os.Mkdir(dir+"-real", 0o700), os.Symlink(dir+"-real", dir)); err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 12345
		if err := os.Lchown(dir, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf("is a link that belongs to uid %d", owner)
	if _, err := trusted(dir, func(uid int) bool { return uid != owner }); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

// What answers in a directory of somebody else's is not believed, and what the
// server answers can't command the terminal of who asks.
func TestAsking(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	path := filepath.Join(dir, "c.sock")
	ctx, stop := context.WithCancel(t.Context())
	wait, err := Serve(ctx, path, Verbs{"hello": func(context.Context, url.Values) (string, bool) {
		return "a\tb\x1b]0;title\x07\x1b[2J\u009b31m\u202e\r\nné\n", true
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer wait()
	defer stop()
	text, ok, err := Ask(t.Context(), path, "hello", nil)
	if want := "a\tb\ufffd]0;title\ufffd\ufffd[2J\ufffd31m\ufffd\ufffd\nné\n"; text != want || !ok || err != nil {
		t.Errorf("got %q, %t, %v; want %q", text, ok, err, want)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Ask(t.Context(), path, "hello", nil); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("in a directory that is everybody's: %v", err)
	}
}
