package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestNoFieldOfTheLogIsLongOrAKey(t *testing.T) {
	t.Parallel()
	const key = "s3cret-key.of~mine"
	core, logs := observer.New(zapcore.DebugLevel)
	var counted counters
	log := counted.counted(cleaned(zap.New(core), func(text string) string { return origin.MaskKeys(text, func(w string) bool { return w == key }) }))
	long := strings.Repeat("x", 70000)
	log.With(zap.String("app", key)).Warn("refused",
		zap.String("reason", `no application "`+key+`" here`), zap.Error(errors.New("open /www/"+key+".m3u8: gone.")),
		zap.ByteString("url", []byte("rtmp://host/"+key+"?a="+key)), zap.String("args", long), zap.Int("n", 7), zap.String("near", key+"x"))
	if n := counted.lines[zapcore.WarnLevel-zapcore.DebugLevel].Load(); n != 1 || logs.Len() != 1 {
		t.Fatalf("%d lines written, %d counted", logs.Len(), n)
	}
	got := logs.All()[0].ContextMap()
	for field, want := range map[string]string{
		"app": "***", "reason": `no application "***" here`, "error": "open /www/***.m3u8: gone.", "url": "rtmp://host/***?a=***", "near": key + "x",
	} {
		if got[field] != want {
			t.Errorf("%s is %q, want %q", field, got[field], want)
		}
	}
	if s := got["args"].(string); len(s) > maxField+30 || !strings.HasSuffix(s, "(70000 bytes)") {
		t.Errorf("the arguments are written as %d bytes", len(s))
	}
}

// A key in the wrong place is in neither log: as an application, as the name of a
// stream where there are no keys, as an argument, in a call of control.
func TestAKeyInTheWrongPlaceIsInNoLog(t *testing.T) {
	t.Parallel()
	const key = "misplaced-secret-01"
	r := start(t, `
rtmp {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/rtmp.log"
  access_log_format = "$app $name $args $tcurl $pageurl $flashver"
  application "show" {
    stream_key "cam" { secret = "`+key+`" }
  }
  application "open" {}
  application "*" {}
}
http {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/access.log"
  location "/control" {
    control {}
    access = ["allow all"]
  }
}`)
	if _, err := r.tryPublish(key, "cam", dialling{}); err != nil { // rtmp://HOST/KEY, which "*" takes
		t.Error(err)
	}
	if _, err := r.dial(key+"/more", dialling{}); err == nil {
		t.Error("an application of two words is taken")
	}
	r.publish("open", key).Close()
	r.publish("open", "name?pass="+key).Close()
	o := dialling{}
	o.ClientOptions = rtmp.ClientOptions{PageURL: "http://host/" + key}
	r.mustDial("open", o).Close()
	for _, call := range []string{"drop/publisher?app=show&name=" + key, "drop/publisher?app=" + key + "&name=cam", "redirect/publisher?app=show&name=cam&newname=" + key, "record/start?app=show&name=" + key} {
		r.call("/control/" + call)
	}
	r.eventually("lines of all", func() bool {
		return strings.Count(r.read("rtmp.log"), "\n") >= 3 && strings.Count(r.read("access.log"), "\n") >= 4
	})
	for name, text := range map[string]string{"the log": r.allText(), "the access log of RTMP": r.read("rtmp.log"), "the access log of HTTP": r.read("access.log")} {
		for line := range strings.Lines(text) {
			if strings.Contains(line, key) {
				t.Errorf("%s has the key: %s", name, line)
			}
		}
	}
}

// Whoever sends arguments of 60 KB makes no line of them.
func TestArgumentsAreClippedInTheLogs(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen     = "127.0.0.1:0"
  access_log = "$DIR/rtmp.log"
  application "open" {}
}`)
	for i := range 3 {
		args := strings.Repeat("a=\x01\x02&", 8000)
		s := r.spectate("open", fmt.Sprintf("name%d?%s", i, args), dialling{})
		r.eventually("an answer", func() bool { return len(s.codes()) > 0 })
		s.Close()
	}
	r.eventually("three lines", func() bool { return strings.Count(r.read("rtmp.log"), "\n") == 3 })
	for line := range strings.Lines(r.read("rtmp.log")) {
		if len(line) > 1500 {
			t.Errorf("a line of %d bytes: %.200s", len(line), line)
		}
	}
}
