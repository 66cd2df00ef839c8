package value

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// What only a shell understands is an error that says how to write it here.
func TestACommandThatNeedsAShellSaysHowToWriteIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ffmpeg -i x 2>>/var/log/x.log":         `log = "/path/of/the.log"`,
		"ffmpeg -i x 2> /var/log/x.log":         `log = "/path/of/the.log"`,
		"ffmpeg -i x 2>&1":                      `log = "/path/of/the.log"`,
		"ffmpeg -i x &>/dev/null":               `log = "/path/of/the.log"`,
		"ffmpeg -i x > /tmp/x":                  `["sh", "-c", "… > file"]`,
		"ffmpeg -i - < /tmp/x":                  "standard input is empty",
		"ffmpeg -i x | tee y":                   `["sh", "-c", "…"]`,
		"mkdir -p /x && ffmpeg -i x":            `["sh", "-c", "…"]`,
		"false || true":                         `["sh", "-c", "…"]`,
		"ffmpeg -i x &":                         `["sh", "-c", "…"]`,
		"ffmpeg -i x ; true":                    "leave the ; out",
		"ffmpeg -i x /srv/x.mp4;":               "leave the ; out",
		"touch /srv/$(date +%s)":                "inside /srv/$(date",
		"touch /srv/`date`":                     "inside /srv/`date`",
		"LANG=C ffmpeg -i x":                    "environment = { … }",
		"cd /srv":                               "cd is a word of the shell",
		"~/bin/transcode $name":                 "write the whole path",
		"/usr/bin/$name -x":                     "can't have a placeholder in its name",
		"/bin/sh -c 'echo $$RTMPD_NAME > f' >g": "> file",
	} {
		var c Command
		if err := c.Decode(cty.StringVal(text), Context{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// What looks a little like it, and is an argument of ffmpeg's, is none.
func TestArgumentsThatLookLikeAShells(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`ffmpeg -i $name -filter_complex "[0:v]split=2[a][b];[a]scale=-2:360[low]" -map [low] x`,
		`ffmpeg -f tee "[f=flv]rtmp://a/b|[f=flv]rtmp://c/d"`,
		`ffmpeg -i "http://x/y?a=1&b=2" -vf "scale='if(gt(iw,ih),640,-2)':-2" x`,
		`sh -c 'echo $$RTMPD_NAME >> /tmp/x && date | cat; echo $$(date)'`,
		`ffmpeg -b:v 256k -vf "drawtext=text='a > b'" x`,
		`/opt/a=b/run x`,
		`find . -exec rm {} +`,
	} {
		var c Command
		if err := c.Decode(cty.StringVal(text), Context{}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
