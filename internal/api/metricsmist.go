package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rtmpd/rtmpd/internal/output"
)

// Host holds figures of the machine; zero: unknown.
type Host struct {
	CPUBusy, CPUTotal     uint64 // ticks of all cores since boot
	MemTotal, MemUsed     uint64 // bytes
	ShmTotal, ShmUsed     uint64 // bytes of shared memory
	NetworkIn, NetworkOut uint64 // bytes in and out of all interfaces but loopback
}

// mist renders metrics under MistServer's names, so that its dashboards work. All are
// untyped: some are named like counters and are none, or the other way round.
type mist struct {
	descs map[string]*prometheus.Desc
	host  func() Host

	before Host
	cpu    float64 // tenths of a percent of all cores, between the last two scrapes
	at     time.Time
	// viewing holds the seconds viewed, of each stream and of all. MistServer counts
	// them each second; here they are computed at each scrape.
	viewing map[string]float64
	all     float64
	pushed  uint64 // the most pushes at a time: MistServer counts those there have been
}

// mistFamilies are MistServer's metrics. Some are always the same here: the kernel counts
// the packets of TCP, and nothing is exempt from a limit.
var mistFamilies = []family{
	{"mist_logs", "Lines written to the log since the start.", nil},
	{"mist_cpu", "CPU in use on the machine, in tenths of a percent.", nil},
	{"mist_mem_total", "Memory of the machine, in KiB.", nil},
	{"mist_mem_used", "Memory in use on the machine, in KiB.", nil},
	{"mist_shm_total", "Shared memory of the machine, in KiB.", nil},
	{"mist_shm_used", "Shared memory in use on the machine, in KiB.", nil},
	{"mist_viewseconds_total", "Seconds that viewers have watched, since metrics are scraped.", nil},
	{"mist_sessions_count", "Sessions since the start.", []string{"sessType"}},
	{"mist_sessions_total", "Sessions now.", []string{"sessType"}},
	{"mist_outputs", "Viewers now, by protocol.", []string{"output"}},
	{"mist_bw_total", "Bytes sent and received since the start.", []string{"direction"}},
	{"stat_bw_total", "Bytes sent and received by the machine since its start, loopback left out.", []string{"direction"}},
	{"mist_bw_other", "Bytes that no limit counts: none.", []string{"direction"}},
	{"mist_bw_limit", "What the server may send, in bytes a second; MistServer's default without a limit.", nil},
	{"mist_packets_total", "Packets by what became of them; always 0: RTMP and HTTP are TCP.", []string{"pkttype"}},
	{"mist_sessions", "Sessions of the stream now.", []string{"stream", "sessType"}},
	{"mist_viewcount", "Viewers that the stream has had.", []string{"stream"}},
	{"mist_viewseconds", "Seconds that viewers have watched of the stream, since metrics are scraped.", []string{"stream"}},
	{"mist_bw", "Bytes of the stream sent and received.", []string{"stream", "direction"}},
	{"mist_packets", "Packets of the stream by what became of them; always 0.", []string{"stream", "pkttype"}},
	{"mist_trigger_count", "Calls of the hook.", []string{"trigger"}},
	{"mist_trigger_time", "Milliseconds that calls of the hook took.", []string{"trigger"}},
	{"mist_trigger_fails", "Calls of the hook that got no answer.", []string{"trigger"}},
}

