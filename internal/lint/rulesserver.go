package lint

// updateRules are about versions of a playlist.
var updateRules = []Rule{
	{"playlist-unavailable", Must, "RFC 8216 §6.2.1", "players try a few times and then stop with an error"},
	{"playlist-atomic", Must, "RFC 8216 §6.2.1", "hls.js stops with a parser error if it happens to load it then; others play on a stale version"},
	{"playlist-late", Must, "RFC 8216 §6.2.1", "players play on to the end of what they have and stall"},
	{"endlist", Must, "RFC 8216 §4.3.3.4", "players that have seen EXT-X-ENDLIST never load the playlist again"},
	{"type-removed", Must, "RFC 8216 §6.2.1", "viewers can seek to what is no longer there, and players stall at it"},
	{"targetduration-changed", Must, "RFC 8216 §6.2.1", "Apple's players stop or stall; all have chosen where to start by the old one"},
	{"part-target-changed", Must, "rfc8216bis §6.2.1", "iOS stops with an error"},
	{"header-changed", Must, "RFC 8216 §6.2.1", "players read it once and go by it: independent segments, hold back and delta updates are wrong from then on"},
	{"media-sequence-decreased", Must, "RFC 8216 §6.2.2", "hls.js and Safari stall until the numbers are where they were; some stop"},
	{"media-sequence-removal", Must, "RFC 8216 §6.2.2", "players match segments by number: they play some twice or skip some"},
	{"segment-withdrawn", Must, "RFC 8216 §6.2.1", "players that have loaded it are ahead of the playlist: they stall, or play it twice"},
	{"segment-changed", Must, "RFC 8216 §6.2.1", "viewers see different things, and timelines are wrong by the difference"},
	{"discontinuity-sequence", Must, "RFC 8216 §6.2.2", "hls.js stalls: it looks for its place in a discontinuity that is another now"},
	{"discontinuity-sequence-decreased", Must, "RFC 8216 §6.2.2", "hls.js stalls when it changes the variant"},
	{"part-withdrawn", Must, "rfc8216bis §6.2.1", "players that have loaded the part have something else in their buffer than the segment: a glitch"},
	{"segment-gone", Must, "RFC 8216 §6.2.2", "viewers a little behind, and those who pause, stall and get an error"},
	{"segment-rewritten", Should, "RFC 8216 §6.2.1", "caches deliver either: a glitch, or a timeline that goes back"},
}

// httpRules are about how things are delivered.
var httpRules = []Rule{
	{"playlist-type", Must, "RFC 8216 §4", "Safari does not recognize a playlist"},
	{"playlist-content-type", Should, "RFC 8216 §4", "Safari and smart TVs may offer it as a download; most players go by the name"},
	{"playlist-gzip", Should, "rfc8216bis §6.2.1", "they load several times the bytes, again and again; on phones it costs battery"},
	{"playlist-cache", Advice, "RFC 9111 §4.2.2", "caches choose how long they keep it, some for minutes: viewers behind them stall"},
	{"playlist-stale-cache", Should, "RFC 8216 §6.3.4", "viewers behind a cache see the stream late and in jumps, or stall"},
	{"cors", Advice, "Fetch standard §3.3", "hls.js, dash.js and all other players in browsers can't load it on a page of another site"},
	{"segment-unavailable", Must, "RFC 8216 §6.2.1", "players try again, skip it or stop with an error"},
	{"segment-content-type", Advice, "Apple HLS authoring specification 10.4", "Safari and smart TVs may refuse it"},
	{"byterange-ignored", Must, "RFC 8216 §4.3.2.2", "players get the whole file and fail on it, or load it again for each segment"},
	{"key-file", Must, "RFC 8216 §5.1", "no segment with this key can be played"},
	{"encryption", Must, "RFC 8216 §4.3.2.4", "players decrypt to noise and stop with an error"},
}

// segmentRules are about what is in the segments.
var segmentRules = []Rule{
	{"segment-empty", Must, "RFC 8216 §3", "players stop with an error or skip it"},
	{"segment-format", Must, "RFC 8216 §3.1", "players stop with an error"},
	{"segment-silent", Must, "RFC 8216 §3", "hls.js reports a parsing error and tries again; others wait for the media and stall"},
	{"ts-sync", Must, "RFC 8216 §3.2", "hls.js reports \"TS packet did not start with 0x47\" and may drop the segment"},
	{"ts-crc", Must, "ISO 13818-1 §2.4.4", "players that check it find no streams"},
	{"ts-tables", Must, "RFC 8216 §3.2", "a viewer who begins with this segment gets nothing out of it"},
	{"ts-tables-first", Should, "RFC 8216 §3.2", "whatever is before them is thrown away by a player that begins here"},
	{"ts-program", Must, "RFC 8216 §3.2", "players take one of the programs, not all the same"},
	{"ts-continuity", Must, "ISO 13818-1 §2.4.3.3", "decoders take it as lost packets: broken pictures"},
	{"ts-continuity-segment", Must, "RFC 8216 §3", "TVs and boxes that check the counters drop what follows as damaged; browsers do not mind"},
	{"ts-clock", Must, "ISO 13818-1 §2.7.2", "boxes and TVs have no clock to play by"},
	{"segment-keyframe", Should, "RFC 8216 §3", "a viewer who begins here or changes the variant sees nothing until the next keyframe"},
	{"independent-segments", Must, "RFC 8216 §4.3.5.1", "players begin here, as they were told they could: a grey or broken picture until the next keyframe"},
	{"independent-missing", Advice, "Apple HLS authoring specification 9.11", "players load more than they need when they change the variant: they do not know that each segment can be a beginning"},
	{"timestamps-back", Must, "RFC 8216 §3", "the buffer overlaps what is there already: a repeated or lost moment, with hls.js and Safari a stall"},
	{"timestamps-jump", Must, "RFC 8216 §3", "there is a hole in the buffer: hls.js jumps over it after a stall, others stop"},
	{"discontinuity-missing", Must, "RFC 8216 §4.3.2.3", "the decoder is not set up again: it fails, or the track stays silent"},
	{"discontinuity-encoding", Should, "RFC 8216 §4.3.2.3", "some decoders, hardware ones mostly, fail on it or show a wrong size"},
	{"segment-long", Must, "RFC 8216 §6.2.1", "players run dry while they wait for it: they count on the target duration"},
	{"extinf-media", Should, "RFC 8216 §4.3.2.1", "seeking and the live edge are wrong by the difference; subtitles and interstitials are misplaced"},
	{"extinf-drift", Should, "RFC 8216 §4.3.2.1", "seeking and the live edge are wrong by the difference; subtitles and interstitials are misplaced"},
	{"bitrate", Must, "rfc8216bis §4.4.4.8", "players choose the wrong variant by it"},
	{"map-missing", Must, "RFC 8216 §3.3", "fragments can't be decoded without the initialization section"},
	{"packed-audio", Must, "RFC 8216 §3.4", "players do not know where the segment belongs in time: sound and picture are apart"},
	{"webvtt", Should, "RFC 8216 §3.5", "subtitles are late or early by the difference between the clocks"},
}
