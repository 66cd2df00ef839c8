package lint

import (
	"strings"
	"testing"
)

const (
	// What comes after cleanMedia: one segment more, one less.
	nextSegment  = "#EXTINF:6.000,\na-11.ts\n"
	firstSegment = "#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:00.000Z\n#EXTINF:6.000,\na-7.ts\n"
	nextMedia    = "a-10.ts\n"
)

// Two versions of a playlist, with one fault in the second each.
var updateCases = []struct {
	name      string
	base      string
	old, edit []string // of base, for the first and the second version
	want      want
}{
	{"the same again", cleanMedia, nil, nil, want{}},
	{"one segment more", cleanMedia, nil, []string{nextMedia, nextMedia + nextSegment}, want{}},
	{"one segment more and one less", cleanMedia, nil, []string{nextMedia, nextMedia + nextSegment, firstSegment, "", "SEQUENCE:7", "SEQUENCE:8"}, want{}},
	{"the end", cleanMedia, nil, []string{nextMedia, nextMedia + "#EXT-X-ENDLIST\n"}, want{}},
	{"VOD at the end of an event", cleanMedia, []string{"#EXT-X-VER", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VER"}, []string{"#EXT-X-VER", "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-ENDLIST\n#EXT-X-VER"}, want{}},
	{"a discontinuity that leaves", cleanMedia, nil, []string{
		nextMedia, nextMedia + nextSegment + edit2(nextSegment, "11", "12") + edit2(nextSegment, "11", "13"),
		cleanMedia[strings.Index(cleanMedia, firstSegment):strings.Index(cleanMedia, "#EXTINF:6.400")], "#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:21.040Z\n",
		"SEQUENCE:7", "SEQUENCE:10", "DISCONTINUITY-SEQUENCE:1", "DISCONTINUITY-SEQUENCE:2",
	}, want{}},
	{"the next part", cleanLow, nil, []string{"#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s104.1.mp4\"", "#EXT-X-PART:DURATION=1.0,URI=\"s104.1.mp4\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"s104.2.mp4\""}, want{}},

	{"an end that is gone", cleanMedia, []string{nextMedia, nextMedia + "#EXT-X-ENDLIST\n"}, nil, want{"endlist", 0}},
	{"a segment behind the end", cleanMedia, []string{nextMedia, nextMedia + "#EXT-X-ENDLIST\n"}, []string{nextMedia, nextMedia + nextSegment + "#EXT-X-ENDLIST\n"}, want{"endlist", 0}},
	{"another target duration", cleanMedia, nil, []string{"DURATION:6", "DURATION:7", "6.000,\na-7.ts", "6.000,\na-7.ts"}, want{"targetduration-changed", 3}},
	{"another PART-TARGET", cleanLow, nil, []string{"PART-TARGET=1.0", "PART-TARGET=1.001"}, want{"part-target-changed", 5}},
	{"independent segments no more", cleanMedia, nil, []string{"#EXT-X-INDEPENDENT-SEGMENTS\n", ""}, want{"header-changed", 0}},
	{"another SERVER-CONTROL", cleanLow, nil, []string{"HOLD-BACK=12", "HOLD-BACK=13"}, want{"header-changed", 4}},
	{"a type that was not there", cleanMedia, nil, []string{"#EXT-X-VER", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VER"}, want{"header-changed", 2}},
	{"a segment removed from an event", cleanMedia, []string{"#EXT-X-VER", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VER"}, []string{
		"#EXT-X-VER", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-VER", firstSegment, "", "SEQUENCE:7", "SEQUENCE:8",
	}, want{"type-removed", 2}},
	{"less than three target durations left", cleanMedia, nil, []string{
		firstSegment + "#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:06.000Z\n#EXTINF:5.960,\na-8.ts\n", "", "SEQUENCE:7", "SEQUENCE:9",
	}, want{"playlist-short", 0}},
	{"numbers that go back", cleanMedia, nil, []string{"SEQUENCE:7", "SEQUENCE:6"}, want{"media-sequence-decreased", 4}},
	{"a restart with other segments", cleanMedia, nil, []string{"SEQUENCE:7", "SEQUENCE:0"}, want{"media-sequence-decreased", 4}},
	{"a removed segment that is not counted", cleanMedia, nil, []string{nextMedia, nextMedia + nextSegment, firstSegment, ""}, want{"media-sequence-removal", 4}},
	{"a discontinuity sequence that goes back", cleanMedia, nil, []string{"DISCONTINUITY-SEQUENCE:1", "DISCONTINUITY-SEQUENCE:0"}, want{"discontinuity-sequence-decreased", 5}},
	{"a discontinuity sequence that goes on alone", cleanMedia, nil, []string{"DISCONTINUITY-SEQUENCE:1", "DISCONTINUITY-SEQUENCE:2"}, want{"discontinuity-sequence", 5}},
	{"a last segment that is gone", cleanMedia, nil, []string{"#EXTINF:6.400,title\na-10.ts\n", ""}, want{"segment-withdrawn", 0}},
	{"another duration", cleanMedia, nil, []string{"5.960", "5.961"}, want{"segment-changed", 12}},
	{"another URI", cleanMedia, nil, []string{"a-9.ts", "b-9.ts"}, want{"segment-changed", 16}},
	{"another date", cleanMedia, nil, []string{"08:00:15.000", "08:00:15.001"}, want{"segment-changed", 16}},
	{"a discontinuity that comes later", cleanMedia, nil, []string{"#EXTINF:6.400", "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:21.040Z\n#EXTINF:6.400"}, want{"segment-changed", 20}},
	{"another key", cleanMedia, []string{"#EXTINF:6.400", "#EXT-X-KEY:METHOD=AES-128,URI=\"1\"\n#EXTINF:6.400"}, []string{"#EXTINF:6.400", "#EXT-X-KEY:METHOD=AES-128,URI=\"2\"\n#EXTINF:6.400"}, want{"segment-changed", 19}},
	{"another part", cleanLow, nil, []string{"s104.0.mp4", "s104.9.mp4"}, want{"part-withdrawn", 21}},
	{"a part that is gone", cleanLow, nil, []string{"#EXT-X-PART:DURATION=1.0,URI=\"s104.0.mp4\",INDEPENDENT=YES\n", ""}, want{"part-withdrawn", 0}},
}

func showUpdates(t *testing.T, all seen) {
	for _, c := range updateCases {
		t.Run(c.name, func(t *testing.T) {
			old := parsePlaylist([]byte(edit(t, c.base, c.old...)))
			p := parsePlaylist([]byte(edit(t, c.base, c.edit...)))
			old.take()
			p.take()
			checkUpdate(p.text, old.media, p.media)
			all.check(t, p.take(), c.want)
		})
	}
}
