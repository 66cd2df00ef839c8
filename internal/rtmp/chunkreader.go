package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A chunk (RTMP 1.0 §5.3.1):
//
//	| basic header 1-3 | message header 11, 7, 3, 0 | extended timestamp 0, 4 | data |
//
//	basic header:    fmt 2 bits, csid 6 bits; csid 0: +1 byte, 64 + b0
//	                                          csid 1: +2 bytes, 64 + b0 + 256 b1
//	message header:  | timestamp or delta 3 | length 3 | type 1 | stream id 4, little endian |
//	                 fmt 0 has all, 1 no stream id, 2 the delta only, 3 nothing
const (
	defaultChunkSize = 128
	maxChunkSize     = 1 << 24  // no message is longer, so a larger size means the same
	extended         = 0xffffff // in the 3-byte field: the timestamp follows in 4 bytes
)

// Limits of what a peer can make the reader hold.
const (
	maxChunkStreams = 64       // distinct csids; encoders use up to eight
	maxControl      = 1 << 10  // bytes of a protocol or user control message
	maxCommand      = 64 << 10 // bytes of a command message

	// Before Authorise.
	strangerBuffer   = 4 << 10  // read buffer
	strangerPartials = 4        // messages begun and not complete
	strangerHeld     = 48 << 10 // their bodies, in bytes of capacity

	// After Authorise.
	trustedBuffer = 64 << 10
	// exactBody is the length up to which a body is allocated at once; a
	// longer one starts here and doubles as its bytes arrive.
	exactBody = 256 << 10
)

// maxImpliedDelta: a type 3 chunk that starts a message repeats the delta of
// the chunk before, and after a type 0 that "delta" is its timestamp
// (§5.3.1.2.4; ffmpeg relies on it at the start of a stream). librtmp means 0
// then. Taken literally only as long as it could be one frame.
const maxImpliedDelta = 1000 // ms

// A chunkStream is what the reader remembers of one csid.
type chunkStream struct {
	csid      uint32
	timestamp uint32 // of the current message
	delta     uint32
	field     uint32 // the last extended timestamp
	length    uint32
	streamID  uint32
	got       uint32 // bytes of the current message that are here
	kind      MessageType
	extended  bool // the last header had an extended timestamp
	partial   bool // a message has begun and is not complete
	skip      bool // and its bytes are dropped
	body      []byte
}

// A chunkReader turns bytes into messages. It belongs to one goroutine.
type chunkReader struct {
	r        io.Reader
	buf      []byte
	pos, end int

	chunkSize  uint32 // of the peer
	maxMessage int
	trusted    bool

	streams  map[uint32]*chunkStream
	last     *chunkStream
	partials int // chunk streams in mid-message
	held     int // capacity of their bodies
}

func newChunkReader(r io.Reader, maxMessage int) *chunkReader {
	return &chunkReader{
		r:          r,
		buf:        make([]byte, strangerBuffer),
		chunkSize:  defaultChunkSize,
		maxMessage: maxMessage,
		streams:    make(map[uint32]*chunkStream),
	}
}

// trust lifts the limits for strangers and reads in larger pieces.
func (r *chunkReader) trust() {
	if r.trusted {
		return
	}
	r.trusted = true
	buf := make([]byte, trustedBuffer)
	r.end = copy(buf, r.buf[r.pos:r.end])
	r.buf, r.pos = buf, 0
}

// setChunkSize obeys the peer's SetChunkSize (§5.4.1).
func (r *chunkReader) setChunkSize(n uint32) error {
	if n == 0 || n >= 1<<31 {
		return fmt.Errorf("chunk size %d", n)
	}
	r.chunkSize = min(n, maxChunkSize)
	return nil
}

// abort drops csid's message as far as it has come (§5.4.2).
func (r *chunkReader) abort(csid uint32) {
	if cs := r.streams[csid]; cs != nil && cs.partial {
		r.release(cs)
	}
}

