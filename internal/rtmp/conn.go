package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/gather"
)

// Options of a connection. Zero values that are not useful mean the default.
type Options struct {
	HandshakeTimeout time.Duration // for all of the handshake; default 10 s
	Timeout          time.Duration // for one write; 0: none
	Ping             time.Duration // silence after which the peer is pinged; 0: never
	PingTimeout      time.Duration // further silence that ends the connection; default 30 s
	MaxMessage       int           // bytes of a media message taken; default 10 MiB
	ChunkSize        int           // of what is sent; default 65536
	AckWindow        int           // bytes after which the peer is to acknowledge; default 5000000
	Awake            *awake.Clock  // of Ping and PingTimeout; nil: one that is never away
}

func (o Options) withDefaults() Options {
	set := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&o.MaxMessage, 10<<20)
	set(&o.ChunkSize, 65536)
	set(&o.AckWindow, 5000000)
	o.MaxMessage = min(o.MaxMessage, 1<<24-1) // the length field has 24 bits
	o.ChunkSize = min(o.ChunkSize, maxChunkSize)
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.PingTimeout <= 0 {
		o.PingTimeout = 30 * time.Second
	}
	return o
}

// A Conn is one RTMP connection after its handshake.
//
// One goroutine reads (ReadMessage, Authorise). Any goroutine may write: the
// Write methods and SetChunkSize append to a buffer, Flush sends it.
type Conn struct {
	nc       net.Conn
	o        Options
	scatters bool // nc sends scattered memory in one call

	bytesIn, bytesOut atomic.Uint64
	roundTrip         atomic.Int64 // of the last own ping, ns
	buffer            atomic.Int64 // what the peer said that it buffers, ms
	interrupting      sync.Mutex   // held while interrupted and the read deadline change together
	interrupted       atomic.Bool

	// Owned by the reading goroutine.
	in        *chunkReader
	aggregate aggregate
	idle      idle
	ackWindow uint32      // the peer's: it wants to hear of every so many bytes
	acked     uint64      // bytesIn as last acknowledged
	replies   bool        // something of ours waits in out
	pace      func() bool // see Pace
	pacer     *pacer
	more      bool // the last paced read was full
	turn      turn // of the next paced read

	out writer
}

// A writer is the sending half of a Conn.
type writer struct {
	sending sync.Mutex         // held while a batch is on its way; taken before mu
	sink    func([]byte) error // takes the batches in the socket's place; under sending
	vector  net.Buffers        // what is still to be sent of the batch on its way; under sending

	mu        sync.Mutex   // guards what follows
	batch     gather.Batch // waiting for Flush
	spare     gather.Batch // the one before, empty
	chunkSize int
	window    uint32    // our last WindowAckSize
	limit     time.Time // no write goes on beyond it; zero: none
	err       error     // the first failed write; nothing is sent after it
}

const (
	defaultPeerWindow = 2500000 // acknowledge to peers that never say a window
	minPeerWindow     = 2500    // and to none more often than this
	keepOut           = 64 << 10
	sendAt            = 1 << 20 // buffered bytes that do not wait for Flush
)

// Accept shakes hands with the client on nc. It does not close nc.
func Accept(nc net.Conn, o Options) (*Conn, error) {
	o = o.withDefaults()
	noDelay(nc)
	n, err := handshakeServer(nc, o.HandshakeTimeout)
	if err != nil {
		return nil, err
	}
	return newConn(nc, o, n), nil
}

// noDelay: a reply or a frame leaves when it is flushed. Go's default, said
// because it must hold.
func noDelay(nc net.Conn) {
	if tc, ok := nc.(*net.TCPConn); ok {
		_ = tc.SetNoDelay(true)
	}
}

func newConn(nc net.Conn, o Options, read int) *Conn {
	c := &Conn{nc: nc, o: o, scatters: scatters(nc), ackWindow: defaultPeerWindow}
	c.in = newChunkReader(wire{c}, o.MaxMessage)
	c.out.chunkSize = defaultChunkSize
	c.bytesIn.Store(uint64(read))
	c.bytesOut.Store(1 + 2*packetSize)
	return c
}

// Authorise says that the peer may publish or play: from now on messages of up
// to MaxMessage are taken, and read in larger pieces. Call it from the reading
// goroutine.
func (c *Conn) Authorise() {
	c.in.trust()
}

