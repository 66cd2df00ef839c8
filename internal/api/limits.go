package api

import (
	"github.com/prometheus/client_golang/prometheus"
)

// A Limit is a limits block and what is in use. A limit that is 0 is none.
type Limit struct {
	Block string // server, rtmp, http or application
	Name  string // of the application; the number of the other block

	Viewers, MaxViewers     int
	Bandwidth, MaxBandwidth int64 // bits/s, over the last 10 s
	PerIP                   int
	BandwidthPerIP          int64
}

// statLimit is a Limit in stat.
type statLimit struct {
	Block          string `json:"block"`
	Name           string `json:"name,omitempty"`
	Viewers        int    `json:"viewers"`
	MaxViewers     int    `json:"max_viewers,omitempty"`
	Bandwidth      int64  `json:"bandwidth"`
	MaxBandwidth   int64  `json:"max_bandwidth,omitempty"`
	PerIP          int    `json:"max_viewers_per_ip,omitempty"`
	BandwidthPerIP int64  `json:"max_bandwidth_per_ip,omitempty"`
}

func newStatLimits(all []Limit) (out []statLimit) {
	for _, l := range all {
		out = append(out, statLimit(l))
	}
	return out
}

// limits writes the limits blocks; without any nothing.
func (x *xmlWriter) limits(all []Limit) {
	for _, l := range all {
		x.open("limits")
		x.line("block", l.Block)
		if l.Name != "" {
			x.line("name", l.Name)
		}
		x.count("viewers", uint64(l.Viewers))
		x.count("max_viewers", uint64(l.MaxViewers))
		x.count("bandwidth", uint64(l.Bandwidth))
		x.count("max_bandwidth", uint64(l.MaxBandwidth))
		x.close("limits")
	}
}

// limitFamilies show use beside limit.
var limitFamilies = []family{
	{"rtmpd_limit_viewers", "Viewers that a limits block allows; without such a limit no series.", []string{"block", "name"}},
	{"rtmpd_limit_viewers_used", "Viewers that are held against a limits block.", []string{"block", "name"}},
	{"rtmpd_limit_bandwidth_bits_per_second", "Bits a second that a limits block allows; without such a limit no series.", []string{"block", "name"}},
	{"rtmpd_limit_bandwidth_used_bits_per_second", "Bits a second, over the last 10 s, that are held against a limits block.", []string{"block", "name"}},
}

// maxLimits bounds the series: "*" makes applications of names that clients choose.
const maxLimits = 200

func (c *Collector) collectLimits(ch chan<- prometheus.Metric, all []Limit) {
	for _, l := range all[:min(len(all), maxLimits)] {
		gauge := func(name string, v float64) {
			ch <- prometheus.MustNewConstMetric(c.server[name], prometheus.GaugeValue, v, l.Block, label(l.Name))
		}
		gauge("rtmpd_limit_viewers_used", float64(l.Viewers))
		gauge("rtmpd_limit_bandwidth_used_bits_per_second", float64(l.Bandwidth))
		if l.MaxViewers > 0 {
			gauge("rtmpd_limit_viewers", float64(l.MaxViewers))
		}
		if l.MaxBandwidth > 0 {
			gauge("rtmpd_limit_bandwidth_bits_per_second", float64(l.MaxBandwidth))
		}
	}
}
