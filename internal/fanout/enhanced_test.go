package fanout

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

var (
	withTracks = PlayerOptions{
		WaitKey: true, GOPCache: true, Timeout: time.Minute,
		Connect: &rtmp.Connect{Enhanced: true, CapsEx: rtmp.CapMultitrack},
	}
	hevcTrack = &media.Track{Kind: media.Video, Codec: media.CodecHEVC, FourCC: flv.FourCCHEVC, LegacyID: flv.LegacyNone, Tag: []byte("\x90hvc1config")}
	opusTrack = &media.Track{Kind: media.Audio, Codec: media.CodecOpus, FourCC: flv.FourCCOpus, LegacyID: flv.LegacyNone, Tag: []byte("\x90Opusconfig")}
)

// twoTracks publishes n frames of HEVC in two tracks, 1 before 0, a keyframe
// every 30, each of size bytes.
func (h *rig) twoTracks(extra *media.Extra, n, size int) {
	for range n {
		key := h.frame%30 == 0
		frame := byte(0xa6)
		if key {
			frame = 0x96
		}
		data := fmt.Appendf(nil, "%08d", h.frame)
		data = append(data, bytes.Repeat([]byte{byte(h.frame)}, max(size-len(data), 0))...)
		body := append([]byte{frame, 0x13}, "hvc1"...)
		body = append(body, 1, 0, 0, 2, 'x', 'y', 0)
		body = binary.BigEndian.AppendUint32(body, uint32(len(data))<<8)[:len(body)+3]
		body = append(body, data...)
		h.packet(hevcTrack, key, body, extra)
		h.frame++
	}
}

// plain publishes the same in one track.
func (h *rig) plain(n int) {
	for range n {
		key := h.frame%30 == 0
		body := append([]byte{0xa3}, "hvc1"...)
		if key {
			body[0] = 0x93
		}
		h.packet(hevcTrack, key, fmt.Appendf(body, "%08d", h.frame), nil)
		h.frame++
	}
}

func (h *rig) packet(t *media.Track, key bool, body []byte, extra *media.Extra) {
	ms := uint32(h.frame * 33)
	h.stream.Write(&media.Packet{
		Track: t, DTS: time.Duration(ms) * time.Millisecond, Timestamp: ms,
		Keyframe: key, Tag: body, Data: body, Epoch: h.epoch, Extra: extra,
	})
	h.fan.Wake()
	h.fan.pull()
}

// kindsOfLogs are those that the fan holds.
func (h *rig) kindsOfLogs() (out []kind) {
	h.fan.mu.Lock()
	defer h.fan.mu.Unlock()
	for k, l := range h.fan.logs {
		if l != nil {
			out = append(out, kind(k))
			if l.kind != kind(k) {
				h.t.Errorf("log %d says that it is %d", k, l.kind)
			}
		}
	}
	return out
}

// A reader reads a player's messages in a goroutine of its own.
type reader struct {
	numbers []int  // of the frames, in order
	multi   []bool // whether each was a multitrack body
	times   []uint32
	headers []string
	done    chan struct{}
	err     error
}

// read goes on until frame last of the run-th stream.
func read(c net.Conn, w *wire, last, run int) *reader {
	r := &reader{done: make(chan struct{})}
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
	go func() {
		defer close(r.done)
		for {
			m, err := w.next()
			if err != nil {
				r.err = err
				return
			}
			if m.typ != 9 {
				continue
			}
			multi := m.body[0]&0xf == 6
			if !multi && m.body[0]&0xf == 0 || multi && m.body[1]&0xf == 0 {
				r.headers = append(r.headers, string(m.body))
				continue
			}
			at := 5
			if multi {
				at = 16
			}
			var n int
			if _, err := fmt.Sscanf(string(m.body[at:at+8]), "%d", &n); err != nil {
				r.err = fmt.Errorf("frame %q: %w", m.body[:at+8], err)
				return
			}
			r.numbers, r.multi, r.times = append(r.numbers, n), append(r.multi, multi), append(r.times, m.ts)
			if n == last {
				if run--; run == 0 {
					return
				}
			}
		}
	}()
	return r
}

func (r *reader) wait(t testing.TB) {
	t.Helper()
	wait(t, r.done, "a player's frames")
	if r.err != nil {
		t.Fatalf("after %v: %v", r.numbers, r.err)
	}
}

