package doctor

import (
	"fmt"
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Finding is a problem of a publisher's stream, or of the server itself.
type Finding struct {
	Name   string    `json:"name"`  // stable, for machines
	Level  string    `json:"level"` // Error, Warning or Note
	Advice string    `json:"advice"`
	Since  time.Time `json:"since"`
	Count  uint64    `json:"count"` // how often it has appeared for this publisher
}

// The levels of a Finding.
const (
	Error   = "error"   // the server can't do what it is configured to do
	Warning = "warning" // viewers stall or miss something
	Note    = "note"    // may be intended
)

const (
	videoHeaderMissing = iota
	audioHeaderMissing
	videoHeaderMalformed
	audioHeaderMalformed
	nalUnitsMalformed
	messagesMalformed
	videoNotInHLS
	audioNotInHLS
	videoFewBrowsers
	audioFewBrowsers
	takeOvers
	gopLongerThanFragment
	gopLong
	gopIrregular
	noAudio
	noVideo
	inputStalled
	timestampGaps
	timestampJumps
	avOffset
	framesLate
	arrivalJitter
	bitrateSwings
	parameterSetsInBand
	startCodes
	adtsHeaders
	adtsBroken
	bFrames
	numFindings
)

// A kind is a type of finding. It appears after on bad seconds in a row and clears after
// off fine ones, so that it does not flicker.
type kind struct {
	name, level string
	on, off     int
	advice      string // a format for (*Doctor).advice if ofGOP or ofCodec, or avOffset
}

// ofCodec returns the kind of media whose codec the advice of finding i names.
func ofCodec(i int) (media.Kind, bool) {
	switch i {
	case videoNotInHLS, videoFewBrowsers:
		return media.Video, true
	case audioNotInHLS, audioFewBrowsers:
		return media.Audio, true
	}
	return 0, false
}

// inLog reports whether another component logs finding i: the HLS output logs each codec
// that it leaves out.
func inLog(i int) bool { return i == videoNotInHLS || i == audioNotInHLS }

// ofGOP reports whether finding i is about keyframes that are too far apart.
func ofGOP(i int) bool { return i == gopLongerThanFragment || i == gopLong }

// kinds is ordered by importance to viewers.
var kinds = [numFindings]kind{
	videoHeaderMissing: {
		"video_header_missing", Warning, 1, 3,
		"pictures come without a sequence header: HLS viewers see nothing, RTMP players get them as sent; restart the encoder, or the relay that has lost the header",
	},
	audioHeaderMissing: {
		"audio_header_missing", Warning, 1, 3,
		"sound comes without a sequence header: HLS viewers hear nothing, RTMP players get it as sent; restart the encoder, or the relay that has lost the header",
	},
	videoHeaderMalformed: {
		"video_header_malformed", Warning, 1, 3,
		"a sequence header of the video can't be decoded: HLS goes on with the one before, or without pictures; RTMP players get what was sent; update the encoder, or try another one in OBS: Settings, Output",
	},
	audioHeaderMalformed: {
		"audio_header_malformed", Warning, 1, 3,
		"a sequence header of the audio can't be decoded: HLS goes on with the one before, or without sound; RTMP players get what was sent; update the encoder, or try AAC-LC in stereo",
	},
	nalUnitsMalformed: {
		"nal_units_malformed", Warning, 1, 3,
		"NAL units are longer than the message they are in: HLS viewers miss a part of the picture; update the encoder",
	},
	messagesMalformed: {
		"messages_malformed", Warning, 1, 3,
		"audio or video messages can't be understood and are left out; update the encoder",
	},
	videoNotInHLS: {
		"video_not_in_hls", Warning, 1, 3,
		"HLS viewers see nothing: its fragments can't carry %s (format = \"fmp4\" in hls has H.264, HEVC, AV1 and VP9, mpegts only the first two); RTMP players that know the codec show it; for everybody send H.264 (OBS: Settings, Output, Video Encoder; ffmpeg: -c:v libx264)",
	},
	audioNotInHLS: {
		"audio_not_in_hls", Warning, 1, 3,
		"HLS viewers hear nothing: its fragments can't carry %s (format = \"fmp4\" in hls has AAC, MP3, AC-3, Opus and FLAC, mpegts only the first three); RTMP players that know the codec play it; for everybody send AAC (OBS: Settings, Output, Audio Encoder; ffmpeg: -c:a aac)",
	},
	videoFewBrowsers: {
		"video_few_browsers", Warning, 1, 3,
		"few browsers show %s in HLS: Safari and apps do, Chrome, Edge and Firefox do not; for everybody send H.264 (OBS: Settings, Output, Video Encoder; ffmpeg: -c:v libx264)",
	},
	audioFewBrowsers: {
		"audio_few_browsers", Warning, 1, 3,
		"few browsers play %s in HLS: Safari and apps do, Chrome, Edge and Firefox do not; for everybody send AAC in stereo or 5.1 (OBS: Settings, Audio, Channels; ffmpeg: -c:a aac -ac 2)",
	},
	takeOvers: {
		"take_overs", Warning, 1, 1,
		"two encoders publish here and take the stream over from each other, viewers see now one and now the other; stop one of them, or give it a stream key of its own (in OBS: Settings, Stream, Stream Key)",
	},
	gopLongerThanFragment: {
		"gop_longer_than_fragment", Warning, 1, 5,
		"keyframes are %.1f s apart or more, fragments can't be shorter than that; in OBS: Settings, Output, Keyframe Interval: %d s (ffmpeg: -g %d)",
	},
	gopLong: {
		"gop_long", Warning, 1, 5,
		"keyframes are %.1f s apart or more, who joins waits for one; in OBS: Settings, Output, Keyframe Interval: %d s (ffmpeg: -g %d)",
	},
	gopIrregular: {
		"gop_irregular", Note, 1, 5,
		"keyframes come at irregular times; in OBS: Settings, Output, Keyframe Interval: 2 s in place of 0, and with x264 scenecut=0 in x264 Options (ffmpeg: -sc_threshold 0)",
	},
	noAudio: {
		"no_audio", Warning, 1, 3,
		"there is no sound; in OBS: look for a moving bar in the Audio Mixer, and in Settings, Audio for a device",
	},
	noVideo: {
		"no_video", Warning, 1, 3,
		"there is no picture; a source may have failed, or the encoder: in OBS restart the stream, and try another encoder in Settings, Output",
	},
	inputStalled: {
		"input_stalled", Warning, 1, 3,
		"nothing arrives: the encoder stands still, or its connection does; look at the load of its computer and at its network; in OBS: View, Stats, Frames missed and Skipped frames",
	},
	timestampGaps: {
		"timestamp_gaps", Warning, 1, 5,
		"frames are missing: the upload or the encoder can't keep up; in OBS: see Dropped Frames in View, Stats, lower the bitrate in Settings, Output, use a cable in place of WLAN",
	},
	timestampJumps: {
		"timestamp_jumps", Warning, 1, 5,
		"timestamps jump, players may freeze; in OBS: remove media sources that loop or reconnect, restart the stream (ffmpeg: -re before -i, no -copyts)",
	},
	avOffset: {
		"av_offset", Warning, 1, 5,
		"the timestamps of sound and picture begin %.1f s apart (sound %s) though both arrive together; the sound was aligned by its arrival, lips may be off a little; restart the encoder, or look for a delay set for one of its inputs",
	},
	framesLate: {
		"frames_late", Warning, 3, 10,
		"frames arrive later and later: the upload is too slow, or the encoder can't keep up; in OBS, View, Stats: with Dropped frames lower the bitrate in Settings, Output (to 70 % of the measured upload), with Skipped frames take a faster encoder preset",
	},
	arrivalJitter: {
		"arrival_jitter", Warning, 3, 10,
		"frames arrive in bursts: the upload is unsteady; use a cable in place of WLAN, stop other uploads, lower the bitrate",
	},
	bitrateSwings: {
		"bitrate_swings", Warning, 1, 5,
		"the bit rate swings more than threefold, viewers with just enough bandwidth will stall; in OBS: Settings, Output, Rate Control: CBR (ffmpeg: -maxrate and -bufsize)",
	},
	parameterSetsInBand: {
		"parameter_sets_in_band", Note, 1, 3,
		"the sequence header has no parameter sets: HLS takes them from the keyframes, RTMP players may show nothing; update the encoder",
	},
	startCodes: {
		"start_codes", Note, 1, 3,
		"start codes stand where FLV wants lengths (Annex B): HLS has it put right, RTMP players get it as sent and may show nothing; update the encoder (ffmpeg: no -bsf:v h264_mp4toannexb)",
	},
	adtsHeaders: {
		"adts_headers", Note, 1, 3,
		"AAC frames have ADTS headers, which FLV does not want: HLS has it put right, RTMP players get it as sent and may play nothing; update the encoder (ffmpeg: -bsf:a aac_adtstoasc)",
	},
	adtsBroken: {
		"adts_broken", Warning, 1, 3,
		"some AAC messages have ADTS frames that can't be taken apart (half frames, or several raw data blocks in one): HLS leaves those out, RTMP players get them as sent; update the encoder (ffmpeg: -bsf:a aac_adtstoasc)",
	},
	bFrames: {
		"b_frames", Note, 3, 1,
		"B-frames add a few frames of delay; for the lowest latency in OBS: Settings, Output, Max B-frames: 0, with x264 Tune: zerolatency (ffmpeg: -bf 0)",
	},
}

// Names returns the names of all findings.
func Names() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.name)
	}
	return out
}

