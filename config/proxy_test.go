package config

import (
	"os"
	"strings"
	"testing"
)

// Behind nginx's plain proxy_pass every client has this machine's address: check warns where
// it matters.
func TestCheckWarnsOfAProxyThatSaysNothing(t *testing.T) {
	t.Parallel()
	const public = "\n  location \"/live\" { root = \"/nginx\" }"
	for _, c := range []struct {
		name, block string
		want        int
	}{
		{"stat beside files", public + "\n  location \"/stat\" {\n    stat {}\n  }", 1},
		{"stat and metrics beside files", public + "\n  location \"/stat\" {\n    stat {}\n  }\n  location \"/metrics\" {\n    metrics {}\n  }", 2},
		{"stat alone", "\n  location \"/stat\" {\n    stat {}\n  }", 0},
		{"proxies named", "\n  trusted_proxies = [\"loopback\"]" + public + "\n  location \"/stat\" {\n    stat {}\n  }", 0},
		{"none named on purpose", "\n  trusted_proxies = []" + public + "\n  location \"/stat\" {\n    stat {}\n  }", 0},
		{"stat with a token", public + "\n  location \"/stat\" {\n    stat {}\n    token = \"a-token-of-mine\"\n  }", 0},
		{"stat with access", public + "\n  location \"/stat\" {\n    stat {}\n    access = [\"allow 10.0.0.0/8\", \"deny all\"]\n  }", 0},
		{"files that are not for all", "\n  location \"/live\" {\n    root = \"/nginx\"\n    token = \"a-token-of-mine\"\n  }\n  location \"/stat\" {\n    stat {}\n  }", 0},
	} {
		for _, check := range []bool{true, false} {
			path := t.TempDir() + "/c.hcl"
			if err := os.WriteFile(path, []byte("http {\n  listen = \":8080\""+c.block+"\n}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, diags := Load(path, LoadOptions{Check: check})
			n := 0
			for _, d := range diags {
				if strings.Contains(d.Summary, "a proxy on this machine") {
					n++
				} else {
					t.Errorf("%s: %s: %s", c.name, d.Summary, d.Detail)
				}
			}
			if want := map[bool]int{true: c.want, false: 0}[check]; n != want {
				t.Errorf("%s, check %t: %d warnings, want %d", c.name, check, n, want)
			}
		}
	}
}
