package mpegts

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

func shift(packets []*media.Packet, by time.Duration) (out []*media.Packet) {
	for _, p := range packets {
		q := *p
		q.DTS += by
		out = append(out, &q)
	}
	return out
}

func TestTimestampsWrapAt33Bits(t *testing.T) {
	t.Parallel()
	const wrap = (1 << 33) * time.Second / ticksPerSecond
	packets := shift(readFLV(t, "h264_aac.flv"), wrap-StartOffset-2*time.Second)
	ts := muxAll(packets, 8)
	// The clock reference wraps as well, 0.7 s later: parse would take that
	// for a step back, so this is looked at by hand.
	video := only(packets, media.Video)
	var before, after int
	for i, p := range withoutClock(t, ts).of(pidVideo) {
		if want := at(video[i].DTS + video[i].CTS); p.pts != want || p.dts != at(video[i].DTS) {
			t.Errorf("frame %d: PTS %d DTS %d, want %d %d", i, p.pts, p.dts, want, at(video[i].DTS))
		}
		if p.pts > 1<<32 {
			before++
		} else {
			after++
		}
	}
	if before < 40 || after < 40 {
		t.Errorf("%d frames before the wrap, %d after it", before, after)
	}
	seen := probe(t, ts)
	if len(seen.Packets) != len(packets) || seen.Streams[0].Frames != len(video) {
		t.Errorf("ffprobe reads %d packets, %d pictures; want %d, %d", len(seen.Packets), seen.Streams[0].Frames, len(packets), len(video))
	}
	var last [2]int64
	for i, p := range seen.Packets {
		if step := p.DTS - last[p.Index]; last[p.Index] != 0 && (step <= 0 || step > 5000) {
			t.Fatalf("ffprobe packet %d: DTS %d after %d", i, p.DTS, last[p.Index])
		}
		last[p.Index] = p.DTS
	}
}

// withoutClock parses ts after its clock references have been made equal.
func withoutClock(t *testing.T, ts []byte) parsed {
	t.Helper()
	ts = append([]byte(nil), ts...)
	for i := 0; i < len(ts); i += packetSize {
		if p := ts[i : i+packetSize]; p[3]&0x20 != 0 && p[4] > 0 && p[5]&flagPCR != 0 {
			clear(p[6:11])
		}
	}
	return parse(t, ts)
}

// references lists the stream's clock references, and which are discontinuous.
func references(p parsed) (refs []int64, jumps []int) {
	for _, one := range p.packets {
		if a := one.AdaptationField; a != nil && a.HasPCR {
			if a.DiscontinuityIndicator {
				jumps = append(jumps, len(refs))
			}
			refs = append(refs, a.PCR.Base)
		}
	}
	return refs, jumps
}

func TestClockStartsAtASecondAndPrecedesDecodingBy700ms(t *testing.T) {
	t.Parallel()
	got := parse(t, muxAll(readFLV(t, "h264_aac.flv"), 8))
	refs, _ := references(got)
	if refs[0] != 90000 {
		t.Errorf("the first clock reference is %d, want 90000", refs[0])
	}
	if first := got.of(pidVideo)[0]; first.dts-refs[0] != 63000 {
		t.Errorf("the first frame is decoded %d ticks after it, want 63000", first.dts-refs[0])
	}
}

func TestClockReferenceIsExact(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	for _, dts := range []time.Duration{11112 * time.Nanosecond, 7 * time.Hour, 25*time.Hour + 11112*time.Nanosecond} {
		m := NewMuxer(track, nil)
		ts := m.AppendVideo(m.AppendTables(nil), &media.Packet{Track: track, DTS: dts, Data: avcc(4, []byte{0x41, 1})})
		refs, _ := references(parse(t, ts))
		if want := ticks(dts) + 90000; refs[0] != want {
			t.Errorf("DTS %v: clock reference %d, want %d", dts, refs[0], want)
		}
	}
}

func TestClockIsFilledInWhereFramesAreFarApart(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	m := NewMuxer(track, nil)
	ts := m.AppendTables(nil)
	for i := range 4 { // a picture every 5 s
		ts = m.AppendVideo(ts, &media.Packet{Track: track, DTS: time.Duration(i) * 5 * time.Second, Data: avcc(4, []byte{0x41, 1})})
	}
	refs, jumps := references(parse(t, ts)) // which checks the spacing
	if len(refs) < 150 || len(jumps) != 0 || refs[len(refs)-1] != 90000*16 {
		t.Errorf("%d clock references up to %d, %d jumps", len(refs), refs[len(refs)-1], len(jumps))
	}
}

func TestClockGoesOnWithAudioWhileVideoIsSilent(t *testing.T) {
	t.Parallel()
	packets := readFLV(t, "h264_aac.flv")
	video, audio := only(packets, media.Video), only(packets, media.Audio)
	m := NewMuxer(video[0].Track, audio[0].Track)
	ts := m.AppendVideo(m.AppendTables(nil), video[0])
	for _, p := range audio {
		ts = m.AppendAudio(ts, []*media.Packet{p}, p.DTS)
	}
	refs, _ := references(parse(t, ts))
	if last, end := refs[len(refs)-1], audio[len(audio)-1].DTS; last < ticks(end)-9000 || last > ticks(end) {
		t.Errorf("the clock stands at %d after audio up to %v", last, end)
	}
	// Video comes back: nothing jumps.
	next := *video[1]
	next.DTS = audio[len(audio)-1].DTS
	if _, jumps := references(parse(t, m.AppendVideo(ts, &next))); len(jumps) != 0 {
		t.Errorf("the clock jumps when video comes back")
	}
}

func TestClockJumpsAreAnnounced(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	for _, c := range []struct {
		name string
		to   time.Duration
		want int
	}{
		{"a little back: the clock waits", 9500 * time.Millisecond, 0},
		{"far back", 2 * time.Second, 1},
		{"far forward", time.Hour, 1},
	} {
		m := NewMuxer(track, nil)
		ts := m.AppendTables(nil)
		for _, dts := range []time.Duration{10 * time.Second, c.to, c.to + 40*time.Millisecond} {
			ts = m.AppendVideo(ts, &media.Packet{Track: track, DTS: dts, Data: avcc(4, []byte{0x41, 1})})
		}
		refs, jumps := references(parse(t, ts))
		if len(jumps) != c.want || len(refs) != 3 {
			t.Errorf("%s: %d jumps of %d clock references, want %d of 3", c.name, len(jumps), len(refs), c.want)
		}
	}
}

func TestPresentationNeverPrecedesDecoding(t *testing.T) {
	t.Parallel()
	track := &media.Track{Codec: media.CodecH264, NALULength: 4}
	m := NewMuxer(track, nil)
	ts := m.AppendVideo(m.AppendTables(nil), &media.Packet{
		Track: track, DTS: time.Second, CTS: -time.Minute, Data: avcc(4, []byte{0x41, 1}),
	})
	if got := parse(t, ts).of(pidVideo)[0]; got.pts != got.dts {
		t.Errorf("PTS %d, DTS %d", got.pts, got.dts)
	}
}
