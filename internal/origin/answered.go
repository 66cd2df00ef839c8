package origin

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// on_publish and on_play may answer with the URL of a stream on another server. That
// makes a push, or a pull, as if there were one more block in the configuration.

const (
	// The labels of these blocks. A push that the configuration calls so has another
	// label beside it.
	answeredPushLabel = "on_publish"
	answeredPullLabel = "on_play"

	// The defaults of push and pull blocks.
	answeredReconnect = 3 * time.Second
	answeredQueue     = 10 * time.Second
)

func answeredRemote(url value.RTMPURL) config.Remote {
	return config.Remote{URL: url, Reconnect: answeredReconnect, Queue: answeredQueue}
}

// answeredPull asks for a live stream or a file, as nginx-rtmp does (start -2000).
func answeredPull(from value.RTMPURL) config.Pull {
	return config.Pull{Name: answeredPullLabel, Remote: answeredRemote(from)}
}

// withAnswer is cfg with the push that on_publish has answered for the stream, if it
// has, and those that were begun by hand.
func (st *Stream) withAnswer(cfg *config.Application) *config.Application {
	if more := st.byHand.Load(); more != nil && len(*more) > 0 {
		with := *cfg
		with.Pushes = slices.Concat(cfg.Pushes, *more)
		cfg = &with
	}
	to := st.answeredPush()
	if to == "" {
		return cfg
	}
	label := answeredPushLabel
	for slices.ContainsFunc(cfg.Pushes, func(p config.Push) bool { return p.Name == label }) {
		label += " answer"
	}
	more := *cfg
	more.Pushes = append(slices.Clone(cfg.Pushes), config.Push{Name: label, Remote: answeredRemote(to)})
	return &more
}

// answeredPush is where on_publish has said that the stream is pushed to; empty:
// nowhere.
func (st *Stream) answeredPush() value.RTMPURL {
	if to := st.pushTo.Load(); to != nil {
		return *to
	}
	return ""
}
