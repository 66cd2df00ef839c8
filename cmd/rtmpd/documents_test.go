package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/architecture.md names every package, and no path that does not exist.
func TestTheArchitectureIsTheTree(t *testing.T) {
	text := documents(t)["docs/architecture.md"]
	for _, path := range regexp.MustCompile(`(?:internal|config|cmd|test|docs|bench)/[a-z0-9_/.]*[a-z0-9]`).FindAllString(text, -1) {
		if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
			t.Errorf("docs/architecture.md: %v", err)
		}
	}
	for pkg, number := range layer {
		_, err := os.Stat(filepath.Join("../..", pkg))
		row := regexp.MustCompile(`(?m)^\| ` + string(rune('0'+number)) + " \\| `" + pkg + "` \\|")
		if err == nil && !row.MatchString(text) {
			t.Errorf("docs/architecture.md has no row for %s in layer %d", pkg, number)
		}
	}
}

// A reader of the code has every document that the code cites.
func TestTheCodeCitesDocumentsThatExist(t *testing.T) {
	root := os.DirFS("../..")
	cited := regexp.MustCompile(`[A-Za-z0-9_./-]*[A-Za-z0-9_-]\.md\b`)
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		for _, name := range cited.FindAllString(string(text), -1) {
			_, fromTop := os.Stat(filepath.Join("../..", name))
			_, fromHere := os.Stat(filepath.Join("../..", filepath.Dir(path), name))
			if fromTop != nil && fromHere != nil {
				t.Errorf("%s cites %s, which is not in the repository", path, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
