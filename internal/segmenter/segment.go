package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Segment is a run of packets that becomes one fragment. Until it is written
// it holds the stream's own packets, not copies.
type Segment struct {
	packets []*media.Packet // in order of arrival
	bytes   int64           // payload
	held    int64           // memory
	headers media.HeaderLedger
	Tracks  [2]*media.Track // by media.Kind; nil when it has none of that kind
	Frames  int             // video

	// Start and duration are on the stream's timeline, in whole
	// milliseconds: EXTINF has three decimals, so nothing is lost by rounding.
	Start, Duration time.Duration
	end             time.Duration // where its newest media ends
	head            time.Duration // where its newest packet is on the fragments' clock
	Discontinuity   bool
	Independent     bool          // its first video frame is a keyframe, or it has none
	loose           bool          // it began with audio, and start is by the audio's clock
	audioShift      time.Duration // to be added to audio timestamps

	Timestamp uint32    // the publisher's clock at the first packet, ms
	Opened    time.Time // wall clock when the first packet was read
	// Delay is the smallest difference seen between arrival (since the packager
	// began, on the monotonic clock) and timeline: that of the packet that was
	// delayed least.
	Delay time.Duration
}

// shifted returns the packet's decoding time on the stream's timeline.
func (g *Segment) shifted(p *media.Packet) time.Duration {
	if p.Track.Kind == media.Audio {
		return p.DTS + g.audioShift
	}
	return p.DTS
}

const (
	// frameGuess is taken for a frame's duration before two were seen.
	frameGuess = 40 * time.Millisecond
	// maxFrame bounds the duration a frame may be taken to have.
	maxFrame = time.Second
)

// A clockHand is where one kind of media stands on the timeline.
type trackClock struct {
	known     bool          // something was admitted since the timeline began
	t         time.Duration // DTS of the newest packet
	step      time.Duration // between the last two
	idle      time.Duration // how far the other kind has gone on since
	leftovers int           // packets in a row that did not fit and were dropped
}

func (h *trackClock) end() time.Duration {
	if h.step == 0 {
		return h.t + frameGuess
	}
	return h.t + h.step
}

func (h *trackClock) move(t time.Duration) {
	if h.known {
		if d := t - h.t; d > 0 && d <= maxFrame {
			h.step = d
		}
	}
	h.t, h.known, h.idle, h.leftovers = t, true, 0, 0
}
