package media

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// ISO 14496-3 §1.A.2.2: what is an ADTS frame, bit by bit.
func TestWhatIsAnADTSFrame(t *testing.T) {
	t.Parallel()
	frame := unhex("fff1 50 80 017f fc aabbccdd") // AAC-LC, 44.1 kHz, stereo, 11 bytes
	if raw, ok := ParseADTS(frame); !ok || !bytes.Equal(raw, frame[7:]) {
		t.Fatalf("%x, %v", raw, ok)
	}
	for name, c := range map[string]struct {
		frame []byte
		ok    bool
	}{
		"MPEG-2":                     {with(frame, 1, 0xf9), true},
		"private, copy and fullness": {with(with(frame, 2, 0x52), 6, 0x00), true},
		"a layer":                    {with(frame, 1, 0xf3), false},
		"another layer":              {with(frame, 1, 0xf5), false},
		"another first byte":         {with(frame, 0, 0xfe), false},
		"half a sync word":           {with(frame, 1, 0xe1), false},
		"a byte too many":            {append(slices.Clone(frame), 0), false},
		"a byte too few":             {frame[:10], false},
		"a longer length":            {with(frame, 5, 0x9f), false},
		"more blocks":                {with(frame, 6, 0xfd), false},
		"a header alone":             {unhex("fff1 50 80 00ff fc"), false},
		"a byte of payload":          {unhex("fff1 50 80 011f fc aa"), true},
		"six bytes":                  {frame[:6], false},
		"a CRC":                      {unhex("fff0 50 80 015f fc 1234 aa"), true},
		"a CRC alone":                {unhex("fff0 50 80 013f fc 1234"), false},
	} {
		if raw, ok := ParseADTS(c.frame); ok != c.ok || ok && len(raw) == 0 {
			t.Errorf("%s: %x, %v, want %v", name, raw, ok, c.ok)
		}
	}
	if raw, ok := ParseADTS(unhex("fff0 50 80 015f fc 1234 aa")); !ok || !bytes.Equal(raw, []byte{0xaa}) {
		t.Errorf("behind a CRC: %x, %v", raw, ok)
	}
}

// A frame that another implementation has put into ADTS says of itself what its
// sequence header would.
func TestTheConfigOfADTSFrames(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350} {
		for channels := uint8(1); channels <= 7; channels++ {
			p := mpeg4audio.ADTSPackets{{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: rate, ChannelConfig: channels, AU: []byte{1, 2, 3, 4}}}
			frame, err := p.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			raw, ok := ParseADTS(frame)
			if !ok || !bytes.Equal(raw, []byte{1, 2, 3, 4}) {
				t.Fatalf("%x: %x, %v", frame, raw, ok)
			}
			got, err := ParseAACConfig(ADTSConfig(frame, raw))
			if err != nil || got.SampleRate != rate || got.ChannelConfig != channels || got.AudioObjectType != 2 {
				t.Errorf("%d Hz, configuration %d: %+v, %v", rate, channels, got, err)
			}
		}
	}
	for profile := range 4 {
		frame := with(unhex("fff1 50 80 017f fc aabbccdd"), 2, byte(profile<<6|0x10))
		if got, err := ParseAACConfig(ADTSConfig(frame, frame[7:])); err != nil || got.AudioObjectType != profile+1 {
			t.Errorf("profile %d: %+v, %v", profile, got, err)
		}
	}
}

// pce is a program_config_element without its tag(4)=0, as bits up to its
// alignment. Elements are s (a speaker) and p (a pair), with tags that count up
// for each kind unless tags says them.
func pce(front, side, back, lfe string, assoc, coupling int, tags ...int) string {
	bits := "0000 01 0100" + fmt.Sprintf("%04b%04b%04b%02b%03b%04b 000", len(front), len(side), len(back), len(lfe), assoc, coupling)
	next, i := map[rune]int{}, 0
	for _, e := range front + side + back + lfe {
		tag := next[e]
		next[e]++
		if tags != nil {
			tag = tags[i]
		}
		i++
		switch e {
		case 's':
			bits += fmt.Sprintf("0%04b", tag)
		case 'p':
			bits += fmt.Sprintf("1%04b", tag)
		default:
			bits += fmt.Sprintf("%04b", tag)
		}
	}
	return strings.ReplaceAll(bits+strings.Repeat("0000", assoc)+strings.Repeat("00000", coupling), " ", "")
}

