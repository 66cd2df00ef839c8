package interop

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// An odd stream is what some encoders send and players stumble over. Its
// pictures show their own time: see timedPicture.
type oddStream struct {
	name string
	// selects says which pictures of 10 a second there are (ffmpeg's select).
	selects string
	players []string // that watch it
	// spoil changes timestamps, or drops tags, of a clip that came well.
	spoil func(*sentTag) (keep bool)
}

// A sentTag is an FLV tag and when it is sent, in ms after the first.
type sentTag struct {
	flvTag
	at uint32
}

const oddLength = 44 // s, of each

// ahead lets the audio count from another zero.
func ahead(ms uint32) func(*sentTag) bool {
	return func(s *sentTag) bool {
		if s.kind == tagAudio && s.body[1] != 0 {
			s.timestamp += ms
		}
		return true
	}
}

// without leaves a track out from one time to another, in ms, once the
// browser watches.
func without(kind byte, from, to uint32) func(*sentTag) bool {
	return func(s *sentTag) bool {
		return s.kind != kind || s.body[1] == 0 || s.at < from || s.at >= to
	}
}

// soundless leaves the sound out altogether.
func soundless(s *sentTag) bool { return s.kind != tagAudio }

// outliers puts one timestamp in 4 s far off, of video and audio in turn.
func outliers() func(*sentTag) bool {
	next, kind, far := uint32(12000), byte(tagVideo), uint32(3600000)
	return func(s *sentTag) bool {
		if s.kind == kind && s.body[1] != 0 && s.at >= next {
			s.timestamp += far
			next, kind, far = next+4000, tagVideo+tagAudio-kind, -far
		}
		return true
	}
}

const motion = "1"

// oddStreams are for one player each where both would be too much for a small
// machine.
var oddStreams = []oddStream{
	{name: "plain", selects: motion, players: []string{"hls.js", "video.js"}},
	{name: "frame-each-1.5s", selects: "lt(t,6)+not(mod(n,15))+gte(t,34)", players: []string{"video.js"}},
	{name: "motion-3s-still-5s", selects: "lt(mod(t,8),3)", players: []string{"hls.js"}},
	{name: "frame-each-4s", selects: "lt(t,6)+not(mod(n,40))+gte(t,40)", players: []string{"hls.js", "video.js"}},
	{name: "frame-each-12s", selects: "lt(t,6)+not(mod(n,120))+gte(t,40)", players: []string{"hls.js", "video.js"}},
	{name: "frame-each-4s-soundless", selects: "lt(t,6)+not(mod(n,40))+gte(t,40)", players: []string{"hls.js", "video.js"}, spoil: soundless},
	{name: "frame-each-12s-soundless", selects: "lt(t,6)+not(mod(n,120))+gte(t,40)", players: []string{"hls.js", "video.js"}, spoil: soundless},
	{name: "motion-3s-still-5s-soundless", selects: "lt(mod(t,8),3)", players: []string{"hls.js", "video.js"}, spoil: soundless},
	{name: "muted-5s", selects: motion, spoil: without(tagAudio, 15000, 20000), players: []string{"hls.js", "video.js"}},
	{name: "audio-9s-ahead", selects: motion, spoil: ahead(9000), players: []string{"video.js"}},
	{name: "outliers", selects: motion, spoil: outliers(), players: []string{"hls.js"}},
}

// timedPicture draws the time in tenths of a second as 10 boxes, the lowest bit
// at the left; the page reads them.
func timedPicture() string {
	var b strings.Builder
	fmt.Fprintf(&b, "testsrc2=size=160x120:rate=10:duration=%d,drawbox=x=0:y=0:w=160:h=16:color=black:t=fill", oddLength)
	for bit := range 10 {
		fmt.Fprintf(&b, ",drawbox=x=%d:y=0:w=16:h=16:color=white:t=fill:enable='mod(floor((t+0.001)*10/%d),2)'", 16*bit, 1<<bit)
	}
	return b.String()
}