// next returns the next complete message. The payload of an ignored type is
// nil. io.EOF is the end between two messages, io.ErrUnexpectedEOF the one
// within.
func (r *chunkReader) next() (Message, error) {
	for {
		cs, err := r.header()
		if err != nil {
			return Message{}, err
		}
		want := min(r.chunkSize, cs.length-cs.got)
		if cs.skip {
			err = r.discard(int(want))
		} else {
			err = r.read(cs, int(want))
		}
		if err != nil {
			return Message{}, err
		}
		if cs.got += want; cs.got < cs.length {
			continue
		}
		m := Message{
			Type:          cs.kind,
			ChunkStreamID: cs.csid,
			StreamID:      cs.streamID,
			Timestamp:     cs.timestamp,
			Payload:       cs.body[:len(cs.body):len(cs.body)],
		}
		r.release(cs)
		return m, nil
	}
}

// release ends cs's message, complete or not.
func (r *chunkReader) release(cs *chunkStream) {
	r.held -= cap(cs.body)
	r.partials--
	cs.body, cs.got, cs.partial = nil, 0, false
}

// header reads one chunk's header. The chunk stream it returns is in a message.
func (r *chunkReader) header() (*chunkStream, error) {
	if err := r.need(1); err != nil {
		if err == io.EOF && r.partials > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	b := r.buf[r.pos]
	format, csid := b>>6, uint32(b&0x3f)
	if csid >= 2 {
		r.pos++
	} else {
		n := int(csid) + 2
		if err := r.inside(n); err != nil {
			return nil, err
		}
		csid = 64 + uint32(r.buf[r.pos+1])
		if n == 3 {
			csid += uint32(r.buf[r.pos+2]) << 8
		}
		r.pos += n
	}
	cs := r.last
	if cs == nil || cs.csid != csid {
		var err error
		if cs, err = r.stream(csid, format); err != nil {
			return nil, err
		}
		r.last = cs
	}
	if format == 3 {
		if cs.extended {
			if err := r.repeated(cs); err != nil {
				return nil, err
			}
		}
		if cs.partial {
			return cs, nil
		}
		cs.timestamp += cs.delta
		return cs, r.begin(cs)
	}
	if cs.partial { // an encoder that started over: its new message counts
		r.release(cs)
	}
	if err := r.fields(cs, format); err != nil {
		return nil, err
	}
	return cs, r.begin(cs)
}

// stream finds or makes the state of csid; format is that of its chunk.
func (r *chunkReader) stream(csid uint32, format byte) (*chunkStream, error) {
	if cs := r.streams[csid]; cs != nil {
		return cs, nil
	}
	if format > 1 { // librtmp has begun csid 2 with a type 1
		return nil, fmt.Errorf("chunk stream %d begins with a type %d chunk", csid, format)
	}
	if len(r.streams) >= maxChunkStreams {
		return nil, fmt.Errorf("more than %d chunk streams", maxChunkStreams)
	}
	cs := &chunkStream{csid: csid}
	r.streams[csid] = cs
	return cs, nil
}

// fields reads the message header of a type 0, 1 or 2 chunk, and the extended
// timestamp.
func (r *chunkReader) fields(cs *chunkStream, format byte) error {
	n := [3]int{11, 7, 3}[format]
	if err := r.inside(n); err != nil {
		return err
	}
	h := r.buf[r.pos : r.pos+n]
	r.pos += n
	t := uint24(h)
	if format <= 1 {
		cs.length = uint24(h[3:])
		cs.kind = MessageType(h[6])
	}
	if format == 0 {
		cs.streamID = binary.LittleEndian.Uint32(h[7:])
	}
	cs.extended = t == extended
	if cs.extended {
		if err := r.inside(4); err != nil {
			return err
		}
		t = binary.BigEndian.Uint32(r.buf[r.pos:])
		r.pos += 4
		cs.field = t
	}
	if format > 0 {
		cs.delta = t
		cs.timestamp += t // wraps at 2^32
		return nil
	}
	cs.timestamp = t
	cs.delta = 0
	if t <= maxImpliedDelta {
		cs.delta = t
	}
	return nil
}

// repeated reads past the extended timestamp that most senders repeat in type 3
// chunks (§5.3.1.3) and some do not: it is there if the bytes are the same. It
// waits for no byte that it does not need to tell.
func (r *chunkReader) repeated(cs *chunkStream) error {
	var want [4]byte
	binary.BigEndian.PutUint32(want[:], cs.field)
	for i, c := range want {
		if err := r.inside(i + 1); err != nil {
			return err
		}
		if r.buf[r.pos+i] != c {
			return nil
		}
	}
	r.pos += 4
	return nil
}

// begin starts a message with cs's header.
func (r *chunkReader) begin(cs *chunkStream) error {
	cs.skip = cs.kind.ignored()
	if limit := cs.kind.limit(r.maxMessage); !cs.skip && int(cs.length) > limit {
		return fmt.Errorf("%s message of %d bytes; at most %d are allowed", cs.kind, cs.length, limit)
	}
	if !r.trusted {
		if cs.length > strangerHeld {
			return fmt.Errorf("%s message of %d bytes before publish or play was accepted; at most %d are allowed", cs.kind, cs.length, strangerHeld)
		}
		if r.partials >= strangerPartials {
			return fmt.Errorf("more than %d messages at once before publish or play was accepted", strangerPartials)
		}
	}
	cs.partial = true
	r.partials++
	return nil
}

var errHeld = errors.New("incomplete messages hold too much memory")

// room makes cs.body large enough for n more bytes. What is allocated follows
// what has arrived, except for messages that are short and from a peer that
// may publish.
func (r *chunkReader) room(cs *chunkStream, n int) error {
	need := len(cs.body) + n
	have := cap(cs.body)
	if need <= have {
		return nil
	}
	size := int(cs.length)
	budget := strangerHeld
	if r.trusted {
		budget = 2*r.maxMessage + exactBody
		size = min(size, max(need, 2*have, exactBody))
	} else {
		size = min(size, max(need, 2*have))
	}
	if r.held+size-have > budget {
		return errHeld
	}
	body := make([]byte, len(cs.body), size)
	r.held += cap(body) - have
	copy(body, cs.body)
	cs.body = body
	return nil
}

// read moves n bytes into cs.body.
func (r *chunkReader) read(cs *chunkStream, n int) error {
	for n > 0 {
		if r.pos == r.end {
			// A piece that fills the buffer anyway goes to its place at once.
			if n >= len(r.buf) && cap(cs.body)-len(cs.body) >= n {
				at := len(cs.body)
				m, err := r.fill(cs.body[at : at+n])
				cs.body = cs.body[:at+m]
				if n -= m; err != nil {
					return err
				}
				continue
			}
			if err := r.inside(1); err != nil {
				return err
			}
		}
		m := min(n, r.end-r.pos)
		if err := r.room(cs, m); err != nil {
			return err
		}
		cs.body = append(cs.body, r.buf[r.pos:r.pos+m]...)
		r.pos += m
		n -= m
	}
	return nil
}

// discard reads past n bytes.
func (r *chunkReader) discard(n int) error {
	for n > 0 {
		if err := r.inside(1); err != nil {
			return err
		}
		m := min(n, r.end-r.pos)
		r.pos += m
		n -= m
	}
	return nil
}

// inside is need in mid-chunk, where an end is unexpected.
func (r *chunkReader) inside(n int) error {
	if r.end-r.pos >= n {
		return nil
	}
	err := r.need(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// need makes the next n bytes, at most a header's, lie at buf[pos:].
func (r *chunkReader) need(n int) error {
	for r.end-r.pos < n {
		if r.pos == r.end {
			r.pos, r.end = 0, 0
		} else if r.pos+n > len(r.buf) {
			r.end = copy(r.buf, r.buf[r.pos:r.end])
			r.pos = 0
		}
		m, err := r.fill(r.buf[r.end:])
		if r.end += m; err != nil {
			return err
		}
	}
	return nil
}

// fill reads at least one byte into p.
func (r *chunkReader) fill(p []byte) (int, error) {
	for range 100 {
		if n, err := r.r.Read(p); n > 0 {
			return n, nil // an error that came with bytes comes again
		} else if err != nil {
			return 0, err
		}
	}
	return 0, io.ErrNoProgress
}

func uint24(b []byte) uint32 {
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}