func aligned(bits string) string {
	bits = strings.ReplaceAll(bits, " ", "")
	return bits + strings.Repeat("0", (8-len(bits)%8)%8)
}

// ISO 14496-3 table 1.19: which program configs are a channel configuration.
func TestStandardProgramConfigs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, bits string
		config     uint8 // 0: none
		channels   int
	}{
		{"mono", pce("s", "", "", "", 0, 0), 1, 1},
		{"stereo", pce("p", "", "", "", 0, 0), 2, 2},
		{"three in front", pce("sp", "", "", "", 0, 0), 3, 3},
		{"and one behind", pce("sp", "", "s", "", 0, 0), 4, 4},
		{"and two behind", pce("sp", "", "p", "", 0, 0), 5, 5},
		{"at the sides", pce("sp", "p", "", "", 0, 0), 5, 5},
		{"5.1", pce("sp", "", "p", "l", 0, 0), 6, 6},
		{"7.1", pce("spp", "", "p", "l", 0, 0), 7, 8},
		{"7.1 with two at the sides", pce("sp", "p", "p", "l", 0, 0), 0, 8},
		{"two speakers", pce("ss", "", "", "", 0, 0), 0, 2},
		{"a pair, then the centre", pce("ps", "", "", "", 0, 0), 0, 3},
		{"quadraphony", pce("p", "", "p", "", 0, 0), 0, 4},
		{"one behind only", pce("", "", "s", "", 0, 0), 0, 1},
		{"two woofers", pce("sp", "", "p", "ll", 0, 0), 0, 7},
		{"data beside stereo", pce("p", "", "", "", 1, 0), 0, 2},
		{"coupling beside stereo", pce("p", "", "", "", 0, 1), 0, 2},
		{"stereo with another tag", pce("p", "", "", "", 0, 0, 1), 0, 2},
		{"two pairs of one tag", pce("sp", "", "p", "", 0, 0, 0, 0, 0), 0, 5},
		{"two pairs that count down", pce("sp", "", "p", "", 0, 0, 0, 1, 0), 0, 5},
	} {
		in := packBits(aligned("00010 0011 0000 000"+c.bits) + "00000000") // AAC-LC, 48 kHz
		got, err := ParseAACConfig(in)
		if err != nil || got.ChannelConfig != c.config || got.Channels != c.channels || (got.ProgramConfig == nil) != (c.config > 0) {
			t.Errorf("%s: configuration %d of %d channels, element %x, %v; want %d, %d", c.name, got.ChannelConfig, got.Channels, got.ProgramConfig, err, c.config, c.channels)
			continue
		}
		if _, err := ADTSHeader(&got, 100); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		// The same in front of a frame in ADTS, which is what ADTS has for it.
		raw := packBits(aligned("101"+c.bits) + "00000000" + "11111111")
		if !HasProgramConfig(raw) {
			t.Errorf("%s: not seen in a frame", c.name)
		}
		frame := append(unhex("fff1 4c 00 0000 fc"), raw...)
		frame[4], frame[5] = byte(len(frame)>>3), byte(len(frame)<<5)|0x1f
		from, ok := ParseADTS(frame)
		if !ok {
			t.Fatalf("%s: %x is no ADTS frame", c.name, frame)
		}
		again, err := ParseAACConfig(ADTSConfig(frame, from))
		if err != nil || again.ChannelConfig != c.config || again.Channels != c.channels || again.SampleRate != 48000 || !bytes.Equal(again.ProgramConfig, got.ProgramConfig) {
			t.Errorf("%s out of a frame: %+v, %v", c.name, again, err)
		}
		// What is written in front of frames is the element again.
		if got.ProgramConfig != nil && !bytes.Equal(got.ProgramConfig, packBits(aligned("101"+c.bits)+"00000000")) {
			t.Errorf("%s: the element is %x", c.name, got.ProgramConfig)
		}
	}
	if HasProgramConfig(nil) || HasProgramConfig([]byte{0x21, 0x10}) {
		t.Error("a frame without one has a program config")
	}
}

