package progressive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A keeper is a Sink that keeps what it is sent. hold, if set, is called before that.
type keeper struct {
	bytes.Buffer
	hold func()
}

func (k *keeper) Send(v [][]byte) error {
	if k.hold != nil {
		k.hold()
	}
	for _, p := range v {
		k.Write(p)
	}
	return nil
}

func format(t *testing.T, ext string) *Format {
	t.Helper()
	f, stem := ByName("cam" + ext)
	if f == nil || stem != "cam" {
		t.Fatalf("%s is no format", ext)
	}
	return f
}

// all is what a viewer gets who joins after some packets, until the stream ends.
func all(t *testing.T, ext string, before, after []*media.Packet) []byte {
	t.Helper()
	s := live.NewStream("live", "cam", live.Options{})
	for _, p := range before {
		s.Write(p)
	}
	opened := make(chan *Reader)
	go func() {
		r, err := Open(t.Context(), Source{Live: s}, format(t, ext))
		if err != nil {
			t.Error(err)
		}
		opened <- r
	}()
	var r *Reader
	if len(before) > 0 {
		r = <-opened
	}
	for s.Snapshot().Cursors == 0 {
		runtime.Gosched()
	}
	for _, p := range after {
		s.Write(p)
	}
	s.Close()
	if r == nil {
		r = <-opened
	}
	defer r.Close()
	var out keeper
	if err := r.Run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// marks are the serial numbers of the packets of a script in b, as a text: V3 A4 …
func marks(b []byte) (out []string) {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 || len(b) < i+10 {
			return out
		}
		if kind := b[i+1]; (kind == 'V' || kind == 'A') && b[i+9] == '>' {
			var n int
			if _, err := fmt.Sscanf(string(b[i+2:i+9]), "%d", &n); err == nil {
				out = append(out, fmt.Sprint(string(kind), n))
			}
		}
		b = b[i+1:]
	}
}

func marksOf(packets []*media.Packet, kinds ...media.Kind) (out []string) {
	for _, p := range packets {
		if slices.Contains(kinds, p.Track.Kind) {
			out = append(out, marks(p.Data)...)
		}
	}
	return out
}

// A viewer has everything from the newest keyframe on, once.
func TestAViewerHasAllFromTheNewestKeyframeOn(t *testing.T) {
	t.Parallel()
	script := mediatest.NewScript(t)
	script.Play(5 * time.Second)
	before := script.Packets
	script.Play(3 * time.Second)
	after := script.Packets[len(before):]
	newest := 0
	for i, p := range before {
		if p.Keyframe {
			newest = i
		}
	}
	from := script.Packets[newest:]
	for _, ext := range []string{".flv", ".ts", ".mp4", ".mkv", ".aac"} {
		b := all(t, ext, before, after)
		for _, kind := range []media.Kind{media.Video, media.Audio} {
			if kind == media.Video && ext == ".aac" {
				continue
			}
			got, want := marks(b), marksOf(from, kind)
			got = slices.DeleteFunc(got, func(m string) bool { return m[0] != "VA"[kind] })
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s, kind %d: %d frames, want %d\n%v\n%v", ext, kind, len(got), len(want), got, want)
			}
		}
	}
}

// Who comes before the first packet misses nothing.
func TestAViewerWaitsForTheTracks(t *testing.T) {
	t.Parallel()
	packets := mediatest.NewScript(t).Play(3 * time.Second).Packets
	for _, ext := range []string{".flv", ".ts", ".mp4", ".mkv", ".aac"} {
		want := marksOf(packets, media.Video, media.Audio)
		if ext == ".aac" {
			want = marksOf(packets, media.Audio)
		}
		got := marks(all(t, ext, nil, packets))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d frames, want %d", ext, len(got), len(want))
		}
	}
}

// Media begin at time 0, whatever the stream's time is.
func TestTimesBeginAtZero(t *testing.T) {
	t.Parallel()
	script := mediatest.NewScript(t)
	script.At = 30 * 24 * time.Hour
	script.Play(3 * time.Second)
	r, err := flv.NewReader(bytes.NewReader(all(t, ".flv", nil, script.Packets)))
	if err != nil {
		t.Fatal(err)
	}
	if !r.HasAudio || !r.HasVideo {
		t.Error("the header promises less than there is")
	}
	last, tags := uint32(0), 0
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if tags == 0 && tag.Timestamp != 0 {
			t.Errorf("it begins at %d", tag.Timestamp)
		}
		last = tag.Timestamp
		tags++
	}
	if last < 2900 || last > 3000 {
		t.Errorf("it ends at %d", last)
	}
	var parts fmp4.Parts
	b := all(t, ".mp4", nil, script.Packets)
	if err := parts.Unmarshal(b[bytes.Index(b, []byte("moof"))-4:]); err != nil {
		t.Fatal(err)
	}
	if len(parts) < 10 || parts[0].Tracks[0].BaseTime != 0 {
		t.Errorf("%d fragments, the first at %d", len(parts), parts[0].Tracks[0].BaseTime)
	}
}

