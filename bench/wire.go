//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"time"
)

// The tool speaks RTMP with its own few lines instead of internal/rtmp: a
// witness must not share the mistakes of what it witnesses, its cost must not
// change when the server's code does, and players hand their bare descriptor to
// a drain. RTMP 1.0 throughout.

// RTMP message types used here (RTMP 1.0 §5.4, §7.1).
const (
	typeSetChunkSize = 1
	typeAudio        = 8
	typeVideo        = 9
	typeData         = 18
	typeCommand      = 20
)

const (
	handshakeSize = 1536
	maxMessage    = 16 << 20
	maxChunks     = 64 // chunk streams that a server may use
	// replyTimeout bounds each answer to a command.
	replyTimeout = 10 * time.Second
	outChunkSize = 4096 // OBS's
)

// A message is one RTMP message as received.
type message struct {
	kind      byte
	timestamp uint32
	body      []byte // valid until the next read from the same chunk stream
}

// A chunkStream is the state of one chunk stream id (RTMP 1.0 §5.3.1).
type chunkStream struct {
	kind      byte
	extended  bool
	timestamp uint32
	delta     uint32
	body      []byte // of the message being put together
	filled    int
}

// A wire is one RTMP connection of a client.
type wire struct {
	conn      *net.TCPConn
	in        *bufio.Reader
	received  int64 // bytes
	chunkSize int   // the server's
	chunks    map[uint32]*chunkStream
	stream    uint32 // message stream id from createStream
	out       []byte // scratch for one message
}

