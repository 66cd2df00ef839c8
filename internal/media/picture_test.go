package media

import (
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		codec Codec
		in    string
		want  Units
	}{
		{"H.264 first slice", CodecH264, "00000002 4180", Units{Any: true, Slices: true, First: true}},
		{"H.264 later slice", CodecH264, "00000002 4140", Units{Any: true, Slices: true}},
		{"H.264 IDR behind sets", CodecH264, "00000001 67 00000001 68 00000002 6588", Units{Any: true, Slices: true, First: true, Random: true, SPS: true, Sets: true, Leads: true}},
		{"H.264 delimiter", CodecH264, "00000002 09f0", Units{Any: true, Leads: true, Delimiter: true}},
		{"H.264 filler", CodecH264, "00000002 0cff", Units{Any: true}},
		{"HEVC first slice", CodecHEVC, "00000003 020180", Units{Any: true, Slices: true, First: true}},
		{"HEVC later slice", CodecHEVC, "00000003 020140", Units{Any: true, Slices: true}},
		{"HEVC IRAP", CodecHEVC, "00000003 2a0180", Units{Any: true, Slices: true, First: true, Random: true}},
		{"HEVC VPS and SPS", CodecHEVC, "00000002 4001 00000002 4201", Units{Any: true, SPS: true, Sets: true, Leads: true}},
		{"HEVC suffix SEI", CodecHEVC, "00000002 5001", Units{Any: true}},
		{"another codec", CodecAV1, "00000002 4180", Units{}},
		{"no units", CodecH264, "", Units{}},
		{"a length that runs past the end", CodecH264, "00000002 4180 000000ff 65", Units{Any: true, Slices: true, First: true, Broken: true}},
	} {
		if got := ReadUnits(c.codec, unhex(c.in), 4); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	four := &Track{Codec: CodecH264, NALULength: 4}
	two := &Track{Codec: CodecH264, NALULength: 2}
	const ms = time.Millisecond
	got := Join([]*Packet{
		{Track: four, DTS: 40 * ms, Data: unhex("00000002 6742"), Keyframe: true},
		{Track: two, DTS: 40 * ms, CTS: 80 * ms, Data: unhex("0002 6588"), Continues: true, Disposable: true},
		{Track: two, DTS: 40 * ms, Data: unhex("0002 6548"), Continues: true},
	})
	if want := unhex("0002 6742 0002 6588 0002 6548"); string(got.Data) != string(want) {
		t.Errorf("got %x, want %x", got.Data, want)
	}
	if !got.Keyframe || got.Continues || got.CTS != 80*ms || got.Track != two || !got.Disposable {
		t.Errorf("got %+v", got)
	}
	one := &Packet{Track: four}
	if Join([]*Packet{one}) != one {
		t.Error("a whole picture is copied")
	}
}

func TestPicturesLeaveOutWhatNoSliceFollows(t *testing.T) {
	track := &Track{Codec: CodecH264, NALULength: 4}
	packet := func(in string, key, continues bool) *Packet {
		return &Packet{Track: track, Data: unhex(in), Keyframe: key, Continues: continues}
	}
	var p Pictures
	if got := p.Add(packet("00000002 6742", true, false)); got != nil {
		t.Errorf("parameter sets alone: got %+v", got)
	}
	whole := packet("00000002 6588", true, false)
	if got := p.Add(whole); got != whole {
		t.Errorf("got %+v, want the picture as it is", got)
	}
	if got := p.Add(packet("00000002 6588", true, true)); got == nil || got.Continues {
		t.Errorf("the part that says keyframe, without those before: got %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { p.Add(whole) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