// A viewer that takes nothing is moved to a keyframe later on, and gets all from there.
func TestASlowViewerIsMovedToAKeyframe(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{".flv", ".ts", ".mp4", ".mkv"} {
		s := live.NewStream("live", "cam", live.Options{})
		script := mediatest.NewScript(t)
		script.Play(2 * time.Second)
		for _, p := range script.Packets {
			s.Write(p)
		}
		r, err := Open(t.Context(), Source{Live: s, Queue: 3 * time.Second}, format(t, ext))
		if err != nil {
			t.Fatal(err)
		}
		began, goesOn := make(chan struct{}), make(chan struct{})
		first := true
		out := &keeper{hold: func() {
			if first {
				first = false
				close(began)
				<-goesOn
			}
		}}
		ran := make(chan error, 1)
		go func() { ran <- r.Run(t.Context(), out) }()
		<-began
		from := len(script.Packets)
		script.Play(60 * time.Second)
		for _, p := range script.Packets[from:] {
			s.Write(p)
		}
		close(goesOn)
		s.Close()
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		r.Close()
		got := marks(out.Bytes())
		pictures := slices.DeleteFunc(got, func(m string) bool { return m[0] == 'A' })
		want := marksOf(script.Packets, media.Video)
		if n := len(pictures); n < 50 || n > len(want)/2 || !slices.Equal(pictures[n-50:], want[len(want)-50:]) {
			t.Errorf("%s: %d pictures of %d", ext, n, len(want))
		}
	}
}

// What has no place in a format is refused in words that name what would fit.
func TestAnOutputThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	h264, aac := mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080), mediatest.Track(t, media.CodecAAC, mediatest.AACLC44)
	vp8, opus := &media.Track{Codec: media.CodecVP8}, &media.Track{Kind: media.Audio, Codec: media.CodecOpus, SampleRate: 48000, Channels: 2, Config: append([]byte("OpusHead\x01\x02"), make([]byte, 9)...)}
	mp3 := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100, Channels: 2}
	for _, c := range []struct {
		ext          string
		video, audio *media.Track
		want         string // of the error; empty: it fits
	}{
		{".flv", h264, aac, ""},
		{".flv", vp8, opus, ""},
		{".ts", h264, mp3, ""},
		{".ts", vp8, opus, "MPEG-TS has no place for the pictures of this stream, VP8, and nothing is coded again here; these fit: .flv .mkv .webm"},
		{".mp4", h264, opus, ""},
		{".webm", vp8, opus, ""},
		{".webm", vp8, nil, ""},
		{".webm", h264, opus, "WebM has no place for the pictures of this stream, H.264"},
		{".webm", vp8, aac, "WebM has no place for the sound of this stream, AAC"},
		{".mp3", h264, mp3, ""},
		{".mp3", h264, aac, "MP3 has no place for the sound of this stream, AAC, and nothing is coded again here; these fit: .aac"},
		{".aac", nil, aac, ""},
		{".aac", nil, opus, "these fit"},
		{".json", vp8, mp3, ""},
		{".mp4", nil, nil, ""},
	} {
		err := format(t, c.ext).Fits(c.video, c.audio)
		switch {
		case c.want == "" && err != nil, c.want != "" && err == nil:
			t.Errorf("%s: %v, want %q", c.ext, err, c.want)
		case err != nil && c.want != "these fit" && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %q, want %q", c.ext, err, c.want)
		}
	}
	for _, name := range []string{"cam", "cam.m3u8", ".flv", "x/.ts", "cam.flv/x", "", "flv"} {
		if f, stem := ByName(name); f != nil {
			t.Errorf("%q is %s of %q", name, f.Name, stem)
		}
	}
}

// A stream without what the output needs is refused once that is known.
func TestSoundThatNeverComesIsRefused(t *testing.T) {
	t.Parallel()
	script := mediatest.NewScript(t)
	script.Audio = nil
	script.Play(4 * time.Second)
	s := live.NewStream("live", "cam", live.Options{})
	for _, p := range script.Packets {
		s.Write(p)
	}
	var unfit *UnfitError
	if _, err := Open(t.Context(), Source{Live: s}, format(t, ".aac")); !errors.As(err, &unfit) || unfit.Error() != "this stream has no sound" {
		t.Errorf("pictures alone: %v", err)
	}
	empty := live.NewStream("live", "cam", live.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Source{Live: empty}, format(t, ".mp4")); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing came: %v", err)
	}
	empty.Close()
	if _, err := Open(t.Context(), Source{Live: empty}, format(t, ".mp4")); !errors.Is(err, ErrEnded) {
		t.Errorf("nothing will come: %v", err)
	}
	if n := empty.Snapshot().Cursors + s.Snapshot().Cursors; n != 0 {
		t.Errorf("%d cursors are left", n)
	}
}

