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

// Divert sends everything buffered and has lend make somebody else write to the
// connection. What is flushed later goes to the sink that lend returns, whole
// messages at a time; it must not keep its argument. Nobody writes meanwhile.
// Call it from the reading goroutine: from now on it expects a player's few
// commands, and keeps a small buffer for them.
func (c *Conn) Divert(lend func() (sink func([]byte) error)) error {
	c.in.slim()
	c.out.sending.Lock()
	defer c.out.sending.Unlock()
	if err := c.flush(); err != nil {
		return err
	}
	c.out.sink = lend()
	return nil
}

// Regain ends what Divert began, once the other one has stopped writing. missed
// returns what the sink was given and nobody sent: it is buffered, before what
// waits for Flush already. Regain itself sends nothing.
func (c *Conn) Regain(missed func() []byte) {
	w := &c.out
	w.sending.Lock()
	defer w.sending.Unlock()
	w.sink = nil
	b := missed()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(b) > 0 && w.err == nil {
		w.batch.Precede(b)
	}
}
