package rtmp

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/gather"
)

// WriteMessage buffers m, which is copied. Flush sends it; more than 1 MiB
// does not wait for that.
func (c *Conn) WriteMessage(m Message) error {
	return c.write(func(w *writer) { w.appendMessage(m) })
}

// WriteShared is WriteMessage without the copy: the payload, which must never change, is
// sent from where it is. It is for a connection that is not diverted.
func (c *Conn) WriteShared(m Message) error {
	if len(m.Payload) < gather.Least || !c.scatters {
		return c.WriteMessage(m)
	}
	return c.write(func(w *writer) { shareMessage(&w.batch, m, w.chunkSize) })
}

// WriteCommand buffers a command. The first of args is the command object.
func (c *Conn) WriteCommand(streamID uint32, name string, transaction float64, args ...amf.Value) error {
	return c.WriteMessage(commandMessage(streamID, name, transaction, args))
}

// WriteStatus buffers an onStatus. level is "status", "warning" or "error".
func (c *Conn) WriteStatus(streamID uint32, level, code, description string) error {
	return c.WriteCommand(streamID, "onStatus", 0, nil, StatusObject(level, code, description))
}

// WriteData buffers a data message: a name and what belongs to it.
func (c *Conn) WriteData(streamID uint32, values ...amf.Value) error {
	var body []byte
	for _, v := range values {
		body = amf.Append(body, v)
	}
	return c.WriteMessage(Message{Type: TypeDataAMF0, ChunkStreamID: csidAMF, StreamID: streamID, Payload: body})
}

// WriteConnectResult buffers the answer that accepts a connect: WindowAckSize,
// SetPeerBandwidth, SetChunkSize and the _result.
func (c *Conn) WriteConnectResult(transaction float64, connect Connect) error {
	return c.write(func(w *writer) {
		w.appendWindow(uint32(c.o.AckWindow))
		w.appendPeerBandwidth(uint32(c.o.AckWindow))
		w.setChunkSize(c.o.ChunkSize)
		w.appendMessage(commandMessage(0, "_result", transaction, connectSuccess(connect)))
	})
}

// WriteConnectError buffers the _error that refuses a connect.
func (c *Conn) WriteConnectError(transaction float64, code, description string) error {
	return c.WriteCommand(0, "_error", transaction, nil, StatusObject("error", code, description))
}

// WriteUserControl buffers a user control message.
func (c *Conn) WriteUserControl(event uint16, data ...uint32) error {
	return c.write(func(w *writer) { w.appendUserControl(event, data...) })
}

// SetChunkSize buffers the announcement that what follows comes in chunks of n
// bytes, 1 to 16 MiB.
func (c *Conn) SetChunkSize(n int) error {
	if n < 1 || n > maxChunkSize {
		return fmt.Errorf("chunk size %d", n)
	}
	return c.write(func(w *writer) { w.setChunkSize(n) })
}

// LimitWrites is for the last words of a connection: nothing is written after
// d from now, a write that is under way included.
func (c *Conn) LimitWrites(d time.Duration) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.limit = time.Now().Add(d)
	_ = c.nc.SetWriteDeadline(c.out.limit)
}

// write appends under the lock, and sends what has become too much to wait.
func (c *Conn) write(appendTo func(*writer)) error {
	c.out.mu.Lock()
	err := c.out.err
	if err == nil {
		appendTo(&c.out)
	}
	full := c.out.batch.Len() >= sendAt
	c.out.mu.Unlock()
	if err == nil && full {
		return c.Flush()
	}
	return err
}

// Flush sends everything buffered in one write, within Timeout. After a failed
// write the connection is of no more use: what was sent of it is not known.
func (c *Conn) Flush() error {
	c.out.sending.Lock()
	defer c.out.sending.Unlock()
	return c.flush()
}

// flush is Flush for who holds sending.
func (c *Conn) flush() error {
	w := &c.out
	w.mu.Lock()
	if w.err != nil || w.batch.Len() == 0 {
		defer w.mu.Unlock()
		return w.err
	}
	b := w.batch
	w.batch, w.spare = w.spare, gather.Batch{}
	var err error
	if w.sink == nil {
		err = w.setDeadline(c)
	}
	w.mu.Unlock()

	switch {
	case err != nil:
	case w.sink != nil:
		err = w.sink(b.Own)
	default:
		var n int64
		n, err = w.send(c.nc, &b)
		c.bytesOut.Add(uint64(n))
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.err, w.batch = err, gather.Batch{}
		return err
	}
	b.Reset(keepOut) // what a burst has made larger goes
	w.spare = b
	return nil
}

// A scatterer is a connection other than a *net.TCPConn that sends scattered memory in
// one call.
type scatterer interface {
	WriteBuffers(v *net.Buffers) (n int64, err error)
}

func scatters(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, scatterer:
		return true
	}
	return false
}

// send sends b. sending is held.
func (w *writer) send(nc net.Conn, b *gather.Batch) (int64, error) {
	if b.Len() == len(b.Own) {
		n, err := nc.Write(b.Own)
		return int64(n), err
	}
	w.vector = b.Vector()
	if s, ok := nc.(scatterer); ok {
		return s.WriteBuffers(&w.vector)
	}
	return w.vector.WriteTo(nc)
}

// setDeadline gives the next write its time: Timeout, or what LimitWrites left.
func (w *writer) setDeadline(c *Conn) error {
	var deadline time.Time
	if c.o.Timeout > 0 {
		deadline = time.Now().Add(c.o.Timeout)
	}
	if !w.limit.IsZero() && (deadline.IsZero() || w.limit.Before(deadline)) {
		deadline = w.limit
	}
	if deadline.IsZero() {
		return nil
	}
	return c.nc.SetWriteDeadline(deadline)
}

// The append methods want mu.

func (w *writer) appendMessage(m Message) {
	b := &w.batch
	if need := len(b.Own) + chunkedSize(len(m.Payload), w.chunkSize); need > cap(b.Own) && len(m.Payload) > keepOut {
		b.Own = append(make([]byte, 0, need), b.Own...)
	}
	b.Own = appendMessage(b.Own, m, w.chunkSize)
}

func (w *writer) appendControl(t MessageType, n uint32) {
	w.appendMessage(Message{Type: t, ChunkStreamID: csidControl, Payload: binary.BigEndian.AppendUint32(nil, n)})
}

func (w *writer) appendWindow(n uint32) {
	w.window = n
	w.appendControl(TypeWindowAckSize, n)
}

// appendPeerBandwidth: limit type 2, dynamic, as nginx-rtmp and FMS send it.
func (w *writer) appendPeerBandwidth(n uint32) {
	p := append(binary.BigEndian.AppendUint32(nil, n), 2)
	w.appendMessage(Message{Type: TypeSetPeerBandwidth, ChunkStreamID: csidControl, Payload: p})
}

func (w *writer) setChunkSize(n int) {
	w.appendControl(TypeSetChunkSize, uint32(n))
	w.chunkSize = n
}

func (w *writer) appendUserControl(event uint16, data ...uint32) {
	p := binary.BigEndian.AppendUint16(nil, event)
	for _, n := range data {
		p = binary.BigEndian.AppendUint32(p, n)
	}
	w.appendMessage(Message{Type: TypeUserControl, ChunkStreamID: csidControl, Payload: p})
}
