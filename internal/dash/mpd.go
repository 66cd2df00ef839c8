package dash

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// An mpd is a Media Presentation Description (ISO/IEC 23009-1 §5.3.1.2), as far as it is
// written here. Elements and attributes are in the order of the schema.
type mpd struct {
	XMLName                    xml.Name `xml:"urn:mpeg:dash:schema:mpd:2011 MPD"`
	Profiles                   string   `xml:"profiles,attr"`
	Type                       string   `xml:"type,attr"`
	AvailabilityStartTime      instant  `xml:"availabilityStartTime,attr"`
	PublishTime                instant  `xml:"publishTime,attr"`
	MediaPresentationDuration  duration `xml:"mediaPresentationDuration,attr,omitempty"`
	MinimumUpdatePeriod        duration `xml:"minimumUpdatePeriod,attr,omitempty"`
	MinBufferTime              duration `xml:"minBufferTime,attr"`
	TimeShiftBufferDepth       duration `xml:"timeShiftBufferDepth,attr,omitempty"`
	SuggestedPresentationDelay duration `xml:"suggestedPresentationDelay,attr,omitempty"`
	MaxSegmentDuration         duration `xml:"maxSegmentDuration,attr,omitempty"`

	ServiceDescription *serviceDescription `xml:"ServiceDescription"`

	Periods    []period  `xml:"Period"`
	UTCTimings []urnPair `xml:"UTCTiming"`
}

const (
	profiles = "urn:mpeg:dash:profile:isoff-live:2011"
	dynamic  = "dynamic"
	static   = "static"
)

// A period is a part of the presentation without a break (§5.3.2).
type period struct {
	ID    string          `xml:"id,attr"`
	Start duration        `xml:"start,attr"`
	Sets  []adaptationSet `xml:"AdaptationSet"`
}

// An adaptationSet is one track (§5.3.3).
type adaptationSet struct {
	ID               string `xml:"id,attr"`
	ContentType      string `xml:"contentType,attr"`
	MimeType         string `xml:"mimeType,attr"`
	Lang             string `xml:"lang,attr,omitempty"`
	SegmentAlignment bool   `xml:"segmentAlignment,attr"`
	StartWithSAP     int    `xml:"startWithSAP,attr,omitempty"`

	Reference *producerReference `xml:"ProducerReferenceTime"`
	Resync    *resync            `xml:"Resync"`

	Accessibility  []urnPair       `xml:"Accessibility"` // captions in the pictures
	Template       segmentTemplate `xml:"SegmentTemplate"`
	Representation representation  `xml:"Representation"`
}

// A segmentTemplate says what the segments are called and when they are (§5.3.9.4).
type segmentTemplate struct {
	Timescale uint32 `xml:"timescale,attr"`
	Offset    uint64 `xml:"presentationTimeOffset,attr"`

	AvailabilityOffset   seconds3 `xml:"availabilityTimeOffset,attr,omitempty"` // s
	AvailabilityComplete string   `xml:"availabilityTimeComplete,attr,omitempty"`

	Initialization string   `xml:"initialization,attr"`
	Media          string   `xml:"media,attr"`
	Timeline       timeline `xml:"SegmentTimeline"`
}

// A serviceDescription says how far behind players are to be (annex K).
type serviceDescription struct {
	ID      string       `xml:"id,attr"`
	Latency latency      `xml:"Latency"`
	Rate    playbackRate `xml:"PlaybackRate"`
}

type latency struct { // in ms
	ReferenceID int   `xml:"referenceId,attr"`
	Target      int64 `xml:"target,attr"`
	Max         int64 `xml:"max,attr"`
	Min         int64 `xml:"min,attr"`
}

type playbackRate struct {
	Max string `xml:"max,attr"`
	Min string `xml:"min,attr"`
}

// A producerReference says at what time of day some media was (§5.12).
type producerReference struct {
	ID        string  `xml:"id,attr"`
	Inband    bool    `xml:"inband,attr"` // parts have prft
	Type      string  `xml:"type,attr"`
	WallClock instant `xml:"wallClockTime,attr"`
	Time      uint64  `xml:"presentationTime,attr"`
}

// A resync says where within a segment a player finds another fragment (§5.3.13).
type resync struct {
	Type     string `xml:"type,attr"`
	Interval uint64 `xml:"dT,attr"` // ticks
}

