package apiserver

import (
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// The answers of REST. The tag what stands in the OpenAPI document.

// Version is what serves the API.
type Version struct {
	Version string `json:"version"`
	Name    string `json:"name"`
}

// Health says whether all is well.
type Health struct {
	OK       bool           `json:"ok" what:"the server can do what it is configured to do"`
	Findings []FindingCount `json:"findings"`
}

// FindingCount is how often a finding is there.
type FindingCount struct {
	Name  string `json:"name"`
	Level string `json:"level" what:"error, warning or note"`
	Count int    `json:"count"`
}

// Streams are streams.
type Streams struct {
	Streams []Stream `json:"streams"`
}

// Stream is a public name of an application.
type Stream struct {
	Application string           `json:"application"`
	Name        string           `json:"name"`
	State       string           `json:"state" what:"ready: it can be watched; starting: it has a publisher; waiting: its publisher has gone; offline: players wait for it"`
	Began       time.Time        `json:"began"`
	Players     int              `json:"players" what:"who watches over RTMP"`
	Viewers     int              `json:"viewers" what:"who watches over HTTP"`
	Views       uint64           `json:"views" what:"all who have watched since it began"`
	ViewSeconds uint64           `json:"view_seconds" what:"how long all of them have watched"`
	Outputs     int              `json:"outputs" what:"pushes and recordings"`
	Received    uint64           `json:"received_bytes"`
	Sent        uint64           `json:"sent_bytes" what:"to players, and to viewers where the application has sessions"`
	Bitrate     uint64           `json:"bitrate" what:"bits a second that are received, over 10 s"`
	Video       *Video           `json:"video,omitempty"`
	Audio       *Audio           `json:"audio,omitempty"`
	Findings    []doctor.Finding `json:"findings" what:"what could be better"`
}

// Video is a track.
type Video struct {
	Codec  string `json:"codec"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// Audio is a track.
type Audio struct {
	Codec      string `json:"codec"`
	SampleRate int    `json:"sample_rate"`
	Channels   int    `json:"channels"`
}

// Sessions are those who watch.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	LeftOut  int       `json:"left_out" what:"how many more there are"`
}

// Session is one who watches.
type Session struct {
	ID          uint64    `json:"id"`
	Application string    `json:"application"`
	Stream      string    `json:"stream"`
	Address     string    `json:"address"`
	Protocols   []string  `json:"protocols"`
	Began       time.Time `json:"began"`
	Sent        uint64    `json:"sent_bytes" what:"0 for RTMP"`
	Tags        []string  `json:"tags"`
}

// Recordings are what is being recorded.
type Recordings struct {
	Recordings []Recording `json:"recordings"`
}

// Recording is a recorder at work on a stream.
type Recording struct {
	Application string     `json:"application"`
	Stream      string     `json:"stream"`
	Recorder    string     `json:"recorder" what:"the label of its block"`
	File        string     `json:"file" what:"the name of the file that is written, without its directory; empty: none is"`
	Began       *time.Time `json:"began,omitempty"`
	Seconds     float64    `json:"seconds"`
	Bytes       uint64     `json:"bytes"`
	Files       uint64     `json:"files" what:"that are complete"`
	Failing     string     `json:"failing,omitempty" what:"why it can't write"`
}

func (s *Server) restOpenAPI(*restCall) (any, error) { return openAPI(s.o.Version), nil }

func (s *Server) restVersion(*restCall) (any, error) {
	return Version{Version: s.o.Version, Name: "rtmpd"}, nil
}

func (s *Server) restHealth(*restCall) (any, error) {
	h := s.o.Health()
	out := Health{OK: h.OK, Findings: []FindingCount{}}
	for _, f := range h.Found {
		out.Findings = append(out.Findings, FindingCount(f))
	}
	return out, nil
}

func (s *Server) restStreams(q *restCall) (any, error) {
	ready := q.query["ready"]
	if ready != "" && ready != "true" && ready != "false" {
		return nil, refusal(http.StatusBadRequest, "ready is true or false")
	}
	out := Streams{Streams: []Stream{}}
	figures := s.o.Origin.EachFigures()
	for i := range figures {
		f := figures[i]
		if (q.query["application"] == "" || f.App == q.query["application"]) && (ready != "true" || f.Ready) {
			out.Streams = append(out.Streams, s.streamOf(f))
		}
	}
	return out, nil
}

func (s *Server) restStream(q *restCall) (any, error) {
	f := s.figuresOf(q.path["application"], q.path["stream"])
	if f == nil {
		return nil, noStream(q)
	}
	return s.streamOf(f), nil
}

func noStream(q *restCall) error {
	return refusal(http.StatusNotFound, fmt.Sprintf("there is no stream %s/%s", clip(q.path["application"]), clip(q.path["stream"])))
}

func (s *Server) figuresOf(app, name string) *origin.Figures {
	figures := s.o.Origin.EachFigures()
	for i := range figures {
		if figures[i].App == app && figures[i].Name == name {
			return figures[i]
		}
	}
	return nil
}

func (s *Server) streamOf(f *origin.Figures) Stream {
	out := Stream{
		Application: f.App, Name: f.Name, Began: f.Began.UTC(), Players: f.Players, Viewers: f.Viewers, Views: f.Views,
		ViewSeconds: s.history.watched(f.App, f.Name), Outputs: f.Outputs, Received: f.Received, Sent: f.SentRTMP + f.SentHTTP, Bitrate: f.BwIn,
		Findings: append([]doctor.Finding{}, s.o.Origin.FindingsOf(f.App, f.Name)...),
	}
	switch {
	case f.Ready:
		out.State = "ready"
	case f.Publishing:
		out.State = "starting"
	case !f.Live.LastWrite.IsZero():
		out.State = "waiting"
	default:
		out.State = "offline"
	}
	if t := f.Live.Video; t != nil {
		out.Video = &Video{Codec: t.CodecName(), Width: t.Width, Height: t.Height}
	}
	if t := f.Live.Audio; t != nil {
		out.Audio = audioOf(t)
	}
	return out
}

func audioOf(t *media.Track) *Audio {
	return &Audio{Codec: t.CodecName(), SampleRate: t.SampleRate, Channels: t.Channels}
}

func (q *restCall) filter() origin.SessionFilter {
	return origin.SessionFilter{App: q.query["application"], Stream: q.query["stream"], Protocol: q.query["protocol"], Tag: q.query["tag"]}
}

func (s *Server) restSessions(q *restCall) (any, error) {
	out := Sessions{Sessions: []Session{}}
	for _, one := range s.o.Origin.Sessions(q.filter()) {
		if len(out.Sessions) == maxRows {
			out.LeftOut++
			continue
		}
		out.Sessions = append(out.Sessions, Session{
			ID: one.ID, Application: one.App, Stream: one.Stream, Address: one.Address.String(), Protocols: append([]string{}, one.Protocols...),
			Began: one.Began.UTC(), Sent: one.Sent, Tags: append([]string{}, one.Tags...),
		})
	}
	return out, nil
}

func (s *Server) restRecordings(q *restCall) (any, error) {
	out := Recordings{Recordings: []Recording{}}
	for _, r := range s.o.Origin.Recordings(q.query["application"], q.query["stream"]) {
		one := Recording{
			Application: r.App, Stream: r.Stream, Recorder: r.Name, Seconds: r.Duration.Seconds(), Bytes: r.Bytes, Files: r.Files, Failing: r.Failing,
		}
		if r.Target != "" {
			one.File = path.Base(r.Target)
		}
		if !r.Since.IsZero() {
			one.Began = new(r.Since.UTC())
		}
		out.Recordings = append(out.Recordings, one)
	}
	return out, nil
}

// number reads the id of a session or a push.
func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64) // 0 is none
	return n
}
