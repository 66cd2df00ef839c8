package apistate

import (
	"strings"
	"testing"
)

func TestATargetIsAnRTMPURL(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"rtmp://example.org/live/key":            "",
		"rtmps://example.org:443/rtmp/key?s_x=1": "",
		"RTMP://example.org/live/key":            "",
		"/mnt/recordings/$wildcard.mkv":          "files are written by record blocks",
		"show.flv":                               "files are written by record blocks",
		"srt://example.org:8889?streamid=x":      `rtmpd does not send "srt"`,
		"rtmpt://example.org/live/key":           `rtmpd does not send "rtmpt"`,
		"":                                       "a target is rtmp:// or rtmps://",
		"rtmp://":                                `write "rtmp://HOST`,
		"rtmp://example.org/live/" + strings.Repeat("k", 5000): "at most 4096 bytes",
	} {
		got, err := ParseTarget(target)
		if want == "" && (err != nil || got.Reveal() != target) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v, want %q", target, err, want)
		}
	}
}