// A timeline is when segments begin and how long they are, in ticks (§5.3.9.6).
type timeline struct {
	S []run `xml:"S"`
}

// A run is segments of the same duration, each of which begins where the last one ends.
type run struct {
	T uint64 `xml:"t,attr"`
	D uint64 `xml:"d,attr"`
	R uint64 `xml:"r,attr,omitempty"` // how many follow the first
}

// add adds a segment.
func (l *timeline) add(t, d uint64) {
	if n := len(l.S); n > 0 {
		if last := &l.S[n-1]; last.D == d && last.T+(last.R+1)*d == t {
			last.R++
			return
		}
	}
	l.S = append(l.S, run{T: t, D: d})
}

// A representation is how a track is coded (§5.3.5).
type representation struct {
	ID           string   `xml:"id,attr"`
	Bandwidth    int64    `xml:"bandwidth,attr"`
	Codecs       string   `xml:"codecs,attr"`
	Width        int      `xml:"width,attr,omitempty"`
	Height       int      `xml:"height,attr,omitempty"`
	FrameRate    string   `xml:"frameRate,attr,omitempty"`
	SamplingRate int      `xml:"audioSamplingRate,attr,omitempty"`
	Channels     *urnPair `xml:"AudioChannelConfiguration"`
}

// A urnPair is an element of the type DescriptorType (§5.8.2).
type urnPair struct {
	Scheme string `xml:"schemeIdUri,attr"`
	Value  string `xml:"value,attr"`
}

const (
	header     = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
	schemeMPEG = "urn:mpeg:mpegB:cicp:ChannelConfiguration"
	// ANSI/SCTE 214-1 §6.7.3.
	schemeCEA608 = "urn:scte:dash:cc:cea-608:2015"
	schemeCEA708 = "urn:scte:dash:cc:cea-708:2015"
)

// text is the MPD as XML.
func (m *mpd) text() ([]byte, error) { return textOf(m) }

func textOf(m any) ([]byte, error) {
	b, err := xml.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("mpd: %w", err)
	}
	// encoding/xml knows no empty elements. A ">" in an attribute is escaped.
	for _, name := range [...]string{"S", "UTCTiming", "AudioChannelConfiguration", "Accessibility", "Representation", "Latency", "PlaybackRate", "ProducerReferenceTime", "Resync"} {
		b = bytes.ReplaceAll(b, []byte("></"+name+">"), []byte("/>"))
	}
	return append([]byte(header), append(b, '\n')...), nil
}

var errNotOurs = errors.New("not an MPD of ours")

const (
	maxPeriods  = 10000
	maxSegments = 1 << 20 // more than a day of an event's segments in each track
)

// parseMPD reads an MPD that text has written.
func parseMPD(b []byte) (*mpd, error) {
	if len(b) > packager.MaxManifestSize {
		return nil, errNotOurs
	}
	m := new(mpd)
	if err := xml.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotOurs, err)
	}
	if m.Type != dynamic && m.Type != static || m.AvailabilityStartTime.IsZero() || len(m.Periods) == 0 || len(m.Periods) > maxPeriods {
		return nil, errNotOurs
	}
	for i := range m.Periods {
		for k := range m.Periods[i].Sets {
			if err := m.Periods[i].Sets[k].check(); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// check says whether s is one of ours, with numbers that can be counted with.
func (s *adaptationSet) check() error {
	t := &s.Template
	if kindOf(s.ContentType) < 0 || t.Timescale == 0 || len(t.Timeline.S) == 0 {
		return errNotOurs
	}
	n := uint64(0)
	for _, r := range t.Timeline.S {
		if r.D == 0 || r.R >= maxSegments || r.T > maxTick || r.D > maxTick/(r.R+1) {
			return errNotOurs
		}
		n += r.R + 1
	}
	if n > maxSegments {
		return errNotOurs
	}
	return nil
}

// kindOf is the kind of media that a contentType says; -1: none of ours.
func kindOf(contentType string) int {
	switch contentType {
	case "video":
		return int(media.Video)
	case "audio":
		return int(media.Audio)
	}
	return -1
}

// maxTick: times are below it, so that sums of two do not overflow and players, which
// count in IEEE 754 doubles, are exact.
const maxTick = 1 << 53
