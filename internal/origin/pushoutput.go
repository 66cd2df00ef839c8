package origin

import (
	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/relay"
)

var pushKind = OutputKind{
	Name:   "push",
	Remote: true,
	Blocks: func(a *config.Application, stream string) map[string]any {
		all := make(map[string]any, len(a.Pushes))
		for _, p := range a.Pushes {
			if p.Remote.Streams.Match(stream) {
				all[p.Name] = p
			}
		}
		return all
	},
	Open: func(st *Stream, block any) (Output, error) {
		return relay.New(block.(config.Push), relay.Options{
			App: st.app.name, Name: st.name, Stream: st.live, Log: st.log(), Expand: st.placeholder,
		})
	},
}
