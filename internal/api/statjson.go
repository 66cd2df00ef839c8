package api

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
)

// WriteJSON writes s as the tree of WriteXML, in the shape that nginx-rtmp's
// fork nginx-http-flv-module gives it: {"rtmp": {…, "servers": [[application, …],
// …]}}. Names are those of the XML; lists are "servers", "streams", "clients" and
// "findings", and are always present; an empty element of the XML is a boolean.
// In addition it has the figures of the publisher, in ms.
func WriteJSON(w io.Writer, s *Snapshot) error {
	root := statRoot{
		NginxVersion: "rtmpd/" + s.Version, RTMPVersion: rtmpVersion, Compiler: runtime.Version(), Built: builtText(s.Built),
		PID: os.Getpid(), Uptime: int64(s.Uptime.Seconds()), Accepted: s.Accepted,
		BwIn: s.BwIn, BytesIn: s.BytesIn, BwOut: s.BwOut, BytesOut: s.BytesOut,
		Servers: make([][]statApp, len(s.Servers)), Limits: newStatLimits(s.Limits), Findings: append([]doctor.Finding{}, s.Findings...),
	}
	for i, server := range s.Servers {
		apps := make([]statApp, len(server.Applications))
		for j := range server.Applications {
			apps[j] = newStatApp(&server.Applications[j])
		}
		root.Servers[i] = apps
	}
	return json.NewEncoder(w).Encode(map[string]any{"rtmp": &root})
}

type statRoot struct {
	NginxVersion string      `json:"nginx_version"`
	RTMPVersion  string      `json:"nginx_rtmp_version"`
	Compiler     string      `json:"compiler"`
	Built        string      `json:"built"`
	PID          int         `json:"pid"`
	Uptime       int64       `json:"uptime"`
	Accepted     uint64      `json:"naccepted"`
	BwIn         uint64      `json:"bw_in"`
	BytesIn      uint64      `json:"bytes_in"`
	BwOut        uint64      `json:"bw_out"`
	BytesOut     uint64      `json:"bytes_out"`
	Servers      [][]statApp `json:"servers"`

	Limits   []statLimit      `json:"limits,omitempty"`
	Findings []doctor.Finding `json:"findings"`
}

type statApp struct {
	Name string    `json:"name"`
	Live *statLive `json:"live,omitempty"`
	Play *statPlay `json:"play,omitempty"` // of an application with files
}

type statLive struct {
	Streams  []statStream `json:"streams"`
	NClients int          `json:"nclients"`
}

type statPlay struct {
	Streams  []statFile `json:"streams"`
	NClients int        `json:"nclients"`
}

// statFile is a file that is played.
type statFile struct {
	Name     string       `json:"name"`
	Time     int64        `json:"time"`
	Clients  []statClient `json:"clients"`
	NClients int          `json:"nclients"`
	Active   bool         `json:"active"`
}

type statStream struct {
	Name       string       `json:"name"`
	Time       int64        `json:"time"`
	BwIn       uint64       `json:"bw_in"`
	BytesIn    uint64       `json:"bytes_in"`
	BwOut      uint64       `json:"bw_out"`
	BytesOut   uint64       `json:"bytes_out"`
	BwAudio    uint64       `json:"bw_audio"`
	BwVideo    uint64       `json:"bw_video"`
	Clients    []statClient `json:"clients"`
	Meta       *statMeta    `json:"meta,omitempty"`
	NClients   int          `json:"nclients"`
	Publishing bool         `json:"publishing"`
	Active     bool         `json:"active"`
	Fallback   string       `json:"fallback,omitempty"`

	BufferPackets int              `json:"buffer_packets"`
	BufferBytes   int64            `json:"buffer_bytes"`
	Readers       int              `json:"readers"`
	Viewers       int              `json:"viewers"`
	ViewersPeak   int              `json:"viewers_peak"`
	ViewersUnique int              `json:"viewers_unique"`
	Ingest        *statIngest      `json:"ingest,omitempty"`
	PlayerHealth  *statPlayers     `json:"player_health,omitempty"`
	Outputs       []statOutput     `json:"outputs"`
	Findings      []doctor.Finding `json:"findings"`
}

// statOutput is one output of a stream. Duration is in ms.
type statOutput struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Target   string `json:"target,omitempty"`
	Phase    string `json:"phase,omitempty"` // of a push: stopped, connecting, live, waiting
	Since    int64  `json:"since,omitempty"` // Unix: when the session with Target began
	Duration int64  `json:"duration,omitempty"`
	Bytes    uint64 `json:"bytes"`
	Files    uint64 `json:"files"`
	Failing  string `json:"failing,omitempty"`
	Failed   int64  `json:"failing_since,omitempty"` // Unix
	Retry    int64  `json:"retry,omitempty"`         // Unix
}

type statClient struct {
	ID         uint64  `json:"id"`
	Address    string  `json:"address"`
	Time       int64   `json:"time"`
	FlashVer   string  `json:"flashver,omitempty"`
	PageURL    string  `json:"pageurl,omitempty"`
	SWFURL     string  `json:"swfurl,omitempty"`
	Dropped    uint64  `json:"dropped"`
	RoundTrip  float64 `json:"round_trip_ms,omitempty"`
	AVSync     int64   `json:"avsync"`
	Timestamp  uint32  `json:"timestamp"`
	Publishing bool    `json:"publishing"`
	Standby    bool    `json:"standby,omitempty"`
	Active     bool    `json:"active"`
}

// statMeta always has both, as the XML does.
type statMeta struct {
	Video statVideo `json:"video"`
	Audio statAudio `json:"audio"`
}

