package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient bounds every wait: ten times what a slow machine needs.
const patient = 2 * time.Minute

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// A far is another server, which takes what is published to it.
type far struct {
	testing.TB
	listener net.Listener
	wait     sync.WaitGroup

	// What it does; set before it is dialled.
	announce amf.Object                               // in its answer to connect
	refuse   func(app, name string) *rtmp.StatusError // nil: it takes all
	plays    func(c *rtmp.Conn) error                 // for a player that was accepted; an error closes it
	after    func(c *rtmp.Conn, n int) error          // for the nth session, when it is accepted; an error closes it

	mu       sync.Mutex
	conns    map[net.Conn]bool
	sessions []*farSession
}

// A farSession is what one session sent.
type farSession struct {
	connect  rtmp.Connect
	name     string
	play     []amf.Value    // the arguments of play
	messages []rtmp.Message // media and data
	goodbye  bool           // it said that it ends
	over     bool
}

func newFar(t testing.TB, secure *tls.Config) *far {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	f := &far{TB: t, listener: ln, conns: make(map[net.Conn]bool)}
	f.wait.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[nc] = true
			f.mu.Unlock()
			f.wait.Go(func() {
				defer nc.Close()
				_ = f.serve(nc)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		f.mu.Lock()
		for nc := range f.conns {
			nc.Close()
		}
		f.mu.Unlock()
		f.wait.Wait()
	})
	return f
}

func (f *far) address() string { return f.listener.Addr().String() }

// serve speaks with one client.
func (f *far) serve(nc net.Conn) error {
	c, err := rtmp.Accept(nc, rtmp.Options{})
	if err != nil {
		return err
	}
	c.Authorise()
	s := &farSession{}
	n := 0
	defer func() { f.mu.Lock(); s.over = true; f.mu.Unlock() }()
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if m.Type != rtmp.TypeCommandAMF0 {
			f.mu.Lock()
			s.messages = append(s.messages, m)
			f.mu.Unlock()
			continue
		}
		cmd, err := rtmp.ParseCommand(m)
		if err != nil {
			return err
		}
		switch cmd.Name {
		case "connect":
			s.connect, err = rtmp.ParseConnect(cmd)
			properties := append(amf.Object{{Name: "fmsVer", Value: "FMS/3,0"}}, f.announce...)
			err = errors.Join(err, c.WriteCommand(0, "_result", cmd.Transaction, properties, rtmp.StatusObject("status", rtmp.StatusConnectSuccess, "")))
		case "createStream":
			err = c.WriteCommand(0, "_result", cmd.Transaction, nil, 1)
		case "publish":
			s.name, _ = cmd.Args[0].(string)
			f.mu.Lock()
			f.sessions = append(f.sessions, s)
			n = len(f.sessions)
			f.mu.Unlock()
			if f.refuse != nil {
				if no := f.refuse(s.connect.App, s.name); no != nil {
					_ = c.WriteStatus(1, no.Level, no.Code, no.Description)
					return c.Flush()
				}
			}
			err = c.WriteStatus(1, "status", rtmp.StatusPublishStart, "")
			if err == nil && f.after != nil {
				err = errors.Join(c.Flush(), f.after(c, n))
			}
		case "play":
			s.name, _ = cmd.Args[0].(string)
			f.mu.Lock()
			s.play = cmd.Args[1:]
			f.sessions = append(f.sessions, s)
			f.mu.Unlock()
			err = errors.Join(c.WriteStatus(1, "status", rtmp.StatusPlayStart, ""), c.Flush())
			if err == nil && f.plays != nil {
				err = f.plays(c)
			}
		case "deleteStream":
			f.mu.Lock()
			s.goodbye = true
			f.mu.Unlock()
		}
		if err = errors.Join(err, c.Flush()); err != nil {
			return err
		}
	}
}

// session returns a copy of the nth session, from 0; nil: there was none yet.
func (f *far) session(n int) *farSession {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n >= len(f.sessions) {
		return nil
	}
	s := *f.sessions[n]
	s.messages = append([]rtmp.Message(nil), s.messages...)
	return &s
}

func (f *far) count() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.sessions) }

// bodies are those of a session's messages, each with its type and time.
func (s *farSession) bodies() (out []string) {
	for _, m := range s.messages {
		out = append(out, fmt.Sprintf("%s %d %q", m.Type, m.Timestamp, m.Payload))
	}
	return out
}

// A near is a stream here, with a push.
type near struct {
	testing.TB
	stream *live.Stream
	logs   *observer.ObservedLogs
	push   *Push
	done   chan struct{}
	stop   func()
}

var (
	avc = &media.Track{Kind: media.Video, Codec: media.CodecH264, LegacyID: 7, Tag: []byte("\x17\x00\x00\x00\x00avcC")}
	aac = &media.Track{Kind: media.Audio, Codec: media.CodecAAC, LegacyID: 10, Tag: []byte("\xaf\x00asc")}
)

// frame is a video packet, a keyframe if named so.
func frame(ms int, key bool) *media.Packet {
	flags := byte(0x27)
	if key {
		flags = 0x17
	}
	return &media.Packet{Track: avc, DTS: time.Duration(ms) * time.Millisecond, Epoch: 1, Keyframe: key, Tag: append([]byte{flags, 1, 0, 0, 0}, fmt.Sprintf("v%d", ms)...)}
}

func sound(ms int) *media.Packet {
	return &media.Packet{Track: aac, DTS: time.Duration(ms) * time.Millisecond, Epoch: 1, Tag: append([]byte{0xaf, 1}, fmt.Sprintf("a%d", ms)...)}
}

func newNear(t testing.TB, remote config.Remote) *near {
	return nearWith(t, config.Push{Remote: remote}, nil)
}

func nearWith(t testing.TB, cfg config.Push, roots *tls.Config) *near {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	n := &near{TB: t, stream: live.NewStream("live", "cam", live.Options{}), logs: logs, done: make(chan struct{})}
	if cfg.Remote.Reconnect == 0 {
		cfg.Remote.Reconnect = 10 * time.Millisecond
	}
	if cfg.Remote.Queue == 0 {
		cfg.Remote.Queue = 10 * time.Second
	}
	cfg.Name = "far"
	var err error
	n.push, err = New(cfg, Options{App: "live", Name: "cam", Stream: n.stream, Log: zap.New(core), Expand: func(p string) string { return map[string]string{"name": "cam", "app": "live"}[p] }, TLS: roots})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// run begins the push, from the first packet on.
func (n *near) run() *near {
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	cur := n.stream.Cursor(live.FromKeyframe, true)
	go func() {
		defer close(n.done)
		if err := n.push.Run(ctx, cur); err != nil {
			n.Error(err)
		}
	}()
	n.Cleanup(func() { stop(); <-n.done })
	return n
}

func (n *near) logged(text string) int {
	count := 0
	for _, e := range n.logs.All() {
		if strings.Contains(fmt.Sprint(e.Message, e.ContextMap()), text) {
			count++
		}
	}
	return count
}

func remote(f *far, path string) config.Remote {
	return config.Remote{URL: value.RTMPURL("rtmp://" + f.address() + path)}
}

var errEnough = io.ErrUnexpectedEOF