// dialRTMP connects, shakes hands and opens a message stream in app. bufferSize
// is the read buffer's: small for a connection that will be drained.
func dialRTMP(ctx context.Context, addr, app string, mss, bufferSize int) (*wire, error) {
	conn, err := dialTCP(ctx, addr, mss)
	if err != nil {
		return nil, err
	}
	w := &wire{
		conn: conn, in: bufio.NewReaderSize(conn, bufferSize),
		chunkSize: 128, chunks: map[uint32]*chunkStream{},
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := w.open(addr, app); err != nil {
		conn.Close()
		return nil, fmt.Errorf("rtmp %s: %w", addr, err)
	}
	return w, nil
}

func (w *wire) open(addr, app string) error {
	if err := w.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	hello := make([]byte, 1+handshakeSize)
	hello[0] = 3
	if _, err := w.conn.Write(hello); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	answer := make([]byte, 1+2*handshakeSize)
	if _, err := io.ReadFull(w.in, answer); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	// C2 echoes S1; SetChunkSize and connect ride along in the same write.
	w.out = append(w.out[:0], answer[1:1+handshakeSize]...)
	w.append(2, typeSetChunkSize, 0, 0, binary.BigEndian.AppendUint32(nil, outChunkSize))
	w.append(3, typeCommand, 0, 0, slices.Concat(amfString("connect"), amfNumber(1), amfObject(
		"app", app, "type", "nonprivate", "flashVer", "FMLE/3.0 (compatible; rtmpd-bench)",
		"tcUrl", "rtmp://"+addr+"/"+app)))
	if err := w.flush(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if _, err := w.await("_result", 1); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	w.append(3, typeCommand, 0, 0, slices.Concat(amfString("createStream"), amfNumber(2), amfNull()))
	if err := w.flush(); err != nil {
		return fmt.Errorf("createStream: %w", err)
	}
	args, err := w.await("_result", 2)
	if err != nil {
		return fmt.Errorf("createStream: %w", err)
	}
	// A null (the command object), then the stream's number.
	if len(args) < 10 || args[0] != 5 || args[1] != 0 {
		return fmt.Errorf("createStream answered % x", args)
	}
	w.stream = uint32(math.Float64frombits(binary.BigEndian.Uint64(args[2:])))
	return nil
}

// publish begins to publish name and returns once the server agreed.
func (w *wire) publish(name string) error {
	w.append(3, typeCommand, w.stream, 0, slices.Concat(amfString("publish"), amfNumber(3), amfNull(), amfString(name), amfString("live")))
	return w.begin("NetStream.Publish.Start")
}

// play begins to play name and returns once the server agreed; media follows.
func (w *wire) play(name string) error {
	w.append(3, typeCommand, w.stream, 0, slices.Concat(amfString("play"), amfNumber(3), amfNull(), amfString(name), amfNumber(-2000)))
	return w.begin("NetStream.Play.Start")
}

func (w *wire) begin(code string) error {
	if err := w.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	for {
		args, err := w.await("onStatus", 0)
		if err != nil {
			return fmt.Errorf("%s: %w", code, err)
		}
		if amfProperty(args, "code") == code {
			return w.conn.SetDeadline(time.Time{})
		}
		if amfProperty(args, "level") == "error" {
			return fmt.Errorf("want %s, got %s: %s", code, amfProperty(args, "code"), amfProperty(args, "description"))
		}
	}
}

// await reads until the command name with the transaction comes and returns
// what follows those two. An _error for the transaction ends it.
func (w *wire) await(name string, transaction float64) ([]byte, error) {
	head := slices.Concat(amfString(name), amfNumber(transaction))
	refusal := slices.Concat(amfString("_error"), amfNumber(transaction))
	for {
		m, err := w.read()
		if err != nil {
			return nil, err
		}
		if m.kind != typeCommand {
			continue
		}
		if args, ok := bytes.CutPrefix(m.body, head); ok {
			return args, nil
		}
		if args, ok := bytes.CutPrefix(m.body, refusal); ok {
			return nil, fmt.Errorf("refused: %s: %s", amfProperty(args, "code"), amfProperty(args, "description"))
		}
	}
}

// append adds one message to the bytes of the next flush.
func (w *wire) append(chunkStreamID byte, kind byte, stream, timestamp uint32, body []byte) {
	b := append(w.out, chunkStreamID,
		byte(timestamp>>16), byte(timestamp>>8), byte(timestamp),
		byte(len(body)>>16), byte(len(body)>>8), byte(len(body)), kind)
	b = binary.LittleEndian.AppendUint32(b, stream)
	size := outChunkSize
	if kind == typeSetChunkSize {
		size = 128
	}
	for len(body) > size {
		b = append(append(b, body[:size]...), 0xc0|chunkStreamID)
		body = body[size:]
	}
	w.out = append(b, body...)
}

// flush writes what append gathered, in one write.
func (w *wire) flush() error {
	_, err := w.conn.Write(w.out)
	w.out = w.out[:0]
	return err
}

// full fills b and counts it.
func (w *wire) full(b []byte) error {
	n, err := io.ReadFull(w.in, b)
	w.received += int64(n)
	return err
}

// read returns the next whole message that is not about the chunks themselves.
func (w *wire) read() (message, error) {
	for {
		m, whole, err := w.chunk()
		if err != nil {
			return message{}, err
		}
		if !whole {
			continue
		}
		if m.kind != typeSetChunkSize {
			return m, nil
		}
		if len(m.body) < 4 {
			return message{}, errors.New("SetChunkSize is short")
		}
		w.chunkSize = int(binary.BigEndian.Uint32(m.body))
		if w.chunkSize < 1 || w.chunkSize > maxMessage {
			return message{}, fmt.Errorf("chunk size %d", w.chunkSize)
		}
	}
}

// chunk reads one chunk (RTMP 1.0 §5.3.1) and returns the message it completes.
func (w *wire) chunk() (m message, whole bool, err error) {
	var h [11]byte
	if err := w.full(h[:1]); err != nil {
		return m, false, err
	}
	format, id := h[0]>>6, uint32(h[0]&0x3f)
	if id < 2 {
		n := id + 1
		if err := w.full(h[:n]); err != nil {
			return m, false, err
		}
		id = 64 + uint32(h[0])
		if n == 2 {
			id += uint32(h[1]) << 8
		}
	}
	s := w.chunks[id]
	if s == nil {
		if len(w.chunks) == maxChunks {
			return m, false, fmt.Errorf("more than %d chunk streams", maxChunks)
		}
		s = &chunkStream{}
		w.chunks[id] = s
	}
	head := h[:[4]int{11, 7, 3, 0}[format]]
	if err := w.full(head); err != nil {
		return m, false, err
	}
	if format < 2 {
		n := int(head[3])<<16 | int(head[4])<<8 | int(head[5])
		if cap(s.body) < n {
			s.body = make([]byte, n)
		}
		s.body, s.filled, s.kind = s.body[:n], 0, head[6]
	}
	stamp := s.delta
	if format < 3 {
		stamp = uint32(head[0])<<16 | uint32(head[1])<<8 | uint32(head[2])
		s.extended = stamp == 0xffffff
	}
	if s.extended {
		var e [4]byte
		if err := w.full(e[:]); err != nil {
			return m, false, err
		}
		stamp = binary.BigEndian.Uint32(e[:])
	}
	if s.filled == 0 { // the header of a message, not of its later chunks
		s.delta = stamp
		if format == 0 {
			s.timestamp = stamp
		} else {
			s.timestamp += stamp
		}
	}
	n := min(w.chunkSize, len(s.body)-s.filled)
	if err := w.full(s.body[s.filled : s.filled+n]); err != nil {
		return m, false, err
	}
	s.filled += n
	if s.filled < len(s.body) {
		return m, false, nil
	}
	s.filled = 0
	return message{s.kind, s.timestamp, s.body}, true, nil
}
