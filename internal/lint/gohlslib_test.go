package lint

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"

	"github.com/rtmpd/rtmpd/internal/media"
)

// encoded is seconds of H.264 as x264 makes it, 25 pictures in each, a keyframe first: the
// NAL units of each picture, of the first SPS and PPS first.
func encoded(t *testing.T, seconds int) (pictures [][][]byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-t", strconv.Itoa(seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-x264-params", "keyint=25:scenecut=0:slices=1", "-f", "h264", "-")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var picture [][]byte
	media.AnnexB(out, func(unit []byte) {
		picture = append(picture, unit)
		if kind := unit[0] & 0x1f; kind == 1 || kind == 5 {
			pictures, picture = append(pictures, picture), nil
		}
	})
	return pictures
}

// A handlerTransport answers requests by a handler.
type handlerTransport struct{ handler http.HandlerFunc }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.handler(w, r)
	a := w.Result()
	a.Request, a.Body = r, io.NopCloser(bytes.NewReader(w.Body.Bytes()))
	return a, nil
}

// gohlslib is another implementation of low-latency HLS. What is found in it is what its
// source says.
func TestGohlslibsLowLatency(t *testing.T) {
	t.Parallel()
	units := encoded(t, 35)
	synctest.Test(t, func(t *testing.T) {
		video := &gohlslib.Track{Codec: &codecs.H264{SPS: units[0][0], PPS: units[0][1]}, ClockRate: 90000}
		m := &gohlslib.Muxer{
			Variant: gohlslib.MuxerVariantLowLatency, SegmentCount: 7, SegmentMinDuration: time.Second, PartMinDuration: 200 * time.Millisecond,
			Tracks: []*gohlslib.Track{video},
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		defer func() { close(stop); writer.Wait(); m.Close() }()
		writer.Go(func() {
			for i, unit := range units {
				if err := m.WriteH264(video, time.Now(), int64(i)*3600, unit); err != nil {
					t.Errorf("picture %d: %v", i, err)
				}
				select {
				case <-stop:
					return
				case <-time.After(40 * time.Millisecond):
				}
			}
		})
		time.Sleep(15 * time.Second)
		report, err := Run(t.Context(), Options{URL: "http://server.example/index.m3u8", Duration: 15 * time.Second, transport: handlerTransport{m.Handle}})
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]bool)
		for _, f := range report.Findings {
			found[f.ID] = true
			t.Logf("%v %s %d: %s: %s", f.Level, f.ID, f.Line, f.Text, f.Says)
		}
		for _, rule := range []string{"part-hold-back", "init-brand", "future-404"} {
			if !found[rule] {
				t.Errorf("%s was not found, but %q", rule, slices.Sorted(maps.Keys(found)))
			}
		}
		if report.Kind != "ll-hls" || report.Checked.Parts < 20 || report.Checked.Segments < 10 {
			t.Errorf("%s: %+v", report.Kind, report.Checked)
		}
	})
}
