package config

import (
	"os"
	"strings"
	"testing"
)

// The page for MistServer's users lists every trigger.
func TestThePageForMistServersUsersListsEveryTrigger(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/from-mistserver.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range TriggerKinds {
		if !strings.Contains(string(text), "\n| `"+k.Name+"` | ") {
			t.Errorf("docs/from-mistserver.md has no row for %s", k.Name)
		}
	}
	for name := range mistOnly {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/from-mistserver.md says nothing about %s", name)
		}
	}
}
