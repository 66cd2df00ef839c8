//go:build !linux

package fanout

func newSink(p *Player) sink { return newConnSink(p) }

// A poller has nothing to poll here: every player has its own goroutine.
type poller struct{}

func newPoller() *poller            { return &poller{} }
func (*poller) remove(*Player)      {}
func (*poller) ready(func(*Player)) {}
func (*poller) close()              {}
