package packager

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// A codecFilter decides which of a stream's tracks go into its segments. It logs once
// for each codec that can't.
type codecFilter struct {
	log    *zap.Logger
	format string          // of the segments, in log lines
	newest [2]*media.Track // the newest of each kind
	takes  [2]bool
	warned map[media.Codec]bool
}

// carries says whether packets of t go into segments. It is called for every packet.
func (c *codecFilter) carries(t *media.Track, by segmenter.Container) bool {
	if t.Kind > media.Audio || t.ID != 0 {
		return false // data, or another track of a multitrack stream
	}
	if c.newest[t.Kind] == t {
		return c.takes[t.Kind]
	}
	ok := by.Carries(t)
	c.newest[t.Kind], c.takes[t.Kind] = t, ok
	// Without a sequence header nothing can be said but that, which the
	// publisher's log line does.
	if !ok && t.HasHeader() && !c.warned[t.Codec] {
		if c.warned == nil {
			c.warned = make(map[media.Codec]bool)
		}
		c.warned[t.Codec] = true
		lack, use := "HLS viewers see nothing", "H.264"
		if t.Kind == media.Audio {
			lack, use = "HLS viewers hear nothing", "AAC"
		}
		c.log.Warn(fmt.Sprintf("%s: %s fragments can't carry %s; send %s", lack, c.format, t.CodecName(), use))
	}
	return ok
}
