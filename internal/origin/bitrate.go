package origin

import (
	"context"
	"fmt"
	"time"
)

// A rateWindow is what a publisher sent in the last rateSpan seconds.
type rateWindow struct {
	samples [rateSpan + 1]uint64 // bytes received, a sample a second; a ring
	n       int                  // samples taken
}

const (
	// rateSpan is the window in seconds: encoders overshoot for a scene, and
	// catch up after a hiccup of the network.
	rateSpan = 10
	// rateTolerance is what may come on top, in percent: bit rates are set for
	// the coder, and the container and the protocol add to it.
	rateTolerance = 10
)

// add takes the bytes received until now and reports those of the window.
func (w *rateWindow) add(total uint64) (bytes uint64) {
	w.samples[w.n%len(w.samples)] = total
	w.n++
	return total - w.samples[max(w.n-len(w.samples), 0)%len(w.samples)]
}

// exceeds says whether so many bytes in the window are more than limit bits/s
// allow. A publisher may send them all at once: the window is counted as whole
// from its first moment.
func exceeds(bytes uint64, limit int64) bool {
	return limit > 0 && float64(bytes)*8*100 > float64(limit)*rateSpan*(100+rateTolerance)
}

// watchBitrates holds publishers to max_bitrate until ctx ends. It looks once a
// second, whatever they send: nothing is counted on the way of a packet.
func (og *Origin) watchBitrates(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	windows := make(map[*Publication]*rateWindow)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		windows = og.checkBitrates(windows)
	}
}

// checkBitrates takes a sample of every publisher with a limit. It returns the
// windows of those that are still there.
func (og *Origin) checkBitrates(windows map[*Publication]*rateWindow) map[*Publication]*rateWindow {
	next := make(map[*Publication]*rateWindow, len(windows))
	og.EachStream(func(st *Stream) {
		rules := st.app.rules.Load()
		limit := rules.cfg.For(st.name).MaxBitrate
		if limit == 0 && (rules.keys == nil || !rules.keys.limited) {
			return
		}
		st.app.mu.Lock()
		p, before := st.publication, st.before
		st.app.mu.Unlock()
		if limit = rules.keys.bitrateOf(p, limit); p == nil || limit == 0 {
			return
		}
		w := windows[p]
		if w == nil {
			w = &rateWindow{}
			if time.Since(time.Unix(0, st.publishedAt.Load())) < 2*time.Second {
				w.add(before) // else the limit is newer than the publisher
			}
		}
		next[p] = w
		if exceeds(w.add(p.publisher.Describe().BytesIn), int64(limit)) {
			p.publisher.Kick(Reason{RuleDenied, fmt.Sprintf("max_bitrate = %s exceeded over %d s", limit, rateSpan)})
		}
	})
	return next
}
