package rtmp

import (
	"encoding/binary"
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

// header reads one chunk's header. The chunk stream it returns is in a message.
func (r *chunkReader) header() (*chunkStream, error) {
	r.between = true
	err := r.need(1)
	r.between = false
	if err != nil {
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
		r.giveUp(cs)
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

func uint24(b []byte) uint32 {
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}
