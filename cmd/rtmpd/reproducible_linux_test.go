package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTwoFoldersBuildTheSameRelease: the tarball and the Debian package of one commit are
// the same bytes, whatever the folder, the umask and the time of the build.
func TestTwoFoldersBuildTheSameRelease(t *testing.T) {
	t.Parallel()
	files, err := exec.Command("git", "-C", "../..", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git: %v: the tests run in a clone", err)
	}
	var sums, release []string
	for _, where := range []struct{ dir, umask string }{{"a", "022"}, {"another/folder with a longer name", "077"}} {
		tree := filepath.Join(t.TempDir(), where.dir)
		for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
			text, err := os.ReadFile(filepath.Join("../..", name))
			if os.IsNotExist(err) {
				continue // deleted and not committed
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(filepath.Join("../..", name))
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(tree, name)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, text, info.Mode().Perm()); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("sh", "-euc", `umask "$0"
git init -q
git add -A
git -c user.name=a -c user.email=a@example.org commit -q -m x
packaging/dist linux/$(go env GOHOSTARCH)
cat dist/SHA256SUMS`, where.umask)
		cmd.Dir = tree
		cmd.Env = append(os.Environ(), "DPKG_DEB_COMPRESSOR_LEVEL=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_DATE=2026-03-01T12:00:00Z", "GIT_COMMITTER_DATE=2026-03-01T12:00:00Z")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		release, err = filepath.Glob(tree + "/dist/rtmpd-*.tar.gz")
		if err != nil || len(release) != 1 {
			t.Fatalf("tarballs: %v, %v", release, err)
		}
		sums = append(sums, strings.Join(lines[max(0, len(lines)-2):], "\n"))
	}
	if sums[0] != sums[1] || !strings.Contains(sums[0], ".tar.gz") || !strings.Contains(sums[0], ".deb") {
		t.Errorf("one folder gives\n%s\nthe other\n%s", sums[0], sums[1])
	}
	t.Run("and what is in it runs in the image", func(t *testing.T) {
		dir := t.TempDir()
		if out, err := exec.Command("tar", "-C", dir, "--strip-components=1", "-xzf", release[0]).CombinedOutput(); err != nil {
			t.Fatalf("tar: %v\n%s", err, out)
		}
		runsInTheImage(t, filepath.Join(dir, "rtmpd"))
	})
}
