package rtmp

import "strconv"

// MessageType is an RTMP message type id (RTMP 1.0 §5.4, §7.1).
type MessageType uint8

// The message types.
const (
	TypeSetChunkSize     MessageType = 1
	TypeAbort            MessageType = 2
	TypeAcknowledgement  MessageType = 3
	TypeUserControl      MessageType = 4
	TypeWindowAckSize    MessageType = 5
	TypeSetPeerBandwidth MessageType = 6
	TypeAudio            MessageType = 8
	TypeVideo            MessageType = 9
	TypeDataAMF3         MessageType = 15
	TypeSharedObjectAMF3 MessageType = 16
	TypeCommandAMF3      MessageType = 17
	TypeDataAMF0         MessageType = 18
	TypeSharedObjectAMF0 MessageType = 19
	TypeCommandAMF0      MessageType = 20
	TypeAggregate        MessageType = 22
)

// A Message is one RTMP message.
type Message struct {
	Type          MessageType
	ChunkStreamID uint32
	StreamID      uint32
	Timestamp     uint32 // absolute, ms modulo 2^32
	// Payload is the receiver's to keep: allocated once for this message and
	// never written again.
	Payload []byte
}

// User control events (RTMP 1.0 §7.1.7).
const (
	StreamBegin  uint16 = 0
	StreamEOF    uint16 = 1
	StreamDry    uint16 = 2
	BufferLength uint16 = 3
	StreamIsVOD  uint16 = 4
	PingRequest  uint16 = 6
	PingResponse uint16 = 7
)

// Chunk stream ids of what rtmpd sends; nginx-rtmp's.
const (
	csidControl = 2
	csidCommand = 3
	csidAMF     = 5
	csidAudio   = 6
	csidVideo   = 7
)

// ignored says that messages of type t are read past: shared objects, and
// types that do not exist.
func (t MessageType) ignored() bool {
	switch t {
	case TypeSetChunkSize, TypeAbort, TypeAcknowledgement, TypeUserControl,
		TypeWindowAckSize, TypeSetPeerBandwidth, TypeAudio, TypeVideo,
		TypeDataAMF3, TypeCommandAMF3, TypeDataAMF0, TypeCommandAMF0, TypeAggregate:
		return false
	}
	return true
}

// limit is the largest body of a message of type t.
func (t MessageType) limit(maxMessage int) int {
	switch t {
	case TypeCommandAMF0, TypeCommandAMF3:
		return maxCommand
	case TypeAudio, TypeVideo, TypeDataAMF0, TypeDataAMF3, TypeAggregate:
		return maxMessage
	}
	return maxControl
}

// String is the type's name as the specification has it, for errors.
func (t MessageType) String() string {
	switch t {
	case TypeAudio:
		return "audio"
	case TypeVideo:
		return "video"
	case TypeDataAMF0, TypeDataAMF3:
		return "data"
	case TypeCommandAMF0, TypeCommandAMF3:
		return "command"
	case TypeAggregate:
		return "aggregate"
	case TypeSetChunkSize, TypeAbort, TypeAcknowledgement, TypeUserControl, TypeWindowAckSize, TypeSetPeerBandwidth:
		return "control"
	}
	return "type " + strconv.Itoa(int(t))
}
