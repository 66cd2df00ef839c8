package origin

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/hooks"
)

// placeholder returns what $name stands for in a block at work on st: the stream,
// its last publisher, and the time.
func (st *Stream) placeholder(name string) string {
	v := st.values()
	return v.Value(name, time.Now())
}

// values are what the placeholders stand for but for the time.
func (st *Stream) values() hooks.Values {
	v := hooks.Values{Session: hooks.Session{App: st.app.name}}
	if n := st.hooks.Load(); n != nil {
		v = n.values()
	}
	v.Name = st.name
	return v
}
