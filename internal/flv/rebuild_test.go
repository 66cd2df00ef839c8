package flv

import (
	"math"
	"reflect"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
)

func TestRebuiltMetadataHasTheKnownFieldsInWholeNumbers(t *testing.T) {
	t.Parallel()
	server := amf.Property{Name: "Server", Value: rebuiltServer}
	for _, c := range []struct {
		name string
		said any
		want amf.Object
	}{
		{"what ffmpeg says", amf.ECMAArray{
			{Name: "duration", Value: 0.0},
			{Name: "width", Value: 1280.0},
			{Name: "height", Value: 720.0},
			{Name: "videodatarate", Value: 2441.40625},
			{Name: "framerate", Value: 29.97},
			{Name: "videocodecid", Value: 7.0},
			{Name: "audiosamplerate", Value: 48000.0},
			{Name: "stereo", Value: true},
			{Name: "audiocodecid", Value: 10.0},
			{Name: "encoder", Value: "Lavf61"},
		}, amf.Object{
			server,
			{Name: "width", Value: 1280.0},
			{Name: "height", Value: 720.0},
			{Name: "displayWidth", Value: 1280.0},
			{Name: "displayHeight", Value: 720.0},
			{Name: "framerate", Value: 29.0},
			{Name: "fps", Value: 29.0},
			{Name: "videodatarate", Value: 2441.0},
			{Name: "videocodecid", Value: 7.0},
			{Name: "audiocodecid", Value: 10.0},
		}},
		{"an anamorphic picture and words", amf.Object{
			{Name: "width", Value: "720"},
			{Name: "displayWidth", Value: 1024.0},
			{Name: "profile", Value: "main"},
			{Name: "level", Value: ""},
		}, amf.Object{
			server,
			{Name: "width", Value: 720.0},
			{Name: "displayWidth", Value: 1024.0},
			{Name: "profile", Value: "main"},
		}},
		{"nonsense", amf.Object{
			{Name: "width", Value: -3.0},
			{Name: "height", Value: math.Inf(1)},
			{Name: "framerate", Value: math.NaN()},
			{Name: "videocodecid", Value: "avc1"},
		}, amf.Object{server}},
		{"no object at all", 5.0, amf.Object{server}},
	} {
		raw := amf.Append(amf.Append(nil, "onMetaData"), c.said)
		m, ok, err := ParseMetadata(RebuildMetadata(raw))
		if !ok || err != nil {
			t.Fatalf("%s: %t, %v", c.name, ok, err)
		}
		got, _, err := amf.Decode(m.Raw[len(amf.Append(nil, "onMetaData")):])
		if err != nil || !reflect.DeepEqual(got, any(c.want)) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	if got := RebuildMetadata(nil); len(got) == 0 {
		t.Error("nothing was made of nothing")
	}
}
