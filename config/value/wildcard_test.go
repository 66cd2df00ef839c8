package value

import "testing"

// How the name of a wildcard stream is written, and what it means.
func TestHowAWildcardNameIsWritten(t *testing.T) {
	for written, want := range map[string]string{
		"base+x":        "base+x",
		"base%2Bx":      "base+x",
		"base%2bx":      "base+x",
		"base x":        "base+x",
		"base%20x":      "base+x",
		"base/x":        "base+x",
		"base%2Fx":      "base+x",
		"base+x+y":      "base+x+y",
		"base x+y":      "base+x+y",
		"base":          "base",
		"base+":         "base+",
		"base+J%C3%BCl": "base+Jül",
		"100%":          "100%",        // no name
		"base/../x":     "base/../x",   // no name
		"base/x/y":      "base/x/y",    // no name
		"base%2B../x":   "base%2B../x", // no name
		"base+../x":     "base+../x",   // no name
		"base+.x":       "base+.x",     // no name
		"base/.x":       "base/.x",     // no name
		"base+-x":       "base+-x",     // no name
		"/x":            "/x",          // no name
		"+x":            "+x",
		" x":            " x", // no name
		"base <b>":      "base <b>",
		"base%00x":      "base%00x",
		"":              "",
	} {
		got := WildcardName(written)
		if got != want {
			t.Errorf("%q: got %q, want %q", written, got, want)
		}
		if again := WildcardName(got); again != got {
			t.Errorf("%q: then %q", got, again)
		}
	}
	for name, want := range map[string]string{"base+x": "+x", "base": "", "base+": "+", "a+b+c": "+b+c"} {
		if got := PlusWildcard(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
