package flv

import (
	"math"
	"strings"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// rebuiltServer is the value of Server in rebuilt metadata; nginx-rtmp names itself
// there.
const rebuiltServer = "rtmpd (github.com/rtmpd/rtmpd)"

// RebuildMetadata makes an onMetaData of nginx-rtmp's fields alone, as its
// "meta on" does (ngx_rtmp_codec_reconstruct_meta): numbers without fractions,
// and nothing else of the publisher's. Where nginx-rtmp writes 0 for
// an unknown value, the field is left out: a player would use the 0.
// raw is Metadata.Raw; malformed parts are ignored.
func RebuildMetadata(raw []byte) []byte {
	var said amf.Object
	if _, rest, err := scriptName(raw); err == nil {
		if v, _, err := amf.Decode(rest); err == nil {
			said, _ = amf.AsObject(v)
		}
	}
	last := make(map[string]amf.Value, len(said)) // as ParseMetadata, the last of a name counts
	for _, p := range said {
		last[p.Name] = p.Value
	}
	o := amf.Object{{Name: "Server", Value: rebuiltServer}}
	whole := func(name string, from ...string) {
		for _, f := range from {
			if n := math.Trunc(number(last[f])); n > 0 {
				o = append(o, amf.Property{Name: name, Value: n})
				return
			}
		}
	}
	text := func(name string) {
		if s, ok := last[name].(string); ok && s != "" {
			o = append(o, amf.Property{Name: name, Value: strings.ToValidUTF8(s[:min(len(s), maxEncoder)], "")})
		}
	}
	whole("width", "width")
	whole("height", "height")
	whole("displayWidth", "displayWidth", "width")
	whole("displayHeight", "displayHeight", "height")
	whole("duration", "duration")
	whole("framerate", "framerate", "fps")
	whole("fps", "fps", "framerate")
	whole("videodatarate", "videodatarate")
	whole("videocodecid", "videocodecid")
	whole("audiodatarate", "audiodatarate")
	whole("audiocodecid", "audiocodecid")
	text("profile")
	text("level")
	return amf.Append(amf.Append(nil, "onMetaData"), o)
}
