package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A package that is built later has the higher version, also on the same day and
// within the same second: apt refuses to go back. It is the only one in dist.
func TestPackageVersionsAreInTheOrderOfTheCommits(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"git", "dpkg", "dpkg-deb", "gzip", "md5sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: see scripts/test-deps", err)
		}
	}
	tree := t.TempDir()
	for _, part := range []string{"packaging", "systemd", "examples", "docs"} {
		if err := os.CopyFS(filepath.Join(tree, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"README.md", "CHANGELOG.md", "LICENSE"} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(t.TempDir(), "rtmpd")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho completion\n[ \"$1\" != man ] || { mkdir -p \"$2/man1\" && echo >\"$2/man1/rtmpd.1\"; }\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(env []string, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = tree
		cmd.Env = append(os.Environ(), append(env, "GIT_CONFIG_GLOBAL=/dev/null", "BINARY="+binary)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git := func(env []string, args ...string) {
		t.Helper()
		run(env, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.org"}, args...)...)
	}
	out := filepath.Join(t.TempDir(), "dist")
	build := func(env ...string) string {
		t.Helper()
		run(append(env, "OUT="+out), "packaging/deb/build")
		debs, err := filepath.Glob(out + "/*.deb")
		if err != nil || len(debs) != 1 {
			t.Fatalf("built %v, %v", debs, err)
		}
		return run(nil, "dpkg-deb", "-f", debs[0], "Version")
	}
	git(nil, "init", "-q")
	git(nil, "add", "-A")
	var versions []string
	for _, at := range []string{"2026-03-01T23:59:59", "2026-03-02T00:00:00", "2026-03-02T09:00:00", "2026-03-02T09:00:00", "2026-03-02T09:00:00", "2026-03-02T10:00:00", "2026-10-01T00:00:00"} {
		git([]string{"GIT_COMMITTER_DATE=" + at + "Z"}, "commit", "-q", "--allow-empty", "-m", at)
		versions = append(versions, build())
	}
	git(nil, "tag", "v1.0.0-rc1")
	versions = append(versions, build())
	for range 11 {
		git(nil, "commit", "-q", "--allow-empty", "-m", "x")
	}
	versions = append(versions, build())
	git(nil, "tag", "v1.0.0", "HEAD")
	git(nil, "tag", "-d", "v1.0.0-rc1")
	versions = append(versions, build())
	for range 9 {
		git(nil, "commit", "-q", "--allow-empty", "-m", "x")
	}
	versions = append(versions, build())
	git(nil, "commit", "-q", "--allow-empty", "-m", "x")
	versions = append(versions, build(), build("VERSION=v1.0.1-rc2"), build("VERSION=1.0.1"))
	for i, v := range versions[1:] {
		if err := exec.Command("dpkg", "--compare-versions", versions[i], "lt", v).Run(); err != nil {
			t.Errorf("%s does not come before %s", versions[i], v)
		}
	}
	t.Log(versions)
}
