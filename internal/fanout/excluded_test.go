package fanout

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestAPlayerIsRefusedWhenBothTracksAreKnown(t *testing.T) {
	for _, c := range []struct {
		name    string
		audioAt int // frame; -1: never
		listens string
		want    string // refused with; empty: not at all
		gets    kind
	}{
		{"audio comes late and is taken", 20, "Opus", "", audioOnly},
		{"audio comes late and is not taken", 20, "av01", `video HEVC ("hvc1"), audio Opus ("Opus"); the player announced av01`, nothing},
		{"audio never comes", -1, "av01", `video HEVC ("hvc1"); the player announced av01`, nothing},
		{"audio comes when it was given up", 70, "Opus", `video HEVC ("hvc1"); the player announced Opus`, nothing},
		{"both are taken", 0, "*", "", trackZero},
		{"video alone, and taken", -1, "hvc1", "", trackZero},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newRig(t)
			why := make(chan string, 1)
			o := patient
			o.Connect = &rtmp.Connect{FourCCs: []string{c.listens}}
			o.Refused = func(s string) { why <- s }
			p, conn, _ := h.join(o)
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			in := func(want kind) {
				t.Helper()
				for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
					h.fan.mu.Lock()
					log, kind := p.log, p.kind
					h.fan.mu.Unlock()
					if log == nil && want == nothing || log != nil && kind == want {
						return
					}
					if time.Now().After(deadline) {
						t.Fatalf("in log %v of kind %d, want %d", log, kind, want)
					}
				}
			}
			in(trackZero)
			said := ""
			for n := range 80 { // 33 ms each
				if n == c.audioAt {
					if n > 60 {
						said = <-why
					}
					h.packet(opusTrack, false, []byte("\x91Opusframe"), nil)
				}
				h.plain(1)
				if n == 0 && c.listens != "hvc1" && c.audioAt != 0 {
					in(audioOnly) // for the time being
				}
			}
			if c.want != "" && said == "" {
				select {
				case said = <-why:
				case <-time.After(2 * time.Minute):
					t.Fatal("not refused")
				}
			}
			if !strings.HasSuffix(said, c.want) {
				t.Errorf("refused: %s; want %s", said, c.want)
			}
			in(c.gets)
			select {
			case got := <-why:
				t.Errorf("refused: %s", got)
			default:
			}
		})
	}
}

func TestATrackThatAPlayerCannotTakeLeavesItTrackZero(t *testing.T) {
	h := newRig(t)
	first, second := []byte("\x96\x00hvc1\x01second"), []byte("\x96\x00av01\x02third")
	o := withTracks
	o.Connect = &rtmp.Connect{CapsEx: rtmp.CapMultitrack, FourCCs: []string{"hvc1"}}
	_, c, w := h.join(o)
	h.twoTracks(&media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag, first}, FourCCs: []uint32{flv.FourCCHEVC}}, 1, 100)
	r := read(c, w, 0, 1)
	r.wait(t)
	h.twoTracks(&media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag, first, second}, FourCCs: []uint32{flv.FourCCHEVC, flv.FourCCAV1}}, 60, 100)
	r2 := read(c, w, 60, 1)
	r2.wait(t)
	if !r.multi[0] || slices.Contains(r2.multi, true) || slices.Contains(r2.headers, string(second)) {
		t.Errorf("multitrack %v, then %v with headers %q", r.multi, r2.multi, r2.headers)
	}
}

func TestAPlayerTakesPartFromTheFirstKeyframeItCanTake(t *testing.T) {
	h := newRig(t)
	av1 := &media.Track{Kind: media.Video, Codec: media.CodecAV1, FourCC: flv.FourCCAV1, LegacyID: flv.LegacyNone, Tag: []byte("\x90av01config")}
	o := patient
	o.Connect = &rtmp.Connect{FourCCs: []string{"hvc1"}}
	p, c, w := h.join(o)
	both := func(t *media.Track, key bool, video []byte) {
		for _, pkt := range []media.Packet{{Track: t, Keyframe: key, Tag: video}, {Track: h.audio, Tag: fmt.Appendf(nil, "\xaf\x01%08d", h.frame)}} {
			pkt.DTS, pkt.Timestamp, pkt.Epoch = time.Duration(h.frame*33)*time.Millisecond, uint32(h.frame*33), 1
			h.stream.Write(&pkt)
		}
		h.frame++
		h.fan.Wake()
	}
	for range 31 {
		both(av1, h.frame%30 == 0, []byte("\xa1av01frame"))
	}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	until := func(want string) (all []string) {
		t.Helper()
		for {
			m, err := w.next()
			if err != nil {
				t.Fatalf("waiting for %q after %q: %v", want, all, err)
			}
			all = append(all, string(m.body))
			if string(m.body) == want {
				return all
			}
		}
	}
	for _, s := range until("\xaf\x0100000030") {
		if strings.Contains(s, "av01frame") {
			t.Error("AV1 for a player of HEVC")
		}
	}
	both(hevcTrack, true, []byte("\x93hvc100000031"))
	if all := until("\xaf\x0100000031"); !slices.Contains(all, "\x93hvc100000031") || !slices.Contains(all, string(hevcTrack.Tag)) {
		t.Errorf("got %q", all)
	}
	if p.Err() != nil {
		t.Error(p.Err())
	}
}

func TestAFourCCIsQuotedInStatuses(t *testing.T) {
	got := announced(list("\x1b[2J", "hvc1")) + codecName(&media.Track{Codec: media.CodecOther, FourCC: 0x1b00ff0a})
	if want := `the player announced \x1b[2J, hvc1other ("\x1b\x00\xff\n")`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func list(f ...string) *rtmp.Connect { return &rtmp.Connect{FourCCs: f} }
