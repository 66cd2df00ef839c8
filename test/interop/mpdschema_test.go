package interop

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// schemaFaults is what xmllint finds in an MPD.
func schemaFaults(t *testing.T, mpd []byte) string {
	t.Helper()
	c := exec.Command("xmllint", "--noout", "--schema", "testdata/mpd.xsd", "-")
	c.Stdin = bytes.NewReader(mpd)
	said, err := c.CombinedOutput()
	if (err == nil) != bytes.Contains(said, []byte("- validates")) {
		t.Fatalf("%v: %s", err, said)
	}
	if err == nil {
		return ""
	}
	return string(said)
}

// Every MPD has the elements and attributes of the schema, in its order: plain ones and those
// of low latency, of one rendition and of several, with a second period and at the end.
func TestMPDsAreAsTheSchemaSays(t *testing.T) {
	t.Parallel()
	ladder, _ := ladderTags(t, 6)
	var single []sentTag
	for _, tag := range ladder {
		if tag.kind != tagVideo || tag.body[0]&0x80 == 0 { // track 0
			single = append(single, tag)
		}
	}
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		name, more, has string
		tags            []sentTag
	}{
		{"one rendition", "", "<UTCTiming", single},
		{"low latency", "low_latency = true", "<Resync", single},
		{"a ladder", "", `height="360"`, ladder},
	} {
		beside.Run(c.name, func(t *testing.T) {
			s := &server{dir: shortDir(t)}
			s.run(t, fmt.Sprintf(strings.Replace(dashConfig, `fragment        = "2s"`, "fragment = \"1s\"\n"+c.more, 1), s.dir))
			var all []string
			look := func() (static bool) {
				mpd, err := get(s.dashURL("test"))
				if err == nil && (len(all) == 0 || all[len(all)-1] != string(mpd)) {
					all = append(all, string(mpd))
					if why := schemaFaults(t, mpd); why != "" {
						t.Errorf("%s\n%s", why, mpd)
					}
				}
				return strings.Contains(string(mpd), `type="static"`)
			}
			sent := make(chan error, 1)
			go func() {
				lost, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				if err := sendInTime(lost, s, "test", c.tags, time.Now()); err != nil {
					sent <- err
					return
				}
				sent <- sendInTime(t.Context(), s, "test", c.tags, time.Now())
			}()
			eventually(t, 2*time.Minute, "the end of the presentation", look)
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			text := strings.Join(all, "")
			if last := all[len(all)-1]; len(all) < 6 || !strings.Contains(text, c.has) || strings.Count(last, "<Period ") != 2 {
				t.Fatalf("%d versions, the last one of which is\n%s", len(all), last)
			}
			for what, broken := range map[string]string{
				"an attribute that there is not": strings.Replace(all[0], "<MPD ", `<MPD live="1" `, 1),
				"another order":                  strings.Replace(all[0], "<Period ", `<UTCTiming schemeIdUri="urn:x"/><Period `, 1),
				"no bandwidth":                   regexp.MustCompile(` bandwidth="\d+"`).ReplaceAllString(all[0], ""),
			} {
				if broken == all[0] || schemaFaults(t, []byte(broken)) == "" {
					t.Errorf("%s is not noticed:\n%s", what, broken)
				}
			}
		})
	}
}
