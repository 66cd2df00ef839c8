package web

import (
	"context"
	"net/http"
	"time"

	"github.com/rtmpd/rtmpd/internal/web/http1"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

// watch returns a context that ends when the client goes away.
func (x *exchange) watch() (ctx context.Context, stop func()) {
	if w, ok := x.ResponseWriter.(*http1.ResponseWriter); ok {
		return w.Watch(x.r.Context())
	}
	return x.r.Context(), func() {} // net/http watches
}

// cut ends a write under way.
func (x *exchange) cut() {
	if x.conn != nil && x.r.ProtoMajor == 1 {
		_ = x.conn.Close()
		return
	}
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
}

// tellEvery is how often the bytes of an answer that goes on are counted.
const tellEvery = time.Second

// tell counts the bytes that were sent so far.
func (x *exchange) tell() {
	n := x.bytes - x.told
	x.told = x.bytes
	x.site.traffic.bytes.Add(uint64(n))
	if x.meter != nil {
		x.meter.Add(n)
	}
}

// An answerSink sends a stream as the body of an answer. Each write must end within
// http1.WriteTimeout.
type answerSink struct {
	x    *exchange
	ctx  context.Context // ends when the viewer may no longer watch
	buf  []byte
	told time.Time
}

// sinkPiece is how much is written at a time: pieces of memory together, or a long one by
// itself.
const sinkPiece = 16 << 10

// Send implements progressive.Sink.
func (w *answerSink) Send(v [][]byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	for _, p := range v {
		if len(w.buf)+len(p) > sinkPiece {
			if err := w.write(); err != nil {
				return err
			}
		}
		if len(p) > sinkPiece {
			if _, err := w.x.Write(p); err != nil {
				return err
			}
			continue
		}
		w.buf = append(w.buf, p...)
	}
	if err := w.write(); err != nil {
		return err
	}
	w.x.Flush()
	if now := time.Now(); now.Sub(w.told) >= tellEvery {
		w.told = now
		w.x.tell()
	}
	return nil
}

func (w *answerSink) write() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.x.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// A socketSink sends a stream as messages of a WebSocket: binary ones, whose bytes are the
// stream, or texts.
type socketSink struct {
	x     *exchange
	conn  *websocket.Conn
	texts bool
	told  time.Time
}

// Send implements progressive.Sink.
func (w *socketSink) Send(v [][]byte) error {
	n := 0
	for _, p := range v {
		n += len(p)
	}
	var err error
	switch {
	case !w.texts:
		err = w.conn.SendBytes(v)
	case len(v) == 1 && n > 1: // without the end of the line
		err = w.conn.Send(v[0][:n-1])
	}
	if err != nil {
		return err
	}
	w.x.count(int64(n))
	if now := time.Now(); now.Sub(w.told) >= tellEvery {
		w.told = now
		w.x.tell()
	}
	return nil
}
