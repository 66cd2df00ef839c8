package doctor

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

// published are the packets of a file, played n times in a row.
func published(t *testing.T, path string, n int) []arrival {
	t.Helper()
	var out []arrival
	demuxer := flv.NewDemuxer(0, 1)
	begin, newest := uint32(0), uint32(0)
	for range n {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := flv.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for {
			tag, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var p *media.Packet
			ts := begin + tag.Timestamp
			switch tag.Type {
			case flv.TagVideo:
				p, err = demuxer.Video(ts, tag.Body)
			case flv.TagAudio:
				p, err = demuxer.Audio(ts, tag.Body)
			}
			if err != nil {
				t.Fatal(err)
			}
			if p != nil {
				newest = max(newest, ts)
				out = append(out, arrival{at: time.Duration(newest) * ms, p: p})
			}
		}
		begin = newest + 20
	}
	return out
}

func TestRealStreams(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"../demo/testcard.flv":            "",
		"../flv/testdata/h264aac.flv":     "",
		"../flv/testdata/h264opus.flv":    "",
		"../flv/testdata/hevc.flv":        "b_frames video_few_browsers",
		"../flv/testdata/av1.flv":         "",
		"../flv/testdata/av1opus.flv":     "",
		"../flv/testdata/multi.flv":       "",
		"../flv/testdata/bframes.flv":     "b_frames no_audio",
		"../flv/testdata/audioonly.flv":   "no_video",
		"../flv/testdata/speex.flv":       "no_video",
		"../mpegts/testdata/h264_aac.flv": "b_frames",
		"../flv/testdata/mp3.flv":         "",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			e := play(published(t, path, 20), 5*s)
			if got := names(e.reports); got != want {
				t.Errorf("got %q, want %q\n%+v\n%+v, worst %+v", got, want, e.reports, e.Figures(), e.peaks)
			}
		})
	}
}
