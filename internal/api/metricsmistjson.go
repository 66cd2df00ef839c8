package api

import (
	"encoding/json"
	"net/http"
	"strings"
)

// A mistJSON is what MistServer answers at /PASSPHRASE.json. Lists are of viewers,
// incoming, outgoing and other sessions, or of bytes up and down.
type mistJSON struct {
	CPU      int64  `json:"cpu"`
	MemTotal uint64 `json:"mem_total"`
	MemUsed  uint64 `json:"mem_used"`
	ShmTotal uint64 `json:"shm_total"`
	ShmUsed  uint64 `json:"shm_used"`
	Logs     uint64 `json:"logs"`

	Current   [5]int    `json:"curr"` // and those that are kept for a verdict
	Total     [4]uint64 `json:"tot"`
	Network   [2]uint64 `json:"st"`
	Bytes     [2]uint64 `json:"bw"`
	Exempt    [2]uint64 `json:"obw"`
	Packets   [3]uint64 `json:"pkts"`
	Bandwidth int64     `json:"bwlimit"`

	Triggers map[string]mistTrigger    `json:"triggers"`
	Streams  map[string]mistStreamJSON `json:"streams"`
	Outputs  map[string]int            `json:"output_counts"`

	Configured []string          `json:"conf_streams"`
	Tags       []string          `json:"tags"`
	URLs       map[string]string `json:"outputs"`
}

type mistTrigger struct {
	Count uint64 `json:"count"`
	MS    int64  `json:"ms"`
	Fails uint64 `json:"fails"`
}

type mistStreamJSON struct {
	Total   [4]int    `json:"tot"`
	Bytes   [2]uint64 `json:"bw"`
	Current [4]int    `json:"curr"`
	Packets [3]uint64 `json:"pkts"`
}

// wantsMistJSON reports whether a scrape is of MistServer's JSON: the location has the
// passphrase as its name, and .json behind it.
func (c *Collector) wantsMistJSON(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, ".json") && c.settings().Mist
}

// serveMistJSON answers as MistServer does, with the figures of a scrape.
func (c *Collector) serveMistJSON(w http.ResponseWriter) {
	c.mu.Lock()
	s, settings := c.take(), c.settings()
	own, _ := split(s, settings.Streams)
	f := c.mist.figures(s, own)
	c.mu.Unlock()
	h := f.host
	out := mistJSON{
		CPU: int64(f.cpu), MemTotal: h.MemTotal / 1024, MemUsed: h.MemUsed / 1024, ShmTotal: h.ShmTotal / 1024, ShmUsed: h.ShmUsed / 1024, Logs: f.logs,
		Current: [5]int{f.now.viewers, f.now.publishers, f.now.pushes}, Total: [4]uint64{s.Played + s.Viewed, s.Published, f.pushed},
		Network: [2]uint64{h.NetworkOut, h.NetworkIn}, Bytes: [2]uint64{f.out, f.in}, Bandwidth: f.limit,
		Triggers: make(map[string]mistTrigger), Streams: make(map[string]mistStreamJSON), Outputs: f.outputs,
		Configured: []string{}, Tags: []string{}, URLs: map[string]string{},
	}
	for _, t := range s.Hooks {
		out.Triggers[t.Name] = mistTrigger{t.Calls, t.Took.Milliseconds(), t.Failed}
	}
	for name, x := range f.streams {
		out.Streams[label(name)] = mistStreamJSON{
			Total: [4]int{x.viewed, x.publishers, x.pushes}, Current: [4]int{x.viewers, x.publishers, x.pushes}, Bytes: [2]uint64{x.out, x.in},
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err) // numbers and names
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}
