package flv

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// atPace is n video messages, step ms apart by their timestamps and by their
// arrival, which are kept as sent.
func atPace(n, step, arrival int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "v%d@%d=%d ", i*step, i*arrival, i*step)
	}
	return b.String()
}

// timeline plays messages to a new demuxer. One is "v40@50=60": video with
// timestamp 40 that arrives at 50 must come out at 60 ms; without @ the arrival is
// not told, without = the position is not looked at. Audio, "a", is AAC of 16 kHz:
// 64 ms a frame. Video has no frame rate and begins with steps of 40 ms.
func timeline(t *testing.T, messages string) *Demuxer {
	t.Helper()
	d := NewDemuxer(testBase, 1)
	for _, body := range []string{avcStart, "af 00 1408"} {
		take := d.Video
		if body[0] == 'a' {
			take = d.Audio
		}
		if _, err := take(0, unhex(body)); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for i, m := range strings.Fields(messages) {
		m, want, asked := strings.Cut(m, "=")
		m, at, timed := strings.Cut(m, "@")
		if timed {
			d.Arrived(start.Add(time.Duration(number64(t, at)) * time.Millisecond))
		}
		take, body := d.Video, avcInter
		if m[0] == 'a' {
			take, body = d.Audio, aacFrame
		}
		p, err := take(uint32(number64(t, m[1:])), unhex(body))
		if err != nil || p == nil {
			t.Fatalf("message %d of %q: %v, %v", i, messages, p, err)
		}
		if got := (p.DTS - testBase).Milliseconds(); asked && got != number64(t, want) {
			t.Errorf("message %d, %s@%s, of %.200q: comes out at %d ms, want %s", i, m, at, messages, got, want)
		}
	}
	return d
}

func number64(t *testing.T, s string) (n int64) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}

// A second of distance between the tracks is kept, a millisecond more is two
// zeros, which are brought together.
func TestWhereTheOtherTrackBegins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		messages string
		offset   int64
	}{
		{"v0@0=0 a1000@0=1000 a1064@64=1064", 0},
		{"v0@0=0 a1001@0=0 a1065@64=64", 1001},
		{"v0@0=0 a-1000@0=-1000 a-936@64=-936", 0},
		{"v0@0=0 a-1001@0=0 a-937@64=64", -1001},
		{"a0@0=0 v1000@0=1000", 0},
		{"a0@0=0 v1001@0=0", -1001},
		{"a0@0=0 v-1000@0=-1000", 0},
		{"a0@0=0 v-1001@0=0", 1001},
		// What the other one comes later by its arrival may be on top.
		{"v0@0=0 a6000@5000=6000", 0},
		{"v0@0=0 a6001@5000=5000", 1001},
		{"v0@0=0 a-1000@5000=-1000", 0},
		{"v0@0=0 a-1001@5000=5000", -6001},
		// Up to three seconds after the first, its zero is known again.
		{"v0@0=0 v3000@100=3000 a1000@100=1000", 0},
		{"v0@0=0 v3001@100=3001 a1000@100=3001", -2001},
		{"v0@0=0 v3000@100=3000 a1001@100=3000", -1999},
		{"v0@0=0 v3000@100=3000 a-1000@100=-1000", 0},
		{"v0@0=0 v3000@100=3000 a-1001@100=3000", -4001},
		// The distance is one modulo 2^32.
		{"v4294967290@0=0 a5@0=11 v40@40=46", 0},
		{"v4294966295@0=0 a0@0=0", 1001},
	} {
		if got := timeline(t, tt.messages).Repairs().Offset.Milliseconds(); got != tt.offset {
			t.Errorf("%q: audio was ahead by %d ms, want %d", tt.messages, got, tt.offset)
		}
	}
}

