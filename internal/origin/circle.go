package origin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// A push may lead back to the stream that it comes from, through other servers, and
// a pull too. Each rtmpd that relays a stream adds a mark of it (rtmp.Connect.Via)
// to those that came with it.

// mark stands for a stream of this process among those of all servers. It tells
// nothing about it.
func (a *Application) mark(name string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", a.origin.identity, a.id, name))
	return hex.EncodeToString(sum[:8])
}

// inCircle is the refusal of what has come through the stream called name already.
func (a *Application) inCircle(via []string, name string) error {
	if len(via) > 0 && slices.Contains(via, a.mark(name)) {
		return &Refusal{RuleName, "this stream goes in a circle: a push or pull leads back to where it comes from"}
	}
	return nil
}

// via are the marks that go with the stream to another server.
func (st *Stream) via() []string {
	var before []string
	if p := st.cameBy.Load(); p != nil {
		before = *p
	}
	return append(slices.Clone(before), st.app.mark(st.name))
}
