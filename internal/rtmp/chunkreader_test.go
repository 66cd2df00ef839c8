package rtmp

import (
	"bytes"
	"encoding/binary"
	"io"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// head is the header of one chunk, basic and message header; ts is the
// timestamp or the delta. Extended timestamps are added where they must be.
func head(format byte, csid, ts uint32, length int, kind MessageType, streamID uint32) string {
	b := appendBasicHeader(nil, format, csid)
	field := min(ts, extended)
	if format <= 2 {
		b = appendUint24(b, field)
	}
	if format <= 1 {
		b = append(appendUint24(b, uint32(length)), byte(kind))
	}
	if format == 0 {
		b = binary.LittleEndian.AppendUint32(b, streamID)
	}
	if format <= 2 && field == extended {
		b = binary.BigEndian.AppendUint32(b, ts)
	}
	return string(b)
}

// next3 is the header of a type 3 chunk, with ext behind it.
func next3(csid uint32, ext string) string {
	return string(appendBasicHeader(nil, 3, csid)) + ext
}

func text(n int) string {
	return strings.Repeat("0123456789abcdef", n/16+1)[:n]
}

func video(ts uint32, payload string) Message { return message(6, TypeVideo, ts, payload) }
func audio(ts uint32, payload string) Message { return message(4, TypeAudio, ts, payload) }

func message(csid uint32, kind MessageType, ts uint32, payload string) Message {
	return Message{Type: kind, ChunkStreamID: csid, StreamID: 1, Timestamp: ts, Payload: []byte(payload)}
}

const big = 17_000_000 // ms; beyond 2^24

// chunkVectors are streams of chunks and what is in them.
var chunkVectors = []struct {
	name string
	wire string
	want []Message
}{
	{"one chunk", head(0, 6, 5, 3, TypeVideo, 1) + "abc", []Message{video(5, "abc")}},
	{
		"a message in three chunks",
		head(0, 6, 5, 300, TypeVideo, 1) + text(300)[:128] + next3(6, "") + text(300)[128:256] + next3(6, "") + text(300)[256:],
		[]Message{video(5, text(300))},
	},
	{
		"a message that fills its last chunk",
		head(0, 6, 5, 256, TypeVideo, 1) + text(256)[:128] + next3(6, "") + text(256)[128:],
		[]Message{video(5, text(256))},
	},
	{"zero-length audio", head(0, 4, 7, 0, TypeAudio, 1), []Message{audio(7, "")}},
	{"zero-length video between others", head(0, 6, 0, 1, TypeVideo, 1) + "a" + head(1, 6, 40, 0, TypeVideo, 0) + head(1, 6, 40, 1, TypeVideo, 0) + "b", []Message{video(0, "a"), video(40, ""), video(80, "b")}},
	{"csid 2", head(0, 2, 0, 1, TypeVideo, 1) + "a", []Message{message(2, TypeVideo, 0, "a")}},
	{"csid 63", head(0, 63, 0, 1, TypeVideo, 1) + "a", []Message{message(63, TypeVideo, 0, "a")}},
	{"csid 64, a header of 2 bytes", "\x00\x00" + head(0, 2, 0, 1, TypeVideo, 1)[1:] + "a", []Message{message(64, TypeVideo, 0, "a")}},
	{"csid 319, the last of 2 bytes", "\x00\xff" + head(0, 2, 0, 1, TypeVideo, 1)[1:] + "a", []Message{message(319, TypeVideo, 0, "a")}},
	{"csid 320, a header of 3 bytes", "\x01\x00\x01" + head(0, 2, 0, 1, TypeVideo, 1)[1:] + "a", []Message{message(320, TypeVideo, 0, "a")}},
	{"csid 65599, the last", "\x01\xff\xff" + head(0, 2, 0, 1, TypeVideo, 1)[1:] + "a", []Message{message(65599, TypeVideo, 0, "a")}},
	{
		"csid 100 said in 2 and in 3 bytes",
		head(0, 100, 0, 200, TypeVideo, 1) + text(200)[:128] + "\xc1\x24\x00" + text(200)[128:],
		[]Message{message(100, TypeVideo, 0, text(200))},
	},
	{
		"chunks of two messages in turn",
		head(0, 6, 5, 200, TypeVideo, 1) + text(200)[:128] + head(0, 4, 6, 2, TypeAudio, 1) + "xy" + next3(6, "") + text(200)[128:],
		[]Message{audio(6, "xy"), video(5, text(200))},
	},
	{
		"deltas of types 1, 2 and 3",
		head(0, 6, 2000, 1, TypeVideo, 1) + "a" + head(1, 6, 40, 2, TypeVideo, 0) + "bb" + head(2, 6, 30, 0, 0, 0) + "cc" + next3(6, "") + "dd" + next3(6, "") + "ee",
		[]Message{video(2000, "a"), video(2040, "bb"), video(2070, "cc"), video(2100, "dd"), video(2130, "ee")},
	},
	{
		"type 3 after a small type 0 repeats its timestamp as the delta",
		head(0, 4, 23, 1, TypeAudio, 1) + "a" + next3(4, "") + "b" + next3(4, "") + "c",
		[]Message{audio(23, "a"), audio(46, "b"), audio(69, "c")},
	},
	{
		"type 3 after a large type 0 is at the same time",
		head(0, 4, 123456, 1, TypeAudio, 1) + "a" + next3(4, "") + "b",
		[]Message{audio(123456, "a"), audio(123456, "b")},
	},
	{"extended timestamp", head(0, 6, big, 1, TypeVideo, 1) + "a", []Message{video(big, "a")}},
	{"timestamp of exactly 0xffffff", head(0, 6, 0xffffff, 1, TypeVideo, 1) + "a", []Message{video(0xffffff, "a")}},
	{
		"type 3 chunk repeats extended timestamp",
		head(0, 6, big, 300, TypeVideo, 1) + text(300)[:128] + next3(6, "\x01\x03\x66\x40") + text(300)[128:256] + next3(6, "\x01\x03\x66\x40") + text(300)[256:],
		[]Message{video(big, text(300))},
	},
	{
		"type 3 chunk does not repeat extended timestamp",
		head(0, 6, big, 300, TypeVideo, 1) + text(300)[:128] + next3(6, "") + text(300)[128:256] + next3(6, "") + text(300)[256:],
		[]Message{video(big, text(300))},
	},
	{
		"type 3 chunk whose last bytes begin like the extended timestamp",
		head(0, 6, big, 130, TypeVideo, 1) + text(128) + next3(6, "") + "\x01\x03" + head(0, 6, 0, 1, TypeVideo, 1) + "a",
		[]Message{video(big, text(128)+"\x01\x03"), video(0, "a")},
	},
	{
		"extended delta of type 1, type 3 goes on with it",
		head(0, 6, 0, 1, TypeVideo, 1) + "a" + head(1, 6, big, 1, TypeVideo, 0) + "b" + next3(6, "\x01\x03\x66\x40") + "c",
		[]Message{video(0, "a"), video(big, "b"), video(2*big, "c")},
	},
	{
		"deltas after an extended timestamp",
		head(0, 6, big, 1, TypeVideo, 1) + "a" + head(1, 6, 40, 200, TypeVideo, 0) + text(200)[:128] + next3(6, "") + text(200)[128:],
		[]Message{video(big, "a"), video(big+40, text(200))},
	},
	{
		"timestamps wrap at 2^32",
		head(0, 6, 0xfffffff0, 1, TypeVideo, 1) + "a" + head(2, 6, 0x20, 0, 0, 0) + "b" + next3(6, "") + "c",
		[]Message{video(0xfffffff0, "a"), video(0x10, "b"), video(0x30, "c")},
	},
	{
		"a type 0 chunk in mid-message starts over",
		head(0, 6, 5, 300, TypeVideo, 1) + text(128) + head(0, 6, 9, 3, TypeVideo, 1) + "new",
		[]Message{video(9, "new")},
	},
	{
		"a type 1 chunk in mid-message starts over",
		head(0, 6, 5, 300, TypeVideo, 1) + text(128) + head(1, 6, 4, 3, TypeVideo, 0) + "new",
		[]Message{video(9, "new")},
	},
	{"a chunk stream that begins with type 1", head(1, 6, 5, 1, TypeVideo, 0) + "a", []Message{{Type: TypeVideo, ChunkStreamID: 6, Timestamp: 5, Payload: []byte("a")}}},
	{
		"an unknown type and a shared object are passed over",
		head(0, 6, 5, 200, 99, 1) + text(128) + next3(6, "") + text(72) + head(0, 3, 0, 2, TypeSharedObjectAMF0, 1) + "so" + head(0, 4, 0, 1, TypeAudio, 1) + "a",
		[]Message{message(6, 99, 5, ""), message(3, TypeSharedObjectAMF0, 0, ""), audio(0, "a")},
	},
}

// readAll reads messages to the end. Empty payloads are made alike.
func readAll(r *chunkReader) ([]Message, error) {
	var ms []Message
	for {
		m, err := r.next()
		if err == io.EOF {
			return ms, nil
		}
		if err != nil {
			return ms, err
		}
		if len(m.Payload) == 0 {
			m.Payload = []byte{}
		}
		ms = append(ms, m)
	}
}

func TestChunkReader(t *testing.T) {
	for _, v := range chunkVectors {
		for _, trusted := range []bool{false, true} {
			for how, r := range map[string]io.Reader{
				"whole":      strings.NewReader(v.wire),
				"bytewise":   iotest.OneByteReader(strings.NewReader(v.wire)),
				"with error": iotest.DataErrReader(strings.NewReader(v.wire)),
			} {
				cr := newChunkReader(r, 1<<20)
				if trusted {
					cr.trust()
				}
				got, err := readAll(cr)
				if err != nil {
					t.Errorf("%s, %s, trusted %t: %v", v.name, how, trusted, err)
				}
				if !reflect.DeepEqual(got, v.want) {
					t.Errorf("%s, %s, trusted %t:\n got %v\nwant %v", v.name, how, trusted, got, v.want)
				}
				if cr.held != 0 || cr.partials != 0 {
					t.Errorf("%s: %d bytes and %d messages held at the end", v.name, cr.held, cr.partials)
				}
			}
		}
	}
}

func TestChunkReaderWaitsForNoByteThatIsNotDue(t *testing.T) {
	// The last chunk has two bytes and no extended timestamp; nothing follows.
	wire := head(0, 6, big, 130, TypeVideo, 1) + text(128) + next3(6, "") + "zz"
	r := newChunkReader(io.MultiReader(strings.NewReader(wire), iotest.ErrReader(io.ErrNoProgress)), 1<<20)
	if m, err := r.next(); err != nil || len(m.Payload) != 130 {
		t.Errorf("%d bytes, %v, want the message", len(m.Payload), err)
	}
}

func TestChunkReaderAborts(t *testing.T) {
	r := newChunkReader(strings.NewReader(head(0, 6, 5, 300, TypeVideo, 1)+text(128)+
		head(0, 4, 0, 1, TypeAudio, 1)+"a"+
		head(0, 6, 9, 3, TypeVideo, 1)+"new"), 1<<20)
	if _, err := r.next(); err != nil {
		t.Fatal(err)
	}
	if r.partials != 1 || r.held < 128 {
		t.Fatalf("%d messages of %d bytes held, want 1 of 128", r.partials, r.held)
	}
	r.abort(99) // unknown: no matter
	r.abort(4)  // between messages: no matter
	r.abort(6)
	if r.partials != 0 || r.held != 0 {
		t.Errorf("%d messages of %d bytes held after Abort, want none", r.partials, r.held)
	}
	if m, err := r.next(); err != nil || string(m.Payload) != "new" {
		t.Errorf("%q, %v, want the next message", m.Payload, err)
	}
}

func TestChunkReaderChunkSize(t *testing.T) {
	for _, size := range []uint32{1, 2, 127, 4096, 65536, 1 << 24, 1<<31 - 1} {
		m := video(big, text(20000))
		wire := appendMessage(nil, m, int(min(size, maxChunkSize)))
		r := newChunkReader(bytes.NewReader(wire), 1<<20)
		r.trust()
		if err := r.setChunkSize(size); err != nil {
			t.Fatal(err)
		}
		if got, err := r.next(); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("chunk size %d: %d bytes, %v", size, len(got.Payload), err)
		}
	}
	for _, size := range []uint32{0, 1 << 31, 1<<32 - 1} {
		if err := newChunkReader(nil, 1).setChunkSize(size); err == nil {
			t.Errorf("chunk size %d is taken", size)
		}
	}
}

