package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README lists exactly what is not built.
func TestTheReadmeSaysWhatIsNotBuilt(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, ok := strings.Cut(string(text), "\n## Not built yet\n")
	if !ok {
		t.Fatal("README has no chapter of that name")
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	var got, want []string
	for _, m := range regexp.MustCompile("`([a-z][^`]*)`").FindAllStringSubmatch(chapter, -1) {
		if name := strings.NewReplacer(" = ", "=", `"`, "").Replace(m[1]); name != "hls" && name != "dash" && name != "record" && name != "vod" && !strings.HasPrefix(name, "rtmpd ") {
			got = append(got, name)
		}
	}
	for _, row := range strings.Fields(unbuiltTable) {
		row, _, _ = strings.Cut(row, "=") // some triggers: the table in docs/from-mistserver.md says which
		want = append(want, row[strings.LastIndex(row, ".")+1:])
	}
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("README says\n%s\nnot built are\n%s", got, want)
	}
}
