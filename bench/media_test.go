//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func TestSourceHasTheRateAndTheShapeItPromises(t *testing.T) {
	for _, rate := range []int64{200_000, 2_650_000} {
		shape := newShape(rate)
		s := &source{shape: &shape, noise: noise(), table: castagnoli(), stream: 3}
		var size, videos, audios, keys int
		last := time.Duration(-1)
		check := &checker{table: s.table, stream: 3}
		for s.due() < 20*time.Second {
			due, key := s.due(), s.videoTime() <= s.audioTime() && s.video%gopFrames == 0
			video, at, body := s.next(due)
			if at != due || at < last {
				t.Fatalf("message at %v was due at %v after %v", at, due, last)
			}
			last = at
			size += len(body)
			kind, header := kindAudio, flvAudioHeader
			if video {
				kind, header = kindVideo, flvVideoHeader+naluLength
				videos++
				if got := int(binary.BigEndian.Uint32(body[flvVideoHeader:])); got != len(body)-header {
					t.Fatalf("NAL unit length: got %d, want %d", got, len(body)-header)
				}
				if bytes.IndexByte(body[header:], 0) >= 0 {
					t.Fatal("a NAL unit holds a zero byte")
				}
			} else {
				audios++
			}
			if isKey := video && body[0] == 0x17; isKey != key {
				t.Fatalf("keyframe at %v: got %v, announced %v", at, isKey, key)
			} else if isKey {
				keys++
			}
			if st, ok := check.frame(kind, body[header:]); !ok || st.sent != due {
				t.Fatalf("stamp at %v: got %+v, %v", at, st, ok)
			}
		}
		if videos != 600 || audios < 937 || audios > 939 || keys != 10 {
			t.Errorf("%d bit/s: got %d video, %d audio messages and %d keyframes in 20 s, want 600, 938 and 10", rate, videos, audios, keys)
		}
		if got := float64(size) * 8 / 20; got < 0.98*float64(rate) || got > 1.02*float64(rate) {
			t.Errorf("got %.0f bit/s, want %d", got, rate)
		}
		if check.gaps.Load() != 0 || check.damaged.Load() != 0 {
			t.Errorf("checker: %d gaps, %d damaged", check.gaps.Load(), check.damaged.Load())
		}
	}
}

// frame is a stamped frame of n bytes.
func frame(stream uint32, sequence uint64, n int) []byte {
	b := bytes.Repeat([]byte{0x41}, n)
	stamp{stream, sequence, time.Second}.seal(b, castagnoli())
	return b
}

func TestCheckerCountsWhatIsMissingAndWhatIsDamaged(t *testing.T) {
	flip := func(b []byte, at int) []byte {
		b[at] ^= 1
		return b
	}
	for _, c := range []struct {
		name          string
		frames        [][]byte
		gaps, damaged int64
	}{
		{"all there", [][]byte{frame(1, 5, 90), frame(1, 6, 90), frame(1, 7, 50)}, 0, 0},
		{"joined in the middle", [][]byte{frame(1, 1000, 90)}, 0, 0},
		{"two missing", [][]byte{frame(1, 5, 90), frame(1, 8, 90)}, 2, 0},
		{"twice the same", [][]byte{frame(1, 5, 90), frame(1, 5, 90)}, 0, 1},
		{"another stream's", [][]byte{frame(2, 5, 90)}, 0, 1},
		{"first byte differs", [][]byte{flip(frame(1, 5, 90), 0)}, 0, 1},
		{"stamp differs", [][]byte{flip(frame(1, 5, 90), 70)}, 0, 1},
		{"checksum differs", [][]byte{flip(frame(1, 5, 90), 89)}, 0, 1},
		{"cut short", [][]byte{frame(1, 5, 90)[:80]}, 0, 1},
		{"first bytes missing", [][]byte{frame(1, 5, 90)[1:]}, 0, 1},
		{"bytes before the frame do not matter", [][]byte{append([]byte{0, 0, 1}, frame(1, 5, 90)...)}, 0, 0},
		{"shorter than a stamp", [][]byte{{1, 2, 3}, nil}, 0, 2},
	} {
		check := &checker{table: castagnoli(), stream: 1}
		for _, b := range c.frames {
			check.frame(kindVideo, b)
		}
		if gaps, damaged := check.gaps.Load(), check.damaged.Load(); gaps != c.gaps || damaged != c.damaged {
			t.Errorf("%s: got %d missing, %d damaged, want %d, %d", c.name, gaps, damaged, c.gaps, c.damaged)
		}
	}
}

