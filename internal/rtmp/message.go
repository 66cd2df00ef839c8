package rtmp

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