// encode makes the stream's tags, sent in the order of their proper time.
func (o *oddStream) encode(t *testing.T) (tags []sentTag) {
	t.Helper()
	file := filepath.Join(t.TempDir(), o.name+".flv")
	args := []string{"-nostdin", "-v", "error", "-f", "lavfi", "-i", timedPicture()}
	args = append(args, "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=44100:duration=%d", oddLength), "-map", "1:a")
	args = append(args, "-map", "0:v", "-vf", "select="+strings.ReplaceAll(o.selects, ",", `\,`),
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-threads", "1",
		"-g", "20", "-keyint_min", "20", "-sc_threshold", "0", "-vsync", "vfr", "-c:a", "aac", "-ac", "2", "-f", "flv", file)
	succeed(t, command(t, 2*time.Minute, "ffmpeg", args...))
	for _, tag := range flvTags(t, file) {
		s := sentTag{tag, tag.timestamp}
		if tag.kind != tagScript && (o.spoil == nil || o.spoil(&s)) {
			tags = append(tags, s)
		}
	}
	return tags
}

// sendInTime publishes tags in real time from begun on.
func sendInTime(ctx context.Context, s *server, stream string, tags []sentTag, begun time.Time) error {
	c, err := rtmp.Dial(ctx, "rtmp://"+s.rtmp+"/live", rtmp.ClientOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Publish(ctx, stream); err != nil {
		return err
	}
	go func() { // acknowledgements; ends with the connection
		for {
			if _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}()
	for _, tag := range tags {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(begun.Add(time.Duration(tag.at) * time.Millisecond))):
		}
		m := rtmp.Message{Type: rtmp.MessageType(tag.kind), ChunkStreamID: 6, StreamID: c.StreamID, Timestamp: tag.timestamp, Payload: tag.body}
		if err := c.WriteMessage(m); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
	}
	return c.Unpublish()
}

// A watched is what a viewer had of a stream.
type watched struct {
	Name     string
	Fatal    []string
	Played   float64 // s that the clock went on from the first frame to now
	Watched  float64 // s from the first frame to now
	Freeze   float64 // the longest time that the clock stood, s
	Behind   float64 // of the newest picture when it came, s after it was sent
	Furthest float64 // the most of all pictures
	Edge     float64 // distance from the playlist's end, s, as the player says; at most, after the first seconds
	Last     float64 // time that the newest picture shows, s
	Decoded  int
	Trace    string
	// Samples are the clock and the time that the picture shows, each 0.1 s.
	Samples [][2]float64
}

// TestBrowsersWatchOddStreams has hls.js and video.js watch the streams, each in one
// page, and wants the clock to go on. If a page can't even play the plain stream, the
// machine has too much else to do: then there is another show. After three the other
// streams must come as well as the plain one, which other tests are about.
func TestBrowsersWatchOddStreams(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	clips := make(map[string][]sentTag)
	for i := range oddStreams {
		clips[oddStreams[i].name] = oddStreams[i].encode(t)
	}
	var shown map[string][]watched // by player
	for n := 1; n <= 3 && !playsPlain(shown); n++ {
		t.Run(fmt.Sprint("show ", n), func(t *testing.T) { shown = s.show(t, clips, fmt.Sprint("-", n)) })
	}
	for player, all := range shown {
		least := leastOf(all)
		for _, w := range all {
			t.Run(player+"/"+w.Name, func(t *testing.T) {
				for _, f := range w.faults(t, least) {
					t.Error(f)
				}
				w.checkPictures(t, shownTimes(clips[w.Name]))
			})
		}
	}
}

func playsPlain(shown map[string][]watched) bool {
	for _, all := range shown {
		for _, w := range all {
			if w.Name == "plain" && !w.good() {
				return false
			}
		}
	}
	return len(shown) > 0
}

