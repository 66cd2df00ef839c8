// Package api reports on the server and controls it. Every report (stat, metrics,
// health) is rendered from one Snapshot, so that no two can disagree.
package api

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/cmcd"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

// A Snapshot is the server at one moment.
type Snapshot struct {
	Version  string
	Built    time.Time // when this rtmpd was built
	Uptime   time.Duration
	Accepted uint64 // RTMP connections since the start
	BytesIn  uint64 // of RTMP connections, closed ones included
	BytesOut uint64 // to them; both are monotonic
	BwIn     uint64 // bits/s over 10 s windows
	BwOut    uint64
	Servers  []Server
	HTTP     []HTTP // in the order of the http blocks

	Limits []Limit // the limits blocks

	Connections int // RTMP, open
	Process     Process
	FanoutBytes uint64 // memory of the data being sent to RTMP players

	// Since the start: accepted publishers and RTMP players, and HTTP viewers.
	Published, Played, Viewed uint64

	Healthy bool // the status of health locations

	// Findings are about the server itself, the most important first. Those about a
	// stream or its outputs are in Stream.Health.
	Findings []doctor.Finding

	Reload      Reload
	KeysFailing []KeysFile   // by path
	HooksDown   []HookDown   // in the order of the applications
	Hooks       []Hook       // of configured hooks, in no order
	Logged      []LevelCount // from debug to fatal
}

// Reload is the result of loading the configuration.
type Reload struct {
	Successful bool      // the last attempt was
	At         time.Time // of the last successful one

	FailingSince time.Time // the first failed attempt since then; zero: none
	Error        string    // why the last attempt failed, one line; empty if it did not
}

// A KeysFile is a stream_keys_file that can't be read. Its last content stays in force.
type KeysFile struct {
	Path  string
	Since time.Time
	Error string
}

// A HookDown is a hook that does not answer.
type HookDown struct {
	Application string // empty: of an rtmp block
	Hook        string // on_publish …
	Since       time.Time
	Calls       int // unanswered since then
	Error       string
}

// Hook counts the calls of one hook since the start.
type Hook struct {
	Name    string // on_publish …
	Calls   uint64 // made, including retries
	Refused uint64 // answered with a no
	Failed  uint64 // without an answer in time
	Retried uint64 // retries
	Lost    uint64 // given up, or dropped because the queue was full
	Took    time.Duration
	Latency []Bucket // ascending; calls that took longer than the last are in none
}

// A Bucket counts calls up to a duration and longer than the previous bucket's.
type Bucket struct {
	Until time.Duration
	Count uint64
}

// LevelCount is the number of log lines of a level.
type LevelCount struct {
	Level string
	Lines uint64
}

// Process holds the operating system's figures of the server.
type Process struct {
	CPU        time.Duration // user and system, since the start
	RSS        uint64        // bytes in memory; 0: not known
	Goroutines int
}

// HTTP holds the counters of one http block. They continue over a reload that keeps its
// listeners.
type HTTP struct {
	Listen      string // addresses as configured, with blanks between
	Requests    uint64
	Codes       []CodeCount // by status, ascending
	BytesOut    uint64      // of bodies
	BytesIn     uint64      // from connections, TLS included
	InFlight    int64
	Connections int64       // open
	Paths       []PathCount // of the last minute, the busiest first, at most 256
}

// CodeCount is how many answers had a status.
type CodeCount struct {
	Code  int
	Count uint64
}

// PathCount counts the requests for a path in the last minute and the bytes of their
// responses. Any client can choose a path: escape it.
type PathCount struct {
	Path            string
	Requests, Bytes uint64
}

// A Server is one rtmp block.
type Server struct{ Applications []Application }

// An Application is one application with its streams, sorted by name: those that
// are published, and those that players wait for.
type Application struct {
	Name    string
	Live    bool
	Streams []Stream
	// VOD: it has files, and Files are those that are played now: name, age and
	// clients.
	VOD   bool
	Files []Stream
}

// A Stream is one public name.
type Stream struct {
	Name             string
	Age              time.Duration // since the stream was created
	BytesIn          uint64
	BytesOut         uint64
	BwIn, BwOut      uint64 // bits/s
	BwAudio, BwVideo uint64
	Clients          []Client
	Video, Audio     *media.Track
	FrameRate        float64 // measured; 0: not known
	Publishing       bool
	Active           bool // the present publisher has sent media

	// Of all its publishers; Skipped counts the packets that slow outputs passed over.
	Packets, VideoFrames, Keyframes, Skipped uint64

	// Memory of the stream's ring, and its readers (outputs and others) beside the RTMP
	// players.
	BufferPackets int
	BufferBytes   int64
	Readers       int

	Outputs  []Output // what it is turned into
	Fallback string   // what is shown instead of a publisher; empty: nothing

	// HTTP viewers: polling a playlist now, the maximum at one time, and all different
	// ones.
	Viewers, ViewersPeak, ViewersUnique int
	// ViewersBy are the viewers of now by how they watch; one that watches in two ways is
	// in both.
	ViewersBy []ProtocolCount
	// PlayerHealth is what their players say of themselves (CMCD); nil: nothing.
	PlayerHealth *cmcd.Figures

	Ingest doctor.Figures   // of the present publisher
	Health []doctor.Finding // findings about it and its outputs, the most important first
}

// ProtocolCount is how many viewers watch by a protocol.
type ProtocolCount struct {
	Protocol string // HLS, DASH, FLV …
	Viewers  int
}

// An Output is one output of a stream.
type Output struct {
	Kind, Name string // of the block: hls, record; its label
	output.State
}

// failing returns how many outputs can't write.
func (s *Stream) failing() (n int) {
	for i := range s.Outputs {
		if s.Outputs[i].Failing != "" {
			n++
		}
	}
	return n
}

// A Client is one RTMP connection.
type Client struct {
	ID                        uint64
	Address                   string
	Age                       time.Duration
	FlashVer, PageURL, SWFURL string
	Dropped                   uint64
	RoundTrip                 time.Duration // of the last ping; 0: none was answered yet
	AVSync                    int64         // ms
	Timestamp                 uint32        // ms
	Publishing                bool
	Standby                   bool // a publisher that waits for the present one to leave
	Active                    bool
}