// An opinion is the result of one examination of a kind.
type opinion int

const (
	unsure opinion = iota // between the thresholds: no change
	bad
	fine
)

func between(isBad, isFine bool) opinion {
	switch {
	case isBad:
		return bad
	case isFine:
		return fine
	}
	return unsure
}

// state is the state of one finding of one publisher.
type state struct {
	active   bool
	fresh    bool // to be reported
	run      int  // seconds in a row that indicate a change
	count    uint64
	since    time.Duration
	reported time.Duration // when; valid if count > 0
	logged   bool          // reported, and not yet reported as cleared
	gop      time.Duration // length named in advice
	advice   string
}

// quietFor is the least time between two reports of the same finding.
const quietFor = 10 * time.Minute

// update counts an opinion about finding i, which may appear or clear by it.
func (d *Doctor) update(i int, at time.Duration, o opinion) {
	f := &d.findings[i]
	against, needed := bad, kinds[i].on
	if f.active {
		against, needed = fine, kinds[i].off
	}
	if o != against {
		f.run = 0
		return
	}
	if f.run++; f.run < needed {
		return
	}
	f.run = 0
	f.active = !f.active
	if !f.active {
		return
	}
	f.since = at
	f.fresh = f.count == 0 || at-f.reported >= quietFor
	f.count++
}