// ReadMessage returns the next audio, video, data or command message.
// Protocol and user control messages are handled within, aggregates taken
// apart, shared objects and unknown types passed over. The payload is the
// caller's. What the peer is owed is sent before ReadMessage waits for more.
//
// Errors: ErrInterrupted, after which ReadMessage may be called again; io.EOF
// when the peer has closed between two messages; else the connection is to be
// closed.
func (c *Conn) ReadMessage() (Message, error) {
	for {
		if c.interrupted.Load() {
			return Message{}, c.resume()
		}
		m, ok, err := c.aggregate.next()
		if err != nil {
			return Message{}, err
		}
		if ok {
			err = c.in.rate.count(c.in.trusted)
		} else {
			m, err = c.in.next()
		}
		if err != nil {
			return Message{}, err
		}
		switch m.Type {
		case TypeAudio, TypeVideo, TypeDataAMF0, TypeDataAMF3, TypeCommandAMF0, TypeCommandAMF3:
			return m, nil
		case TypeAggregate:
			c.aggregate.begin(m)
		default:
			if err := c.control(m); err != nil {
				return Message{}, err
			}
		}
	}
}

// How many messages a peer may send. A message may be a single byte on the wire
// and costs a publisher's server some microseconds of every reader's, so that a
// line of 100 Mb/s could keep all cores busy; a busy stream has 200 a second,
// and may come a hundred times as fast as it plays.
const (
	maxRate        = 2000  // a second, before publish is accepted
	maxPublishRate = 20000 // a second over publishSpan, from then on
	publishSpan    = 10 * time.Second
)

// A rate counts a peer's messages.
type rate struct {
	since   time.Time // when n was 1
	n       int
	trusted bool
}

// count takes one more message. The clock is looked at once in so many.
func (r *rate) count(trusted bool) error {
	if trusted != r.trusted {
		*r = rate{trusted: trusted}
	}
	limit, span := maxRate, time.Second
	if trusted {
		limit, span = maxPublishRate*int(publishSpan/time.Second), publishSpan
	}
	if r.n++; r.n > 1 && r.n <= limit {
		return nil
	}
	now := time.Now()
	if r.n > limit && now.Sub(r.since) < span {
		if trusted {
			return fmt.Errorf("more than %d messages a second over %s", maxPublishRate, publishSpan)
		}
		return fmt.Errorf("more than %d messages a second before publish or play was accepted", maxRate)
	}
	r.since, r.n = now, 1
	return nil
}

// control obeys a protocol or user control message (RTMP 1.0 §5.4, §7.1.7).
func (c *Conn) control(m Message) error {
	if m.Type.ignored() {
		return nil
	}
	p := m.Payload
	if m.Type == TypeUserControl {
		c.userControl(p)
		return nil
	}
	if len(p) < 4 {
		return fmt.Errorf("control message type %d of %d bytes", uint8(m.Type), len(p))
	}
	n := binary.BigEndian.Uint32(p)
	switch m.Type {
	case TypeSetChunkSize:
		return c.in.setChunkSize(n)
	case TypeAbort:
		c.in.abort(n)
	case TypeWindowAckSize:
		c.ackWindow = max(n, minPeerWindow)
	case TypeSetPeerBandwidth:
		// §5.4.5: answered when it is not what we have said already.
		c.out.mu.Lock()
		if c.out.window != n {
			c.out.appendWindow(n)
			c.replies = true
		}
		c.out.mu.Unlock()
	}
	return nil
}

// userControl obeys what concerns the connection; the other events are hints
// that need no answer.
func (c *Conn) userControl(p []byte) {
	if len(p) < 6 {
		return
	}
	n := binary.BigEndian.Uint32(p[2:])
	switch binary.BigEndian.Uint16(p) {
	case PingRequest:
		c.out.mu.Lock()
		c.out.appendUserControl(PingResponse, n)
		c.out.mu.Unlock()
		c.replies = true
	case BufferLength: // of stream n
		if len(p) >= 10 {
			c.buffer.Store(int64(binary.BigEndian.Uint32(p[6:])))
		}
	case PingResponse:
		if !c.idle.pinged.IsZero() {
			c.roundTrip.Store(int64(time.Since(c.idle.pinged)))
			c.idle.pinged = time.Time{}
		}
	}
}

// BytesIn is how many bytes have been received, handshake included. Any
// goroutine may ask.
func (c *Conn) BytesIn() uint64 { return c.bytesIn.Load() }

// BytesOut is how many bytes have been sent, handshake included. Any goroutine
// may ask.
func (c *Conn) BytesOut() uint64 { return c.bytesOut.Load() }

// RoundTrip is how long the peer took to answer the last ping; 0 before there
// was one. Any goroutine may ask.
func (c *Conn) RoundTrip() time.Duration { return time.Duration(c.roundTrip.Load()) }

// BufferLength is how much the peer has said that it wants to have in advance; 0: it
// has not. Any goroutine may ask.
func (c *Conn) BufferLength() time.Duration {
	return time.Duration(c.buffer.Load()) * time.Millisecond
}

// RemoteAddr is the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// NetConn is the connection underneath.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Close closes the connection without sending what waits for Flush.
func (c *Conn) Close() error { return c.nc.Close() }

// ErrPingTimeout is why ReadMessage fails on a peer that went silent.
var ErrPingTimeout = errors.New("ping timeout")
