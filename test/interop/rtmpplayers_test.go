package interop

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRTMPPlayersBesideNginx has real players join over RTMP at both servers at
// once. What they see of rtmpd is what they see of nginx-rtmp: the same streams,
// as early a picture, no other complaint; and a copy of the stream ends.
func TestRTMPPlayersBesideNginx(t *testing.T) {
	t.Parallel()
	nginx, rtmpd := startBoth(t)
	clip, other := encodeClip(t, "320x180", "48000"), encodeClip(t, "640x360", "44100")
	described := describeAgain(clip)
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		name string
		// live makes the stream what it is to be when players join.
		live func(s *side, stream string)
	}{
		{"in the middle", func(s *side, stream string) {
			s.broadcast(stream, clip)
			s.waitMedia(stream, 3*time.Second)
		}},
		{"after a take-over", func(s *side, stream string) {
			first := s.broadcast(stream, clip)
			s.waitMedia(stream, 3*time.Second)
			if s.nginx { // it refuses a second publisher
				first.cut()
			}
			s.broadcast(stream, clip)
			s.waitMedia(stream, time.Second)
		}},
		{"after a reconnect", func(s *side, stream string) {
			s.broadcast(stream, clip).cut()
			s.broadcast(stream, clip).cut()
			s.broadcast(stream, other)
			s.waitMedia(stream, time.Second)
		}},
		{"after a change of codec settings", func(s *side, stream string) {
			b := s.broadcast(stream, clip)
			s.waitMedia(stream, 3*time.Second)
			b.change(other)
			s.waitMedia(stream, time.Second)
		}},
		{"with metadata each second", func(s *side, stream string) {
			s.broadcast(stream, described)
			s.waitMedia(stream, 3*time.Second)
		}},
	} {
		beside.Run(c.name, func(t *testing.T) {
			stream := streamName(c.name)
			onBoth(nginx, rtmpd, func(s *side) any { c.live(s, stream); return nil })
			if t.Failed() {
				return
			}
			beside := together(t)
			defer beside.Wait()
			for _, p := range rtmpPlayers {
				beside.Run(p.name, func(t *testing.T) {
					comparePlaying(t, nginx, rtmpd, func(s *side, _ int, enough enough) playing {
						return p.play(t, s.rtmpURL(stream), enough)
					})
				})
			}
		})
	}
}

// TestRTMPPlayersWaitBesideNginx has players come before their publisher.
func TestRTMPPlayersWaitBesideNginx(t *testing.T) {
	t.Parallel()
	nginx, rtmpd := startBoth(t)
	clip := encodeClip(t, "320x180", "48000")
	beside := together(t)
	defer beside.Wait()
	for _, p := range rtmpPlayers {
		beside.Run(p.name, func(t *testing.T) {
			comparePlaying(t, nginx, rtmpd, func(s *side, n int, enough enough) playing {
				stream := fmt.Sprint(streamName(p.name), n)
				done, begun := make(chan playing, 1), time.Now()
				go func() { done <- p.play(t, s.rtmpURL(stream), enough) }()
				word := "play started"
				if s.nginx {
					word = "play: name="
				}
				eventually(t, 90*time.Second, p.name+" waits at "+s.name(), func() bool {
					for line := range strings.Lines(s.log()) {
						if strings.Contains(line, word) && strings.Contains(line, stream) {
							return true
						}
					}
					return false
				})
				waited := time.Since(begun)
				s.broadcast(stream, clip)
				seen := <-done
				if seen.picture > 0 {
					seen.picture = max(1, seen.picture-waited)
				}
				return seen
			})
		})
	}
}

// TestSeekInALiveStream has players seek; ffmpeg does so once it knows the
// streams, mpv before it plays. From nginx-rtmp, which does not answer, nothing
// comes any more.
func TestSeekInALiveStream(t *testing.T) {
	t.Parallel()
	rtmpd := startHooked(t, `application "live" {}`, nil)
	rtmpd.broadcast("cam", encodeClip(t, "320x180", "48000"))
	rtmpd.waitMedia("cam", time.Second)
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for _, c := range []struct {
			name, plays string
			args        []string
		}{
			{"ffmpeg", `frame= *[1-9]`, []string{"-nostdin", "-rw_timeout", "20000000", "-ss", "1", "-i", rtmpd.rtmpURL("cam"), "-t", "2", "-f", "null", "-"}},
			{"mpv", `AV: 00:00:0[1-9]`, []string{"--no-config", "--vo=null", "--ao=null", "--force-seekable=yes", "--start=1", "--length=2", rtmpd.rtmpURL("cam")}},
		} {
			beside.Run(c.name, func(t *testing.T) {
				out := succeed(t, command(t, 30*time.Second, c.name, c.args...))
				if !regexp.MustCompile(c.plays).MatchString(out) {
					t.Errorf("it shows nothing behind the seek:\n%s", tail(out, 20))
				}
			})
		}
	})
}

