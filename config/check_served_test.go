package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A root with a directory too many or too few is warned of, and what another web server may
// serve is not.
func TestDirectoriesThatNoLocationReachesAreWarnedOf(t *testing.T) {
	for _, c := range []struct{ name, output, location, want string }{
		{"a root as nginx has it", `path = "/srv/live"`, `"/live" { root = "/srv" }`, ""},
		{"a root with the location's path in it", `path = "/srv/live"`, `"/live" { root = "/srv/live" }`, `location "/live" serves /srv/live/live (root: the path is appended); write alias = "/srv/live" there`},
		{"a root of everything", `path = "/srv/live"`, `"/" { root = "/srv" }`, ""},
		{"a root elsewhere", `path = "/var/x/live"`, `"/live" { root = "/srv" }`, `location "/live" serves /srv/live (root: the path is appended); write alias = "/var/x/live" there`},
		{"an alias", `path = "/srv/live"`, `"/tv" { alias = "/srv/live" }`, ""},
		{"an alias of the directory above", `path = "/srv/live"`, `"/tv" { alias = "/srv" }`, ""},
		{"an alias of a stream's directory", `path = "/srv/live"`, `"/tv" { alias = "/srv/live/test" }`, ""},
		{"an alias elsewhere", `path = "/srv/live"`, `"/live" { alias = "/srv/www" }`, `location "/live" serves /srv/www; write alias = "/srv/live" there`},
		{"a directory for each application", `path = "/srv/hls/$app"`, `"/a" { root = "/srv/hls" }`, ""},
		{"a location that has nothing to do with it", `path = "/srv/live"`, `"/about" { root = "/srv/www" }`, ""},
		{"no files at all", `path = "/srv/live"`, `"/live" { redirect = "https://cdn.example.org/live" }`, ""},
		{"an exact location", `path = "/srv/live"`, `"= /live" { root = "/srv/live" }`, ""},
	} {
		for _, kind := range []string{"hls", "dash"} {
			path := filepath.Join(t.TempDir(), "rtmpd.hcl")
			text := fmt.Sprintf("rtmp {\n  application \"a\" {\n    %s { %s }\n  }\n}\nhttp {\n  location %s\n}\n", kind, c.output, c.location)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, diags := Load(path, LoadOptions{})
			var got []string
			for _, d := range diags {
				got = append(got, d.Detail)
			}
			if strings.Join(got, "\n") != c.want || diags.HasErrors() {
				t.Errorf("%s, %s: got %q, want %q", c.name, kind, got, c.want)
			}
		}
	}
}
