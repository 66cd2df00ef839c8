package rtmp

import (
	"encoding/binary"
	"errors"
)

// An aggregate takes an aggregate message (RTMP 1.0 §7.1.6) apart. Its body is
// FLV tags:
//
//	| type 1 | length 3 | timestamp 3, its bits 24-31 1 | stream id 3 | data | back pointer 4 |
//
// Timestamps count from the first tag's, which is the message's own. Payloads
// are copies: who keeps a frame of six bytes must not keep ten megabytes.
type aggregate struct {
	message Message
	rest    []byte
	shift   uint32 // what makes a tag's timestamp the message's
	begun   bool
}

var errAggregate = errors.New("aggregate message ends within one of its messages")

func (a *aggregate) begin(m Message) {
	*a = aggregate{message: m, rest: m.Payload}
}

// next returns the next audio, video or data message within; ok is false when
// there is none.
func (a *aggregate) next() (m Message, ok bool, err error) {
	for len(a.rest) > 0 {
		if len(a.rest) < 11 {
			return Message{}, false, errAggregate
		}
		h := a.rest[:11]
		n := int(uint24(h[1:]))
		if n > len(a.rest)-11 {
			return Message{}, false, errAggregate
		}
		m = a.message
		m.Type = MessageType(h[0])
		payload := a.rest[11 : 11+n]
		t := binary.BigEndian.Uint32([]byte{h[7], h[4], h[5], h[6]})
		if !a.begun {
			a.begun = true
			a.shift = a.message.Timestamp - t
		}
		m.Timestamp = t + a.shift
		a.rest = a.rest[11+n:]
		a.rest = a.rest[min(4, len(a.rest)):] // the last back pointer may be missing
		switch m.Type {
		case TypeAudio, TypeVideo, TypeDataAMF0, TypeDataAMF3:
			m.Payload = append(make([]byte, 0, n), payload...)
			return m, true, nil
		}
	}
	a.message.Payload, a.rest = nil, nil
	return Message{}, false, nil
}