// A playing is what a player made of a stream.
type playing struct {
	streams  []string      // as the player calls them
	shows    bool          // the player tells when its first picture comes
	picture  time.Duration // from its start; 0: never
	buffered time.Duration // media, before it begins; 0: it does not tell
	warnings []string
	copied   []string // codecs of the file that it made; nil: it makes none
	output   string
}

// muchLater is how much later than from nginx-rtmp a picture may come: a busy
// machine is not to fail the test, 10 s of buffering are.
const muchLater = 2 * time.Second

// An enough is closed a while after rtmpd's player is done: nginx-rtmp's, which does not
// always begin, need not go on then.
type enough chan struct{}

// comparePlaying has a player play at both servers, the nth time. It does so three times
// at most: whoever gets late pictures each time is late, once may be the machine.
func comparePlaying(t *testing.T, nginx, rtmpd *side, play func(s *side, n int, enough enough) playing) {
	t.Helper()
	var theirs, ours playing
	for n := 1; n == 1 || n <= 3 && !t.Failed() && ours.later(theirs); n++ {
		enough := make(enough)
		theirs, ours = onBoth(nginx, rtmpd, func(s *side) playing {
			if !s.nginx {
				defer time.AfterFunc(2*muchLater, func() { close(enough) })
			}
			return play(s, n, enough)
		})
	}
	ours.compare(t, theirs)
}

// later says whether the first picture comes much later from rtmpd, or never.
func (ours playing) later(theirs playing) bool {
	return ours.shows && (ours.picture == 0 || ours.buffered > theirs.buffered+muchLater ||
		theirs.picture > 0 && ours.picture > theirs.picture+muchLater) // VLC and rtmp2src do not always begin at nginx-rtmp
}

// compare holds rtmpd's against nginx-rtmp's.
func (ours playing) compare(t *testing.T, theirs playing) {
	t.Helper()
	defer func() {
		if t.Failed() {
			keep(t, "rtmpd.log", []byte(ours.output))
			keep(t, "nginx.log", []byte(theirs.output))
		}
	}()
	if !slices.Equal(ours.streams, theirs.streams) {
		t.Errorf("it sees the streams %q at rtmpd, %q at nginx-rtmp", ours.streams, theirs.streams)
	}
	for _, w := range ours.warnings {
		if !slices.Contains(theirs.warnings, w) {
			t.Errorf("it says of rtmpd's stream, and not of nginx-rtmp's: %s", w)
		}
	}
	// nginx-rtmp's copy is not looked at: there, ffmpeg now and then gets an AVC
	// header too late, and writes a Matroska file that can't be read.
	if copied := slices.Compact(slices.Sorted(slices.Values(ours.copied))); ours.copied != nil && !slices.Equal(copied, []string{"aac", "h264"}) {
		t.Errorf("the copy holds %q", ours.copied)
	}
	if !ours.shows {
		return
	}
	t.Logf("first picture: %s from rtmpd, %s from nginx-rtmp", ours.picture, theirs.picture)
	if ours.later(theirs) {
		t.Errorf("the first picture comes later from rtmpd, or never (0); %s are buffered, %s of nginx-rtmp's stream", ours.buffered, theirs.buffered)
	}
}

var rtmpPlayers = []struct {
	name string
	play func(t *testing.T, url string, enough enough) playing
}{
	{"ffprobe", probeStreams},
	{"ffmpeg, first picture", firstPicture},
	{"ffmpeg copies into mkv", copyInto("mkv")},
	{"ffmpeg copies into mp4", copyInto("mp4")},
	{"ffmpeg copies into ts", copyInto("ts")},
	{"ffmpeg copies into flv", copyInto("flv")},
	{"ffmpeg copies all streams into flv", copyInto("flv", "-map", "0")},
	{"ffmpeg copies all streams into mkv", copyInto("mkv", "-map", "0")},
	{"VLC", vlcPlaysRTMP},
	{"mpv", mpvPlaysRTMP},
	{"GStreamer rtmpsrc", gstreamerPlaysRTMP("rtmpsrc", " live=1")},
	{"GStreamer rtmp2src", gstreamerPlaysRTMP("rtmp2src", "")},
}

func probeStreams(t *testing.T, url string, _ enough) (p playing) {
	out, err := command(t, 40*time.Second, "ffprobe", "-v", "warning", "-rw_timeout", "20000000",
		"-show_entries", "stream=codec_type,codec_name,width,sample_rate", "-of", "compact=p=0", url).Output()
	if err != nil {
		t.Errorf("ffprobe %s: %v", url, err)
	}
	p.streams, p.output = strings.Fields(string(out)), string(out)
	slices.Sort(p.streams)
	return p
}

