package flv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rtmpd/rtmpd/internal/media"
)

func checkExtra(t testing.TB, e *media.Extra) {
	t.Helper()
	if e == nil {
		return
	}
	size := 0
	for _, h := range e.Headers {
		size += len(h)
	}
	if size > maxExtraBytes || len(e.Headers) > maxHeaders || len(e.FourCCs) > maxOtherTracks {
		t.Errorf("%d headers of %d bytes, %d codecs", len(e.Headers), size, len(e.FourCCs))
	}
}

// What a joiner needs, after a publisher has sent some headers.
func TestHeadersInForce(t *testing.T) {
	t.Parallel()
	const (
		h0     = "90" + fourAVC + avcRecord
		h0b    = "90" + fourAVC + avcOther
		old0   = avcStart
		one    = "96 00" + fourAVC + "01 aa"
		oneB   = "96 00" + fourAVC + "01 bb"
		two    = "96 00" + fourAV1 + "02 cc"
		oneTwo = "96 10" + fourAVC + "01 000001 aa 02 000001 cc"
		colour = "d4" + fourAVC + "02"
		bright = "d4" + fourAVC + "03"
		hdr1   = "d6 04" + fourAVC + "01 02"
	)
	all := "96 10" + fourAVC + "00 " + sized(avcRecord) + "01 " + sized("aa")
	allB := "96 10" + fourAVC + "00 " + sized(avcRecord) + "01 " + sized("bb")
	for _, c := range []struct {
		name  string
		sent  []string
		want  []string
		multi bool
	}{
		{"one track", []string{h0}, nil, false},
		{"another track after 0", []string{h0, one}, []string{h0, one}, true},
		{"another track before 0", []string{one, h0}, []string{one, h0}, true},
		{"another track, legacy 0", []string{old0, one}, []string{old0, one}, true},
		{"repeated", []string{h0, one, h0, one, h0, one}, []string{h0, one}, true},
		{"three tracks", []string{h0, one, two}, []string{h0, one, two}, true},
		{"all in one", []string{all}, []string{all}, true},
		{"all in one after 0 alone", []string{h0, all}, []string{all}, true},
		{"track 1 changes", []string{h0, one, oneB}, []string{h0, oneB}, true},
		{"track 1 of all changes", []string{all, oneB}, []string{all, oneB}, true},
		{"track 0 of all changes", []string{all, h0b}, []string{all, h0b}, true},
		{"all of all change", []string{all, h0b, oneB}, []string{h0b, oneB}, true},
		{"all again after track 1", []string{all, oneB, all}, []string{all}, true},
		{"track 1 changes within all", []string{all, allB}, []string{allB}, true},
		{"one of two changes", []string{h0, oneTwo, oneB}, []string{h0, oneTwo, oneB}, true},
		{"legacy 0 changes", []string{old0, one, "17 00 000000" + avcOther}, []string{one, "17 00 000000" + avcOther}, true},
		{"colours", []string{h0, colour}, []string{h0, colour}, false},
		{"colours repeated", []string{h0, colour, h0, colour}, []string{h0, colour}, false},
		{"colours change", []string{h0, colour, bright}, []string{h0, bright}, false},
		{"colours of track 1 and 0", []string{h0, one, colour, hdr1}, []string{h0, one, colour, hdr1}, true},
		{"colours before the header", []string{colour, h0}, []string{colour, h0}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := NewDemuxer(0, 0)
			for _, b := range c.sent {
				if p, err := d.Video(0, unhex(b)); p != nil || err != nil {
					t.Fatalf("%s: %v, %v", b, p, err)
				}
			}
			e := d.extras[media.Video].now
			if e == nil {
				e = &media.Extra{}
			}
			var got, want []string
			for _, h := range e.Headers {
				got = append(got, hex.EncodeToString(h))
			}
			for _, h := range c.want {
				want = append(want, strings.ReplaceAll(h, " ", ""))
			}
			if diff := cmp.Diff(want, got); diff != "" || e.Multitrack != c.multi {
				t.Errorf("multitrack %t (-want +got):\n%s", e.Multitrack, diff)
			}
		})
	}
}

// sized is data behind its SI24 length.
func sized(s string) string {
	return fmt.Sprintf("%06x", len(unhex(s))) + s
}

