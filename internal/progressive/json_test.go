package progressive

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

func message(values ...amf.Value) (b []byte) {
	for _, v := range values {
		b = amf.Append(b, v)
	}
	return b
}

func TestEventsAreLinesOfJSON(t *testing.T) {
	t.Parallel()
	at := 1480 * time.Millisecond
	for _, c := range []struct {
		payload []byte
		want    string
	}{
		{message("onTextData", amf.Object{{Name: "text", Value: "a \"b\"\n"}}), `{"time":1480,"type":"onTextData","data":{"text":"a \"b\"\n"}}`},
		{message("onCuePoint"), `{"time":1480,"type":"onCuePoint","data":[]}`},
		{message("x", 1.5, true, nil, amf.Undefined{}), `{"time":1480,"type":"x","data":[1.5,true,null,null]}`},
		{message("x", amf.ECMAArray{{Name: "a", Value: 1.0}, {Name: "b", Value: 2.0}, {Name: "a", Value: amf.StrictArray{"c"}}}), `{"time":1480,"type":"x","data":{"b":2,"a":["c"]}}`},
		{message("x", amf.Date{Milliseconds: 1e12}), `{"time":1480,"type":"x","data":"2001-09-09T01:46:40.000Z"}`},
		{message("x", amf.Date{Milliseconds: 1e300}), `{"time":1480,"type":"x","data":null}`},
		{message("x", math.NaN()), `{"time":1480,"type":"x","data":null}`},
		{message("x", "\xff"), `{"time":1480,"type":"x","data":"\ufffd"}`},
		{message(1.0, "x"), ""},
		{[]byte{2, 0}, ""},
		{nil, ""},
		{message("x", strings.Repeat("y", 70000)), ""},
	} {
		if got := string(Event(at, c.payload)); strings.TrimSuffix(got, "\n") != c.want || strings.Count(got, "\n") > 1 {
			t.Errorf("%q: %s, want %s", c.payload, got, c.want)
		}
	}
}

// A viewer of events gets the metadata as they are, then what comes.
func TestAViewerOfEventsGetsThemAsTheyCome(t *testing.T) {
	t.Parallel()
	script := mediatest.NewScript(t).Play(time.Second)
	s := live.NewStream("live", "cam", live.Options{})
	s.SetMetadata(message("onMetaData", amf.Object{{Name: "title", Value: "one"}}))
	data := &media.Track{Kind: media.Data}
	tell := func(at time.Duration, name string) {
		payload := message(name, amf.Object{})
		s.Write(&media.Packet{Track: data, DTS: at, Tag: payload, Data: payload})
	}
	tell(0, "before")
	r, err := Open(t.Context(), Source{Live: s}, format(t, ".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out keeper
	lines := make(chan string, 10)
	ran := make(chan error, 1)
	go func() {
		ran <- r.Run(t.Context(), sinkFunc(func(v [][]byte) error {
			lines <- string(bytes.Join(v, nil))
			return nil
		}))
	}()
	if got, want := <-lines, `{"time":0,"type":"onMetaData","data":{"title":"one"}}`+"\n"; got != want {
		t.Errorf("first %s, want %s", got, want)
	}
	for _, p := range script.Packets {
		s.Write(p)
	}
	tell(time.Second, "cue")
	if got, want := <-lines, `{"time":1000,"type":"cue","data":{}}`+"\n"; got != want {
		t.Errorf("then %s, want %s", got, want)
	}
	s.SetMetadata(message("onMetaData", amf.Object{{Name: "title", Value: "two"}}))
	tell(2*time.Second, "last")
	s.Close()
	var rest []string
	for len(rest) < 2 {
		rest = append(rest, <-lines)
	}
	slices.Sort(rest)
	if want := []string{`{"time":2000,"type":"last","data":{}}` + "\n", `{"time":2000,"type":"onMetaData","data":{"title":"two"}}` + "\n"}; !slices.Equal(rest, want) {
		t.Errorf("last %q, want %q", rest, want)
	}
	if err := <-ran; err != nil || out.Len() > 0 {
		t.Error(err)
	}
}

type sinkFunc func([][]byte) error

func (f sinkFunc) Send(v [][]byte) error { return f(v) }

// Whatever a publisher sends is a line of valid JSON, or nothing.
func FuzzEvent(f *testing.F) {
	f.Add(message("onTextData", amf.Object{{Name: "text", Value: "x"}}))
	f.Add(message("x", amf.TypedObject{Class: "c", Object: amf.Object{{Name: "\xff", Value: amf.ByteArray{1}}}}))
	f.Add(message("x", math.Inf(1), amf.Reference(3), amf.XML("<a/>")))
	f.Fuzz(func(t *testing.T, payload []byte) {
		line := Event(time.Second, payload)
		if line == nil {
			return
		}
		if !json.Valid(line) || bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Errorf("%q", line)
		}
		if len(line) > 100+16*len(payload) {
			t.Errorf("%d bytes of %d", len(line), len(payload))
		}
	})
}
