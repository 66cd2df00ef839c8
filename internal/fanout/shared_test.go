package fanout

import (
	"bytes"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// What a publisher says of its stream may be 64 KiB and more: players that join
// share the encoded bytes, however many they are.
func TestPlayersShareThePrefix(t *testing.T) {
	h := newRig(t)
	h.video = &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: append([]byte("\x17\x00"), make([]byte, 60000)...)}
	h.stream.SetMetadata(append([]byte("\x02\x00\x0aonMetaData"), bytes.Repeat([]byte{5}, 60000)...))
	anchor, _, _ := h.join(patient)
	h.write(3, 100)
	for anchor.seg.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	f := h.fan
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.logs[everything]
	first := f.prefix(l, &Player{}, &l.start)
	if len(first) < 120000 {
		t.Fatalf("the prefix has %d bytes", len(first))
	}
	if n := testing.AllocsPerRun(100, func() {
		if b := f.prefix(l, &Player{}, &l.start); &b[0] != &first[0] || cap(b) != len(b) {
			t.Fatal("another player has bytes of its own")
		}
	}); n > 1 { // the Player of this test
		t.Errorf("%v allocations for a joiner", n)
	}
	p := &Player{headers: sentHeaders{media: l.start.headers.media}, headersKind: l.kind}
	if b := f.prefix(l, p, &l.start); len(b) > 70000 || len(b) < 60000 {
		t.Errorf("one who knows the header gets %d bytes, want the metadata alone", len(b))
	}
}

// A player that is moved on gets the rest of its message from a copy, unless that
// is a large one: then it stays where it is, and the log's bounds end it.
func TestNoPlayerHoldsACopyOfALargeMessage(t *testing.T) {
	h := newRig(t)
	ours, _ := tight(t)
	o := patient
	o.Queue = time.Second
	p := h.fan.Join(ours, o)
	h.write(1, 6<<20) // far more than the sockets take
	for p.seg.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	for p.Err() == nil {
		h.write(30, 100_000)
		time.Sleep(slowTick / 8)
		if m := h.fan.Memory(); m > maxLogBytes {
			t.Fatalf("the log holds %d bytes", m)
		}
	}
	if p.Err() != ErrSlow || p.Lapped() > 0 {
		t.Errorf("got %v, moved %d times; want ErrSlow", p.Err(), p.Lapped())
	}
}

// All logs of a stream share one bound: a stream whose players each take
// something else costs no more.
func TestLogsShareTheirBound(t *testing.T) {
	h := newRig(t)
	var stuck []*Player
	for _, want := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		ours, _ := tight(t)
		p := h.fan.Join(ours, patient)
		p.Receive(want[0], want[1])
		stuck = append(stuck, p)
	}
	for range 600 {
		h.write(1, 50_000)
		h.put(h.audio, false, []byte("\xaf\x01"), 50_000)
		if m := h.fan.Memory(); m > maxLogBytes+3*segmentSize {
			t.Fatalf("the logs hold %d bytes", m)
		}
	}
	for _, p := range stuck {
		wait(t, p.Gone(), "a player on segments that were given up")
	}
	h.write(60, 100)
	h.fan.mu.Lock()
	defer h.fan.mu.Unlock()
	sum := int64(0)
	for _, l := range h.fan.logs {
		if l != nil {
			sum += l.bytes
		}
	}
	if sum != h.fan.logBytes {
		t.Errorf("the logs hold %d bytes, %d are counted", sum, h.fan.logBytes)
	}
}

// Messages of a byte take more memory than their bytes.
func TestTinyMessagesAreChargedFor(t *testing.T) {
	l := &wireLog{kind: everything, chunkSize: testChunk, total: new(int64)}
	for range 100_000 {
		l.append(message(media.Audio, []byte{1}, 0), 0, false)
	}
	if n := cap(l.tail().marks) * 16; l.bytes < int64(n) || l.bytes < 100_000*32 || l.bytes != *l.total {
		t.Errorf("%d bytes are counted, %d in all, and the marks alone take %d", l.bytes, *l.total, n)
	}
	l.close()
	if *l.total != 0 {
		t.Errorf("%d bytes are left", *l.total)
	}
}