// report appends the fresh findings to buf and updates the advice.
func (d *Doctor) report(at, fragment time.Duration, buf []Finding) []Finding {
	for i := range d.findings {
		f := &d.findings[i]
		if !f.active {
			continue
		}
		// The advice follows the measured length while the finding holds, but not
		// lengths that indicate its end.
		if length := d.recentGOP().Round(100 * time.Millisecond); f.since == at || ofGOP(i) && f.run == 0 && length != f.gop {
			f.gop, f.advice = length, d.advice(i, fragment)
		}
		if f.fresh {
			f.fresh, f.reported = false, at
			if inLog(i) {
				continue
			}
			f.logged = true
			buf = append(buf, d.finding(i))
		}
	}
	return buf
}

// Cleared appends to buf the findings that were reported and have cleared, each
// once. Call it after Examine.
func (d *Doctor) Cleared(buf []Finding) []Finding {
	for i := range d.findings {
		if f := &d.findings[i]; f.logged && !f.active {
			f.logged = false
			buf = append(buf, d.finding(i))
		}
	}
	d.keepContest()
	return buf
}

func (d *Doctor) finding(i int) Finding {
	f, k := &d.findings[i], kinds[i]
	return Finding{Name: k.name, Level: k.level, Advice: f.advice, Since: d.start.Add(f.since), Count: f.count}
}

// Findings returns the active findings, the most important first.
func (d *Doctor) Findings() []Finding {
	var out []Finding
	for i := range d.findings {
		if d.findings[i].active {
			out = append(out, d.finding(i))
		}
	}
	return out
}

// advice returns the advice of finding i. It names keyframe intervals in whole seconds,
// as OBS takes them: the usual two, unless fragments are shorter.
func (d *Doctor) advice(i int, fragment time.Duration) string {
	text := kinds[i].advice
	if i == avOffset {
		side := "ahead"
		if d.offset < 0 {
			side = "behind"
		}
		return fmt.Sprintf(text, d.offset.Abs().Seconds(), side)
	}
	if kind, ok := ofCodec(i); ok {
		return fmt.Sprintf(text, d.tracks[kind].coded.CodecName())
	}
	if !ofGOP(i) {
		return text
	}
	interval := 2
	if i == gopLongerThanFragment && fragment < 2*time.Second {
		interval = 1
	}
	rate := 30.
	if step := d.tracks[media.Video].step; step > 0 {
		rate = 1 / step.Seconds()
	}
	return fmt.Sprintf(text, d.recentGOP().Seconds(), interval, int(math.Round(rate))*interval)
}
