package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestWhatIsNotBuiltIsAnErrorWhenSet sets each name and value of the table and
// demands the error: nothing of it is silently nothing.
func TestWhatIsNotBuiltIsAnErrorWhenSet(t *testing.T) {
	t.Parallel()
	around := map[string]string{ // by the block that a row names
		"":            "%s",
		"metrics":     "metrics {\n%s\n}",
		"rtmp":        "rtmp {\n%s\n}",
		"application": "rtmp {\napplication \"a\" {\n%s\n}\n}",
		"stream_key":  "rtmp {\napplication \"a\" {\nstream_key \"k\" {\n%s\n}\n}\n}",
		"record":      "rtmp {\napplication \"a\" {\nrecord \"r\" {\npath = \"/srv/a\"\n%s\n}\n}\n}",
		"hls":         "rtmp {\napplication \"a\" {\nhls {\npath = \"/srv/a\"\n%s\n}\n}\n}",
		"dash":        "rtmp {\napplication \"a\" {\ndash {\npath = \"/srv/a\"\n%s\n}\n}\n}",
		"location":    "http {\nlocation \"/\" {\n%s\n}\n}",
	}
	schema := make(map[string]string) // "block.name" to a line that sets it
	walkSchema(func(_ string, parent *blockSchema, a *attrSchema, b *blockSchema) {
		if b != nil {
			line := b.name
			for _, l := range b.labels {
				label := "x"
				if l.allows.One != nil {
					label = l.allows.One[0]
				}
				line += fmt.Sprintf(" %q", label)
			}
			schema[parent.name+"."+b.name] = line + " {}"
			if b.repeats {
				for _, k := range TriggerKinds {
					schema["."+b.name+"="+k.Name] = fmt.Sprintf("%s %q {}", b.name, k.Name)
				}
			}
			return
		}
		schema[parent.name+"."+a.name] = a.name + " = " + other(a)
		for _, v := range a.allows.One {
			schema[parent.name+"."+a.name+"="+v] = fmt.Sprintf("%s = %q", a.name, v)
		}
	})
	for _, row := range strings.Fields(unbuiltTable) {
		t.Run(row, func(t *testing.T) {
			block, name, dotted := strings.Cut(row, ".")
			if !dotted {
				block, name = "", row
				if strings.HasPrefix(row, "notify_") { // it counts everywhere
					block = "rtmp"
				}
			}
			line, ok := schema[block+"."+name]
			if !ok || around[block] == "" {
				t.Fatalf("this test does not know how to set it")
			}
			path := filepath.Join(t.TempDir(), "x.hcl")
			if err := os.WriteFile(path, fmt.Appendf(nil, around[block]+"\n", line), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, diags := Load(path, LoadOptions{})
			said := false
			for _, d := range diags {
				attr, _, _ := strings.Cut(name, "=")
				said = said || strings.Contains(d.Summary, attr) && strings.HasSuffix(d.Summary, "is not built yet")
			}
			if !said {
				t.Errorf("%s: %v", line, diags)
			}
		})
	}
}

// other is a value that is not the attribute's default.
func other(a *attrSchema) string {
	switch {
	case a.typ == reflect.TypeFor[bool]():
		return fmt.Sprint(a.def != true)
	case a.typ == reflect.TypeFor[time.Duration]():
		return `"7s"`
	case a.typ.Kind() == reflect.Int || a.typ.Kind() == reflect.Int64:
		return "77"
	}
	return `"http://127.0.0.1/x"`
}

// What is not built is said to be so before its syntax is taught, however it is
// written; what nothing is missing without is said to be not needed.
func TestWhatIsSaidOfNamesThatDoNothing(t *testing.T) {
	for source, want := range map[string]string{
		"dash_path = \"/x\"":                                "dash { path = … }",
		"buflen = \"5s\"":                                   "buflen is not needed",
		"interleave = true":                                 "interleave is not needed",
		"hls_variant = \"_low\"":                            "hls { variant \"_low\" {} }",
		"exec = \"ffmpeg\"":                                 "exec \"KIND\" \"NAME\" { … }",
		"exec_publish = \"x\"":                              "exec \"publish\" \"NAME\" { command = [",
		"exec_kill_signal = \"term\"":                       "exec \"KIND\" \"NAME\" { kill_signal = ",
		"exec_options = true":                               "exec \"push\" \"NAME\" { streams = ",
		"respawn = false":                                   "exec \"KIND\" \"NAME\" { respawn = ",
		"hls {\n path = \"/x\"\n hls_variant = \"_low\"\n}": "hls { variant \"_low\" {} }",
	} {
		_, files, diags := loadText(t, "rtmp {\n application \"a\" {\n"+source+"\n}\n}\n", LoadOptions{})
		got := text(files, diags)
		if first, _, _ := strings.Cut(got, "\n"); !diags.HasErrors() || !strings.Contains(got, want) || strings.Contains(want, "built") && !strings.Contains(first, want) {
			t.Errorf("%s:\n%s\nwant first: %s", source, got, want)
		}
	}
	_, files, diags := loadText(t, "rtmp {\n  server {\n    listen 1935;\n    exec ffmpeg -c 'x' $name;\n    hls_variant _low BANDWIDTH=1;\n  }\n}\n", LoadOptions{})
	if got := text(files, diags); !strings.Contains(got, "type: rtmpd import") || strings.Contains(got, "Invalid") || len(diags) != 1 {
		t.Errorf("nginx.conf:\n%s", got)
	}
}

func TestBuilt(t *testing.T) {
	for name, want := range map[string]bool{"application.hls": true, "record.format": true, "application.trigger": true, "trigger": true, "hls.low_latency": true, "location.api": true} {
		if got := Built(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
