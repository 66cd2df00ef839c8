package live

import (
	"context"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const packetOverhead = media.PacketOverhead

// A feed makes packets of one publisher.
type feed struct {
	video, audio *media.Track
	epoch        uint32
	dts          time.Duration
}

func newFeed() *feed {
	return &feed{
		video: &media.Track{Kind: media.Video, Codec: media.CodecH264},
		audio: &media.Track{Kind: media.Audio, Codec: media.CodecAAC},
		epoch: 1,
	}
}

func (f *feed) packet(t *media.Track, keyframe bool, size int) *media.Packet {
	f.dts += 20 * time.Millisecond
	return &media.Packet{
		Track: t, DTS: f.dts, Epoch: f.epoch, Keyframe: keyframe,
		Timestamp: uint32(f.dts / time.Millisecond), Tag: make([]byte, size),
	}
}

func (f *feed) key() *media.Packet   { return f.packet(f.video, true, 100) }
func (f *feed) inter() *media.Packet { return f.packet(f.video, false, 100) }
func (f *feed) sound() *media.Packet { return f.packet(f.audio, false, 100) }

// gop writes a keyframe and n other frames and returns them.
func (f *feed) gop(s *Stream, n int) (out []*media.Packet) {
	out = append(out, f.key())
	for range n {
		out = append(out, f.inter())
	}
	for _, p := range out {
		s.Write(p)
	}
	return out
}

// now is a context that ends after Next has looked once, so that Next returns
// context.Canceled instead of blocking.
type now struct {
	context.Context
	looked bool
}

func (n *now) Done() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (n *now) Err() error {
	if n.looked {
		return context.Canceled
	}
	n.looked = true
	return nil
}

// poll is Next without blocking: without new packets it returns none and no error.
func poll(c *Cursor, buf []*media.Packet) (n int, skipped uint64, err error) {
	n, skipped, err = c.Next(&now{Context: context.Background()}, buf)
	if err == context.Canceled {
		err = nil
	}
	return n, skipped, err
}

// read polls up to 1000 packets; eof says that the stream is over.
func read(t testing.TB, c *Cursor) (packets []*media.Packet, skipped uint64, eof bool) {
	t.Helper()
	buf := make([]*media.Packet, 7)
	for len(packets) < 1000 {
		n, s, err := poll(c, buf)
		skipped += s
		packets = append(packets, buf[:n]...)
		if n == 0 {
			return packets, skipped, err != nil
		}
	}
	t.Fatal("the cursor does not come to an end")
	return nil, 0, false
}
