package rtmp

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
)

func TestParseCommand(t *testing.T) {
	number := "\x00\x40\x00\x00\x00\x00\x00\x00\x00" // 2
	cases := []struct {
		name string
		kind MessageType
		body string
		want Command
	}{
		{"AMF0", TypeCommandAMF0, "\x02\x00\x04play" + number + "\x05\x02\x00\x01x", Command{"play", 2, nil, []amf.Value{"x"}}},
		{"AMF3 behind its selector", TypeCommandAMF3, "\x00\x02\x00\x04play" + number + "\x05\x02\x00\x01x", Command{"play", 2, nil, []amf.Value{"x"}}},
		{"AMF3 that forgot its selector", TypeCommandAMF3, "\x02\x00\x04play" + number + "\x05\x02\x00\x01x", Command{"play", 2, nil, []amf.Value{"x"}}},
		{"AMF3 with a switched value", TypeCommandAMF3, "\x00\x02\x00\x04play" + number + "\x11\x01\x11\x06\x03x", Command{"play", 2, nil, []amf.Value{"x"}}},
		{"name alone", TypeCommandAMF0, "\x02\x00\x04play", Command{"play", 0, nil, nil}},
		{"no arguments", TypeCommandAMF0, "\x02\x00\x04play" + number + "\x05", Command{"play", 2, nil, []amf.Value{}}},
		{"a transaction that is no number", TypeCommandAMF0, "\x02\x00\x04play\x05\x05", Command{"play", 0, nil, []amf.Value{}}},
	}
	for _, c := range cases {
		got, err := ParseCommand(Message{Type: c.kind, Payload: []byte(c.body)})
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %#v, %v, want %#v", c.name, got, err, c.want)
		}
	}
}

func TestCommandsComeBack(t *testing.T) {
	args := []amf.Value{nil, "test", StatusObject("status", StatusPublishStart, "Start publishing")}
	for streamID, csid := range map[uint32]uint32{0: 3, 1: 5} {
		m := commandMessage(streamID, "onStatus", 7, args)
		if m.ChunkStreamID != csid || m.StreamID != streamID {
			t.Errorf("stream %d goes on csid %d, want %d", m.StreamID, m.ChunkStreamID, csid)
		}
		got, err := ParseCommand(m)
		want := Command{"onStatus", 7, nil, args[1:]}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, %v, want %#v", got, err, want)
		}
	}
}