// A player gets the video's own timestamps, and the audio's moved to them.
func TestTheTimestampsOfAlignedTracks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		first       byte
		video, want uint32
		audio       uint32
	}{
		{'v', 500, 500, 90000},
		{'a', 500, 500, 90000},
		{'v', 4294967290, 4294967290, 7000},
		{'a', 4294967290, 4294967290, 7000},
		{'v', 500, 500, 1400}, // near enough to stay
		{'a', 500, 500, 1400},
	} {
		d := NewDemuxer(testBase, 1)
		_, _ = d.Video(0, unhex(avcStart))
		_, _ = d.Audio(0, unhex("af 00 1408"))
		d.Arrived(time.Unix(100, 0))
		order := []byte{'v', 'a'}
		if tt.first == 'a' {
			order = []byte{'a', 'v'}
		}
		for _, kind := range order {
			if kind == 'v' {
				if p, err := d.Video(tt.video, unhex(avcInter)); err != nil || p.Timestamp != tt.want {
					t.Errorf("%+v: video has timestamp %d, %v", tt, p.Timestamp, err)
				}
			} else if _, err := d.Audio(tt.audio, unhex(aacFrame)); err != nil {
				t.Fatal(err)
			}
		}
		p, err := d.Audio(tt.audio+64, unhex(aacFrame))
		want := tt.video + 64
		if tt.audio == 1400 {
			want = tt.audio + 64
		}
		if err != nil || p.Timestamp != want {
			t.Errorf("%+v: audio after it has timestamp %d, want %d, %v", tt, p.Timestamp, want, err)
		}
	}
}

// Four packets of one timestamp, over a quarter of a second: then time goes on, a frame
// at a time, unless that is more than a quarter of a second from the clock.
func TestHowLongTimestampsMayStandStill(t *testing.T) {
	t.Parallel()
	upTo := func(n, last, at int) (s string) { // n frames of 40 ms at a time
		for i := range n {
			s += fmt.Sprintf("v0@%d=%d ", at, 40*(i+1))
		}
		return s + fmt.Sprintf("v0@%d=%d", at, last)
	}
	for _, messages := range []string{
		"v0@0=0 v0@250=0",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 v0@251=40",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 v0@290=40",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 v0@291=291",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 " + upTo(12, 520, 270), // 520 is 250 ahead
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 " + upTo(12, 480, 269),
		// By the other track where there is one, whatever the arrival.
		"v0@0=0 a0@0=0 a50@0=50 a250@0=250 v0@0=0",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 a0@0=0 a50@0=50 a251@0=251 v0@0=40",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 a0@0=0 a50@0=50 a290@0=290 v0@0=40",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 a0@0=0 a50@0=50 a291@0=291 v0@0=291",
		"v0=0 a0=0 a50=50 a250=250 v0=0",
		"v0=0 v0=0 v0=0 v0=0 a0=0 a50=50 a251=251 v0=40",
		// One that has stopped counts no more.
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 a0@0=0 v0@249=0 v0@251=40",
		"v0@0=0 a0@0=0 a-10@100=-10 v0@349=0",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 a0@0=0 a-10@100=-10 v0@350=350",
		// And then they count again, from where they stood.
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 v0@600=600 v40@640=640 v80@680=680",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 v0@291=291 v91@300=91",
		"v0@0=0 v0@0=0 v0@0=0 v0@0=0 v0@291=291 v90@300=331 v130@340=371",
	} {
		timeline(t, messages)
	}
}

// How far a step may go without another packet to confirm it.
func TestHowLongAStepIsBelieved(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		messages string
		outliers uint64
	}{
		// Back: a fifth of a second.
		{"v0@0=0 v40@40=40 v-160@80=-160", 0},
		{"v0@0=0 v40@40=40 v-161@80=80", 1},
		// Ahead, with nothing known of arrival: ten seconds, a fifth and a frame.
		{"v0=0 v10240=10240", 0},
		{"v0=0 v10241=40", 1},
		// At real time a quarter more than the clock says, with its batches.
		{atPace(26, 40, 40) + "v1427@1040=1427", 0},
		{atPace(26, 40, 40) + "v1428@1040=1040", 1},
		{atPace(25, 40, 40) + "v1388@1000=1388", 0}, // not measured yet
		// At twice real time.
		{atPace(51, 40, 20) + "v2565@1020=2565", 0},
		{atPace(51, 40, 20) + "v2566@1020=2040", 1},
		// No faster than 16 times.
		{"v0@0=0 v2000@0=2000", 0},
		{"v0@0=0 v2001@0=40", 1},
		{"v0@0=0 v2160@10=2160", 0},
		{"v0@0=0 v2161@10=40", 1},
		// As far as the other track has come, if it is there.
		{"v0@0=0 a0@0=0 a64@64=64 v304@64=304", 0},
		{"v0@0=0 a0@0=0 a64@64=64 v305@64=40", 1},
		{"v0@0=0 a0@0=0 a64@64=64 v305@173=40", 1},
		{"v0@0=0 a0@0=0 a64@64=64 v305@174=305", 0},
		{"v0=0 a0=0 a64=64 v10240=10240", 0},
	} {
		if got := timeline(t, tt.messages).Repairs().Outliers; got != tt.outliers {
			t.Errorf("%.200q: %d outliers, want %d", tt.messages, got, tt.outliers)
		}
	}
}

