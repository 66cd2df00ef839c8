// Package capacity says what a server must have for so many streams and viewers, from
// constants that are measured: what rtmpd takes for a gigabyte, a request, a viewer.
package capacity

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// FileName is the file in the state directory in which measured Constants are kept.
const FileName = "bench.json"

// Constants are what rtmpd takes on a machine. CPU is in seconds of one core, memory in
// bytes, GB is 10^9 bytes.
type Constants struct {
	Version  string    `json:"version"`  // of rtmpd
	Machine  string    `json:"machine"`  // for people
	Cores    int       `json:"cores"`    // that rtmpd may use
	Measured time.Time `json:"measured"` // zero: these were shipped

	IngestCPU  float64 `json:"ingest_cpu_s_per_gb"`   // received, and packaged as HLS
	PlayerCPU  float64 `json:"player_cpu_s_per_gb"`   // sent to RTMP players
	ViewerCPU  float64 `json:"viewer_cpu_s_per_gb"`   // sent to HTTP viewers
	RequestCPU float64 `json:"request_cpu_s_per_1e6"` // for a million requests

	BaseMemory   int64 `json:"base_memory"`
	StreamMemory int64 `json:"stream_memory"` // without its media
	PlayerMemory int64 `json:"player_memory"`
	ViewerMemory int64 `json:"viewer_memory"`
}

// Shipped are the Constants of the machine that rtmpd's results are from
// (bench/RESULTS.md), as rtmpd bench measured them there.
var Shipped = Constants{
	Machine: "2 virtual Xeon cores of 2.5 GHz", Cores: 2,
	IngestCPU: 10, PlayerCPU: 0.65, ViewerCPU: 0.4, RequestCPU: 40,
	BaseMemory: 28 << 20, StreamMemory: 1300 << 10, PlayerMemory: 50 << 10, ViewerMemory: 24 << 10,
}

// Read returns the Constants that were measured and kept in a state directory; ok is false
// if there are none.
func Read(stateDir string) (c Constants, ok bool, err error) {
	data, err := os.ReadFile(filepath.Join(stateDir, FileName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return Shipped, false, nil
	case err != nil:
		return Shipped, false, err
	}
	if err := json.Unmarshal(data, &c); err != nil || !c.sane() {
		return Shipped, false, fmt.Errorf("%s: these are no constants: run rtmpd bench again", filepath.Join(stateDir, FileName))
	}
	return c, true, nil
}

// sane reports whether all that must be there is.
func (c *Constants) sane() bool {
	return c.Cores > 0 && c.IngestCPU > 0 && c.PlayerCPU > 0 && c.ViewerCPU > 0 && c.RequestCPU > 0 &&
		c.BaseMemory > 0 && c.StreamMemory > 0 && c.PlayerMemory > 0 && c.ViewerMemory > 0
}

// Write keeps the Constants in a state directory, which is made if need be.
func (c *Constants) Write(stateDir string) (path string, err error) {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(stateDir, FileName)
	aside := path + ".tmp"
	if err := os.WriteFile(aside, append(data, '\n'), 0o600); err != nil {
		return "", err
	}
	return path, os.Rename(aside, path)
}

// A Plan is what is to be served.
type Plan struct {
	Streams  int           `json:"streams"`
	Mbps     float64       `json:"mbps"`     // of each stream, 10^6 bits/s
	Viewers  int           `json:"viewers"`  // over HTTP, of all streams together
	Players  int           `json:"players"`  // over RTMP, of all streams together
	Fragment time.Duration `json:"fragment"` // of HLS; in ns
	Keyframe time.Duration `json:"keyframe"` // interval; in ns
	Recorded time.Duration `json:"recorded"` // how much of each stream is kept; in ns
}

// Bounds of a Plan: beyond them sums say nothing.
const (
	MaxStreams = 1e6
	MaxMbps    = 1e4
	MaxViewers = 1e8
)

// Check says what is wrong with a Plan.
func (p *Plan) Check() error {
	switch {
	case p.Streams < 1 || p.Streams > MaxStreams:
		return fmt.Errorf("streams: from 1 to %d", int(MaxStreams))
	case !(p.Mbps > 0 && p.Mbps <= MaxMbps): // NaN is neither
		return fmt.Errorf("mbps: more than 0, at most %d", int(MaxMbps))
	case p.Viewers < 0 || p.Viewers > MaxViewers, p.Players < 0 || p.Players > MaxViewers:
		return fmt.Errorf("viewers: from 0 to %d", int(MaxViewers))
	case p.Fragment <= 0 || p.Keyframe <= 0 || p.Recorded < 0:
		return errors.New("a time is negative, or none")
	}
	return nil
}

// A Need is what a Plan takes.
type Need struct {
	Cores    float64 `json:"cores"`    // busy, of one each
	Memory   int64   `json:"memory"`   // bytes
	In       float64 `json:"in_mbps"`  // 10^6 bits/s
	Out      float64 `json:"out_mbps"` // 10^6 bits/s
	Disk     int64   `json:"disk"`     // bytes: playlists' fragments and what is recorded
	DiskRate float64 `json:"disk_mbps"`

	// MoreViewers is how many viewers more the cores of the Constants can take, with a
	// third of them left for peaks; negative: so many too many.
	MoreViewers int `json:"more_viewers"`
}

// headroom is the part of the cores that is used: the rest is for peaks.
const headroom = 2.0 / 3

// playlist is how much of a stream an HLS playlist names and what stays on disk beside it
// for those who have the playlist before: twice its default length.
const playlist = 60 * time.Second

// gbps is 10^6 bits/s as GB a second.
const gbps = 1e6 / 8 / 1e9

// Need returns what p takes on the machine of c.
func (c *Constants) Need(p Plan) Need {
	streams, viewers, players := float64(p.Streams), float64(p.Viewers), float64(p.Players)
	n := Need{In: streams * p.Mbps, Out: (viewers + players) * p.Mbps}
	n.Cores = n.In*gbps*c.IngestCPU + players*p.Mbps*gbps*c.PlayerCPU + viewers*c.viewerCores(p)
	// A stream's ring holds its newest two GOPs, the log of its players about as much.
	media := int64(p.Mbps * 1e6 / 8 * 2 * p.Keyframe.Seconds())
	if p.Players > 0 {
		media *= 2
	}
	n.Memory = c.BaseMemory + int64(p.Streams)*(c.StreamMemory+media) + int64(p.Players)*c.PlayerMemory + int64(p.Viewers)*c.ViewerMemory
	n.DiskRate = n.In
	n.Disk = int64(n.In * 1e6 / 8 * (playlist + p.Recorded).Seconds())
	if p.Recorded > 0 {
		n.DiskRate *= 2
	}
	n.MoreViewers = int((float64(c.Cores)*headroom - n.Cores) / c.viewerCores(p))
	return n
}

// viewerCores is what one HTTP viewer takes: for each fragment a playlist and the fragment.
func (c *Constants) viewerCores(p Plan) float64 {
	return p.Mbps*gbps*c.ViewerCPU + 2/p.Fragment.Seconds()*c.RequestCPU/1e6
}
