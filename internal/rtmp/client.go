package rtmp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// ClientOptions say how to dial, and what to say in connect. Empty fields mean
// the default.
type ClientOptions struct {
	Options
	TLS     *tls.Config // for rtmps; the server's name is filled in
	Simple  bool        // shake hands without digests
	DialTCP func(ctx context.Context, network, address string) (net.Conn, error)

	App      string // default: the path of the URL, with its query
	TCURL    string // default: the URL
	FlashVer string // default: as ffmpeg says it, "FMLE/3.0 (compatible; rtmpd)"
	SWFURL   string
	PageURL  string

	// Via are the servers that the stream has come through: see Connect.Via.
	Via []string

	// Announce is what connect says of Enhanced RTMP (fourCcList,
	// videoFourCcInfoMap, audioFourCcInfoMap, capsEx). Default: that all of it
	// is understood; empty and not nil: nothing.
	Announce amf.Object
}

// A Client is the connecting side of a Conn. It publishes or plays one stream.
type Client struct {
	*Conn
	// Server is what the server's answer to connect announces of Enhanced RTMP.
	Server Connect
	// StreamID is the message stream that the server has made; 0 before
	// Publish or Play.
	StreamID uint32

	app         string
	name        string
	transaction float64
	early       []Message // media that came before its Play.Start
}

// maxEarly bounds the messages kept while an answer is awaited.
const maxEarly = 64

// Dial connects to the application that rawURL names:
// rtmp[s]://host[:port]/app, and waits for its yes. A *StatusError is a no.
// ctx bounds the dialling only.
func Dial(ctx context.Context, rawURL string, o ClientOptions) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	o.Options = o.Options.withDefaults()
	nc, err := dial(ctx, u, o)
	if err != nil {
		return nil, err
	}
	c := &Client{app: o.App}
	if c.app == "" {
		c.app = strings.TrimPrefix(u.EscapedPath(), "/")
		if u.RawQuery != "" {
			c.app += "?" + u.RawQuery
		}
	}
	if o.TCURL == "" {
		shown := *u
		shown.User = nil // not for the server's logs
		o.TCURL = shown.String()
	}
	if err := c.open(ctx, nc, o); err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	return c, nil
}