// A set takes the place of the one with its id, and a record of sets is what they
// came out of.
func TestSetsTakeTheirPlace(t *testing.T) {
	t.Parallel()
	avc, err := ParseAVCConfig(unhex(avcBaseline))
	if err != nil {
		t.Fatal(err)
	}
	other := unhex("6742c00bda0a11f97011000003000100000300320f142aa0") // the same id
	pps := avc.PPS[0]
	second := packBits("01101000 010 0 1 1 1" + "0000000000001") // PPS 1
	var s Sets
	if !s.Empty() || s.Record(CodecH264, 4) != nil {
		t.Error("there are sets at first")
	}
	for i, step := range []struct {
		unit     []byte
		changed  bool
		sps, pps int
	}{
		{unhex("6588"), false, 0, 0},
		{pps, true, 0, 1},
		{avc.SPS[0], true, 1, 1},
		{avc.SPS[0], false, 1, 1},
		{second, true, 1, 2},
		{other, true, 1, 2},
		{avc.SPS[0], true, 1, 2},
		{unhex("67"), false, 1, 2},
		{unhex("6742c00d"), false, 1, 2},
		{unhex("68"), false, 1, 2},
	} {
		if got := s.Put(CodecH264, step.unit); got != step.changed || len(s.SPS) != step.sps || len(s.PPS) != step.pps {
			t.Errorf("step %d: changed %v, %d SPS, %d PPS", i, got, len(s.SPS), len(s.PPS))
		}
	}
	if s.Empty() || !s.Has(CodecH264, second) || s.Has(CodecH264, other) || !s.Has(CodecH264, unhex("6588")) {
		t.Errorf("%+v", s)
	}
	s.PPS = s.PPS[:1]
	if got := s.Record(CodecH264, 4); !bytes.Equal(got, unhex(avcBaseline)) {
		t.Errorf("the record is\n%x, want\n%x", got, unhex(avcBaseline))
	}
	if got, err := ParseAVCConfig(s.Record(CodecH264, 2)); err != nil || got.NALULength != 2 {
		t.Errorf("lengths of %d, %v", got.NALULength, err)
	}

	want, err := ParseHEVCConfig(hevcRecord(hevcSPSMain10))
	if err != nil {
		t.Fatal(err)
	}
	var h Sets
	if h.Record(CodecHEVC, 4) != nil {
		t.Error("a record without an SPS")
	}
	for _, list := range [][][]byte{want.PPS, want.SPS, want.VPS} {
		if !h.PutAll(CodecHEVC, list) || h.PutAll(CodecHEVC, list) {
			t.Errorf("%x is not new once", list)
		}
	}
	got, err := ParseHEVCConfig(h.Record(CodecHEVC, 4))
	if err != nil || got.Width != want.Width || got.Height != want.Height || got.CodecString != want.CodecString || got.NALULength != 4 || got.Level != want.Level ||
		!slices.EqualFunc(got.VPS, want.VPS, bytes.Equal) || !slices.EqualFunc(got.SPS, want.SPS, bytes.Equal) || !slices.EqualFunc(got.PPS, want.PPS, bytes.Equal) {
		t.Errorf("HEVC: %+v, %v", got, err)
	}
	h.VPS = nil
	if got, err := ParseHEVCConfig(h.Record(CodecHEVC, 1)); err != nil || len(got.VPS) != 0 || len(got.PPS) != 1 || got.NALULength != 1 {
		t.Errorf("HEVC without VPS: %+v, %v", got, err)
	}
	// 64 KiB in all, and no more.
	var full Sets
	if !full.Put(CodecH264, append(slices.Clone(pps), make([]byte, 64<<10-len(pps))...)) || full.Put(CodecH264, second) {
		t.Errorf("%d bytes of sets", full.size())
	}
}

// ISO 14496-15 annex E.3: constraint bytes up to the last that is not zero.
func TestHEVCConstraints(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"000000000000": "hvc1.2.4.L120", "900000000000": "hvc1.2.4.L120.90", "000000000001": "hvc1.2.4.L120.0.0.0.0.0.1", "b00200000000": "hvc1.2.4.L120.B0.2"} {
		b := hevcRecord(hevcSPSMain10)
		copy(b[6:12], unhex(in))
		if got, err := ParseHEVCConfig(b); err != nil || got.CodecString != want {
			t.Errorf("%s: %s, %v, want %s", in, got.CodecString, err, want)
		}
	}
}

