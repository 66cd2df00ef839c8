package live

import (
	"bytes"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Metadata is the publisher's onMetaData. It is immutable.
type Metadata struct {
	Raw     []byte // AMF0: the data message from "onMetaData" on
	Version uint64 // from 1; another one whenever Raw differs
}

// SetMetadata stores raw, which must not be changed afterwards. Identical bytes keep
// the version.
func (s *Stream) SetMetadata(raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &Metadata{Raw: raw, Version: 1}
	if old := s.metadata.Load(); old != nil {
		if bytes.Equal(old.Raw, raw) {
			return
		}
		next.Version = old.Version + 1
	}
	s.metadata.Store(next)
}

// Metadata returns the newest metadata, nil before the first.
func (s *Stream) Metadata() *Metadata { return s.metadata.Load() }

// A Snapshot is a stream at one moment; its figures belong together.
type Snapshot struct {
	App, Name             string
	Created               time.Time
	FirstWrite, LastWrite time.Time // zero before the first packet

	// Bytes of message bodies of all publishers since the stream was created.
	BytesIn, AudioBytes, VideoBytes  uint64
	Packets, VideoPackets, Keyframes uint64
	Skipped                          uint64 // passed over by lapped cursors, all together

	BwIn, BwAudio, BwVideo uint64 // bits/s over the last 10 whole seconds

	Epoch     uint32
	Timestamp uint32 // the newest packet's RTMP timestamp, ms
	// The same of video and audio; 0 before the first.
	VideoTimestamp, AudioTimestamp uint32
	LastDTS                        time.Duration // the newest packet's

	Video, Audio *media.Track // nil when absent
	Metadata     *Metadata    // nil when none came

	Cursors   int   // subscribed
	Held      int   // packets in the ring
	HeldBytes int64 // of memory, about
}

// Snapshot reports the stream's counters.
func (s *Stream) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.count
	out := Snapshot{
		App: s.app, Name: s.name, Created: s.created,
		BytesIn: c.bytes[totalBytes], AudioBytes: c.bytes[audioBytes], VideoBytes: c.bytes[videoBytes],
		Packets: c.packets, VideoPackets: c.videoPackets, Keyframes: c.keyframes,
		Skipped: c.skipped,
		Epoch:   s.epoch, Timestamp: c.timestamp, LastDTS: c.dts,
		VideoTimestamp: c.at[media.Video], AudioTimestamp: c.at[media.Audio],
		Video: s.tracks[media.Video], Audio: s.tracks[media.Audio],
		Metadata: s.metadata.Load(),
		Cursors:  s.cursors,
		Held:     int(s.ring.head - s.ring.tail), HeldBytes: s.ring.bytes,
	}
	if c.packets > 0 {
		out.FirstWrite, out.LastWrite = s.created.Add(c.first), s.created.Add(c.last)
	}
	rates := c.rates(time.Since(s.created))
	out.BwIn, out.BwAudio, out.BwVideo = rates[totalBytes], rates[audioBytes], rates[videoBytes]
	return out
}

// What is counted in bytes, and in bits/s.
const (
	totalBytes = iota
	audioBytes
	videoBytes
	byteKinds
)

// window is how many seconds a bit rate is the mean of, as in nginx-rtmp; it
// slides by the second where nginx-rtmp's jumps.
const window = 10

// counters are a stream's figures. Times are since the stream was created.
type counters struct {
	bytes                                     [byteKinds]uint64
	packets, videoPackets, keyframes, skipped uint64
	timestamp                                 uint32
	at                                        [2]uint32 // timestamp of video and audio
	dts                                       time.Duration
	first, last                               time.Duration // when the first and the last packet came

	// seconds holds the bytes of each of the last seconds, the present one
	// included, at second modulo its length.
	seconds [window + 1][byteKinds]uint64
}

func (c *counters) add(p *media.Packet, now time.Duration) {
	if c.packets == 0 {
		c.first, c.last = now, now
	}
	second := int64(now / time.Second)
	for i, stale := int64(c.last/time.Second)+1, 0; i <= second && stale < len(c.seconds); i, stale = i+1, stale+1 {
		c.seconds[(second-int64(stale))%int64(len(c.seconds))] = [byteKinds]uint64{}
	}
	c.last = now
	c.packets++
	c.timestamp, c.dts = p.Timestamp, p.DTS
	kind := totalBytes
	if p.Track.Kind <= media.Audio {
		c.at[p.Track.Kind] = p.Timestamp
	}
	switch p.Track.Kind {
	case media.Video:
		kind = videoBytes
		c.videoPackets++
		if p.Keyframe {
			c.keyframes++
		}
	case media.Audio:
		kind = audioBytes
	}
	n := uint64(max(len(p.Tag), len(p.Data)))
	bucket := &c.seconds[second%int64(len(c.seconds))]
	c.bytes[totalBytes] += n
	bucket[totalBytes] += n
	if kind != totalBytes {
		c.bytes[kind] += n
		bucket[kind] += n
	}
}

// rates is the mean of the last whole seconds, of at most window and of none
// before the first packet's.
func (c *counters) rates(now time.Duration) (bits [byteKinds]uint64) {
	if c.packets == 0 {
		return bits
	}
	present := int64(now / time.Second)
	from := max(present-window, int64(c.first/time.Second))
	for second := from; second < present && second <= int64(c.last/time.Second); second++ {
		for kind, n := range c.seconds[second%int64(len(c.seconds))] {
			bits[kind] += n * 8
		}
	}
	if span := present - from; span > 0 {
		for kind := range bits {
			bits[kind] /= uint64(span)
		}
	}
	return bits
}
