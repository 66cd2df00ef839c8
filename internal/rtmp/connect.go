package rtmp

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// Capabilities that Enhanced RTMP v2 negotiates in capsEx.
const (
	CapReconnect           = 1
	CapMultitrack          = 2
	CapModEx               = 4
	CapTimestampNanoOffset = 8
)

// What a peer can do with a codec, in Enhanced RTMP v2's FourCC maps.
const (
	CanDecode  = 1
	CanEncode  = 2
	CanForward = 4
)

// maxConnectText bounds what is kept of the strings that are only shown.
const maxConnectText = 1024

// Connect is what a client says of itself in its connect command.
type Connect struct {
	App            string // without arguments, final slash and /_definst_
	Args           string // what stood behind a ? in app
	TCURL          string
	FlashVer       string
	SWFURL         string
	PageURL        string
	AudioCodecs    float64
	VideoCodecs    float64
	ObjectEncoding float64 // 0: AMF0, 3: AMF3
	// Via are the streams of rtmpd servers that what is published has come through,
	// or what is played is for. It is rtmpd's own: a push or pull in a circle is
	// known by it.
	Via []string

	// Enhanced RTMP. The codecs are FourCCs, "*" for any; the maps' values
	// are CanDecode, CanEncode and CanForward.
	Enhanced    bool // any of these was there
	FourCCs     []string
	VideoFourCC map[string]uint32
	AudioFourCC map[string]uint32
	CapsEx      uint32
}

// viaProperty is the property of connect for Via.
const viaProperty = "rtmpdVia"

// maxVia bounds how many servers a stream goes through.
const maxVia = 32

// ParseConnect reads a connect command.
func ParseConnect(cmd Command) (Connect, error) {
	o, ok := amf.AsObject(cmd.Object)
	if !ok {
		return Connect{}, fmt.Errorf("connect carries no object but %T", cmd.Object)
	}
	text := func(name string) string {
		s, _ := o.Get(name).(string)
		return s[:min(len(s), maxConnectText)]
	}
	number := func(name string) float64 {
		f, _ := o.Get(name).(float64)
		return f
	}
	app, ok := o.Get("app").(string)
	if !ok {
		return Connect{}, fmt.Errorf("connect names no app")
	}
	c := Connect{
		TCURL:          text("tcUrl"),
		FlashVer:       text("flashVer"),
		SWFURL:         text("swfUrl"),
		PageURL:        text("pageUrl"),
		AudioCodecs:    number("audioCodecs"),
		VideoCodecs:    number("videoCodecs"),
		ObjectEncoding: number("objectEncoding"),
	}
	c.enhanced(o)
	if via := strings.Fields(text(viaProperty)); len(via) > 0 {
		c.Via = via[:min(len(via), maxVia)]
	}
	c.App, c.Args, _ = strings.Cut(app, "?")
	c.App = TrimName(strings.TrimSuffix(TrimName(c.App), "/_definst_"))
	return c, nil
}

// enhanced reads what o announces of Enhanced RTMP, if c has none of it yet.
func (c *Connect) enhanced(o amf.Object) {
	if c.Enhanced {
		return
	}
	caps, _ := o.Get("capsEx").(float64)
	c.CapsEx = toUint32(caps)
	c.FourCCs = fourCCList(o.Get("fourCcList"))
	c.VideoFourCC = fourCCMap(o.Get("videoFourCcInfoMap"))
	c.AudioFourCC = fourCCMap(o.Get("audioFourCcInfoMap"))
	c.Enhanced = c.AnnouncesCodecs() || o.Get("capsEx") != nil
}

// serverAnnounces reads the Enhanced RTMP properties of the _result to a connect.
// E-RTMP v2 has them in the properties object; some servers put them into the
// information object.
func serverAnnounces(result Command) (c Connect) {
	for _, v := range append([]amf.Value{result.Object}, result.Args...) {
		if o, ok := amf.AsObject(v); ok {
			c.enhanced(o)
		}
	}
	return c
}

// TrimName takes off what people type around the name of an application or a
// stream by mistake: slashes and blanks at its ends.
func TrimName(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return r == '/' || unicode.IsSpace(r) })
}

// maxFourCCs bounds what is kept of a client's codec lists.
const maxFourCCs = 32

// fourCCList reads a strict array of FourCCs; some send it as an ECMA array.
func fourCCList(v amf.Value) []string {
	var values []amf.Value
	switch v := v.(type) {
	case amf.StrictArray:
		values = v
	case amf.ECMAArray:
		for _, p := range v {
			values = append(values, p.Value)
		}
	}
	var list []string
	for _, v := range values {
		if s, ok := v.(string); ok && len(s) <= 4 && len(list) < maxFourCCs {
			list = append(list, s)
		}
	}
	return list
}

func fourCCMap(v amf.Value) map[string]uint32 {
	o, ok := amf.AsObject(v)
	if !ok {
		return nil
	}
	m := make(map[string]uint32)
	for _, p := range o {
		if f, ok := p.Value.(float64); ok && len(p.Name) <= 4 && len(m) < maxFourCCs {
			m[p.Name] = toUint32(f)
		}
	}
	return m
}

// toUint32 is f where it is a uint32, else 0.
func toUint32(f float64) uint32 {
	if f >= 0 && f < 1<<32 {
		return uint32(f)
	}
	return 0
}

// What rtmpd takes and passes on, whoever asks: every codec of Enhanced RTMP.
var (
	videoFourCCs = [...]string{"avc1", "hvc1", "vvc1", "av01", "vp09", "vp08"}
	audioFourCCs = [...]string{"mp4a", "Opus", ".mp3", "ac-3", "ec-3", "fLaC"}
)

// connectSuccess makes the arguments of the _result that accepts c.
//
// Enhanced RTMP v2 has the server's capabilities in the properties object; they
// stand in the information object as well because peers look there too. A
// client that announced nothing gets the answer that it always got.
func connectSuccess(c Connect) []amf.Value {
	properties := amf.Object{
		{Name: "fmsVer", Value: "FMS/3,0,1,123"},
		{Name: "capabilities", Value: 31.0},
	}
	information := append(StatusObject("status", StatusConnectSuccess, "Connection succeeded."),
		amf.Property{Name: "objectEncoding", Value: c.ObjectEncoding})
	if c.Enhanced {
		caps := capabilities(CanForward, CapMultitrack|CapModEx|CapTimestampNanoOffset)
		properties = append(properties, caps...)
		information = append(information, caps...)
	}
	return []amf.Value{properties, information}
}

// capabilities are the Enhanced RTMP properties of a connect or its answer.
func capabilities(can, capsEx int) amf.Object {
	var list amf.StrictArray
	var video, audio amf.Object
	for _, f := range videoFourCCs {
		list = append(list, f)
		video = append(video, amf.Property{Name: f, Value: can})
	}
	for _, f := range audioFourCCs {
		list = append(list, f)
		audio = append(audio, amf.Property{Name: f, Value: can})
	}
	return amf.Object{
		{Name: "fourCcList", Value: list},
		{Name: "videoFourCcInfoMap", Value: video},
		{Name: "audioFourCcInfoMap", Value: audio},
		{Name: "capsEx", Value: capsEx},
	}
}