// A format with one header ends where the coding changes; others go on.
func TestAnotherCodingEndsWhatCanNotSayIt(t *testing.T) {
	t.Parallel()
	for ext, goesOn := range map[string]bool{".mp4": false, ".mkv": false, ".flv": true, ".ts": true} {
		script := mediatest.NewScript(t)
		script.Play(4 * time.Second)
		changed := len(script.Packets)
		script.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
		script.Play(2 * time.Second)
		s := live.NewStream("live", "cam", live.Options{})
		for _, p := range script.Packets[:10] {
			s.Write(p)
		}
		r, err := Open(t.Context(), Source{Live: s}, format(t, ext))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range script.Packets[10:] {
			s.Write(p)
		}
		s.Close()
		var out keeper
		err = r.Run(t.Context(), &out)
		r.Close()
		got, want := marks(out.Bytes()), marksOf(script.Packets, media.Video)
		got = slices.DeleteFunc(got, func(m string) bool { return m[0] == 'A' })
		if !goesOn {
			want = marksOf(script.Packets[:changed], media.Video)
			got = append(got, want[len(got):]...) // the newest are not sent
		}
		if errors.Is(err, ErrRecoded) == goesOn || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %d pictures, want %d", ext, err, len(got), len(want))
		}
	}
}

// A radio begins with the sound that is held, some seconds, so that it is heard at once; a
// stream without sound goes without.
func TestStreamsOfOneMedium(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{".flv", ".ts", ".mp4", ".mkv", ".aac"} {
		script := mediatest.NewScript(t)
		script.Video = nil
		script.Play(5 * time.Second)
		before := script.Packets
		script.Play(time.Second)
		got, want := marks(all(t, ext, before, script.Packets[len(before):])), marksOf(script.Packets, media.Audio)
		if n := len(got); n < 43*5/2 || !slices.Equal(got, want[len(want)-n:]) {
			t.Errorf("%s, sound alone: %d frames of %d", ext, n, len(want))
		}
		if ext == ".aac" {
			continue
		}
		script = mediatest.NewScript(t)
		script.Audio = nil
		got, want = marks(all(t, ext, nil, script.Play(4*time.Second).Packets)), marksOf(script.Packets, media.Video)
		if !slices.Equal(got, want) {
			t.Errorf("%s, pictures alone: %d of %d", ext, len(got), len(want))
		}
	}
}

// Another publisher of the stream goes on where the one before ended, sooner or later.
func TestAViewerStaysThroughAnotherPublisher(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{".flv", ".ts", ".mp4", ".mkv"} {
		script := mediatest.NewScript(t)
		script.Play(4 * time.Second)
		first := len(script.Packets)
		script.At, script.Epoch = script.At+20*time.Second, 1
		script.Play(4 * time.Second)
		got := marks(all(t, ext, script.Packets[:first], script.Packets[first:]))
		pictures := slices.DeleteFunc(got, func(m string) bool { return m[0] == 'A' })
		want := marksOf(script.Packets, media.Video)
		if !slices.Equal(pictures, want[len(want)-150:]) {
			t.Errorf("%s: %d pictures", ext, len(pictures))
		}
	}
}

// Data messages are in FLV alone, other tracks than the first nowhere.
func TestWhatIsNoPictureAndNoSound(t *testing.T) {
	t.Parallel()
	script := mediatest.NewScript(t)
	script.Play(3 * time.Second)
	other := *script.Video
	other.ID = 1
	for i := range 20 {
		at := time.Duration(i) * 100 * time.Millisecond
		data, second := []byte("a message"), []byte("another track")
		script.Packets = append(script.Packets,
			&media.Packet{Track: &media.Track{Kind: media.Data}, DTS: at, Tag: data, Data: data}, &media.Packet{Track: &other, DTS: at, Tag: second})
	}
	slices.SortStableFunc(script.Packets, func(a, b *media.Packet) int { return int(a.DTS - b.DTS) })
	for ext, messages := range map[string]int{".flv": 20, ".ts": 0, ".mp4": 0, ".mkv": 0} {
		b := all(t, ext, nil, script.Packets)
		if n := bytes.Count(b, []byte("a message")); n != messages || bytes.Contains(b, []byte("another track")) {
			t.Errorf("%s: %d messages, want %d", ext, n, messages)
		}
	}
}
