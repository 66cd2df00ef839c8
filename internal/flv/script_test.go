package flv

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rtmpd/rtmpd/internal/amf"
)

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	message := func(vs ...amf.Value) []byte {
		var b []byte
		for _, v := range vs {
			b = amf.Append(b, v)
		}
		return b
	}
	props := []amf.Property{
		{Name: "width", Value: 1920.0},
		{Name: "height", Value: 1080.0},
		{Name: "framerate", Value: 29.97},
		{Name: "videodatarate", Value: 2500.0},
		{Name: "audiodatarate", Value: 160.0},
		{Name: "encoder", Value: "obs-output module"},
	}
	full := Metadata{Width: 1920, Height: 1080, FrameRate: 29.97, VideoDataRate: 2500, AudioDataRate: 160, Encoder: "obs-output module"}
	for _, c := range []struct {
		name string
		in   []byte
		want Metadata
		ok   bool
		err  error
	}{
		{"array behind @setDataFrame", message("@setDataFrame", "onMetaData", amf.ECMAArray(props)), full, true, nil},
		{"object without @setDataFrame", message("onMetaData", amf.Object(props)), full, true, nil},
		{"numbers as text, fps", message("onMetaData", amf.Object{{Name: "width", Value: " 640 "}, {Name: "fps", Value: "25.00"}}), Metadata{Width: 640, FrameRate: 25}, true, nil},
		{"nonsense is unknown", message("onMetaData", amf.Object{{Name: "width", Value: -1.0}, {Name: "height", Value: 1e9}, {Name: "framerate", Value: math.Inf(1)}, {Name: "videodatarate", Value: math.NaN()}, {Name: "audiodatarate", Value: true}, {Name: "encoder", Value: 1.0}}), Metadata{}, true, nil},
		{"an endless encoder is cut", message("onMetaData", amf.Object{{Name: "encoder", Value: strings.Repeat("x", 1000)}}), Metadata{Encoder: strings.Repeat("x", maxEncoder)}, true, nil},
		{"null in place of the object", message("onMetaData", nil), Metadata{}, true, nil},
		{"another message", message("@setDataFrame", "onTextData", amf.Object(props)), Metadata{}, false, nil},
		{"@clearDataFrame", message("@clearDataFrame", "onMetaData"), Metadata{}, false, nil},
		{"no object", message("@setDataFrame", "onMetaData"), Metadata{}, false, ErrMalformed},
		{"no name", message("@setDataFrame"), Metadata{}, false, ErrMalformed},
		{"a number in place of the name", message(1.0), Metadata{}, false, ErrMalformed},
		{"nothing", nil, Metadata{}, false, ErrMalformed},
		{"breaks off", message("onMetaData", amf.Object(props))[:40], Metadata{}, false, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := ParseMetadata(c.in)
			if ok != c.ok || !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Fatalf("got %v, %v, want %v, %v", ok, err, c.ok, c.err)
			}
			if raw := bytes.TrimPrefix(c.in, message("@setDataFrame")); ok && !bytes.Equal(got.Raw, raw) {
				t.Errorf("Raw: got %x, want %x", got.Raw, raw)
			}
			got.Raw = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetadataOfRealFiles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Metadata{
		"h264aac.flv": {Width: 160, Height: 120, FrameRate: 25, VideoDataRate: 58.59375, AudioDataRate: 31.25, Encoder: "Lavf59.27.100"},
		"multi.flv":   {Width: 320, Height: 180, FrameRate: 30, AudioDataRate: 67.3828125, Encoder: "Lavf63.1.102"},
	} {
		got, ok, err := ParseMetadata(readFile(t, name)[0].Body)
		got.Raw = nil
		if diff := cmp.Diff(want, got); !ok || err != nil || diff != "" {
			t.Errorf("%s: %v, %v (-want +got):\n%s", name, ok, err, diff)
		}
	}
}