func TestExtraIsTheSamePointerUntilItChanges(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	take := func(body string) *media.Packet {
		t.Helper()
		p, err := d.Video(0, unhex(body))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	take("90" + fourAVC + avcRecord)
	if p := take("93" + fourAVC + "00000002 6588"); p.Extra != nil {
		t.Errorf("one track: %+v", p.Extra)
	}
	take("96 00" + fourAV1 + "01 aa")
	first := take("93" + fourAVC + "00000002 6588")
	take("96 00" + fourAV1 + "01 aa") // as encoders do before each keyframe
	take("90" + fourAVC + avcRecord)
	other := take("96 01" + fourAV1 + "01 1200")
	if first.Extra == nil || other.Extra != first.Extra || !slices.Equal(first.Extra.FourCCs, []uint32{FourCCAV1}) {
		t.Errorf("got %+v, then %+v", first.Extra, other.Extra)
	}
	if other.Track.ID != 1 || other.Track.FourCC != FourCCAV1 || take("96 01"+fourAV1+"01 1200").Track != other.Track {
		t.Errorf("the other track: %+v", other.Track)
	}
	track, _ := d.Tracks()
	take("96 20" + fourAVC + "00" + sized(avcRecord) + fourAV1 + "01" + sized("bb"))
	last := take("93" + fourAVC + "00000002 6588")
	if last.Extra == first.Extra || len(first.Extra.Headers) != 2 || len(last.Extra.Headers) != 1 {
		t.Errorf("got %+v after %+v", last.Extra, first.Extra)
	}
	if last.Track != track {
		t.Error("a changed header of track 1 made a new track 0")
	}
	if p, err := d.Audio(0, unhex("2f fffb9064")); err != nil || p.Extra != nil {
		t.Errorf("audio has %+v, %v", p, err)
	}
}

func TestExtraOfAudioHasItsChannels(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	var p *media.Packet
	for _, b := range []string{"90" + fourOpus + opusHead, "94" + fourOpus + "01 02 00000003", "91" + fourOpus + "f872"} {
		var err error
		if p, err = d.Audio(0, unhex(b)); err != nil {
			t.Fatal(err)
		}
	}
	if p.Extra == nil || len(p.Extra.Headers) != 2 || p.Extra.Headers[1][0] != 0x94 || p.Extra.Multitrack {
		t.Errorf("got %+v", p.Extra)
	}
}

func TestHevcFileKeepsItsColours(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	for _, tag := range readFile(t, "hevc.flv") {
		p, err := feed(d, tag)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil && p.Track.Kind == media.Video && (p.Extra == nil || !bytes.Contains(p.Extra.Headers[1], []byte("colorInfo"))) {
			t.Fatalf("got %+v", p.Extra)
		}
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	if _, err := d.Video(0, unhex("90"+fourAVC+avcRecord)); err != nil {
		t.Fatal(err)
	}
	big := append(unhex("96 00"+fourAVC+"01"), make([]byte, maxExtraBytes)...)
	if _, err := d.Video(0, big); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a header of 256 KiB: %v", err)
	}
	for id := 1; id < 256; id++ {
		body := append(unhex("96 00"+fourAVC), byte(id))
		if _, err := d.Video(0, append(body, make([]byte, 10<<10)...)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Video(0, unhex(fmt.Sprintf("d6 04"+fourAVC+"%02x 02", id))); err != nil {
			t.Fatal(err)
		}
	}
	e := d.extras[media.Video].now
	checkExtra(t, e)
	if len(e.Headers) < 20 || e.Headers[0][0] != 0x90 {
		t.Errorf("%d headers, the first %x: track 0's is gone", len(e.Headers), e.Headers[0][:1])
	}
	var failed int
	for id := 1; id < 256; id++ {
		if _, err := d.Video(0, unhex(fmt.Sprintf("96 01"+fourVP9+"%02x 86", id))); errors.Is(err, ErrUnsupported) {
			failed++
		}
	}
	if failed != 255-maxOtherTracks {
		t.Errorf("%d of 255 tracks refused", failed)
	}
}

func TestDataMessages(t *testing.T) {
	t.Parallel()
	str := func(s string) []byte { return append([]byte{2, 0, byte(len(s))}, s...) }
	for _, c := range []struct {
		name string
		in   []byte
		want []byte
		err  error
	}{
		{"onTextData", slices.Concat(str("onTextData"), []byte{5}), slices.Concat(str("onTextData"), []byte{5}), nil},
		{"behind @setDataFrame", slices.Concat(str("@setDataFrame"), str("onCuePoint"), []byte{5}), slices.Concat(str("onCuePoint"), []byte{5}), nil},
		{"a name alone", str("onFI"), str("onFI"), nil},
		{"values that cannot be read", slices.Concat(str("onFI"), []byte{0xee}), slices.Concat(str("onFI"), []byte{0xee}), nil},
		{"onMetaData", slices.Concat(str("onMetaData"), []byte{5}), nil, nil},
		{"metadata behind @setDataFrame", slices.Concat(str("@setDataFrame"), str("onMetaData"), []byte{5}), nil, nil},
		{"@clearDataFrame", slices.Concat(str("@clearDataFrame"), str("onMetaData")), nil, nil},
		{"empty", nil, nil, ErrMalformed},
		{"no name", []byte{5}, nil, ErrMalformed},
		{"@setDataFrame alone", str("@setDataFrame"), nil, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := NewDemuxer(1000, 3)
			p, err := d.Data(77, c.in)
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if c.want == nil {
				if p != nil {
					t.Errorf("got %+v", p)
				}
				return
			}
			if p == nil || !bytes.Equal(p.Tag, c.want) || p.Track.Kind != media.Data || p.DTS != 1000 || p.Timestamp != 77 || p.Epoch != 3 || p.Keyframe {
				t.Fatalf("got %+v, want %q", p, c.want)
			}
		})
	}
}

func TestDataHasTheTimeOfTheMediaBeforeIt(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	name := []byte("\x02\x00\x04onFI\x05")
	for _, ts := range []uint32{5000, 5040, 5020} {
		frame, err := d.Audio(ts, unhex("2f fffb9064"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.Data(0xffff0000, name)
		if err != nil || p.DTS != frame.DTS || p.Timestamp != ts {
			t.Errorf("at %d: %+v, %v; the frame is at %v", ts, p, err, frame.DTS)
		}
	}
}
