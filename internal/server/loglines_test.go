package server

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const watchable = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = 0
    hls {
      path     = "$DIR/www/hls"
      fragment = "1s"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/hls" {
    root = "$DIR/www"
  }
}`

// infoLines are the messages at info and above, without those of listeners.
func (r *rig) infoLines() (out []string) {
	for _, e := range r.logs.All() {
		if e.Level >= zapcore.InfoLevel && e.Message != "listening" {
			out = append(out, e.Message)
		}
	}
	return out
}

// The line about a publish names the encoder as the metadata do (OBS says FMLE in
// connect) and where to watch. The end of a publish, and of a play, is one line.
func TestALineForTheStartAndOneForTheStop(t *testing.T) {
	t.Parallel()
	r := start(t, watchable)
	p := r.publish("live", "cam")
	meta := amf.Append(amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData"), amf.Object{{Name: "encoder", Value: "obs-output module (libobs version 30.2.3)"}})
	if err := p.WriteMessage(rtmp.Message{Type: rtmp.TypeDataAMF0, ChunkStreamID: 4, StreamID: 1, Payload: meta}); err != nil {
		t.Fatal(err)
	}
	p.seconds(2)
	r.logged("publish started", "")
	fields := r.logs.FilterMessage("publish started").All()[0].ContextMap()
	if got := fields["encoder"]; got != "obs-output module (libobs version 30.2.3)" {
		t.Errorf("the encoder is %q", got)
	}
	if got, want := fields["watch"], r.web()+"/hls/cam.m3u8"; got != want {
		t.Errorf("to be watchable at %q, want %q", got, want)
	}
	s := r.spectate("live", "cam", dialling{})
	s.first()
	s.Close()
	r.logged("session ended", "")
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	r.eventually("both have left", func() bool { return r.logs.FilterMessage("session ended").Len() == 2 })
	want := []string{"publish started", "play started", "play stopped", "publish stopped"}
	if got := r.infoLines(); !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
}

// Without metadata the line is there after a second, and in any case before the one
// about the end; public_url is what viewers know.
func TestALineForAPublishWithoutMetadata(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watchable, "location", "public_url = \"https://tv.example/x\"\n  location", 1))
	quiet := r.publish("live", "quiet")
	r.logged("publish started", "stream:quiet")
	if err := quiet.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.logged("publish stopped", "stream:quiet")
	brief := r.publish("live", "brief")
	if err := brief.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.logged("publish stopped", "stream:brief")
	for _, e := range r.logs.FilterMessage("publish started").All() {
		f := e.ContextMap()
		if f["encoder"] != "FMLE/3.0 (compatible; rtmpd)" || !strings.HasPrefix(f["watch"].(string), "https://tv.example/x/hls/") {
			t.Errorf("the line says %v", f)
		}
	}
	if got := r.infoLines(); !slices.Equal(got, []string{"publish started", "publish stopped", "publish started", "publish stopped"}) {
		t.Errorf("the log says %q", got)
	}
}
