package rtmp

import "github.com/rtmpd/rtmpd/internal/amf"

// AppendMessage appends m as the chunk stream bytes that a peer receives, in
// chunks of at most chunkSize bytes, starting with a type 0 header: it can be
// sent to any number of peers that were told this chunk size.
func AppendMessage(dst []byte, m Message, chunkSize int) []byte {
	return appendMessage(dst, m, chunkSize)
}

// AppendStatus appends an onStatus as AppendMessage does.
func AppendStatus(dst []byte, streamID uint32, level, code, description string, chunkSize int) []byte {
	m := commandMessage(streamID, "onStatus", 0, []amf.Value{nil, StatusObject(level, code, description)})
	return appendMessage(dst, m, chunkSize)
}

// EncodedSize is at least as much as AppendMessage appends for n bytes of
// payload.
func EncodedSize(n, chunkSize int) int { return chunkedSize(n, chunkSize) }

// Divert sends everything buffered and hands what comes later to sink, whole
// messages at a time, in place of the connection: somebody else writes to that
// now. nil gives the connection back. sink must not keep its argument.
func (c *Conn) Divert(sink func([]byte) error) error {
	if err := c.Flush(); err != nil {
		return err
	}
	c.out.sending.Lock()
	defer c.out.sending.Unlock()
	c.out.sink = sink
	return nil
}