// packets wraps a PES packet in MPEG-TS packets.
func packets(pid uint16, pes []byte) []byte {
	var out []byte
	for first := true; len(pes) > 0; first = false {
		n := min(len(pes), tsPacket-4)
		head := []byte{0x47, byte(pid >> 8), byte(pid), 0x10}
		if first {
			head[1] |= 0x40
		}
		if pad := tsPacket - 4 - n; pad > 0 {
			head[3] |= 0x20
			head = append(head, byte(pad-1))
			head = append(head, bytes.Repeat([]byte{0xff}, pad-1)...)
		}
		out = append(append(out, head...), pes[:n]...)
		pes = pes[n:]
	}
	return out
}

func TestCheckSegmentFindsEveryFrame(t *testing.T) {
	video := func(sequence uint64) []byte {
		return packets(256, slices.Concat([]byte{0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0}, []byte{0, 0, 0, 1, 9, 0xf0, 0, 0, 1}, frame(1, sequence, 1000)))
	}
	adts := func(sequence uint64) []byte {
		n := 7 + 300
		return append([]byte{0xff, 0xf1, 0x4c, 0x80 | byte(n>>11), byte(n >> 3), byte(n<<5) | 0x1f, 0xfc}, frame(1, sequence, 300)...)
	}
	audio := packets(257, slices.Concat([]byte{0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0}, adts(7), adts(8)))
	check := &checker{table: castagnoli(), stream: 1}
	newest, err := checkSegment(slices.Concat(video(3), audio, video(4), video(6)), check)
	if err != nil || newest != time.Second {
		t.Fatalf("got %v, %v", newest, err)
	}
	if check.gaps.Load() != 1 || check.damaged.Load() != 0 || check.next != [2]uint64{7, 9} {
		t.Errorf("got %d missing, %d damaged, next %v, want 1, 0, [7 9]", check.gaps.Load(), check.damaged.Load(), check.next)
	}
	whole := slices.Concat(video(7), audio)
	for name, segment := range map[string][]byte{
		"empty": nil, "half a packet": whole[:94], "no sync byte": slices.Concat([]byte{0}, whole[:187]),
		"adaptation field too long":   slices.Concat([]byte{0x47, 1, 0, 0x30, 200}, whole[:183]),
		"PES header that ends early":  packets(256, []byte{0, 0, 1, 0xe0, 0, 0, 0x80, 0, 40, 0}),
		"audio that is not ADTS":      packets(257, []byte{0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}),
		"ADTS frame longer than data": packets(257, append([]byte{0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0}, adts(9)[:50]...)),
	} {
		if _, err := checkSegment(segment, &checker{table: castagnoli(), stream: 1}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// chunks is a server's output with chunks of every kind.
func chunks() []byte {
	return slices.Concat(
		[]byte{2, 0, 0, 0, 0, 0, 4, typeSetChunkSize, 0, 0, 0, 0, 0, 0, 0, 4},      // chunks of 4 bytes from here on
		[]byte{6, 0, 0, 10, 0, 0, 6, typeVideo, 1, 0, 0, 0, 1, 2, 3, 4}, []byte{4}, // audio begins between two chunks of video
		[]byte{0, 0, 7, 0, 0, 2, typeAudio, 1, 0, 0, 0, 8, 9}, []byte{0xc6, 5, 6},
		[]byte{0x46, 0, 0, 5, 0, 0, 1, typeVideo, 7}, // type 1: 5 ms later
		[]byte{0x86, 0, 0, 3, 8},                     // type 2: 3 ms later
		[]byte{0xc6, 9},                              // type 3: another 3 ms
		[]byte{0x00, 16, 0xff, 0xff, 0xff, 0, 0, 5, typeAudio, 1, 0, 0, 0, 1, 0, 0, 2, 1, 2, 3, 4}, []byte{0xc0, 16, 1, 0, 0, 2, 5}, // 2-byte id 80, extended
		[]byte{0x01, 1, 1, 0, 0, 1, 0, 0, 1, typeData, 1, 0, 0, 0, 77}, // 3-byte id 321
	)
}

func TestWireReadsChunksOfEveryKind(t *testing.T) {
	in := chunks()
	want := []message{
		{typeAudio, 7, []byte{8, 9}},
		{typeVideo, 10, []byte{1, 2, 3, 4, 5, 6}},
		{typeVideo, 15, []byte{7}},
		{typeVideo, 18, []byte{8}},
		{typeVideo, 21, []byte{9}},
		{typeAudio, 0x01000002, []byte{1, 2, 3, 4, 5}},
		{typeData, 1, []byte{77}},
	}
	w := &wire{in: bufio.NewReader(iotest.OneByteReader(bytes.NewReader(in))), chunkSize: 128, chunks: map[uint32]*chunkStream{}}
	for i, want := range want {
		got, err := w.read()
		if err != nil || got.kind != want.kind || got.timestamp != want.timestamp || !bytes.Equal(got.body, want.body) {
			t.Fatalf("message %d: got %+v, %v, want %+v", i, got, err, want)
		}
	}
	if _, err := w.read(); err != io.EOF {
		t.Errorf("end: got %v, want EOF", err)
	}
	if w.received != int64(len(in)) {
		t.Errorf("received: got %d, want %d bytes", w.received, len(in))
	}
}

func TestDrainCountsWithoutReading(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dialTCP(t.Context(), l.Addr().String(), 1448)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := detach(conn)
	if err != nil {
		t.Fatal(err)
	}
	d := &drain{}
	d.add(fd)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		d.run(ctx)
		close(done)
	}()
	const size = 300_000
	if _, err := peer.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, d, func(bytes int64, _, lost bool) bool { return bytes == size && !lost })
	peer.Close()
	waitFor(t, d, func(_ int64, _, lost bool) bool { return lost })
	cancel()
	<-done
}

// waitFor polls until the drain's only socket satisfies ok; the test's own
// deadline ends it otherwise.
func waitFor(t *testing.T, d *drain, ok func(bytes int64, stalled, lost bool) bool) {
	t.Helper()
	for {
		met := false
		d.visit(func(bytes int64, stalled, lost bool) { met = ok(bytes, stalled, lost) })
		if met {
			return
		}
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzWire(f *testing.F) {
	f.Add(chunks())
	f.Add([]byte{2, 0, 0, 0, 0, 0, 4, typeSetChunkSize, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{3, 0, 0, 0, 0xff, 0xff, 0xff, typeVideo, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzztime.Bound(t)
		w := &wire{in: bufio.NewReader(bytes.NewReader(in)), chunkSize: 128, chunks: map[uint32]*chunkStream{}}
		total := 0
		for {
			m, err := w.read()
			if err != nil {
				return
			}
			// Every message takes a byte of its own at least.
			if total++; total > len(in) || len(m.body) > len(in) {
				t.Fatalf("message %d of %d bytes from %d bytes", total, len(m.body), len(in))
			}
			amfProperty(m.body, "code")
		}
	})
}

func FuzzCheckSegment(f *testing.F) {
	f.Add(packets(256, slices.Concat([]byte{0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0}, frame(1, 5, 400))))
	f.Add(packets(257, []byte{0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0, 0xff, 0xf1, 0x4c, 0x80, 1, 0, 0xfc}))
	table := castagnoli()
	f.Fuzz(func(t *testing.T, in []byte) {
		fuzztime.Bound(t)
		check := &checker{table: table, stream: 1}
		if _, err := checkSegment(in, check); err == nil && len(in)%tsPacket != 0 {
			t.Fatalf("%d bytes are accepted as whole packets", len(in))
		}
	})
}
