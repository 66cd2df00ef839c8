package web

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// In HTTP/2 the client opens a window for each stream and so decides when an answer may
// continue. An answer whose window it never opens must end all the same. Each piece
// has http1.WriteTimeout, as each write of a plain connection has. A connection on
// which nothing moves for that long is closed.

// streamPiece is how many bytes of an answer are written at a time: one DATA frame. The
// buffer is held until the client has opened its window for it.
const streamPiece = 16 << 10

var streamPieces = sync.Pool{New: func() any { return new([streamPiece]byte) }}

// copyStream is ReadFrom for HTTP/2.
func (x *exchange) copyStream(src io.Reader) (n int64, err error) {
	piece := streamPieces.Get().(*[streamPiece]byte)
	for {
		m, rerr := src.Read(piece[:])
		w, werr := x.writeStream(piece[:m])
		n += int64(w)
		if werr != nil {
			return n, werr // piece may still be in use
		}
		if rerr != nil {
			streamPieces.Put(piece)
			if rerr == io.EOF {
				rerr = nil
			}
			return n, rerr
		}
	}
}

// writeStream is Write for HTTP/2.
func (x *exchange) writeStream(p []byte) (n int, err error) {
	for n < len(p) {
		start := time.Now()
		_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(start.Add(http1.WriteTimeout)) // else the stream is reset
		m, err := x.ResponseWriter.Write(p[n:min(n+streamPiece, len(p))])
		n += m
		x.count(int64(m))
		if err != nil {
			x.stalled(start)
			return n, err
		}
		if x.conn != nil {
			x.conn.moved.Store(time.Now().UnixNano())
		}
	}
	return n, nil
}

// stalled closes the connection of a stream whose client has taken nothing since start,
// unless another stream of the connection moves: a paused film beside one that plays.
func (x *exchange) stalled(start time.Time) {
	now := time.Now()
	if x.conn == nil || now.Sub(start) < http1.WriteTimeout {
		return
	}
	if now.Sub(time.Unix(0, x.conn.moved.Load())) >= http1.WriteTimeout {
		_ = x.conn.Close()
	}
}