type statVideo struct {
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	FrameRate float64 `json:"frame_rate"`
	Codec     string  `json:"codec,omitempty"`
	Profile   string  `json:"profile,omitempty"`
	Compat    *uint8  `json:"compat,omitempty"`
	Level     string  `json:"level,omitempty"`
}

type statAudio struct {
	Codec      string `json:"codec,omitempty"`
	Profile    string `json:"profile,omitempty"`
	Channels   int    `json:"channels,omitempty"`
	SampleRate int    `json:"sample_rate,omitempty"`
}

// statIngest holds the measurements of a publisher.
type statIngest struct {
	FrameRate float64 `json:"frame_rate"`
	GOP       int64   `json:"keyframe_interval_ms"`
	GOPMin    int64   `json:"keyframe_interval_min_ms"`
	GOPMax    int64   `json:"keyframe_interval_max_ms"`
	Gaps      uint64  `json:"timestamp_gaps"`
	Jumps     uint64  `json:"timestamp_jumps"`
	Jitter    float64 `json:"jitter_ms"`
	Late      int64   `json:"late_ms"`
	BFrames   bool    `json:"b_frames"`
}

func newStatApp(a *Application) statApp {
	out := statApp{Name: a.Name}
	if a.VOD {
		out.Play = &statPlay{Streams: make([]statFile, len(a.Files)), NClients: clientsOf(a.Files)}
		for i, f := range a.Files {
			out.Play.Streams[i] = statFile{Name: f.Name, Time: f.Age.Milliseconds(), Clients: statClients(f.Clients), NClients: len(f.Clients), Active: true}
		}
	}
	if !a.Live {
		return out
	}
	out.Live = &statLive{Streams: make([]statStream, len(a.Streams)), NClients: a.clients()}
	for i := range a.Streams {
		out.Live.Streams[i] = newStatStream(&a.Streams[i])
	}
	return out
}

func statClients(all []Client) []statClient {
	out := make([]statClient, len(all))
	for i, c := range all {
		out[i] = statClient{
			ID: c.ID, Address: c.Address, Time: c.Age.Milliseconds(), FlashVer: c.FlashVer, PageURL: c.PageURL, SWFURL: c.SWFURL,
			Dropped: c.Dropped, RoundTrip: float64(c.RoundTrip.Microseconds()) / 1000, AVSync: c.AVSync, Timestamp: c.Timestamp, Publishing: c.Publishing, Standby: c.Standby, Active: c.Active,
		}
	}
	return out
}

func newStatStream(s *Stream) statStream {
	out := statStream{
		Name: s.Name, Time: s.Age.Milliseconds(),
		BwIn: s.BwIn, BytesIn: s.BytesIn, BwOut: s.BwOut, BytesOut: s.BytesOut, BwAudio: s.BwAudio, BwVideo: s.BwVideo,
		Clients: statClients(s.Clients), NClients: len(s.Clients), Publishing: s.Publishing, Active: s.Active, Fallback: s.Fallback,
		BufferPackets: s.BufferPackets, BufferBytes: s.BufferBytes, Readers: s.Readers,
		Viewers: s.Viewers, ViewersPeak: s.ViewersPeak, ViewersUnique: s.ViewersUnique, PlayerHealth: newStatPlayers(s.PlayerHealth),
		Outputs: make([]statOutput, 0, len(s.Outputs)), Findings: append([]doctor.Finding{}, s.Health...),
	}
	for _, o := range s.Outputs {
		out.Outputs = append(out.Outputs, newStatOutput(&o))
	}
	if s.Video != nil || s.Audio != nil {
		out.Meta = newStatMeta(s)
	}
	if s.Publishing {
		f := &s.Ingest
		out.Ingest = &statIngest{
			FrameRate: f.FrameRate, GOP: f.GOP.Milliseconds(), GOPMin: f.GOPMin.Milliseconds(), GOPMax: f.GOPMax.Milliseconds(),
			Gaps: f.Gaps, Jumps: f.Jumps, Jitter: float64(f.Jitter.Microseconds()) / 1000, Late: f.Late.Milliseconds(), BFrames: f.BFrames,
		}
	}
	return out
}

func newStatOutput(o *Output) statOutput {
	out := statOutput{Kind: o.Kind, Name: o.Name, Target: o.Target, Phase: o.Phase, Duration: o.Duration.Milliseconds(), Bytes: o.Bytes, Files: o.Files, Failing: o.Failing}
	for _, t := range []struct {
		at time.Time
		to *int64
	}{{o.Since, &out.Since}, {o.FailingSince, &out.Failed}, {o.Retry, &out.Retry}} {
		if !t.at.IsZero() {
			*t.to = t.at.Unix()
		}
	}
	return out
}

func newStatMeta(s *Stream) *statMeta {
	var out statMeta
	if v := s.Video; v != nil {
		out.Video = statVideo{Width: v.Width, Height: v.Height, FrameRate: s.frameRate(), Codec: v.Codec.String()}
		if v.Codec == media.CodecH264 {
			out.Video.Profile, out.Video.Compat, out.Video.Level = avcProfile(v.Profile), &v.Compat, avcLevel(v.Level)
		}
	}
	if a := s.Audio; a != nil {
		out.Audio = statAudio{Codec: a.Codec.String(), Channels: a.Channels, SampleRate: a.SampleRate}
		if a.Codec == media.CodecAAC {
			out.Audio.Profile = aacProfile(a.AudioObjectType)
		}
	}
	return &out
}