func firstPicture(t *testing.T, url string, _ enough) (p playing) {
	begun := time.Now()
	out, err := command(t, 40*time.Second, "ffmpeg", "-nostdin", "-v", "warning", "-rw_timeout", "20000000",
		"-i", url, "-map", "0:v:0", "-frames:v", "1", "-f", "null", "-").CombinedOutput()
	if err != nil {
		t.Errorf("ffmpeg %s: %v\n%s", url, err, out)
	}
	p.shows, p.picture, p.output = true, time.Since(begun), string(out)
	return p
}

// copyInto copies 2 s into a file, and probes that.
func copyInto(format string, args ...string) func(*testing.T, string, enough) playing {
	return func(t *testing.T, url string, _ enough) (p playing) {
		file := filepath.Join(t.TempDir(), "copy."+format)
		all := append([]string{"-nostdin", "-loglevel", "level+info", "-rw_timeout", "20000000", "-i", url}, args...)
		out, err := command(t, 40*time.Second, "ffmpeg", append(all, "-c", "copy", "-t", "2", "-y", file)...).CombinedOutput()
		if err != nil {
			t.Errorf("ffmpeg -i %s -c copy -t 2 into %s: %v\n%s", url, format, err, out)
			return p
		}
		p.output = string(out)
		p.streams, p.warnings = matches(p.output, `Stream #0:.*?: (\w+: \w+)`), kinds(p.output)
		p.copied = codecsOf(t, file)
		return p
	}
}

var numbers = regexp.MustCompile(`0x[0-9a-f]+|[0-9]+`)

// kinds are a log's warnings and errors without their numbers, each once.
func kinds(log string) []string {
	var out []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "[warning]") && !strings.Contains(line, "[error]") {
			continue
		}
		out = append(out, numbers.ReplaceAllString(strings.TrimSpace(line), "N"))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// watchLines runs a player until a line of its log matches until, or it is enough. It
// returns the log and when the line came.
func watchLines(t *testing.T, cmd *exec.Cmd, until *regexp.Regexp, enough enough) (log string, after time.Duration) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Error(err)
		return "", 0
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	begun := time.Now()
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Error(err)
		return "", 0
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-enough:
			_ = cmd.Cancel()
		case <-ended:
		}
	})
	var b strings.Builder
	lines := bufio.NewReader(r)
	for after == 0 {
		line, err := lines.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			break
		}
		if until.MatchString(line) {
			after = time.Since(begun)
		}
	}
	close(ended)
	wg.Wait()
	_ = cmd.Cancel()
	_, _ = io.Copy(&b, lines)
	_ = cmd.Wait()
	return b.String(), after
}

func matches(log, pattern string) (all []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(log, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return all
}

func vlcPlaysRTMP(t *testing.T, url string, enough enough) (p playing) {
	cmd := command(t, 30*time.Second, "vlc", "-I", "dummy", "--no-dbus", "--vout", "dummy", "--aout", "dummy", "-vv", url, "vlc://quit")
	unprivileged(t, cmd)
	p.shows = true
	p.output, p.picture = watchLines(t, cmd, regexp.MustCompile(`Received first picture`), enough)
	p.streams = matches(p.output, `adding es: (.*)`)
	for _, ms := range matches(p.output, `Stream buffering done \((\d+) ms`) {
		p.buffered, _ = time.ParseDuration(ms + "ms")
	}
	return p
}

func mpvPlaysRTMP(t *testing.T, url string, enough enough) (p playing) {
	cmd := command(t, 30*time.Second, "mpv", "--no-config", "--vo=null", "--ao=null", "--no-input-terminal", url)
	p.shows = true
	p.output, p.picture = watchLines(t, cmd, regexp.MustCompile(`VO: \[null\]`), enough)
	p.streams = matches(p.output, `--([vas]id=.*)`)
	return p
}

// gstreamerPlaysRTMP decodes pictures with librtmp (rtmpsrc) or GStreamer's own
// RTMP (rtmp2src).
func gstreamerPlaysRTMP(source, options string) func(*testing.T, string, enough) playing {
	return func(t *testing.T, url string, enough enough) (p playing) {
		cmd := command(t, 30*time.Second, "gst-launch-1.0", "-v", source, "location="+url+options, "!", "flvdemux", "name=d",
			"d.video", "!", "queue", "!", "h264parse", "!", "avdec_h264", "!", "fakesink", "silent=false", "sync=false",
			"d.audio", "!", "queue", "!", "fakesink")
		p.shows = true
		p.output, p.picture = watchLines(t, cmd, regexp.MustCompile(`last-message = chain`), enough)
		return p
	}
}

// streamName makes a test's name one for a stream.
func streamName(name string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(name) }
