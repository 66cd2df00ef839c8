package rtmp

import (
	"bytes"
	"io"
	"net"
	"testing"

	gortmp "github.com/yutopp/go-rtmp"
	gomessage "github.com/yutopp/go-rtmp/message"
)

// go-rtmp is an implementation that is not ours. It is a peer in tests and
// nothing else.

func TestGoRTMPPublishesToUs(t *testing.T) {
	s := startServer(t, Options{})
	client, err := gortmp.Dial("rtmp", s.url[len("rtmp://"):], &gortmp.ConnConfig{})
	if err != nil {
		t.Fatal(err) // its handshake verifies the echo in S2
	}
	defer client.Close()
	if err := client.Connect(&gomessage.NetConnectionConnect{Command: gomessage.NetConnectionConnectCommand{App: "live"}}); err != nil {
		t.Fatal(err)
	}
	stream, err := client.CreateStream(nil, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Publish(&gomessage.NetStreamPublish{PublishingName: "test", PublishingType: "live"}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		payload := bytes.NewReader(bytes.Repeat([]byte{byte(i + 1)}, 1+i*1000))
		if i%2 == 0 {
			err = stream.Write(6, uint32(i*40), &gomessage.VideoMessage{Payload: payload})
		} else {
			err = stream.Write(4, uint32(i*40), &gomessage.AudioMessage{Payload: payload})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		m := <-s.media
		kind := TypeVideo
		if i%2 == 1 {
			kind = TypeAudio
		}
		if m.Type != kind || m.Timestamp != uint32(i*40) || !bytes.Equal(m.Payload, bytes.Repeat([]byte{byte(i + 1)}, 1+i*1000)) {
			t.Errorf("message %d: %s at %d, %d bytes", i, m.Type, m.Timestamp, len(m.Payload))
		}
	}
}

// goServer takes what is published to go-rtmp's server.
type goServer struct {
	gortmp.DefaultHandler
	published chan string
	media     chan Message
}

func (g *goServer) OnPublish(_ *gortmp.StreamContext, _ uint32, cmd *gomessage.NetStreamPublish) error {
	g.published <- cmd.PublishingName
	return nil
}

func (g *goServer) OnVideo(timestamp uint32, payload io.Reader) error {
	b, err := io.ReadAll(payload)
	g.media <- Message{Type: TypeVideo, Timestamp: timestamp, Payload: b}
	return err
}

func (g *goServer) OnAudio(timestamp uint32, payload io.Reader) error {
	b, err := io.ReadAll(payload)
	g.media <- Message{Type: TypeAudio, Timestamp: timestamp, Payload: b}
	return err
}

func TestWePublishToGoRTMP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &goServer{published: make(chan string, 1), media: make(chan Message, 100)}
	srv := gortmp.NewServer(&gortmp.ServerConfig{OnConnect: func(nc net.Conn) (io.ReadWriteCloser, *gortmp.ConnConfig) {
		return nc, &gortmp.ConnConfig{Handler: g}
	}})
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })

	ctx := testContext(t)
	// It verifies that C2 echoes S1, which a digest handshake does not.
	c, err := Dial(ctx, "rtmp://"+ln.Addr().String()+"/live", ClientOptions{Simple: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Publish(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	if got := <-g.published; got != "test" {
		t.Errorf("published %q, want test", got)
	}
	var want []Message
	for i := range 20 {
		m := Message{Type: TypeVideo, ChunkStreamID: csidVideo, StreamID: c.StreamID, Timestamp: uint32(i * 40), Payload: bytes.Repeat([]byte{byte(i)}, 1+i*10000)}
		if i%2 == 1 {
			m.Type, m.ChunkStreamID = TypeAudio, csidAudio
		}
		want = append(want, m)
		if err := c.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		m := <-g.media
		if m.Type != w.Type || m.Timestamp != w.Timestamp || !bytes.Equal(m.Payload, w.Payload) {
			t.Errorf("message %d: %s at %d, %d bytes", i, m.Type, m.Timestamp, len(m.Payload))
		}
	}
}