func TestPlayersPartWithoutLossAndMeetAgain(t *testing.T) {
	h := newRig(t)
	all := []byte("\x96\x10hvc1\x00\x00\x00\x01c\x01\x00\x00\x01d")
	extra := &media.Extra{Multitrack: true, Headers: [][]byte{all}, FourCCs: []uint32{flv.FourCCHEVC}}
	var readers []*reader
	var sinks []*Player
	for i := range 8 { // the last two of each read nothing before the end
		o := patient
		if i%2 == 1 {
			o = withTracks
		}
		p, c, w := h.join(o)
		sinks = append(sinks, p)
		if i < 4 {
			readers = append(readers, read(c, w, 59, 2))
		} else {
			defer func() {
				r := read(c, w, 59, 2)
				r.wait(t)
				checkLanes(t, r, i%2 == 1)
			}()
		}
	}
	for range 2 {
		h.plain(1)
		for _, p := range sinks { // they are in their log before the next keyframe
			for sent := p.Sent(); p.Sent() == sent && sent == 0; {
				time.Sleep(time.Millisecond)
			}
		}
		h.plain(20)
		if got := h.kindsOfLogs(); !slices.Equal(got, []kind{everything}) {
			t.Errorf("logs of a stream of one track: %v", got)
		}
		h.twoTracks(extra, 39, 100000) // no socket buffer takes that
		if got := h.kindsOfLogs(); !slices.Equal(got, []kind{everything, trackZero}) {
			t.Errorf("logs of a stream of two tracks: %v", got)
		}
		h.stream.Close()
		h.fan.Attach(nil)
		h.frame = 0
		h.attach()
	}
	for i, r := range readers {
		r.wait(t)
		checkLanes(t, r, i%2 == 1)
	}
}

// checkLanes wants frames 0 to 59 twice, all of track 0 or as they are.
func checkLanes(t *testing.T, r *reader, tracks bool) {
	t.Helper()
	var want []int
	for range 2 {
		for n := range 60 {
			want = append(want, n)
		}
	}
	if !slices.Equal(r.numbers, want) {
		t.Errorf("multitrack %t: frames %v", tracks, r.numbers)
	}
	if !slices.IsSorted(r.times) {
		t.Errorf("multitrack %t: times %v", tracks, r.times)
	}
	for i, multi := range r.multi {
		if multi != (tracks && i%60 > 20) {
			t.Errorf("multitrack %t: frame %d is a multitrack body: %t", tracks, r.numbers[i], multi)
			return
		}
	}
	head := "\x90hvc1c"
	if tracks {
		head = "\x96\x10hvc1\x00\x00\x00\x01c\x01\x00\x00\x01d"
	}
	if config := "\x90hvc1config"; !slices.Equal(r.headers, []string{config, head, config, head}) {
		t.Errorf("multitrack %t: headers %q", tracks, r.headers)
	}
}

func TestLogsGoWithTheirPlayers(t *testing.T) {
	h := newRig(t)
	extra := &media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag}}
	h.twoTracks(extra, 5, 1000)
	logs := func(step string, want ...kind) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
			got := h.kindsOfLogs()
			if slices.Equal(got, want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: logs %v, want %v", step, got, want)
			}
		}
	}
	one, _, _ := h.join(patient)
	logs("no multitrack", trackZero)
	two, _, _ := h.join(patient)
	many, _, _ := h.join(withTracks)
	logs("one with multitrack", everything, trackZero)
	many.Receive(true, false)
	logs("that one wants no video", trackZero, audioOnly)
	one.Receive(false, true)
	logs("another wants no audio", trackZero, audioOnly, videoOnly)
	two.Receive(false, false)
	logs("the third wants nothing", audioOnly, videoOnly)
	two.Receive(true, true)
	logs("the third wants all again", trackZero, audioOnly, videoOnly)
	many.Receive(true, true)
	logs("the first wants all again", everything, trackZero, videoOnly)
	for _, p := range []*Player{one, two, many} {
		p.Close()
	}
	logs("nobody is left")
	if m := h.fan.Memory(); m != 0 {
		t.Errorf("%d bytes are left", m)
	}
}

func TestAJoinerGetsTheHeadersOfAllItsTracks(t *testing.T) {
	h := newRig(t)
	second, third := []byte("\x96\x00hvc1\x01second"), []byte("\x96\x00av01\x02third")
	extra := &media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag, second, third}, FourCCs: []uint32{flv.FourCCHEVC, flv.FourCCAV1}}
	h.twoTracks(extra, 45, 100)
	for _, c := range []struct {
		name    string
		connect *rtmp.Connect
		want    []string
	}{
		{"multitrack of other codecs, and nothing is known yet", &rtmp.Connect{CapsEx: rtmp.CapMultitrack, FourCCs: []string{"hvc1"}}, []string{string(hevcTrack.Tag)}},
		{"announces nothing", nil, []string{string(hevcTrack.Tag)}},
		{"multitrack", &rtmp.Connect{CapsEx: rtmp.CapMultitrack}, []string{string(hevcTrack.Tag), string(second), string(third)}},
		{"multitrack of all codecs", &rtmp.Connect{CapsEx: rtmp.CapMultitrack, FourCCs: []string{"hvc1", "av01"}}, []string{string(hevcTrack.Tag), string(second), string(third)}},
	} {
		o := patient
		o.Connect = c.connect
		_, conn, w := h.join(o)
		r := read(conn, w, 44, 1)
		r.wait(t)
		if !slices.Equal(r.headers, c.want) || r.numbers[0] != 30 {
			t.Errorf("%s: headers %q, from frame %d; want %q", c.name, r.headers, r.numbers[0], c.want)
		}
	}
}