func TestParseConnect(t *testing.T) {
	parse := func(o amf.Value) (Connect, error) { return ParseConnect(Command{Name: "connect", Object: o}) }
	apps := []struct{ in, app, args string }{
		{"live", "live", ""},
		{"live/", "live", ""},
		{"live/_definst_", "live", ""},
		{"live/_definst_/", "live", ""},
		{"/live", "live", ""},
		{"//live//", "live", ""},
		{" live ", "live", ""},
		{"live /?x=1", "live", "x=1"},
		{"live\u00a0", "live", ""},
		{"live\r\n", "live", ""},
		{"live?key=1&x=?", "live", "key=1&x=?"},
		{"live/?key=1", "live", "key=1"},
		{"a/b", "a/b", ""},
		{"", "", ""},
		{"/", "", ""},
	}
	for _, c := range apps {
		got, err := parse(amf.Object{{Name: "app", Value: c.in}})
		if err != nil || got.App != c.app || got.Args != c.args {
			t.Errorf("app %q: got %q with %q, %v, want %q with %q", c.in, got.App, got.Args, err, c.app, c.args)
		}
		if got.Enhanced {
			t.Errorf("app %q: taken for an Enhanced RTMP client", c.in)
		}
	}

	object := amf.Object{
		{Name: "app", Value: "live"},
		{Name: "tcUrl", Value: "rtmp://h/live"},
		{Name: "flashVer", Value: "FMLE/3.0"},
		{Name: "swfUrl", Value: strings.Repeat("s", 5000)},
		{Name: "pageUrl", Value: 7.0}, // not a string: not there
		{Name: "audioCodecs", Value: 3191.0},
		{Name: "videoCodecs", Value: 252.0},
		{Name: "objectEncoding", Value: 3.0},
		{Name: "fourCcList", Value: amf.StrictArray{"hvc1", 5.0, "toolong", "*"}},
		{Name: "videoFourCcInfoMap", Value: amf.Object{{Name: "*", Value: 4.0}, {Name: "av01", Value: "x"}}},
		{Name: "audioFourCcInfoMap", Value: amf.ECMAArray{{Name: "Opus", Value: 1.0}}},
		{Name: "capsEx", Value: 15.0},
	}
	want := Connect{
		App: "live", TCURL: "rtmp://h/live", FlashVer: "FMLE/3.0", SWFURL: strings.Repeat("s", 1024),
		AudioCodecs: 3191, VideoCodecs: 252, ObjectEncoding: 3,
		Enhanced: true, FourCCs: []string{"hvc1", "*"},
		VideoFourCC: map[string]uint32{"*": CanForward}, AudioFourCC: map[string]uint32{"Opus": CanDecode}, CapsEx: 15,
	}
	for name, o := range map[string]amf.Value{"object": object, "ECMA array": amf.ECMAArray(object)} {
		if got, err := parse(o); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
	for name, capsEx := range map[string]float64{"negative": -1, "too large": 1e300} {
		if got, err := parse(amf.Object{{Name: "app", Value: "x"}, {Name: "capsEx", Value: capsEx}}); err != nil || got.CapsEx != 0 || !got.Enhanced {
			t.Errorf("capsEx %s: %d, enhanced %t, %v", name, got.CapsEx, got.Enhanced, err)
		}
	}
	for name, o := range map[string]amf.Value{"null": nil, "a string": "x", "no app": amf.Object{}, "app is a number": amf.Object{{Name: "app", Value: 1.0}}} {
		if _, err := parse(o); err == nil {
			t.Errorf("%s passes for a connect", name)
		}
	}
}

func TestConnectResult(t *testing.T) {
	result := func(c Connect) (properties, information amf.Object) {
		conn, peer := connOver("", Options{AckWindow: 123})
		if err := conn.WriteConnectResult(1, c); err != nil {
			t.Fatal(err)
		}
		if err := conn.Flush(); err != nil {
			t.Fatal(err)
		}
		ms := messagesOf(t, peer.sent())
		for i, want := range []string{"\x00\x00\x00\x7b", "\x00\x00\x00\x7b\x02", "\x00\x01\x00\x00"} {
			if got := string(ms[i].Payload); got != want {
				t.Errorf("control message %d: % x, want % x", i, got, want)
			}
		}
		cmd, err := ParseCommand(ms[3])
		if err != nil || cmd.Name != "_result" || cmd.Transaction != 1 || ms[3].ChunkStreamID != 3 {
			t.Fatalf("answered %v on csid %d, %v", cmd, ms[3].ChunkStreamID, err)
		}
		return cmd.Object.(amf.Object), cmd.Args[0].(amf.Object)
	}
	properties, information := result(Connect{ObjectEncoding: 3})
	if want := (amf.Object{{Name: "fmsVer", Value: "FMS/3,0,1,123"}, {Name: "capabilities", Value: 31.0}}); !reflect.DeepEqual(properties, want) {
		t.Errorf("a plain client gets %v, want %v", properties, want)
	}
	want := append(StatusObject("status", StatusConnectSuccess, "Connection succeeded."), amf.Property{Name: "objectEncoding", Value: 3.0})
	if !reflect.DeepEqual(information, want) {
		t.Errorf("a plain client gets %v, want %v", information, want)
	}
	properties, information = result(Connect{Enhanced: true})
	for _, o := range []amf.Object{properties, information} {
		if list, ok := o.Get("fourCcList").(amf.StrictArray); !ok || list[0] != "avc1" || len(list) != 12 {
			t.Errorf("fourCcList is %v", o.Get("fourCcList"))
		}
		if m, ok := o.Get("videoFourCcInfoMap").(amf.Object); !ok || m.Get("hvc1") != float64(CanForward) {
			t.Errorf("videoFourCcInfoMap is %v", o.Get("videoFourCcInfoMap"))
		}
		if m, ok := o.Get("audioFourCcInfoMap").(amf.Object); !ok || m.Get("Opus") != float64(CanForward) {
			t.Errorf("audioFourCcInfoMap is %v", o.Get("audioFourCcInfoMap"))
		}
		if o.Get("capsEx") != float64(CapMultitrack|CapModEx|CapTimestampNanoOffset) {
			t.Errorf("capsEx is %v", o.Get("capsEx"))
		}
	}
}

func TestStatusError(t *testing.T) {
	for want, s := range map[string]*StatusError{
		"Already publishing (NetStream.Publish.BadName)": {"error", StatusPublishBadName, "Already publishing"},
		"NetStream.Publish.BadName":                      {"error", StatusPublishBadName, ""},
		"refused without a reason":                       {},
	} {
		if got := s.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
