package fanout

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// collect reads messages up to one whose body ends with last.
func collect(t *testing.T, c net.Conn, w *wire, last string) (all []got) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for {
		m, err := w.next()
		if err != nil {
			t.Fatalf("after %d messages, waiting for %q: %v", len(all), last, err)
		}
		if all = append(all, m); string(m.body[max(len(m.body)-len(last), 0):]) == last {
			return all
		}
	}
}

func count(all []got, body []byte) (n int) {
	for _, m := range all {
		if string(m.body) == string(body) {
			n++
		}
	}
	return n
}

// The first packets decide which log a waiting player reads; it is moved there, and
// gets no header twice.
func TestAPlayerThatIsMovedGetsNoHeaderTwice(t *testing.T) {
	h := newRig(t)
	h.stream.SetMetadata([]byte("\x02\x00\x0aonMetaData\x05"))
	o := patient
	o.Connect = &rtmp.Connect{FourCCs: []string{"Opus"}}
	_, c, w := h.join(o)
	h.packet(opusTrack, false, []byte("\x91Opusfirst"), nil)
	all := collect(t, c, w, "first") // it has begun, in the log of both media
	h.plain(1)                       // HEVC, which it does not take
	for n := range 3 {
		h.packet(opusTrack, false, fmt.Appendf(nil, "\x91Opus%d", n), nil)
		all = append(all, collect(t, c, w, fmt.Sprint("Opus", n))...)
	}
	if n := count(all, opusTrack.Tag); n != 1 {
		t.Errorf("the audio header came %d times", n)
	}
	if n := count(all, h.stream.Metadata().Raw); n != 1 {
		t.Errorf("the metadata came %d times", n)
	}
}

// A player that is moved to the newest keyframe gets the headers that have changed, and only
// those; one that resumes after a pause gets all.
func TestHeadersComeAgainIfTheyChanged(t *testing.T) {
	for _, changed := range []bool{false, true} {
		h := newRig(t)
		h.put(h.audio, false, []byte("\xaf\x01sound"), 100)
		h.write(1, 100)
		h.put(h.audio, false, []byte("\xaf\x01sound"), 100)
		p, c, w := h.join(PlayerOptions{WaitKey: true, GOPCache: true, Timeout: time.Minute, Queue: 5 * time.Second})
		all := collect(t, c, w, "sound"+string(slices.Repeat([]byte{1}, 93)))
		old := h.video
		for p.Lapped() == 0 { // it reads nothing meanwhile
			if h.frame > 100000 {
				t.Fatal("never lapped")
			}
			h.write(30, 20000)
			time.Sleep(50 * time.Millisecond) // lag is looked for every 250 ms
			if changed && h.video == old && h.frame > 300 {
				h.video = &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: []byte("\x17\x00new")}
			}
		}
		h.put(h.audio, false, []byte("\xaf\x01"), 100)
		h.write(31, 100)
		h.put(h.audio, false, []byte("\xaf\x01the end"), 9)
		all = append(all, collect(t, c, w, "the end")...)
		want := map[*media.Track]int{old: 1, h.audio: 1}
		if changed {
			want[h.video] = 1
		}
		for track, n := range want {
			if got := count(all, track.Tag); got != n {
				t.Errorf("changed %t: header %q came %d times", changed, track.Tag, got)
			}
		}

		p.Pause(true)
		for h.fan.Memory() > 0 {
			time.Sleep(time.Millisecond)
		}
		p.Pause(false)
		h.write(60, 100)
		h.put(h.audio, false, []byte("\xaf\x01resumed"), 9)
		if n := count(collect(t, c, w, "resumed"), h.video.Tag); n != 1 {
			t.Errorf("changed %t: after the pause the header came %d times", changed, n)
		}
	}
}

// A plain publisher takes the stream over from one of two tracks: its players
// share one log again, and nobody misses or repeats a frame.
func TestLogsMeetWhenAPlainPublisherTakesOver(t *testing.T) {
	h := newRig(t)
	extra := &media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag}}
	var readers []*reader
	for i := range 6 { // the last two read nothing before the end
		o := patient
		if i%2 == 1 {
			o = withTracks
		}
		p, c, w := h.join(o)
		if i < 4 {
			readers = append(readers, read(c, w, 119, 1))
		} else {
			defer func() {
				r := read(c, w, 119, 1)
				r.wait(t)
				checkTakeover(t, r, i%2 == 1)
			}()
		}
		_ = p
	}
	h.twoTracks(extra, 1, 100)
	for h.fan.BytesOut.Load() < 6*100 { // everybody is in before the next keyframe
		time.Sleep(time.Millisecond)
	}
	h.twoTracks(extra, 29, 100000)
	for run := range 3 {
		if got := h.kindsOfLogs(); !slices.Equal(got, []kind{everything, trackZero}) {
			t.Errorf("run %d: logs of two tracks: %v", run, got)
		}
		h.epoch++
		h.plain(15)
		if got := h.kindsOfLogs(); !slices.Equal(got, []kind{everything}) {
			t.Errorf("run %d: logs of one track: %v", run, got)
		}
		h.epoch++
		h.twoTracks(extra, 15, 20000)
	}
	for i, r := range readers {
		r.wait(t)
		checkTakeover(t, r, i%2 == 1)
	}
}

// checkTakeover wants frames 0 to 119: two tracks from 0 to 29 and in the latter
// half of each 30 that follow.
func checkTakeover(t *testing.T, r *reader, tracks bool) {
	t.Helper()
	if err := consecutive(r.numbers); err != nil || len(r.numbers) != 120 || !slices.IsSorted(r.times) {
		t.Errorf("multitrack %t: %d frames, %v", tracks, len(r.numbers), err)
	}
	for i, multi := range r.multi {
		if multi != (tracks && (i < 30 || i%30 >= 15)) {
			t.Errorf("multitrack %t: frame %d is a multitrack body: %t", tracks, r.numbers[i], multi)
			return
		}
	}
}
