package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Segment is a run of packets that becomes one file.
type Segment struct {
	packets []*media.Packet // in order of arrival
	bytes   int64           // of payload
	held    int64           // bytes of memory
	headers media.HeaderLedger
	Tracks  [2]*media.Track // by media.Kind; nil: no track of that kind
	Frames  int             // of video
	// Captions are those of the pictures.
	Captions media.Captions

	// Start and duration are on the stream's timeline, in whole
	// milliseconds: EXTINF has three decimals, so nothing is lost by rounding.
	Start, Duration time.Duration
	end             time.Duration // where its newest media ends: Segmenter.end
	head            time.Duration // where its newest packet is: timeline.head
	Discontinuity   bool
	Fixed           bool          // parts of it are written: it can't become a discontinuity any more
	Independent     bool          // its first video frame is a keyframe, or it has none
	keyNext         bool          // the next segment begins with a keyframe
	loose           bool          // it began with audio: Start is an audio timestamp
	audioShift      time.Duration // is added to audio timestamps

	Timestamp uint32    // RTMP timestamp of the first packet, in ms
	Opened    time.Time // wall clock when the first packet was read
	// Delay is the smallest difference between arrival (elapsed in Push) and timeline:
	// that of the packet that was delayed least.
	Delay time.Duration
}

// Lasts is how long the segment is so far, while it is open.
func (g *Segment) Lasts() time.Duration { return max(g.head-g.Start, 0) }

// shifted returns the packet's decoding time on the stream's timeline.
func (g *Segment) shifted(p *media.Packet) time.Duration {
	if p.Track.Kind == media.Audio {
		return p.DTS + g.audioShift
	}
	return p.DTS
}

const (
	// frameGuess is the duration of a frame before a second one came.
	frameGuess = 40 * time.Millisecond
	// maxFrame is the longest duration that is assumed for a frame.
	maxFrame = time.Second
)

// A trackClock is where audio, or video, is on the timeline.
type trackClock struct {
	known     bool          // a packet came since the timeline began
	t         time.Duration // DTS of the newest packet
	step      time.Duration // between the last two
	idle      time.Duration // duration of the other track that arrived since
	leftovers int           // packets in a row that were dropped
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
