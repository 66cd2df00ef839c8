package config

import (
	"strings"
	"testing"
)

// The directives of nginx-rtmp have other names, or are not needed.
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
		if !diags.HasErrors() || !strings.Contains(got, want) {
			t.Errorf("%s:\n%s\nwant %s", source, got, want)
		}
	}
	_, files, diags := loadText(t, "rtmp {\n  server {\n    listen 1935;\n    exec ffmpeg -c 'x' $name;\n    hls_variant _low BANDWIDTH=1;\n  }\n}\n", LoadOptions{})
	if got := text(files, diags); !strings.Contains(got, "type: rtmpd import") || strings.Contains(got, "Invalid") || len(diags) != 1 {
		t.Errorf("nginx.conf:\n%s", got)
	}
}
