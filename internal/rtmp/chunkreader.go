package rtmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits of what a peer can make the reader hold.
const (
	maxChunkStreams = 64       // distinct csids; encoders use up to eight
	maxControl      = 1 << 10  // bytes of a protocol or user control message
	maxCommand      = 64 << 10 // bytes of a command message

	// Before Authorise.
	strangerBuffer   = 2 << 10  // read buffer
	strangerPartials = 4        // messages begun and not complete
	strangerHeld     = 48 << 10 // their bodies, in bytes of capacity

	// Of a player, who says little more: read buffer.
	playerBuffer = 512

	// After Authorise.
	trustedBuffer = 48 << 10
	// maxParts is the most chunks of a message that are taken at once.
	maxParts = 256
	// exactBody is the length up to which a body is allocated at once; a
	// longer one starts here and doubles as its bytes arrive.
	exactBody = 256 << 10
	// trustedHeld is what the bodies of incomplete messages may take beside
	// one of the largest allowed.
	trustedHeld = 4 * exactBody
)

// A chunkReader turns bytes into messages. It belongs to one goroutine.
type chunkReader struct {
	r        io.Reader
	buf      []byte
	pos, end int
	buffers  *Buffers      // lend buf while it is read into; nil: it is r's own
	lent     *sharedBuffer // buf, if it is borrowed from lender
	lender   *Buffers
	full     bool     // the last read filled buf: there is more
	parts    [][]byte // scratch of whole

	between bool // no byte of the next chunk is there yet

	chunkSize  uint32 // of the peer
	maxMessage int
	trusted    bool
	rate       rate // of messages begun, and of the parts of aggregates
	// wary is set by a message that was begun and given up. From then on a
	// body is allocated only as its bytes arrive: else five bytes that restart
	// a message would cost exactBody.
	wary bool

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

// slim gives up most of the buffer of a peer that is not trusted.
func (r *chunkReader) slim() {
	if held := r.end - r.pos; !r.trusted && len(r.buf) > playerBuffer && held <= playerBuffer {
		buf := make([]byte, playerBuffer)
		r.end = copy(buf, r.buf[r.pos:r.end])
		r.buf, r.pos = buf, 0
	}
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
		r.giveUp(cs)
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
		switch {
		case cs.skip:
			err = r.discard(int(want))
		case r.trusted && cs.got == 0 && r.whole(cs):
			want = cs.length
		default:
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

// giveUp ends cs's message, which is not complete.
func (r *chunkReader) giveUp(cs *chunkStream) {
	r.wary = true
	r.release(cs)
}

// begin starts a message with cs's header. It counts messages here, and not
// when they are complete: one that is restarted costs as much.
func (r *chunkReader) begin(cs *chunkStream) error {
	if err := r.rate.count(r.trusted); err != nil {
		return err
	}
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
		budget = r.maxMessage + trustedHeld
		if r.wary {
			size = min(size, max(need, 2*have))
		} else {
			size = min(size, max(need, 2*have, exactBody))
		}
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

// whole takes the body of a message that has just begun, if all of its chunks lie in the
// buffer, one after the other: memory for a copy of it need not be zeroed first.
func (r *chunkReader) whole(cs *chunkStream) bool {
	at, rest := r.pos, int(cs.length)
	r.parts = r.parts[:0]
	for {
		n := min(rest, int(r.chunkSize))
		if at+n > r.end {
			return false
		}
		r.parts = append(r.parts, r.buf[at:at+n])
		at += n
		if rest -= n; rest == 0 {
			break
		}
		if cs.extended || cs.csid >= 64 || at == r.end || r.buf[at] != 3<<6|byte(cs.csid) || len(r.parts) == maxParts {
			return false
		}
		at++
	}
	cs.body = bytes.Join(r.parts, nil)
	r.held += cap(cs.body)
	r.pos = at
	return true
}

// read moves n bytes into cs.body.
func (r *chunkReader) read(cs *chunkStream, n int) error {
	for n > 0 {
		if r.pos == r.end {
			// A piece that fills the buffer anyway goes to its place at once.
			if n >= trustedBuffer && cap(cs.body)-len(cs.body) >= n {
				r.giveBack()
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
		switch {
		case r.pos == r.end:
			r.pos, r.end = 0, 0
			if err := r.await(); err != nil {
				return err
			}
		case r.lent != nil && !r.full:
			r.keepRest()
		case r.pos+n > len(r.buf):
			r.end = copy(r.buf, r.buf[r.pos:r.end])
			r.pos = 0
		}
		m, err := r.fill(r.buf[r.end:])
		r.full = r.end+m == len(r.buf)
		if r.end += m; err != nil && err != errNothing {
			return err
		}
	}
	return nil
}

// await returns when there is reason to read. An empty buffer that is shared is given
// back meanwhile.
func (r *chunkReader) await() error {
	w, ok := r.r.(wire)
	if !ok {
		return nil
	}
	r.giveBack()
	brief, err := w.await()
	switch {
	case err != nil:
		return err
	case brief && r.buffers != nil:
		r.lender, r.lent = r.buffers, r.buffers.get()
		r.buf = r.lent[:]
	case r.buf == nil:
		r.buf = make([]byte, trustedBuffer)
	}
	return nil
}

// keepRest moves the bytes of a borrowed buffer, which end within a header, to one of r's
// own: more will take a while.
func (r *chunkReader) keepRest() {
	own := make([]byte, trustedBuffer)
	r.pos, r.end = 0, copy(own, r.buf[r.pos:r.end])
	r.giveBack()
	r.buf = own
}

// giveBack gives the buffer, which is empty, back to whom it is borrowed from.
func (r *chunkReader) giveBack() {
	if r.lent != nil {
		r.lender.pool.Put(r.lent)
		r.lender, r.lent, r.buf = nil, nil, nil
	}
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