// dial makes the connection, with TLS for rtmps.
func dial(ctx context.Context, u *url.URL, o ClientOptions) (net.Conn, error) {
	port := "1935"
	switch u.Scheme {
	case "rtmp":
	case "rtmps":
		port = "443"
	default:
		return nil, fmt.Errorf("%q is no rtmp or rtmps URL", u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	ctx, cancel := context.WithTimeout(ctx, o.HandshakeTimeout)
	defer cancel()
	dialTCP := o.DialTCP
	if dialTCP == nil {
		dialTCP = new(net.Dialer).DialContext
	}
	nc, err := dialTCP(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	noDelay(nc)
	if u.Scheme == "rtmp" {
		return nc, nil
	}
	cfg := &tls.Config{}
	if o.TLS != nil {
		cfg = o.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = u.Hostname()
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("%s: TLS: %w", u.Host, err)
	}
	return tc, nil
}

// open shakes hands and connects to the application.
func (c *Client) open(ctx context.Context, nc net.Conn, o ClientOptions) error {
	stop := interrupt(ctx, nc)
	n, err := handshakeClient(nc, o.Simple, o.HandshakeTimeout)
	if stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	c.Conn = newConn(nc, o.Options, n)
	c.Authorise() // whoever we dial we trust
	object := amf.Object{
		{Name: "app", Value: c.app},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: cmp.Or(o.FlashVer, "FMLE/3.0 (compatible; rtmpd)")},
		{Name: "tcUrl", Value: o.TCURL},
	}
	if o.SWFURL != "" {
		object = append(object, amf.Property{Name: "swfUrl", Value: o.SWFURL})
	}
	if o.PageURL != "" {
		object = append(object, amf.Property{Name: "pageUrl", Value: o.PageURL})
	}
	if len(o.Via) > 0 {
		object = append(object, amf.Property{Name: viaProperty, Value: strings.Join(o.Via, " ")})
	}
	if o.Announce == nil {
		o.Announce = capabilities(CanDecode|CanEncode|CanForward, CapMultitrack|CapModEx)
	}
	object = append(object, o.Announce...)
	result, err := c.call(ctx, "connect", object)
	if err != nil {
		return fmt.Errorf("connect to %q: %w", c.app, err)
	}
	c.Server = serverAnnounces(result)
	if err := c.SetChunkSize(o.ChunkSize); err != nil {
		return err
	}
	return c.Flush()
}

// Publish asks to publish name, which may carry a query, and waits for the
// answer: a *StatusError when it is a no. From then on the caller writes
// messages with StreamID, and reads, or pings stay without an answer.
func (c *Client) Publish(ctx context.Context, name string) error {
	c.name = name
	if err := c.send("releaseStream", nil, name); err != nil {
		return err
	}
	if err := c.send("FCPublish", nil, name); err != nil {
		return err
	}
	if err := c.createStream(ctx); err != nil {
		return err
	}
	c.transaction++
	if err := c.WriteCommand(c.StreamID, "publish", c.transaction, nil, name, "live"); err != nil {
		return err
	}
	if err := c.awaitStatus(ctx, StatusPublishStart); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Play asks to play name live and waits for the answer: a *StatusError when it
// is a no. ReadMessage returns what is played.
func (c *Client) Play(ctx context.Context, name string) error {
	return c.play(ctx, name, time.Second, -2.0) // the live stream, or a recorded one of that name
}

// PlaySpan is Play from start for a duration (RTMP 1.0 §7.2.2.1), in the unit that
// the server wants; buffer is what the server is told that the client keeps.
func (c *Client) PlaySpan(ctx context.Context, name string, buffer time.Duration, start, duration float64) error {
	return c.play(ctx, name, buffer, start, duration)
}

func (c *Client) play(ctx context.Context, name string, buffer time.Duration, span ...amf.Value) error {
	if err := c.createStream(ctx); err != nil {
		return err
	}
	c.transaction++
	args := append([]amf.Value{nil, name}, span...)
	if err := c.WriteCommand(c.StreamID, "play", c.transaction, args...); err != nil {
		return err
	}
	if err := c.WriteUserControl(BufferLength, c.StreamID, uint32(buffer.Milliseconds())); err != nil {
		return err
	}
	if err := c.awaitStatus(ctx, StatusPlayStart); err != nil {
		return fmt.Errorf("play: %w", err)
	}
	return nil
}

// Unpublish says that the stream ends here, as encoders do before they close.
func (c *Client) Unpublish() error {
	if err := c.send("FCUnpublish", nil, c.name); err != nil {
		return err
	}
	if err := c.send("deleteStream", nil, float64(c.StreamID)); err != nil {
		return err
	}
	return c.Flush()
}

// ReadMessage is Conn.ReadMessage, with what came while Play was waiting.
func (c *Client) ReadMessage() (Message, error) {
	if len(c.early) > 0 {
		m := c.early[0]
		c.early = c.early[1:]
		return m, nil
	}
	return c.Conn.ReadMessage()
}

// send buffers a command of the connection with the next transaction.
func (c *Client) send(name string, args ...amf.Value) error {
	c.transaction++
	return c.WriteCommand(0, name, c.transaction, args...)
}

// call sends a command and waits for its _result.
func (c *Client) call(ctx context.Context, name string, args ...amf.Value) (Command, error) {
	if err := c.send(name, args...); err != nil {
		return Command{}, err
	}
	transaction := c.transaction
	return c.await(ctx, func(cmd Command) (bool, error) {
		switch cmd.Name {
		case "_result":
			return cmd.Transaction == transaction, nil
		case "_error":
			// To releaseStream and FCPublish some servers say no; it means nothing.
			if cmd.Transaction == transaction {
				return false, statusOf(cmd)
			}
		case "onStatus", "close":
			if s := statusOf(cmd); cmd.Name == "close" || s.Level == "error" {
				return false, s
			}
		}
		return false, nil
	})
}

func (c *Client) createStream(ctx context.Context) error {
	cmd, err := c.call(ctx, "createStream", nil)
	if err != nil {
		return fmt.Errorf("createStream: %w", err)
	}
	if len(cmd.Args) > 0 {
		id, _ := cmd.Args[0].(float64)
		c.StreamID = toUint32(id)
	}
	if c.StreamID == 0 {
		return errors.New("createStream: the answer names no stream")
	}
	return nil
}

// awaitStatus waits for an onStatus with code.
func (c *Client) awaitStatus(ctx context.Context, code string) error {
	_, err := c.await(ctx, func(cmd Command) (bool, error) {
		if cmd.Name != "onStatus" && cmd.Name != "_error" && cmd.Name != "close" {
			return false, nil
		}
		s := statusOf(cmd)
		if cmd.Name == "onStatus" && s.Code == code {
			return true, nil
		}
		if s.Level == "error" || cmd.Name != "onStatus" {
			return false, s
		}
		return false, nil // Play.Reset and other good news
	})
	return err
}

// await sends what is buffered and reads until done says so of a command.
func (c *Client) await(ctx context.Context, done func(Command) (bool, error)) (Command, error) {
	stop := interrupt(ctx, c.nc)
	cmd, err := c.awaitCommand(done)
	if stop() && err != nil {
		err = context.Cause(ctx)
	}
	c.idle.deadline = time.Time{} // interrupt has undone it
	return cmd, err
}

func (c *Client) awaitCommand(done func(Command) (bool, error)) (Command, error) {
	if err := c.Flush(); err != nil {
		return Command{}, err
	}
	for {
		m, err := c.Conn.ReadMessage()
		if err != nil {
			return Command{}, err
		}
		if m.Type != TypeCommandAMF0 && m.Type != TypeCommandAMF3 {
			if len(c.early) < maxEarly {
				c.early = append(c.early, m)
			}
			continue
		}
		cmd, err := ParseCommand(m)
		if err != nil {
			return Command{}, fmt.Errorf("command: %w", err)
		}
		if ok, err := done(cmd); ok || err != nil {
			return cmd, err
		}
	}
}

// interrupt makes nc's reads and writes fail once ctx ends. stop undoes it and
// reports whether ctx has ended.
func interrupt(ctx context.Context, nc net.Conn) (stop func() bool) {
	ended := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		_ = nc.SetDeadline(time.Unix(1, 0))
		close(ended)
	})
	return func() bool {
		if cancel() {
			_ = nc.SetReadDeadline(time.Time{})
			return false
		}
		<-ended
		_ = nc.SetDeadline(time.Time{})
		return true
	}
}
