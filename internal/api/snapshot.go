// Package api reads and steers: everything that shows what the server is doing
// is rendered from one Snapshot, so that no two answers can disagree.
package api

import (
	"time"

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
	BytesOut uint64 // to them; neither ever falls
	BwIn     uint64 // bits/s over 10 s windows
	BwOut    uint64
	Servers  []Server
	HTTP     []HTTP // in the order of the http blocks

	Connections int // RTMP, open
	Process     Process
	FanoutBytes uint64 // of memory that holds what RTMP players are being sent

	// Since the start: publishers and RTMP players that were let in, and HTTP
	// viewers that came.
	Published, Played, Viewed uint64

	Healthy bool // what health locations say

	// Findings are what is wrong with the server itself, what matters most first.
	// What is wrong with a stream or its outputs is in Stream.Health.
	Findings []doctor.Finding

	Reload      Reload
	KeysFailing []KeysFile   // by path
	HooksDown   []HookDown   // in the order of the applications
	Hooks       []Hook       // those there are, in no order
	Logged      []LevelCount // from debug to fatal
}

// Reload says how the configuration was loaded.
type Reload struct {
	Successful bool      // the last attempt was
	At         time.Time // of the last successful one

	FailingSince time.Time // the first failed attempt since then; zero: none
	Error        string    // why the last attempt failed, one line; empty if it did not
}

// A KeysFile is a stream_keys_file that can't be used: the keys that were read
// from it before stay in force.
type KeysFile struct {
	Path  string
	Since time.Time
	Error string
}

// A HookDown is a hook that gives no answer.
type HookDown struct {
	Application string // empty: of an rtmp block
	Hook        string // on_publish …
	Since       time.Time
	Calls       int // without an answer since then
	Error       string
}

// Hook is what the calls of one hook came to, since the start.
type Hook struct {
	Name    string // on_publish …
	Calls   uint64 // made, repeated ones included
	Refused uint64 // answered by a no
	Failed  uint64 // not answered in time, or not at all
	Retried uint64 // made again
	Lost    uint64 // given up, or never made for want of room
	Took    time.Duration
	Latency []Bucket // ascending; calls that took longer than the last are in none
}

// A Bucket is how many calls took so long, and longer than the bucket before.
type Bucket struct {
	Until time.Duration
	Count uint64
}

// LevelCount is how many lines of a level were logged.
type LevelCount struct {
	Level string
	Lines uint64
}

// Process is what the operating system says of the server.
type Process struct {
	CPU        time.Duration // user and system, since the start
	RSS        uint64        // bytes in memory; 0: not known
	Goroutines int
}

// HTTP is what one http block has answered. A reload that keeps its listeners
// goes on counting.
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

// PathCount is how often a path was asked for, in the last minute, and the
// bytes of the answers. Strangers choose paths: escape them.
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
}

// A Stream is one public name.
type Stream struct {
	Name             string
	Age              time.Duration // since the stream came into being
	BytesIn          uint64
	BytesOut         uint64
	BwIn, BwOut      uint64 // bits/s
	BwAudio, BwVideo uint64
	Clients          []Client
	Video, Audio     *media.Track
	FrameRate        float64 // measured; 0: not known
	Publishing       bool
	Active           bool // media has come from the present publisher

	// Of all its publishers; Skipped is what outputs that were too slow passed
	// over, all together.
	Packets, VideoFrames, Keyframes, Skipped uint64

	// What is kept of the stream for those who come or are behind, and how many
	// outputs and other readers it has beside the RTMP players.
	BufferPackets int
	BufferBytes   int64
	Readers       int

	Outputs  []Output // what it is turned into
	Fallback string   // what is shown in place of a publisher; empty: nothing

	// HTTP viewers: those that poll a playlist now, the most at one time, and
	// how many different ones there have been.
	Viewers, ViewersPeak, ViewersUnique int

	Ingest doctor.Figures   // of the present publisher
	Health []doctor.Finding // what is wrong with it and with the outputs, what matters most first
}

// An Output is one block at work on a stream.
type Output struct {
	Kind, Name string // of the block: hls, record; its label
	output.State
}

// failing is how many outputs can't write.
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
	Standby                   bool // a publisher that waits for its turn
	Active                    bool
}