func TestNoAllocationForAPlayerOfAnyKind(t *testing.T) {
	h := newRig(t)
	extra := &media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag}}
	h.twoTracks(extra, 31, 1000)
	for i := range 20 {
		o := patient
		if i%2 == 0 {
			o = withTracks
		}
		p, c, _ := h.join(o)
		if i%5 == 4 {
			p.Receive(false, true)
		}
		go func() { _, _ = io.Copy(io.Discard, c) }()
	}
	h.twoTracks(extra, 300, 1000)
	if got := h.kindsOfLogs(); len(got) != 3 {
		t.Fatalf("logs %v", got)
	}
	body := append([]byte("\xa6\x13hvc1\x01\x00\x00\x01x\x00\x00\x03\xe8"), make([]byte, 1000)...)
	packets := make([]*media.Packet, 0, 1600)
	for i := range cap(packets) {
		packets = append(packets, &media.Packet{Track: hevcTrack, DTS: time.Duration(h.frame+i) * 33 * time.Millisecond, Tag: body, Epoch: 1, Extra: extra})
	}
	i := 0
	allocs := testing.AllocsPerRun(1500, func() {
		h.stream.Write(packets[i])
		h.fan.Wake()
		h.fan.pull()
		i++
	})
	if allocs > 1 { // the marks of three logs grow now and then, and segments are made
		t.Errorf("%v allocations for a packet and twenty players", allocs)
	}
}

func TestNobodyBeginsInAStreamThatHasEnded(t *testing.T) {
	h := newRig(t)
	h.write(10, 100)
	_, c, w := h.join(patient)
	frames(t, c, w, 9)
	h.stream.Close()
	h.fan.Attach(nil)
	p, late, lw := h.join(patient)
	served := func() {
		t.Helper()
		pong := rtmp.AppendMessage(nil, rtmp.Message{Type: rtmp.TypeUserControl, ChunkStreamID: 2, Payload: []byte("pong..")}, testChunk)
		for range 2 { // with the second it has looked for a place once
			if err := p.Control(pong); err != nil {
				t.Fatal(err)
			}
			if m, err := lw.next(); err != nil || m.typ != byte(rtmp.TypeUserControl) {
				t.Fatalf("got a message of type %d, %v", m.typ, err)
			}
		}
	}
	served()
	h.frame = 0
	h.attach()
	served()
	h.write(5, 100)
	if n, _ := frames(t, late, lw, 4); n[0] != 0 || len(n) != 5 {
		t.Errorf("the late one got frames %v", n)
	}
}

func TestAPausedPlayerNeedNotWaitForTheNextStreamToGetAsOld(t *testing.T) {
	h := newRig(t)
	h.write(90, 100) // 3 s
	p, c, w := h.join(patient)
	frames(t, c, w, 89)
	p.Pause(true)
	for h.fan.Memory() > 0 {
		time.Sleep(time.Millisecond)
	}
	h.stream.Close()
	h.fan.Attach(nil)
	h.frame = 0
	h.attach()
	h.write(1, 100)
	p.Pause(false)
	if n, ts := frames(t, c, w, 0); n[0] != 0 || ts[0] < 89*33 {
		t.Errorf("goes on with frame %d at %d", n[0], ts[0])
	}
}

func TestTLSPlayersGetTheirTracksToo(t *testing.T) {
	h := newRig(t)
	extra := &media.Extra{Multitrack: true, Headers: [][]byte{hevcTrack.Tag}}
	h.plain(1)
	var readers []*reader
	for _, o := range []PlayerOptions{patient, withTracks} {
		ours, theirs := tcpPair(t)
		h.fan.Join(wrapped{ours}, o)
		readers = append(readers, read(theirs, &wire{bufio.NewReader(theirs)}, 29, 1))
	}
	for h.fan.BytesOut.Load() < 2*20 {
		time.Sleep(time.Millisecond)
	}
	h.plain(9)
	h.twoTracks(extra, 20, 5000)
	for i, r := range readers {
		r.wait(t)
		if err := consecutive(r.numbers); err != nil || r.numbers[0] != 0 || r.multi[len(r.multi)-1] != (i == 1) {
			t.Errorf("player %d: frames %v, %v", i, r.numbers, err)
		}
	}
}