// A long step may turn out to have been the outlier.
func TestAStepThatIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, messages := range []string{
		"v0=0 v40=40 v290=290 v80=356",    // 250 ms are no long step
		"v0=0 v40=40 v291=291 v80=80",     // 251 are
		"v0=0 v40=40 v291=291 v90=90",     // within a fifth of a second back
		"v0=0 v40=40 v291=291 v91=91",     // is no step back at all
		"v0=0 v10000=10000 v40=40 v80=80", // ten seconds
		"v0=0 v10001=10001 v40=10041 v80=10081",
		"v0=0 v40=40 v291=291 v80=80 v-150=146", // once
		"v0=0 v40=40 v291=291 v-161=357",        // before the packet before it
	} {
		timeline(t, messages)
	}
}

// A timestamp that is not accepted counts as a frame after the last, and a frame is as long as the
// last ones were.
func TestWhereAnOutlierGoes(t *testing.T) {
	t.Parallel()
	for _, messages := range []string{
		"v0=0 v1000=1000 v900000=1160", // (1000 - 40) / 8 more
		"v0=0 v1001=1001 v900000=1041", // a pause says nothing
		"v0=0 v48=48 v96=96 v900000=137",
		"v0=0 v32=32 v900000=71",
		"v0=0 v40=40 v32=32 v900000=72",               // nor does a step back
		"v0=0 v40=40 v900000=80 v40=40 v500000000=80", // or none
		"a0=0 a900000=64 a64=64 a128=128 a900000=192", // the codec's own
		"v0=0 v40=40 v900000=80 v80=80 v-900000=120 v160=160",
	} {
		timeline(t, messages)
	}
}

// Four packets that agree over 0.3 s are a jump.
func TestWhenAJumpIsBelieved(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		messages string
		outliers uint64
	}{
		{"v0=0 v40=40 v50000=80 v50100=120 v50200=160 v50300=50300 v50340=50340", 1},
		{"v0=0 v40=40 v50000=80 v50100=120 v50200=160 v50299=200 v50300=50300", 1},
		{"v0=0 v40=40 v50000=80 v50150=120 v50300=160 v50450=50450", 1},
		// Another one between them begins the count again.
		{"v0=0 v40=40 v50000=80 v50100=120 v50200=160 v90000000=200 v50300=240 v50400=280 v50500=280 v50600=50600", 1},
		// One that is right ends it.
		{"v0=0 v40=40 v50000=80 v50100=120 v50200=160 v200=200 v50300=255", 2},
		// A jump back of a second is followed. One of more goes on a frame after the last.
		{atPace(26, 40, 40) + "v-180@1040=1040 v-80@1140=1080 v20@1240=1120 v120@1340=120 v160@1380=160", 1},
		{atPace(26, 40, 40) + "v-181@1040=1040 v-81@1140=1080 v19@1240=1120 v119@1340=1160 v159@1380=1200", 1},
	} {
		if got := timeline(t, tt.messages).Repairs().Outliers; got != tt.outliers {
			t.Errorf("%q: %d outliers, want %d", tt.messages, got, tt.outliers)
		}
	}
}

