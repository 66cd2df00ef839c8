package origin

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config/value"
)

// Names from the configuration each become one path element of the state
// directory, never another's and never outside of it.
func TestKeyFilesStayInTheirDirectory(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	seen := make(map[string]string)
	for _, n := range []struct{ app, holder string }{
		{"live", "a"}, {"live", "../../a"}, {"..", "a"}, {"live", ".a"}, {"live", "%2Ea"}, {"live/a", "a"}, {"live", "a/a"}, {"*", "a"}, {"live", "ä b"},
	} {
		secret, made, err := keepKey(state, n.app, n.holder)
		if err != nil || !made {
			t.Errorf("%v: made %t, %v", n, made, err)
		}
		f := keyFile(n.app, n.holder)
		if !filepath.IsLocal(f) || strings.Count(f, "/") != 2 {
			t.Errorf("%v is kept in %q", n, f)
		}
		if other, taken := seen[f]; taken {
			t.Errorf("%v and %s share %q", n, other, f)
		}
		seen[f] = fmt.Sprint(n)
		if again, made, err := keepKey(state, n.app, n.holder); again != secret || made || err != nil {
			t.Errorf("%v: another key the second time (made %t, %v)", n, made, err)
		}
	}
}

func TestNewKeysAreValidAndDiffer(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 100 {
		k := NewKey()
		if value.ValidSecret(k) != nil || len(k) != 26 || seen[k] {
			t.Fatalf("key %q", k)
		}
		seen[k] = true
	}
}