func newMist(host func() Host) *mist {
	m := &mist{descs: make(map[string]*prometheus.Desc), host: host, viewing: make(map[string]float64)}
	for _, f := range mistFamilies {
		m.descs[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return m
}

// mistLimit is MistServer's bw_limit without a configured one, in bytes a second.
const mistLimit = 128 << 20

// mistFigures are what MistServer's names stand for, of one scrape.
type mistFigures struct {
	host    Host
	cpu     float64
	logs    uint64
	now     mistStream // of all streams
	pushed  uint64
	in, out uint64
	limit   int64
	outputs map[string]int         // viewers by protocol
	streams map[string]*mistStream // that have series of their own, by APP/NAME
}

// figures makes them of a snapshot. own are the streams that have series of their own.
func (m *mist) figures(s *Snapshot, own []placed) mistFigures {
	f := mistFigures{host: m.host(), limit: mistLimit, outputs: map[string]int{"RTMP": 0, "HLS": 0}, streams: make(map[string]*mistStream, len(own))}
	if h := f.host; h.CPUTotal > m.before.CPUTotal {
		m.cpu = 1000 * float64(h.CPUBusy-m.before.CPUBusy) / float64(h.CPUTotal-m.before.CPUTotal)
		m.before = h
	}
	f.cpu = m.cpu
	for _, l := range s.Logged {
		f.logs += l.Lines
	}
	for _, l := range s.Limits {
		if l.Block == "server" && l.MaxBandwidth > 0 {
			f.limit = l.MaxBandwidth / 8
		}
	}
	t := totalsOf(s)
	f.in, f.out = s.BytesIn, s.BytesOut+t.httpOut
	s.eachStream(func(_ int, _ *Application, st *Stream) {
		f.now.add(st)
		f.outputs["RTMP"] += st.players()
		rest := st.Viewers
		for _, p := range st.ViewersBy {
			if p.Protocol != "HLS" {
				f.outputs[p.Protocol] += p.Viewers
				rest -= p.Viewers
			}
		}
		f.outputs["HLS"] += max(rest, 0)
	})
	m.pushed = max(m.pushed, uint64(f.now.pushes))
	f.pushed = m.pushed
	for _, st := range own {
		name := st.app + "/" + st.Name
		if f.streams[name] == nil {
			f.streams[name] = &mistStream{}
		}
		f.streams[name].add(st.Stream)
	}
	return f
}

var (
	directions  = []string{"up", "down"}
	packetFates = []string{"sent", "lost", "retrans"}
)

func (m *mist) collect(ch chan<- prometheus.Metric, x *scrape) {
	s := x.snap
	put := func(name string, v float64, labels ...string) {
		for i := range labels {
			labels[i] = label(labels[i])
		}
		ch <- prometheus.MustNewConstMetric(m.descs[name], prometheus.UntypedValue, v, labels...)
	}
	f := m.figures(s, x.own)
	put("mist_logs", float64(f.logs))
	f.machine(put)

	put("mist_sessions_count", float64(s.Played+s.Viewed), "viewers")
	put("mist_sessions_count", float64(s.Published), "incoming")
	put("mist_sessions_count", float64(f.pushed), "outgoing")
	put("mist_sessions_count", 0, "unspecified")
	put("mist_sessions_total", float64(f.now.viewers), "viewers")
	put("mist_sessions_total", float64(f.now.publishers), "incoming")
	put("mist_sessions_total", float64(f.now.pushes), "outgoing")
	put("mist_sessions_total", 0, "unspecified")
	put("mist_sessions_total", 0, "cached")
	for protocol, n := range f.outputs {
		put("mist_outputs", float64(n), protocol)
	}
	put("mist_bw_total", float64(f.out), "up")
	put("mist_bw_total", float64(f.in), "down")
	for _, d := range directions {
		put("mist_bw_other", 0, d)
	}
	put("mist_bw_limit", float64(f.limit))
	for _, fate := range packetFates {
		put("mist_packets_total", 0, fate)
	}
	for _, h := range s.Hooks {
		put("mist_trigger_count", float64(h.Calls), h.Name)
		put("mist_trigger_time", float64(h.Took.Milliseconds()), h.Name)
		put("mist_trigger_fails", float64(h.Failed), h.Name)
	}
	m.streams(put, &f)
}

// machine renders the figures of the machine, if known.
func (f *mistFigures) machine(put func(string, float64, ...string)) {
	h := f.host
	if h == (Host{}) {
		return
	}
	put("mist_cpu", f.cpu)
	put("mist_mem_total", float64(h.MemTotal/1024))
	put("mist_mem_used", float64(h.MemUsed/1024))
	put("mist_shm_total", float64(h.ShmTotal/1024))
	put("mist_shm_used", float64(h.ShmUsed/1024))
	put("stat_bw_total", float64(h.NetworkOut), "up")
	put("stat_bw_total", float64(h.NetworkIn), "down")
}

// A mistStream is the streams of one application and name: MistServer knows no
// applications, and the rtmp blocks' are one here.
type mistStream struct {
	publishers, viewers, viewed, pushes int
	in, out                             uint64
}

func (x *mistStream) add(st *Stream) {
	if st.Publishing {
		x.publishers++
	}
	x.viewers += st.players() + st.Viewers
	x.viewed += st.players() + st.ViewersUnique
	x.in, x.out = x.in+st.BytesIn, x.out+st.BytesOut
	for i := range st.Outputs {
		if o := &st.Outputs[i]; o.Kind == "push" && o.Phase == output.Live {
			x.pushes++
		}
	}
}

// streams shows the streams that have series of their own. MistServer has no
// applications: a stream is called APP/NAME.
func (m *mist) streams(put func(string, float64, ...string), f *mistFigures) {
	now := time.Now()
	since := 0.
	if !m.at.IsZero() {
		since = now.Sub(m.at).Seconds()
	}
	m.at = now
	m.all += since * float64(f.now.viewers)
	put("mist_viewseconds_total", m.all)
	viewing := make(map[string]float64, len(f.streams)) // without ended streams
	for name, x := range f.streams {
		viewing[name] = m.viewing[name] + since*float64(x.viewers)
		put("mist_sessions", float64(x.viewers), name, "viewers")
		put("mist_sessions", float64(x.publishers), name, "incoming")
		put("mist_sessions", float64(x.pushes), name, "outgoing")
		put("mist_sessions", 0, name, "unspecified")
		put("mist_viewcount", float64(x.viewed), name)
		put("mist_viewseconds", viewing[name], name)
		put("mist_bw", float64(x.out), name, "up")
		put("mist_bw", float64(x.in), name, "down")
		for _, fate := range packetFates {
			put("mist_packets", 0, name, fate)
		}
	}
	m.viewing = viewing
}
