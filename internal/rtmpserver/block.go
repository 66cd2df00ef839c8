package rtmpserver

import (
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A Block is one rtmp block at run time: its applications, and what its
// connections are made with. Listeners come and go; sessions keep theirs.
type Block struct {
	*origin.Service
	server  *Server
	gate    listen.Gate
	access  atomic.Pointer[AccessLog] // nil: none
	removed atomic.Bool               // it is gone; its sessions may not be yet
}

// NewBlock returns a Block without applications.
func (s *Server) NewBlock() *Block {
	return &Block{Service: s.Origin.NewService(), server: s}
}

func (b *Block) options() rtmp.Options {
	c := b.Config()
	return rtmp.Options{
		HandshakeTimeout: c.HandshakeTimeout,
		Timeout:          c.Timeout,
		Ping:             c.Ping,
		PingTimeout:      c.PingTimeout,
		MaxMessage:       int(c.MaxMessage),
		ChunkSize:        int(c.ChunkSize),
		AckWindow:        int(c.AckWindow),
		Awake:            b.server.Awake,
	}
}

// UseAccessLog has the block's sessions write to l from now on, those that are
// there already as well; nil: to none.
func (b *Block) UseAccessLog(l *AccessLog) {
	old := b.access.Swap(l)
	if old == nil {
		return
	}
	if err := old.Close(); err != nil {
		b.server.Log.Error("access log not closed", zap.Error(err))
	}
}

// ReopenLog reopens the access log.
func (b *Block) ReopenLog() error {
	if l := b.access.Load(); l != nil {
		return l.Reopen()
	}
	return nil
}

// exit counts a connection out. The last one of a block that is gone closes its
// access log.
func (b *Block) exit(sess *session) {
	b.gate.Leave(sess.counted)
	b.tidyLog()
}

// Remove says that no configuration names the block any more.
func (b *Block) Remove() {
	b.removed.Store(true)
	b.tidyLog()
}

func (b *Block) tidyLog() {
	if b.removed.Load() && b.gate.Empty() {
		b.UseAccessLog(nil)
	}
}