// ITU-T H.264 annex B: start codes of three and four bytes, zeros behind a unit,
// in place of lengths and behind them.
func TestStartCodesBecomeLengths(t *testing.T) {
	t.Parallel()
	const want = "00000002 6742 00000003 680001 00000002 6588"
	for _, c := range []struct {
		name, in, want string
		size           int
	}{
		{"of four bytes", "00000001 6742 00000001 680001 00000001 6588", want, 4},
		{"of three", "000001 6742 000001 680001 000001 6588", want, 4},
		{"zeros behind units", "00000001 6742 0000 00000001 680001 00 000001 6588 000000", want, 4},
		{"empty units", "00000001 00000001 6742 000001 000001 680001 000001 6588 000001", want, 4},
		{"behind lengths", "00000006 000000016742 00000006 000001680001 00000002 6588", want, 4},
		{"several behind one length", "0000000d 00000001 6742 00000001 680001 00000002 6588", want, 4},
		{"lengths of two bytes", "00000001 6742 00000001 6588", "0002 6742 0002 6588", 2},
		{"lengths of one byte", "00000001 6742 00000001 6588", "02 6742 02 6588", 1},
		{"a unit that a byte can't say", "00000001 6742 00000001" + strings.Repeat("65", 256), "02 6742", 1},
		{"lengths alone", want, "", 4},
		{"a length that looks like a start code, and a byte too many", "0000012c" + strings.Repeat("02", 300) + "ee", "", 4},
		{"that length, and two units", "0000012c" + strings.Repeat("02", 300) + "00000002 6588 0000ee", "", 4},
		{"nothing but start codes", "00000001 00000001", "", 4},
		{"nothing", "", "", 4},
	} {
		got, ok := RepairUnits(unhex(c.in), c.size)
		if c.want == "" {
			if ok || !bytes.Equal(got, unhex(c.in)) {
				t.Errorf("%s: %x, %v, want it as it is", c.name, got, ok)
			}
		} else if !ok || !bytes.Equal(got, unhex(c.want)) || cap(got) != len(got) {
			t.Errorf("%s: %x, %v, want %s", c.name, got, ok, c.want)
		}
	}
	for in, want := range map[string]bool{"000001": true, "00000001": true, "0001": false, "0000": false, "00000000": false, "000002": false, "00000002": false, "0000000001": false} {
		if got := IsAnnexB(unhex(in)); got != want {
			t.Errorf("%s begins with a start code: %v", in, got)
		}
	}
}

func TestRecordsWithStartCodes(t *testing.T) {
	t.Parallel()
	const sps, pps = "6742c00dda05067e7c0440000003004000000f03c50aa8", "68ce3c80"
	for _, c := range []struct {
		name, in string
		want     string // empty: as it is
	}{
		{"Annex B in place of the record", "00000001" + sps + "00000001" + pps, avcBaseline},
		{"start codes in front of sets", "0142c00dffe1001b 00000001" + sps + "010008 00000001" + pps, avcBaseline},
		{"both in the place of one", "0142c00dffe10023 00000001" + sps + "00000001" + pps + "00", avcBaseline},
		{"a sound one", avcBaseline, ""},
		{"none", "", ""},
		{"Annex B without an SPS", "00000001" + pps, ""},
	} {
		want := c.want
		if want == "" {
			want = c.in
		}
		got, ok := RepairRecord(CodecH264, unhex(c.in))
		if ok != (c.want != "") || !bytes.Equal(got, unhex(want)) {
			t.Errorf("%s: %x, %v, want %s", c.name, got, ok, want)
		}
	}
	want, err := ParseHEVCConfig(hevcRecord(hevcSPSMain10))
	if err != nil {
		t.Fatal(err)
	}
	record, ok := RepairRecord(CodecHEVC, unhex("00000001"+hevcVPSMain10+"00000001"+hevcSPSMain10+"000001 4401c172b46240"))
	if got, err := ParseHEVCConfig(record); !ok || err != nil || got.Width != want.Width || len(got.VPS) != 1 || len(got.PPS) != 1 {
		t.Errorf("HEVC: %+v, %v, %v", got, ok, err)
	}
	if _, ok := RepairRecord(CodecAV1, unhex("00000001"+sps)); ok {
		t.Error("AV1 has start codes")
	}
}