// show publishes the clips, with the suffix to their names, while the browsers watch.
func (s *server) show(t *testing.T, clips map[string][]sentTag, suffix string) map[string][]watched {
	ctx, cancel := context.WithCancel(t.Context())
	var publishers sync.WaitGroup
	defer func() { cancel(); publishers.Wait() }()
	players := []string{"hls.js", "video.js"}
	var opened sync.WaitGroup // browsers
	opened.Add(len(players))
	publish := sync.OnceValue(func() (begun time.Time) {
		opened.Wait()
		begun = time.Now()
		for name, clip := range clips {
			publishers.Go(func() {
				if err := sendInTime(ctx, s, name+suffix, clip, begun); err != nil {
					t.Errorf("publish %s: %v", name, err)
				}
			})
		}
		return begun
	})
	shown := make(map[string][]watched)
	var mu sync.Mutex
	t.Run("watch", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for _, player := range players {
			beside.Run(player, func(t *testing.T) {
				browser := func() *page {
					defer opened.Done()
					return s.openMany(t, player)
				}()
				begun := publish()
				var names []string
				for _, o := range oddStreams {
					if slices.Contains(o.players, player) {
						names = append(names, o.name+suffix)
						s.waitLive(t, o.name+suffix)
					}
				}
				all := browser.watchMany(t, names, begun, (oddLength-2)*time.Second)
				for i := range all {
					all[i].Name = strings.TrimSuffix(all[i].Name, suffix)
				}
				mu.Lock()
				defer mu.Unlock()
				shown[player] = all
			})
		}
	})
	for name := range clips {
		body, _ := get(s.hlsURL(name + suffix))
		keep(t, name+".m3u8", body)
	}
	return shown
}

// The bounds are how well a stream has to play.
type bounds struct {
	share  float64 // of the time watched that is played
	freeze float64 // the longest, s
}

// leastOf is what is wanted of all streams of a page.
func leastOf(all []watched) bounds {
	least := wanted
	for _, w := range all {
		if w.Name == "plain" && len(w.Fatal) == 0 && w.Watched > 0 && !w.good() {
			// Who freezes, and when, is chance on such a machine.
			least = bounds{share: wanted.share * w.Played / w.Watched, freeze: 2*wanted.freeze + w.Freeze}
		}
	}
	return least
}

// Bounds with slack for a machine that has much else to do. What they are for
// froze for 3 s to 18 s, was a fatal error, or showed an old picture to the end.
var wanted = bounds{share: 0.7, freeze: 2.5}

const (
	mostStale  = 0.4 // of the time watched, with a picture that is over
	fewWatched = 25  // s: less says nothing about pictures that are over
)

// faults says what a viewer would complain of. t may be nil.
func (w *watched) faults(t *testing.T, least bounds) (faults []string) {
	if t != nil {
		t.Logf("%5.1f of %5.1f s played, longest freeze %4.1f, %4.1f s behind at the end, %4.1f at most, %4.1f to the edge at most, %d frames, the last of %.1f s\n%s",
			w.Played, w.Watched, w.Freeze, w.Behind, w.Furthest, w.Edge, w.Decoded, w.Last, w.Trace)
	}
	for _, f := range w.Fatal {
		faults = append(faults, "fatal: "+f)
	}
	switch {
	case w.Watched == 0 || w.Played < least.share*w.Watched:
		faults = append(faults, fmt.Sprintf("the clock went on by %.1f s in %.1f s", w.Played, w.Watched))
	case w.Freeze > least.freeze:
		faults = append(faults, fmt.Sprintf("the clock stood for %.1f s", w.Freeze))
	}
	return faults
}

// good says that the machine can play the stream, if nothing is odd about it.
func (w *watched) good() bool { return len(w.faults(nil, wanted)) == 0 && w.Watched >= fewWatched }

// checkPictures wants the newest picture to be shown, give or take what it takes
// to show one: pictures are the times of those that there are.
func (w *watched) checkPictures(t *testing.T, pictures []float64) {
	newest := func(at float64) float64 {
		i, _ := slices.BinarySearch(pictures, at)
		return pictures[max(i-1, 0)]
	}
	stale := 0
	for _, x := range w.Samples {
		if at, shown := x[0], x[1]; shown < newest(at-0.7)-0.05 || shown > newest(at+0.7)+0.05 {
			stale++
		}
	}
	t.Logf("%s: a picture that is over for %.1f s", w.Name, float64(stale)/10)
	if w.Watched < fewWatched { // it began so late that its first seconds are not typical
		return
	}
	if float64(stale) > mostStale*float64(len(w.Samples)) {
		t.Errorf("a picture that is over for %.1f s of %.1f", float64(stale)/10, w.Watched)
	}
}

// shownTimes are those of the pictures in a clip, in seconds.
func shownTimes(tags []sentTag) (times []float64) {
	for _, tag := range tags {
		if tag.kind == tagVideo && tag.body[1] == 1 {
			times = append(times, float64(tag.at)/1000)
		}
	}
	return times
}
