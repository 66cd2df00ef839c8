package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
}

// mistFamilies are MistServer's metrics, without those that have no equivalent here:
// packets by fate, a bandwidth limit and what is exempt from it.
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
	{"mist_sessions", "Sessions of the stream now.", []string{"stream", "sessType"}},
	{"mist_viewcount", "Viewers that the stream has had.", []string{"stream"}},
	{"mist_viewseconds", "Seconds that viewers have watched of the stream, since metrics are scraped.", []string{"stream"}},
	{"mist_bw", "Bytes of the stream sent and received.", []string{"stream", "direction"}},
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

func (m *mist) collect(ch chan<- prometheus.Metric, x *scrape) {
	s := x.snap
	put := func(name string, v float64, labels ...string) {
		for i := range labels {
			labels[i] = label(labels[i])
		}
		ch <- prometheus.MustNewConstMetric(m.descs[name], prometheus.UntypedValue, v, labels...)
	}
	t := totalsOf(s)
	lines := uint64(0)
	for _, l := range s.Logged {
		lines += l.Lines
	}
	put("mist_logs", float64(lines))
	m.machine(put)

	put("mist_sessions_count", float64(s.Played+s.Viewed), "viewers")
	put("mist_sessions_count", float64(s.Published), "incoming")
	put("mist_sessions_total", float64(t.players+t.viewers), "viewers")
	put("mist_sessions_total", float64(t.publishers), "incoming")
	put("mist_outputs", float64(t.players), "RTMP")
	put("mist_outputs", float64(t.viewers), "HLS")
	put("mist_bw_total", float64(s.BytesOut+t.httpOut), "up")
	put("mist_bw_total", float64(s.BytesIn), "down")
	for _, h := range s.Hooks {
		put("mist_trigger_count", float64(h.Calls), h.Name)
		put("mist_trigger_time", float64(h.Took.Milliseconds()), h.Name)
		put("mist_trigger_fails", float64(h.Failed), h.Name)
	}
	m.streams(put, x.own, t.players+t.viewers)
}

// machine renders the figures of the machine, if known.
func (m *mist) machine(put func(string, float64, ...string)) {
	h := m.host()
	if h.CPUTotal > m.before.CPUTotal {
		m.cpu = 1000 * float64(h.CPUBusy-m.before.CPUBusy) / float64(h.CPUTotal-m.before.CPUTotal)
		m.before = h
	}
	if h == (Host{}) {
		return
	}
	put("mist_cpu", m.cpu)
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
	publishers, viewers, viewed int
	in, out                     uint64
}

// streams shows the streams that have series of their own. MistServer has no
// applications: a stream is called APP/NAME.
func (m *mist) streams(put func(string, float64, ...string), own []placed, watching int) {
	now := time.Now()
	since := 0.
	if !m.at.IsZero() {
		since = now.Sub(m.at).Seconds()
	}
	m.at = now
	m.all += since * float64(watching)
	put("mist_viewseconds_total", m.all)

	streams := make(map[string]*mistStream, len(own))
	for _, st := range own {
		name := st.app + "/" + st.Name
		x := streams[name]
		if x == nil {
			x = &mistStream{}
			streams[name] = x
		}
		if st.Publishing {
			x.publishers++
		}
		x.viewers += st.players() + st.Viewers
		x.viewed += st.players() + st.ViewersUnique
		x.in, x.out = x.in+st.BytesIn, x.out+st.BytesOut
	}
	viewing := make(map[string]float64, len(streams)) // without ended streams
	for name, x := range streams {
		viewing[name] = m.viewing[name] + since*float64(x.viewers)
		put("mist_sessions", float64(x.viewers), name, "viewers")
		put("mist_sessions", float64(x.publishers), name, "incoming")
		put("mist_viewcount", float64(x.viewed), name)
		put("mist_viewseconds", viewing[name], name)
		put("mist_bw", float64(x.out), name, "up")
		put("mist_bw", float64(x.in), name, "down")
	}
	m.viewing = viewing
}
