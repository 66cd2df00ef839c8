package config

import (
	"os"
	"strings"
	"testing"
)

// The page for MistServer's users lists every trigger, and says of each that is not
// built that it is not.
func TestThePageForMistServersUsersListsEveryTrigger(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/from-mistserver.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := unbuilt()
	for _, k := range TriggerKinds {
		_, row, ok := strings.Cut(string(text), "\n| `"+k.Name+"` | ")
		row, _, _ = strings.Cut(row, "\n")
		switch {
		case !ok:
			t.Errorf("docs/from-mistserver.md has no row for %s", k.Name)
		case strings.HasPrefix(row, "not built") != missing["trigger="+k.Name]:
			t.Errorf("docs/from-mistserver.md says of %s: %s", k.Name, row)
		}
	}
	for name := range mistOnly {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/from-mistserver.md says nothing about %s", name)
		}
	}
}