// Each header is charged when it comes, and again after another one.
func TestHeadersAreChargedOnce(t *testing.T) {
	t.Parallel()
	v := &Track{Tag: make([]byte, 1000), SPS: [][]byte{{1}}, PPS: [][]byte{{2}}}
	a, second := &Track{Kind: Audio, Config: make([]byte, 100)}, &Track{ID: 1, Tag: make([]byte, 5000)}
	data := &Track{Kind: Data, Tag: make([]byte, 3000)}
	e := &Extra{Headers: [][]byte{make([]byte, 10), make([]byte, 20)}}
	var l HeaderLedger
	for i, c := range []struct {
		p    *Packet
		want int64
	}{
		{&Packet{Track: v}, 1000 + 2*24 + 512},
		{&Packet{Track: v}, 0},
		{&Packet{Track: a}, 100 + 512},
		{&Packet{Track: v}, 0},
		{&Packet{Track: second}, 0},
		{&Packet{Track: v, Extra: e}, 30 + 512},
		{&Packet{Track: v, Extra: e}, 0},
		{&Packet{Track: v}, 0},
		{&Packet{Track: data}, 0},
		{&Packet{Track: &Track{}}, 512},
		{&Packet{Track: v}, 1000 + 2*24 + 512},
	} {
		if got := l.Charge(c.p); got != c.want {
			t.Errorf("packet %d: %d, want %d", i, got, c.want)
		}
	}
	tag := make([]byte, 7)
	for _, c := range []struct {
		what string
		data []byte
		want int64
	}{
		{"its end", tag[2:], 7 + 192},
		{"a part of it, as in Multitrack", tag[2:4], 7 + 192},
		{"nothing", nil, 7 + 192},
		{"repaired, and shorter", make([]byte, 5), 7 + 5 + 192},
		{"repaired, and longer", make([]byte, 9), 7 + 9 + 192},
	} {
		if n := (&Packet{Tag: tag, Data: c.data}).Held(); n != c.want {
			t.Errorf("a packet of 7 bytes whose data are %s is charged with %d, want %d", c.what, n, c.want)
		}
	}
}

func TestNamesOfCodecs(t *testing.T) {
	t.Parallel()
	for want, tr := range map[string]*Track{
		"H.264": {Codec: CodecH264}, "HEVC": {Codec: CodecHEVC}, "AC-3": {Kind: Audio, Codec: CodecAC3}, "E-AC-3": {Kind: Audio, Codec: CodecEAC3},
		"AAC":                          {Kind: Audio, Codec: CodecAAC, ChannelConfig: 7, AudioObjectType: 2},
		"AAC of object type 5":         {Kind: Audio, Codec: CodecAAC, ChannelConfig: 1, AudioObjectType: 5},
		"AAC with this channel layout": {Kind: Audio, Codec: CodecAAC, ChannelConfig: 8, AudioObjectType: 2},
		`the codec "xxxx"`:             {Codec: CodecOther, FourCC: 0x78787878},
		"FLV video codec 4":            {Codec: CodecOther, LegacyID: 4},
		"FLV audio codec 6":            {Kind: Audio, Codec: CodecOther, LegacyID: 6},
		"Speex":                        {Kind: Audio, Codec: CodecSpeex},
	} {
		if got := tr.CodecName(); got != want {
			t.Errorf("%+v is called %q, want %q", tr, got, want)
		}
	}
	for i, c := range []struct {
		t    Track
		want bool
	}{
		{Track{Codec: CodecH264}, false},
		{Track{Codec: CodecH264, NALULength: 1}, true},
		{Track{Codec: CodecHEVC, Config: []byte{1}}, false},
		{Track{Codec: CodecAAC}, false},
		{Track{Codec: CodecAAC, Config: []byte{}}, true},
		{Track{Codec: CodecVP9}, true},
		{Track{Codec: CodecMP3}, true},
	} {
		if got := c.t.HasHeader(); got != c.want {
			t.Errorf("track %d: %v", i, got)
		}
	}
}