// A jump of one track alone of more than ten seconds is another zero, unless the
// other one follows within a second.
func TestAJumpOfOneTrackAlone(t *testing.T) {
	t.Parallel()
	const both = "v0@0=0 a0@0=0 a64@64=64 "
	const stays = both + "v9701@64=40 v9801@64=80 v9901@64=120 v10001@64=160 v10101@64=200 v10201@64=240 v10301@64=280 v10401@64=280 v10501@64=280 v10601@64=280 "
	const follow = both + "a20000@70=128 v20700@70=40 v20800@70=80 v20900@70=120 v21000@70=21000 "
	for _, messages := range []string{
		both + "v9700@64=40 v9800@64=80 v9900@64=120 v10000@64=10000 v10040@64=10040",
		stays + "v10701@64=320 v10741@64=360",
		stays + "v10700@64=280",
		// Where the other one has said nothing for a second, it is not waited for.
		"v0@0=0 a0@0=0 v20000@700=700 v20100@800=740 v20200@900=780 v20300@1000=20300",
		"v0@0=0 a0@0=0 v20000@700=700 v20100@800=740 v20200@900=780 v20300@999=820",
		// Both jump: to within a second of each other.
		follow,
		both + "a20000@70=128 v20701@70=40 v20801@70=80 v20901@70=120 v21001@70=160",
		both + "a20000@70=128 v18700@70=40 v18800@70=80 v18900@70=120 v19000@70=19000",
		both + "a20000@70=128 v18699@70=40 v18799@70=80 v18899@70=120 v18999@70=160",
		follow + "a22064@70=22064 a22128@70=22128",
		follow + "a22065@70=21064",
		follow + "a20064@70=20064 a20128@70=20128",
		follow + "a20063@70=21064",
	} {
		timeline(t, messages)
	}
}

// A track that began with an outlier was aligned by it. It comes back to the clock
// that both count by.
func TestATrackThatBeganWithAnOutlier(t *testing.T) {
	t.Parallel()
	const begin = "v5000000@0=0 a0@0=0 "
	for _, tt := range []struct {
		messages string
		back     bool
	}{
		{begin + "v40@40=40 v140@140=80 v240@240=120 v340@340=340 v380@380=380", true},
		{begin + "v700@40=40 v800@140=80 v900@240=120 v1000@340=1000 v1040@380=1040", true},
		{begin + "v701@40=40 v801@140=80 v901@240=120 v1001@340=160 v1041@380=200", false},
		{begin + "v-380@40=40 v-280@140=80 v-180@240=120 v-80@340=-80", true},
		{begin + "v-381@40=40 v-281@140=80 v-181@240=120 v-81@340=160", false},
	} {
		if offset := timeline(t, tt.messages).Repairs().Offset; (offset == 0) != tt.back {
			t.Errorf("%q: audio was ahead by %v", tt.messages, offset)
		}
	}
}

// Data has the time of the newest picture or sound.
func TestDataIsAsNewAsTheNewestMedia(t *testing.T) {
	t.Parallel()
	text := unhex("02 000a 6f6e5465787444617461 05")
	for _, tt := range []struct {
		messages string
		at       int64
		stamp    uint32
	}{
		{"", 0, 77},
		{"v500=0 v540=40", 40, 540},
		{"a500=0 a564=64", 64, 564},
		{"v500=0 a500=0 a564=64", 64, 564},
		{"v500=0 a500=0 a564=64 v580=80", 80, 580},
		{"a500=0 v500=0 v540=40 a564=64", 64, 564},
		{"v0@0=0 a90000@0=0 a90064@64=64", 64, 64},
	} {
		p, err := timeline(t, tt.messages).Data(77, text)
		if err != nil || p.DTS != testBase+time.Duration(tt.at)*time.Millisecond || p.Timestamp != tt.stamp {
			t.Errorf("after %q: %+v, %v, want %d ms with timestamp %d", tt.messages, p, err, tt.at, tt.stamp)
		}
	}
}

// The header of ADTS frames says how many channels there are, in bits of two bytes.
func TestChannelsOfADTSFrames(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	for _, tt := range []struct {
		frame    string
		channels uint8
	}{
		{"fff150400120fc 2100", 1},
		{"fff151400120fc 2100", 5}, // the high bit alone is another
		{"fff150800120fc 2100", 2},
		{"fff152800120fc 2100", 2}, // the private bit says nothing
		{"fff151c00120fc 2100", 7},
	} {
		_, before := d.Tracks()
		if _, err := d.Audio(0, unhex("af 01"+tt.frame)); err != nil {
			t.Fatal(err)
		}
		_, track := d.Tracks()
		if uint8(track.ChannelConfig) != tt.channels {
			t.Errorf("%s: %d channels, want %d", tt.frame, track.ChannelConfig, tt.channels)
		}
		if before != nil && uint8(before.ChannelConfig) == tt.channels && before != track {
			t.Errorf("%s: another track", tt.frame)
		}
	}
}
