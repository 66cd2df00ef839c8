package lint

import (
	"strings"
	"testing"
)

// Playlists with one fault each.
var syntaxCases = []struct {
	name string
	base string
	edit []string // of base
	want want
}{
	{"a media playlist", cleanMedia, nil, want{}},
	{"a low-latency playlist", cleanLow, nil, want{}},
	{"a multivariant playlist", cleanMultivariant, nil, want{}},
	{"lines that end in CR LF", strings.ReplaceAll(cleanMedia, "\n", "\r\n"), nil, want{}},
	{"comments, empty lines, tags of others", cleanMedia, []string{"a-8.ts\n", "a-8.ts\n\n# hello\n#EXT-X-OURS:1\n"}, want{}},
	{"an ended playlist of one short segment", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-VERSION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:1.5,\na.ts\n#EXT-X-ENDLIST\n", nil, want{}},

	{"no playlist", "<html>", nil, want{"first-line", 1}},
	{"a comment in the first line", cleanMedia, []string{"#EXTM3U", " #EXTM3U"}, want{"first-line", 1}},
	{"a byte order mark", cleanMedia, []string{"#EXTM3U", "\ufeff#EXTM3U"}, want{"byte-order-mark", 1}},
	{"Latin-1", cleanMedia, []string{"title", "t\xeftre"}, want{"utf-8", 17}},
	{"a zero byte", cleanMedia, []string{"title", "t\x00"}, want{"control-character", 17}},
	{"a decomposed accent", cleanMedia, []string{"a-10.ts", "cafe\u0301.ts"}, want{"not-normalized", 18}},
	{"nginx-rtmp's space before EVENT", cleanMedia, []string{"#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-PLAYLIST-TYPE: EVENT\n#EXT-X-MEDIA-SEQUENCE:7"}, want{"whitespace", 4}},
	{"a space in a URI", cleanMedia, []string{"a-8.ts", "a 8.ts"}, want{"whitespace", 12}},
	{"a space before the attributes", cleanLow, []string{"PART-INF:", "PART-INF: "}, want{"whitespace", 5}},
	{"a space around a duration", cleanMedia, []string{"6.040,", " 6.040,"}, want{"whitespace", 15}},
	{"300001 lines", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n" + strings.Repeat("\n", maxLines), nil, want{"too-long", maxLines + 1}},

	{"letters for a number", cleanMedia, []string{"SEQUENCE:7", "SEQUENCE:x"}, want{"tag-value", 4}},
	{"a negative media sequence", cleanMedia, []string{"SEQUENCE:7", "SEQUENCE:-7"}, want{"tag-value", 4}},
	{"a duration of nothing", cleanMedia, []string{"#EXTINF:6.000,", "#EXTINF:"}, want{"tag-value", 8}},
	{"a duration in German", cleanMedia, []string{"#EXTINF:6.400,title", "#EXTINF:6.4s,"}, want{"tag-value", 17}},
	{"a duration of nginx-rtmp's clock jump", cleanMedia, []string{"#EXTINF:6.400,title", "#EXTINF:204963823041217.000,"}, want{"tag-value", 17}},
	{"a value for a tag without one", cleanMedia, []string{"#EXT-X-DISCONTINUITY\n", "#EXT-X-DISCONTINUITY:1\n"}, want{"tag-value", 13}},
	{"a date that is none", cleanMedia, []string{"2026-11-30T08:00:15.000Z", "2026-13-30T08:00:15.000Z"}, want{"tag-value", 14}},
	{"an unknown type", cleanMedia, []string{"#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-PLAYLIST-TYPE:LIVE\n#EXT-X-MEDIA-SEQUENCE:7"}, want{"tag-value", 4}},
	{"a PART-TARGET of 0", cleanLow, []string{"PART-TARGET=1.0", "PART-TARGET=0"}, want{"tag-value", 5}},
	{"two target durations", cleanMedia, []string{"#EXT-X-MEDIA-SEQ", "#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQ"}, want{"tag-twice", 4}},
	{"a media sequence behind a segment", cleanMedia, []string{"#EXT-X-MEDIA-SEQUENCE:7\n", "", "a-7.ts\n", "a-7.ts\n#EXT-X-MEDIA-SEQUENCE:7\n"}, want{"tag-late", 9}},
	{"a discontinuity sequence behind a discontinuity", cleanMedia, []string{
		"#EXT-X-DISCONTINUITY-SEQUENCE:1\n", "", "#EXT-X-INDEPENDENT", "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-INDEPENDENT",
	}, want{"tag-late", 6}},
	{"both kinds of playlist in one", cleanMultivariant, []string{"720.m3u8\n", "720.m3u8\n#EXTINF:3,\n"}, want{"tags-mixed", 9}},

	{"an attribute without a value", cleanLow, []string{"HOLD-BACK=12,", "HOLD-BACK=,"}, want{"attribute-syntax", 4}},
	{"an attribute without a name", cleanLow, []string{"HOLD-BACK=12,", "=12,"}, want{"attribute-syntax", 4}},
	{"a word in place of an attribute", cleanLow, []string{"HOLD-BACK=12,", "HOLDBACK,"}, want{"attribute-syntax", 4}},
	{"a name in lower case", cleanLow, []string{"HOLD-BACK=12,", "hold-back=12,"}, want{"attribute-syntax", 4}},
	{"a quote that does not end", cleanMultivariant, []string{`CLOSED-CAPTIONS="c"`, `CLOSED-CAPTIONS="c`}, want{"attribute-syntax", 7}},
	{"a comma at the end", cleanLow, []string{"PART-TARGET=1.0", "PART-TARGET=1.0,"}, want{"attribute-syntax", 5}},
	{"one attribute twice", cleanLow, []string{"HOLD-BACK=12,", "HOLD-BACK=12,HOLD-BACK=13,"}, want{"attribute-twice", 4}},
	{"YES in quotes", cleanLow, []string{"CAN-BLOCK-RELOAD=YES", `CAN-BLOCK-RELOAD="YES"`}, want{"attribute-value", 4}},
	{"NO where only YES is", cleanLow, []string{"CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO"}, want{"attribute-value", 4}},
	{"a URI without quotes", cleanLow, []string{`URI="init.mp4"`, "URI=init.mp4"}, want{"attribute-value", 7}},
	{"a resolution with a star", cleanMultivariant, []string{"1280x720", "1280*720"}, want{"attribute-value", 7}},
	{"a bandwidth with a fraction", cleanMultivariant, []string{"BANDWIDTH=5000000", "BANDWIDTH=5000000.5"}, want{"attribute-value", 7}},
	{"a stream without a bandwidth", cleanMultivariant, []string{"BANDWIDTH=5000000,", ""}, want{"attribute-missing", 7}},
	{"a part without a duration", cleanLow, []string{`DURATION=0.9,URI="s103.2.mp4"`, `URI="s103.2.mp4"`, "#EXTINF:3.8", "#EXTINF:2.9"}, want{"attribute-missing", 17}},
	{"no version, and fractions", cleanMedia, []string{"#EXT-X-VERSION:3\n", ""}, want{"version-too-low", 7}},
	{"version 5 and a map", cleanLow, []string{"VERSION:6", "VERSION:5"}, want{"version-too-low", 7}},
	{"version 7 for nothing", cleanMedia, []string{"VERSION:3", "VERSION:7"}, want{"version-too-high", 2}},

	{"no target duration", cleanMedia, []string{"#EXT-X-TARGETDURATION:6\n", ""}, want{"targetduration-missing", 0}},
	{"a target duration of 0", cleanMedia, []string{"DURATION:6", "DURATION:0"}, want{"targetduration-value", 3}},
	{"a segment of 6.5 s", cleanMedia, []string{"6.400", "6.500"}, want{"targetduration", 17}},
	{"a segment without EXTINF", cleanMedia, []string{"#EXTINF:6.040,\n", "", "SEQUENCE:7", "SEQUENCE:0"}, want{"extinf-missing", 15}},
	{"EXTINF without a segment", cleanMedia, []string{"a-10.ts\n", ""}, want{"extinf-uri", 17}},
	{"EXTINF without a segment in the middle", cleanMedia, []string{"a-9.ts\n", ""}, want{"extinf-uri", 15}},
	{"no comma", cleanMedia, []string{"6.040,", "6.040"}, want{"extinf-comma", 15}},
	{"a segment of 0 s", cleanMedia, []string{"6.040", "0.000"}, want{"extinf-zero", 15}},
	{"whole seconds", cleanMedia, []string{"6.000", "6", "5.960", "6", "6.040", "6", "6.400", "6"}, want{"extinf-integer", 8}},
	{"a byte range that goes on from nowhere", cleanMedia, []string{"VERSION:3", "VERSION:4", "a-8.ts", "#EXT-X-BYTERANGE:100\na-8.ts"}, want{"byterange", 12}},
	{"a byte range of nothing", cleanMedia, []string{"a-8.ts", "#EXT-X-BYTERANGE:0@0\na-8.ts", "VERSION:3", "VERSION:4"}, want{"byterange", 12}},
	{"byte ranges of one file", cleanMedia, []string{"VERSION:3", "VERSION:4", "a-7.ts", "#EXT-X-BYTERANGE:100@0\na.ts", "a-8.ts", "#EXT-X-BYTERANGE:100\na.ts"}, want{}},
	{"a key without a URI", cleanMedia, []string{"#EXTINF:6.000", "#EXT-X-KEY:METHOD=AES-128\n#EXTINF:6.000"}, want{"key", 8}},
	{"no key with a URI", cleanMedia, []string{"#EXTINF:6.000", "#EXT-X-KEY:METHOD=NONE,URI=\"k\"\n#EXTINF:6.000"}, want{"key", 8}},
	{"an IV of 136 bits", cleanMedia, []string{"#EXTINF:6.000", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x" + strings.Repeat("0", 34) + "\n#EXTINF:6.000"}, want{"key", 8}},
	{"an encrypted map without IV", cleanLow, []string{"#EXT-X-MAP", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP"}, want{"map-iv", 8}},
	{"no discontinuity sequence", cleanMedia, []string{"#EXT-X-DISCONTINUITY-SEQUENCE:1\n", ""}, want{"discontinuity-sequence-missing", 12}},
	{"no dates", cleanMedia, []string{
		"#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:00.000Z\n", "", "#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:06.000Z\n", "", "#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:15.000Z\n", "",
	}, want{"date-missing", 0}},
	{"a date without a zone", cleanMedia, []string{"08:00:00.000Z", "08:00:00.000"}, want{"date-precision", 7}},
	{"a date in whole seconds", cleanMedia, []string{"08:00:00.000Z", "08:00:00Z"}, want{"date-precision", 7}},
	{"a discontinuity without a date", cleanMedia, []string{"#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:15.000Z\n", ""}, want{"date-after-discontinuity", 13}},
	{"a date that goes back", cleanMedia, []string{"08:00:06.000Z", "08:00:03.000Z"}, want{"date-overlap", 10}},
	{"a date that leaps", cleanMedia, []string{"08:00:06.000Z", "08:00:08.000Z"}, want{"date-gap", 10}},
	{"a range that ends before it begins", cleanMedia, []string{"#EXTINF:6.000", "#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2026-11-30T08:00:00.000Z\",END-DATE=\"2026-11-30T07:00:00.000Z\"\n#EXTINF:6.000"}, want{"daterange", 8}},
	{"a range without a beginning", cleanMedia, []string{"#EXTINF:6.000", "#EXT-X-DATERANGE:ID=\"1\"\n#EXTINF:6.000"}, want{"daterange", 8}},
	{"a range that changes its class", cleanMedia, []string{"#EXTINF:6.000", "#EXT-X-DATERANGE:ID=\"1\",CLASS=\"a\",START-DATE=\"2026-11-30T08:00:00.000Z\"\n#EXT-X-DATERANGE:ID=\"1\",CLASS=\"b\"\n#EXTINF:6.000"}, want{"daterange", 9}},

	{"CAN-SKIP-UNTIL of five target durations", cleanLow, []string{"UNTIL=24.0", "UNTIL=20.0"}, want{"can-skip-until", 4}},
	{"CAN-SKIP-DATERANGES alone", cleanLow, []string{"CAN-SKIP-UNTIL=24.0", "CAN-SKIP-DATERANGES=YES"}, want{"can-skip-dateranges", 4}},
	{"HOLD-BACK of two target durations", cleanLow, []string{"HOLD-BACK=12", "HOLD-BACK=8"}, want{"hold-back", 4}},
	{"no PART-HOLD-BACK", cleanLow, []string{",PART-HOLD-BACK=3.0", ""}, want{"part-hold-back-missing", 5}},
	{"PART-HOLD-BACK of 1.5 parts", cleanLow, []string{"PART-HOLD-BACK=3.0", "PART-HOLD-BACK=1.5"}, want{"part-hold-back-min", 4}},
	{"gohlslib's PART-HOLD-BACK of 2.5 parts", cleanLow, []string{"PART-HOLD-BACK=3.0", "PART-HOLD-BACK=2.5"}, want{"part-hold-back", 4}},
	{"no PART-INF", cleanLow, []string{"#EXT-X-PART-INF:PART-TARGET=1.0\n", ""}, want{"part-inf-missing", 14}},
	{"a long part", cleanLow, []string{"DURATION=1.0,URI=\"s103.1", "DURATION=1.1,URI=\"s103.1"}, want{"part-long", 16}},
	{"a short part", cleanLow, []string{"DURATION=0.9,URI=\"s103.2", "DURATION=0.8,URI=\"s103.2"}, want{"part-short", 17}},
	{"a short last part", cleanLow, []string{"DURATION=0.9,URI=\"s103.3", "DURATION=0.5,URI=\"s103.3"}, want{}},
	{"parts that are no sum", cleanLow, []string{"#EXTINF:3.8", "#EXTINF:2.8"}, want{"part-sum", 19}},
	{"parts of long ago", cleanLow, []string{"#EXTINF:4.0,\ns100", "#EXT-X-PART:DURATION=1.0,URI=\"s100.0.mp4\"\n#EXTINF:1.0,\ns100"}, want{"part-old", 9}},
	{"a map behind a part", cleanLow, []string{"#EXTINF:3.8", "#EXT-X-MAP:URI=\"2.mp4\"\n#EXTINF:3.8"}, want{"tag-behind-part", 19}},
	{"a hint behind the end", cleanLow, []string{"#EXT-X-RENDITION", "#EXT-X-ENDLIST\n#EXT-X-RENDITION"}, want{"hint-ended", 22}},
	{"two hints", cleanLow, []string{"#EXT-X-RENDITION", "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x\"\n#EXT-X-RENDITION"}, want{"hint-twice", 23}},
	{"a report with an absolute URI", cleanLow, []string{"../audio/a.m3u8", "https://example.com/a.m3u8"}, want{"report-uri", 23}},

	{"no variants", "#EXTM3U\n#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"v\",NAME=\"n\"\n", nil, want{"variant-none", 0}},
	{"a variant without a URI", cleanMultivariant, []string{"720.m3u8\n", ""}, want{"variant-uri", 7}},
	{"a URI without a variant", cleanMultivariant, []string{"720.m3u8\n", "720.m3u8\n480.m3u8\n"}, want{"variant-uri", 9}},
	{"a bandwidth of 0", cleanMultivariant, []string{"BANDWIDTH=5000000", "BANDWIDTH=0"}, want{"bandwidth-zero", 7}},
	{"an average above the peak", cleanMultivariant, []string{"AVERAGE-BANDWIDTH=4000000", "AVERAGE-BANDWIDTH=6000000"}, want{"average-above-peak", 7}},
	{"no average", cleanMultivariant, []string{"AVERAGE-BANDWIDTH=4000000,", ""}, want{"average-missing", 7}},
	{"no codecs", cleanMultivariant, []string{`CODECS="avc1.64001f,mp4a.40.2",`, ""}, want{"codecs-missing", 7}},
	{"avc1 without its profile", cleanMultivariant, []string{"avc1.64001f", "avc1"}, want{"codecs-syntax", 7}},
	{"names that are none", cleanMultivariant, []string{"avc1.64001f", "h264"}, want{}},
	{"no resolution", cleanMultivariant, []string{"RESOLUTION=1280x720,", ""}, want{"resolution-missing", 7}},
	{"no frame rate", cleanMultivariant, []string{"FRAME-RATE=30.000,", ""}, want{"frame-rate-missing", 7}},
	{"nothing about captions", cleanMultivariant, []string{`,CLOSED-CAPTIONS="c"`, ""}, want{"captions-unknown", 7}},
	{"no captions in one variant", cleanMultivariant, []string{`CLOSED-CAPTIONS="c"`, "CLOSED-CAPTIONS=NONE"}, want{"captions-none", 7}},
	{"a score for one of two", cleanMultivariant, []string{`CLOSED-CAPTIONS="c"`, `CLOSED-CAPTIONS="c",SCORE=1.5`}, want{"score", 9}},
	{"a group that is not there", cleanMultivariant, []string{`AUDIO="a"`, `AUDIO="b"`}, want{"group-missing", 7}},
	{"two renditions of one name", cleanMultivariant, []string{`NAME="Deutsch"`, `NAME="English"`}, want{"group-name", 5}},
	{"two defaults", cleanMultivariant, []string{`LANGUAGE="de"`, `LANGUAGE="de",DEFAULT=YES`}, want{"group-default", 5}},
	{"groups with other members", cleanMultivariant, []string{`NAME="Deutsch",LANGUAGE="de"`, `NAME="Deutsch",LANGUAGE="de"`, `AUDIO,GROUP-ID="a",NAME="Deutsch"`, `AUDIO,GROUP-ID="b",NAME="Deutsch"`}, want{"group-members", 5}},
	{"captions without an ID", cleanMultivariant, []string{`INSTREAM-ID="CC1"`, `INSTREAM-ID="CC5"`}, want{"rendition", 6}},
	{"captions with a URI", cleanMultivariant, []string{`INSTREAM-ID="CC1"`, `INSTREAM-ID="CC1",URI="c.m3u8"`}, want{"rendition", 6}},
	{"no channels", cleanMultivariant, []string{`CHANNELS="2",URI="en`, `URI="en`}, want{"channels-missing", 4}},
	{"data with a value and a URI", cleanMultivariant, []string{"#EXT-X-MEDIA", "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"b\",URI=\"c\"\n#EXT-X-MEDIA"}, want{"session-data", 4}},
	{"a session key of NONE", cleanMultivariant, []string{"#EXT-X-MEDIA", "#EXT-X-SESSION-KEY:METHOD=NONE\n#EXT-X-MEDIA"}, want{"session-key", 4}},
}

func edit2(text, old, new string) string { return strings.Replace(text, old, new, 1) }

func showSyntax(t *testing.T, all seen) {
	for _, c := range syntaxCases {
		t.Run(c.name, func(t *testing.T) {
			p := parsePlaylist([]byte(edit(t, c.base, c.edit...)))
			all.check(t, p.take(), c.want)
		})
	}
}
