package lint

import (
	"maps"
	"slices"
	"testing"
)

// Playlists as people have pasted them in reports, shortened, and what is wrong with them.
func TestPlaylistsFromReports(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		text string
		want []string
	}{
		{
			"nginx-rtmp-module 1636: begins with a discontinuity",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:4\n#EXT-X-DISCONTINUITY\n#EXTINF:4.000,\ntest-0.ts\n#EXTINF:3.900,\ntest-1.ts\n#EXTINF:4.000,\ntest-2.ts\n",
			[]string{"date-missing"},
		},
		{
			"nginx-rtmp-module 1636: what was wanted, a media playlist's name alone",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=1242022,CODECS=\"avc1.640028,mp4a.40.2\",RESOLUTION=1920x1080\nchunklist_w460527294.m3u8\n",
			[]string{"average-missing", "captions-unknown", "frame-rate-missing"},
		},
		{
			"nginx-rtmp-module 1153: the clock of an encoder jumped",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:204963823041217\n#EXTINF:204963823041217.400,\na-1.ts\n",
			[]string{"date-missing", "tag-value", "targetduration-value"},
		},
		{
			"hls.js 3044: a discontinuity in the middle, no discontinuity sequence",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:1600438755\n#EXT-X-DISCONTINUITY\n#EXTINF:10.000000,\nindex1600438755.ts\n#EXTINF:10.000000,\nindex1600438756.ts\n",
			[]string{"date-missing", "discontinuity-sequence-missing"},
		},
		{
			"lal 133: a recording of a stream",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:3\n#EXT-X-MEDIA-SEQUENCE:0\n\n#EXT-X-DISCONTINUITY\n#EXTINF:3.000,\ntest110-1646980864881-0.ts\n#EXTINF:0.566,\ntest110-1646980876918-4.ts\n#EXT-X-ENDLIST\n",
			nil,
		},
		{
			"livestreamer 1140: Twitch",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#ID3-EQUIV-TDTG:2015-11-26T09:54:51\n#EXT-X-PLAYLIST-TYPE:EVENT\n\n#EXT-X-TWITCH-ELAPSED-SECS:0.0\n#EXTINF:4.004,\ni-29.ts?start_offset=0&end_offset=1937903\n#EXT-X-ENDLIST\n",
			nil,
		},
		{
			"nginx-vod-module 240: names with spaces",
			"#EXTM3U\n#EXT-X-STREAM-INF:PROGRAM-ID=1,BANDWIDTH=700000\nhttp://xxx.xxx/hls-vodfilmas/FLV_Low/2003 Foto 360p 700.mp4.m3u8\n",
			[]string{"average-missing", "captions-unknown", "codecs-missing", "whitespace"},
		},
		{
			"hls-m3u8 79: a map, and a segment that is missing",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:22\n#EXT-X-MAP:URI=\"f.mp4\",BYTERANGE=748@748\n#EXTINF:0.000,\n",
			[]string{"attribute-value", "extinf-uri"},
		},
		{
			"m3u8 153: one map for all discontinuities",
			"#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-MAP:URI=\"https://example.com/init.mp4\",BYTERANGE=\"1024000@1048576\"\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:6\n#EXTINF:5.000,\ntest01.mp4\n#EXT-X-DISCONTINUITY\n#EXTINF:6.000,\ntest02.mp4\n#EXT-X-ENDLIST\n",
			[]string{"version-too-low"},
		},
		{
			"hls.js 308, 849: codecs as before RFC 6381",
			"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=194818,CODECS=\"avc1.66.31,mp4a.40.34\",RESOLUTION=1280x720\nchunklist.m3u8\n",
			[]string{"average-missing", "captions-unknown", "codecs-syntax", "frame-rate-missing"},
		},
		{
			"hls.js 580: a quote too many",
			"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=194818,CODECS=\"avc1.42c01e,mp4a.40.2\"\",RESOLUTION=1280x720\nchunklist.m3u8\n",
			[]string{"attribute-syntax", "average-missing", "captions-unknown", "frame-rate-missing"},
		},
		{
			"home-assistant 49608: version 7 where 6 does",
			"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:5\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:5.000,\n./segment/1.m4s\n#EXT-X-ENDLIST\n",
			[]string{"version-too-high"},
		},
		{
			"mediamtx: gohlslib's low latency at its beginning, segments that are not there",
			"#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.50000,CAN-SKIP-UNTIL=6.00000\n#EXT-X-PART-INF:PART-TARGET=0.20000\n" +
				"#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-GAP\n#EXTINF:1.00000,\ngap.mp4\n#EXT-X-GAP\n#EXTINF:1.00000,\ngap.mp4\n#EXT-X-PROGRAM-DATE-TIME:2024-05-01T10:00:00.5Z\n" +
				"#EXT-X-PART:DURATION=0.20000,URI=\"part0.mp4\",INDEPENDENT=YES\n#EXTINF:1.00000,\nseg7.mp4\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part1.mp4\"\n",
			[]string{"date-precision", "part-hold-back", "part-sum"},
		},
	} {
		p := parsePlaylist([]byte(c.text))
		found := make(map[string]bool)
		for _, f := range p.take() {
			found[f.rule] = true
		}
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	// video.js 6813: the discontinuity leaves, and nothing counts it.
	old := parsePlaylist([]byte("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:6\n#EXT-X-DISCONTINUITY\n#EXTINF:5.000,\n0.ts\n#EXTINF:5.133,\n1.ts\n#EXTINF:5.133,\n2.ts\n#EXTINF:5.9,\n3.ts\n"))
	p := parsePlaylist([]byte("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-TARGETDURATION:6\n#EXTINF:5.133,\n1.ts\n#EXTINF:5.133,\n2.ts\n#EXTINF:5.9,\n3.ts\n#EXTINF:5.9,\n4.ts\n"))
	p.take()
	checkUpdate(p.text, old.media, p.media)
	if f := p.take(); len(f) != 1 || f[0].rule != "discontinuity-sequence" {
		t.Errorf("video.js 6813: %+v", f)
	}
}