func TestChunkReaderRefuses(t *testing.T) {
	fresh := func(csid uint32, length int, kind MessageType) string {
		return head(0, csid, 0, length, kind, 1) + text(min(length, 128))
	}
	streams := ""
	for i := range uint32(65) {
		streams += head(0, 3+i, 0, 0, TypeAudio, 1)
	}
	cases := []struct {
		name    string
		trusted bool
		wire    string
		want    string
	}{
		{"a chunk stream that begins with type 3", true, "\xc6", "begins with a type 3 chunk"},
		{"a chunk stream that begins with type 2", true, head(2, 6, 0, 0, 0, 0), "begins with a type 2 chunk"},
		{"65 chunk streams", true, streams, "more than 64 chunk streams"},
		{"a message above max_message", true, fresh(6, 1<<20+1, TypeVideo), "video message of 1048577 bytes; at most 1048576"},
		{"a data message above max_message", true, fresh(6, 1<<20+1, TypeDataAMF0), "data message"},
		{"a command of 64 KiB and one byte", true, fresh(3, 64<<10+1, TypeCommandAMF0), "command message of 65537 bytes; at most 65536"},
		{"a ping of 1025 bytes", true, fresh(2, 1025, TypeUserControl), "control message"},
		{"a stranger's command of 48 KiB and one byte", false, fresh(3, 48<<10+1, TypeCommandAMF0), "before publish or play"},
		{"a stranger's unknown message of 48 KiB and one byte", false, fresh(3, 48<<10+1, 99), "before publish or play"},
		{
			"a stranger's fifth message at once", false,
			fresh(3, 200, TypeVideo) + fresh(4, 200, TypeVideo) + fresh(5, 200, TypeVideo) + fresh(6, 200, 99) + fresh(7, 200, TypeVideo), "more than 4 messages at once",
		},
		{"an end in a header", true, head(0, 6, 0, 1, TypeVideo, 1)[:5], "unexpected EOF"},
		{"an end in an extended timestamp", true, head(0, 6, big, 1, TypeVideo, 1)[:14], "unexpected EOF"},
		{"an end in a body", true, fresh(6, 1000, TypeVideo)[:50], "unexpected EOF"},
		{"an end between the chunks of a message", true, fresh(6, 1000, TypeVideo), "unexpected EOF"},
		{"an end in a 3-byte basic header", true, "\x01\xff", "unexpected EOF"},
	}
	for _, c := range cases {
		r := newChunkReader(strings.NewReader(c.wire), 1<<20)
		if c.trusted {
			r.trust()
		}
		_, err := readAll(r)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTrustKeepsWhatWasRead(t *testing.T) {
	wire := head(0, 4, 0, 1, TypeAudio, 1) + "a" + head(0, 6, 0, 300, TypeVideo, 1) + text(128) + next3(6, "") + text(300)[128:256] + next3(6, "") + text(300)[256:]
	r := newChunkReader(strings.NewReader(wire), 1<<20)
	if _, err := r.next(); err != nil {
		t.Fatal(err)
	}
	r.trust()
	if m, err := r.next(); err != nil || string(m.Payload) != text(300) {
		t.Errorf("%d bytes, %v, want the message that was in the buffer", len(m.Payload), err)
	}
	if len(r.buf) != trustedBuffer {
		t.Errorf("the buffer has %d bytes, want %d", len(r.buf), trustedBuffer)
	}
}

// cycle reads the same bytes for ever.
type cycle struct {
	b  []byte
	at int
}

func (c *cycle) Read(p []byte) (int, error) {
	n := copy(p, c.b[c.at:])
	if c.at += n; c.at == len(c.b) {
		c.at = 0
	}
	return n, nil
}

// benchStream is two seconds of 2.5 Mb/s video and 128 kb/s audio.
func benchStream(chunkSize int) (wire []byte, messages int) {
	frame := make([]byte, 60000)
	for i := range 60 {
		size := 9000
		if i == 0 {
			size = 60000
		}
		wire = appendMessage(wire, Message{Type: TypeVideo, ChunkStreamID: 6, StreamID: 1, Timestamp: uint32(i * 33), Payload: frame[:size]}, chunkSize)
		wire = appendMessage(wire, Message{Type: TypeAudio, ChunkStreamID: 4, StreamID: 1, Timestamp: uint32(i * 33), Payload: frame[:370]}, chunkSize)
		messages += 2
	}
	return wire, messages
}

func TestChunkReaderAllocatesOncePerMessage(t *testing.T) {
	for _, size := range []uint32{128, 4096, 60000} {
		wire, messages := benchStream(int(size))
		r := newChunkReader(&cycle{b: wire}, 10<<20)
		r.trust()
		if err := r.setChunkSize(size); err != nil {
			t.Fatal(err)
		}
		got := testing.AllocsPerRun(20, func() {
			for range messages {
				m, err := r.next()
				if err != nil || cap(m.Payload) != len(m.Payload) {
					t.Fatalf("%d of %d bytes, %v", len(m.Payload), cap(m.Payload), err)
				}
			}
		})
		if got != float64(messages) {
			t.Errorf("chunk size %d: %v allocations for %d messages, want as many", size, got, messages)
		}
	}
}

// cpuTime is what the process has used, garbage collection included.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkChunkReader(b *testing.B) {
	for _, size := range []uint32{128, 4096, 60000} {
		b.Run(map[uint32]string{128: "128", 4096: "4096", 60000: "60000"}[size], func(b *testing.B) {
			wire, messages := benchStream(int(size))
			r := newChunkReader(&cycle{b: wire}, 10<<20)
			r.trust()
			if err := r.setChunkSize(size); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				for range messages {
					if _, err := r.next(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(messages), "messages/op")
			// What a busy machine does not falsify; the goal is 1500.
			b.ReportMetric(float64(b.N)*float64(len(wire))/1e6/(cpuTime(b)-before).Seconds(), "MB/cpu-s")
		})
	}
}

// FuzzChunkReader: no panic, no more held than the limits say, and messages
// that were read come back when they are written and read again.
func FuzzChunkReader(f *testing.F) {
	for _, v := range chunkVectors {
		f.Add([]byte(v.wire), false, uint32(128))
		f.Add([]byte(v.wire), true, uint32(128))
	}
	f.Add([]byte(head(0, 6, 0, 9, TypeVideo, 1)+"a\xc6b\xc6c"), true, uint32(1))
	f.Fuzz(func(t *testing.T, wire []byte, trusted bool, chunkSize uint32) {
		fuzztime.Bound(t)
		r := newChunkReader(bytes.NewReader(wire), 1<<20)
		budget := strangerHeld
		if trusted {
			r.trust()
			budget = 1<<20 + trustedHeld
		}
		if r.setChunkSize(chunkSize) != nil {
			return
		}
		for {
			m, err := r.next()
			if r.held > budget || len(r.streams) > maxChunkStreams {
				t.Fatalf("%d bytes in %d chunk streams held", r.held, len(r.streams))
			}
			if err != nil {
				return
			}
			if m.Type.ignored() {
				continue
			}
			again := newChunkReader(bytes.NewReader(appendMessage(nil, m, 128)), 1<<20)
			again.trust()
			if got, err := again.next(); err != nil || !bytes.Equal(got.Payload, m.Payload) || got.Timestamp != m.Timestamp ||
				got.StreamID != m.StreamID || got.ChunkStreamID != m.ChunkStreamID || got.Type != m.Type {
				t.Fatalf("wrote %v, read %v, %v", m, got, err)
			}
		}
	})
}

// A player's reader goes on in a small buffer: what had come already is not
// lost, and commands longer than the buffer arrive whole.
func TestSlimLosesNothing(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 3*playerBuffer)
	var sent []byte
	for _, body := range [][]byte{{1}, long, {2, 3}, long} {
		sent = AppendMessage(sent, Message{Type: TypeCommandAMF0, ChunkStreamID: 3, Payload: body}, 128)
	}
	for _, early := range []int{0, 20, 400, len(sent)} { // arrived before slim
		r := newChunkReader(io.MultiReader(bytes.NewReader(sent[:early]), bytes.NewReader(sent[early:])), 1<<20)
		for i, want := range [][]byte{{1}, long, {2, 3}, long} {
			m, err := r.next()
			if err != nil || !bytes.Equal(m.Payload, want) {
				t.Fatalf("%d bytes early: message %d: %d bytes, %v; want %d bytes", early, i, len(m.Payload), err, len(want))
			}
			r.slim()
		}
		if early == 0 && len(r.buf) != playerBuffer {
			t.Errorf("the buffer has %d bytes, want %d", len(r.buf), playerBuffer)
		}
	}
}
