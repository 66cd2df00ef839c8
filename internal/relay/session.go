package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const (
	// answerTimeout bounds connect and publish or play, together.
	answerTimeout = 10 * time.Second
	// writePatience is how long a server may take nothing before it is given up.
	writePatience = 10 * time.Second
	// farewell bounds the last words to a server.
	farewell = 2 * time.Second
)

// A link is a connection to another server.
type link struct {
	*rtmp.Client
	conn *steadyConn
	done chan struct{} // closed when nobody reads any more
	err  error         // why; set before done is closed
}

// connect dials the server of t and has it accept the application. One that is
// played from is pinged when it is silent.
func connect(ctx context.Context, r *config.Remote, t *target, via []string, plays bool, roots *tls.Config) (*link, error) {
	l := &link{done: make(chan struct{})}
	o := rtmp.Options{HandshakeTimeout: 2 * answerTimeout} // ctx is over first
	if plays {
		o.Ping, o.PingTimeout = quiet, quietTimeout
	}
	c, err := rtmp.Dial(ctx, t.dial, rtmp.ClientOptions{
		Options: o,
		TLS:     roots, App: t.app, TCURL: t.tcURL, FlashVer: r.FlashVer, SWFURL: r.SWFURL, PageURL: r.PageURL, Via: via,
		DialTCP: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			listen.SetUserTimeout(nc, writePatience)
			listen.LimitUnsent(nc)
			l.conn = &steadyConn{Conn: nc, patience: writePatience}
			return l.conn, nil
		},
	})
	if err != nil {
		return nil, why(ctx, err)
	}
	l.Client = c
	return l, nil
}

var errNoAnswer = fmt.Errorf("the server did not answer within %s", answerTimeout)

// why is err, or what ended ctx and so caused it.
func why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// listen reads what a server that is sent to says until it ends the session. It
// answers pings meanwhile.
func (l *link) listen() {
	defer close(l.done)
	for l.err == nil {
		m, err := l.ReadMessage()
		switch {
		case errors.Is(err, io.EOF):
			l.err = errors.New("the server closed the connection")
		case err != nil:
			l.err = err
		case m.Type == rtmp.TypeCommandAMF0 || m.Type == rtmp.TypeCommandAMF3:
			cmd, err := rtmp.ParseCommand(m)
			if err != nil {
				l.err = fmt.Errorf("command: %w", err)
				break
			}
			l.err = rtmp.Refusal(cmd)
		}
	}
}

// bye closes the connection once the server has taken all that was sent, or some
// time has passed.
func (l *link) bye() {
	l.conn.endBy(time.Now().Add(farewell))
	if l.Unpublish() == nil {
		if half, ok := l.NetConn().(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			select {
			case <-l.done:
			case <-time.After(farewell):
			}
		}
	}
	_ = l.Close()
	<-l.done
}

func via(f func() []string) []string {
	if f == nil {
		return nil
	}
	return f()
}
