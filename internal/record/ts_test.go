package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// transport lists what a transport stream has: T for tables, v and a for the PES packets of
// picture and sound with their times in ms, V where players can begin.
func transport(ts []byte) string {
	var out []string
	times := mediatest.DecodeTimes(ts)
	for ; len(ts) >= tsPacket; ts = ts[tsPacket:] {
		pid := int(ts[1]&0x1f)<<8 | int(ts[2])
		if ts[1]&0x40 == 0 {
			continue
		}
		switch pid {
		case 0:
			out = append(out, "T")
		case 0x100, 0x101:
			at := times[pid][0]
			times[pid] = times[pid][1:]
			kind := map[int]string{0x100: "v", 0x101: "a"}[pid]
			if pid == 0x100 && ts[3]&0x20 != 0 && ts[5]&0x40 != 0 { // random_access_indicator
				kind = "V"
			}
			out = append(out, fmt.Sprint(kind, (at-1700*time.Millisecond).Milliseconds()))
		}
	}
	return strings.Join(out, " ")
}

// Where a transport stream has its tables, and how much sound is in a PES packet.
func TestWhatIsInATransportStream(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	const begins = 5 * time.Hour // the file begins at 0
	video := func(at int, key bool) { s.Put(s.Video, begins+time.Duration(at)*time.Millisecond, key) }
	sound := func(from, to, step int) {
		for at := from; at < to; at += step {
			s.Put(s.Audio, begins+time.Duration(at)*time.Millisecond, false)
		}
	}
	for _, c := range []struct {
		name string
		play func()
		want string
	}{
		{
			"sound: tables every half second, a PES packet every 150 ms", func() { sound(0, 1200, 50) },
			"T a0 a150 a300 T a450 a600 a750 T a900 a1050",
		},
		{"sound that is a little late", func() { sound(0, 600, 51) }, "T a0 a153 a306 T a459"},
		{"a keyframe has tables before it, and the sound that came before", func() {
			video(0, true)
			sound(10, 100, 30)
			video(120, false)
			video(150, true)
			sound(160, 170, 10)
			video(310, false)
		}, "T V0 v120 a10 T V150 a160 v310"},
		{"150 ms of sound before a picture", func() {
			video(0, true)
			sound(0, 100, 20)
			video(149, false)
			video(150, false)
		}, "T V0 v149 a0 v150"},
	} {
		s.Packets = nil
		c.play()
		f := &mediatest.MemFile{}
		w := &tsWriter{file: f}
		for _, p := range s.Packets {
			if !w.Accepts(p.Track) {
				t.Fatal("not accepted")
			}
			if err := w.Write(p); err != nil {
				t.Fatal(err)
			}
		}
		size, last := w.Size(), s.Packets[len(s.Packets)-1].DTS-s.Packets[0].DTS
		if w.Duration() != last || w.Empty() {
			t.Errorf("%s: %v, empty %t; want %v", c.name, w.Duration(), w.Empty(), last)
		}
		if err := w.Finish(); err != nil {
			t.Fatal(err)
		}
		if got := transport(f.B); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
		if w.Written() != int64(len(f.B)) || size > w.Written() || w.Size() != w.Written() {
			t.Errorf("%s: %d bytes, %d written, %d of %d before", c.name, len(f.B), w.Written(), size, w.Size())
		}
	}
}

// It is written in pieces of 64 KiB; a full disk leaves whole packets.
func TestATransportStreamOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	s.Audio, s.Size = nil, 10000
	s.Play(4 * time.Second)
	f := &mediatest.MemFile{Room: 300_000}
	w := &tsWriter{file: f}
	var err error
	for i := 0; err == nil && i < len(s.Packets); i++ {
		before := len(f.B)
		if err = w.Write(s.Packets[i]); len(f.B) > before && err == nil && len(f.B)-before < 64<<10 {
			t.Errorf("%d bytes are written at once", len(f.B)-before)
		}
	}
	if !errors.Is(err, mediatest.ErrFull) || !strings.HasPrefix(err.Error(), "ts: write: ") {
		t.Errorf("%v", err)
	}
	if n := int64(len(f.B)); n%tsPacket != 0 || n < 300_000-tsPacket || n != w.Written() {
		t.Errorf("%d bytes, of which it knows %d", n, w.Written())
	}
	f.Room = 0 // after an error only Finish is of use
	whole := bytes.Clone(f.B)
	if err := w.Finish(); err != nil || !bytes.HasPrefix(f.B, whole) || len(f.B)%tsPacket != 0 {
		t.Errorf("%v, %d bytes", err, len(f.B))
	}
}

// A file waits up to a second for its second track; what is of another coding belongs
// into another file.
func TestHowLongAFileWaitsForItsSecondTrack(t *testing.T) {
	t.Parallel()
	video := &media.Track{Kind: media.Video, Codec: media.CodecH264, Config: []byte{1}, NALULength: 4}
	audio := &media.Track{Kind: media.Audio, Codec: media.CodecAAC, Config: []byte{1}}
	at := func(t *media.Track, ms int) *media.Packet {
		return &media.Packet{Track: t, DTS: time.Duration(ms) * time.Millisecond, Data: make([]byte, 10)}
	}
	var g gathering
	if !g.empty() || !g.takes(video) || !g.takes(audio) {
		t.Error("a new file does not take everything")
	}
	if got := g.add(at(video, 500)); got != nil || g.empty() || g.size() != 10 {
		t.Errorf("%d packets; %d bytes wait", len(got), g.size())
	}
	if got := g.add(at(video, 300)); got != nil { // the file begins there
		t.Errorf("%d packets", len(got))
	}
	if got := g.add(at(video, 1299)); got != nil {
		t.Errorf("%d packets after 999 ms", len(got))
	}
	if other := *video; g.takes(&media.Track{Kind: media.Video, Codec: media.CodecHEVC}) || !g.takes(&other) || !g.takes(audio) {
		t.Error("of pictures it takes its own, and any sound")
	}
	if got := g.add(at(video, 1300)); len(got) != 4 || g.size() != 0 {
		t.Errorf("%d packets after a second", len(got))
	}
	if g.takes(audio) {
		t.Error("it takes sound that comes too late")
	}
	if got := g.add(at(video, 1000)); len(got) != 1 || got[0].DTS != time.Second || g.newest-g.zero != time.Second {
		t.Errorf("%d packets, %v", len(got), g.newest-g.zero)
	}
	g = gathering{}
	g.add(at(audio, 0))
	if got := g.add(at(video, 10)); len(got) != 2 || g.takes(&media.Track{Kind: media.Audio, Codec: media.CodecMP3}) {
		t.Errorf("%d packets when both are there", len(got))
	}
}
