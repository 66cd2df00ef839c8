package flv

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rtmpd/rtmpd/internal/media"
)

// fileWant is what ffprobe says of a file; the Enhanced RTMP ones were made by
// and looked at with ffmpeg 9.
type fileWant struct {
	video, keys  int
	audio, other int // other: bodies of other tracks than 0
	firstVideo   time.Duration
	lastDTS      time.Duration // of the last packet, from the first packet on
	maxCTS       time.Duration
	videoTrack   *media.Track
	audioTrack   *media.Track
}

func TestFiles(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	h264 := func(codecs string, w, h int, fps float64, level uint8) *media.Track {
		return &media.Track{Codec: media.CodecH264, LegacyID: 7, CodecString: codecs, Width: w, Height: h, FrameRate: fps, Profile: 66, Compat: 0xc0, Level: level, NALULength: 4}
	}
	aac := func(rate, channels int) *media.Track {
		return &media.Track{Kind: media.Audio, Codec: media.CodecAAC, LegacyID: 10, CodecString: "mp4a.40.2", SampleRate: rate, Channels: channels, ChannelConfig: uint8(channels), AudioObjectType: 2, FrameSamples: 1024}
	}
	opus := &media.Track{Kind: media.Audio, Codec: media.CodecOpus, LegacyID: 255, FourCC: FourCCOpus, CodecString: "opus", SampleRate: 48000, Channels: 1}
	av1 := &media.Track{Codec: media.CodecAV1, LegacyID: 255, FourCC: FourCCAV1, CodecString: "av01.0.00M.08", Width: 320, Height: 180}
	bframes := h264("avc1.64000b", 160, 120, 25, 11)
	bframes.Profile, bframes.Compat = 100, 0

	for name, want := range map[string]fileWant{
		"h264aac.flv":   {video: 50, keys: 2, audio: 88, firstVideo: 23 * ms, lastDTS: 2020 * ms, videoTrack: h264("avc1.42c00b", 160, 120, 25, 11), audioTrack: aac(44100, 1)},
		"audioonly.flv": {audio: 88, lastDTS: 2020 * ms, audioTrack: aac(44100, 2)},
		"bframes.flv":   {video: 50, keys: 2, lastDTS: 1960 * ms, maxCTS: 160 * ms, videoTrack: bframes},
		"mp3.flv": {
			video: 50, keys: 1, audio: 79, firstVideo: 50 * ms, lastDTS: 2037 * ms, videoTrack: h264("avc1.42c00b", 160, 120, 25, 11),
			audioTrack: &media.Track{Kind: media.Audio, Codec: media.CodecMP3, LegacyID: 2, CodecString: "mp4a.40.34", SampleRate: 22050, Channels: 1, FrameSamples: 576},
		},
		"speex.flv":    {audio: 50, lastDTS: 980 * ms, audioTrack: &media.Track{Kind: media.Audio, Codec: media.CodecSpeex, LegacyID: 11, SampleRate: 16000, Channels: 1}},
		"sorenson.flv": {video: 25, keys: 3, lastDTS: 960 * ms, videoTrack: &media.Track{Codec: media.CodecOther, LegacyID: 2}},
		"hevc.flv": {
			video: 120, keys: 4, audio: 189, lastDTS: 4056 * ms, maxCTS: 167 * ms,
			videoTrack: &media.Track{Codec: media.CodecHEVC, LegacyID: 255, FourCC: FourCCHEVC, CodecString: "hvc1.1.6.L60.90", Width: 320, Height: 180, FrameRate: 30, Profile: 1, Level: 60, NALULength: 4},
			audioTrack: aac(48000, 1),
		},
		"av1.flv":      {video: 120, keys: 4, audio: 189, firstVideo: 21 * ms, lastDTS: 4010 * ms, videoTrack: av1, audioTrack: aac(48000, 1)},
		"av1opus.flv":  {video: 120, keys: 4, audio: 201, firstVideo: 7 * ms, lastDTS: 4001 * ms, videoTrack: av1, audioTrack: opus},
		"h264opus.flv": {video: 120, keys: 4, audio: 201, firstVideo: 7 * ms, lastDTS: 4001 * ms, videoTrack: h264("avc1.42c00d", 320, 180, 30, 13), audioTrack: opus},
		"multi.flv":    {video: 120, keys: 4, audio: 189, other: 309, firstVideo: 21 * ms, lastDTS: 4010 * ms, videoTrack: h264("avc1.42c00d", 320, 180, 30, 13), audioTrack: aac(48000, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const base = time.Hour
			d := NewDemuxer(base, 7)
			got := fileWant{firstVideo: -1}
			for i, tag := range readFile(t, name) {
				p, err := feed(d, tag)
				if err != nil {
					t.Fatalf("tag %d at %d ms: %v", i, tag.Timestamp, err)
				}
				if p == nil {
					continue
				}
				checkPacket(t, p, tag.Body)
				checkExtra(t, p.Extra)
				if p.Epoch != 7 || p.Timestamp != tag.Timestamp {
					t.Errorf("tag %d: epoch %d, timestamp %d, want 7, %d", i, p.Epoch, p.Timestamp, tag.Timestamp)
				}
				if got.video+got.audio == 0 && p.DTS != base {
					t.Errorf("first packet: DTS %v, want the base %v", p.DTS, base)
				}
				got.lastDTS = max(got.lastDTS, p.DTS-base)
				got.maxCTS = max(got.maxCTS, p.CTS)
				if p.Track.ID != 0 {
					if got.other++; p.Track.ID != 1 {
						t.Errorf("track %d, want 1", p.Track.ID)
					}
					continue
				}
				if p.Track.Kind == media.Audio {
					got.audio++
					continue
				}
				if got.video++; got.firstVideo < 0 {
					got.firstVideo = p.DTS - base
				}
				if p.Keyframe {
					got.keys++
				}
			}
			got.firstVideo = max(got.firstVideo, 0)
			got.videoTrack, got.audioTrack = d.Tracks()
			for _, tr := range []**media.Track{&got.videoTrack, &got.audioTrack} {
				if *tr != nil {
					bare := **tr
					bare.Config, bare.Tag, bare.VPS, bare.SPS, bare.PPS = nil, nil, nil, nil, nil
					*tr = &bare
				}
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(fileWant{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if d.Defects()&media.Dropped != 0 {
				t.Error("messages were dropped")
			}
		})
	}
}
