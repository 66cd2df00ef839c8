// Package progressive sends a live stream in one answer that lasts as long as the stream:
// as FLV, MPEG-TS, fragmented MP4, Matroska or WebM, its sound alone as MP3 or ADTS, its
// data messages as JSON. Nothing is coded again.
//
// Each viewer has a cursor and a muxer of its own, so that its media begin at time 0 with
// the newest keyframe; the coded frames are those of the stream's ring, which all share.
//
//	live.Cursor → Reader.Run → muxer → Sink: an HTTP answer or a WebSocket
package progressive

import (
	"fmt"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mkv"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Format is what a stream can be sent as.
type Format struct {
	Ext    string // of the file's name, with its dot
	Type   string // media type
	Name   string // for people
	Sound  bool   // sound alone
	Events bool   // data messages alone, as texts
	Kind   string // what MistServer's players call it
	Rank   int    // among MistServer's sources, below those of HLS and DASH

	takes func(*media.Track) bool
	open  func(*Reader, Sink) muxer
}

// A Source is a stream that a viewer may be sent.
type Source struct {
	File  segstore.File // stands for it in what decides about viewers
	Live  *live.Stream
	Queue time.Duration // how far a viewer may lag; 0: as far as the stream remembers
	Meta  string        // the meta attribute of its application
}

var formats = []*Format{
	{Ext: ".flv", Type: "video/x-flv", Name: "FLV", Kind: "flash/7", Rank: 5, takes: func(*media.Track) bool { return true }, open: newFLV},
	{Ext: ".ts", Type: "video/mp2t", Name: "MPEG-TS", Kind: "html5/video/mpeg", Rank: 1, takes: mpegts.Supports, open: newTS},
	{Ext: ".mp4", Type: "video/mp4", Name: "MP4", Kind: "html5/video/mp4", Rank: 4, takes: mp4.Supports, open: newMP4},
	{Ext: ".mkv", Type: "video/x-matroska", Name: "Matroska", Kind: "html5/video/x-matroska", Rank: 1, takes: mkv.Supports, open: newMKV},
	{Ext: ".webm", Type: "video/webm", Name: "WebM", Kind: "html5/video/webm", Rank: 4, takes: inWebM, open: newMKV},
	{Ext: ".mp3", Type: "audio/mpeg", Name: "MP3", Kind: "html5/audio/mp3", Rank: 3, Sound: true, takes: func(t *media.Track) bool { return t.Codec == media.CodecMP3 }, open: newRaw},
	{Ext: ".aac", Type: "audio/aac", Name: "AAC", Kind: "html5/audio/aac", Rank: 3, Sound: true, takes: inADTS, open: newRaw},
	{Ext: ".json", Type: "application/x-ndjson", Name: "JSON", Kind: "html5/text/javascript", Rank: 0, Events: true},
}

// ByName returns the format that the extension of a file's name stands for, and the name
// without it; nil: none.
func ByName(name string) (f *Format, stem string) {
	for _, f := range formats {
		if stem, ok := strings.CutSuffix(name, f.Ext); ok && stem != "" && !strings.HasSuffix(stem, "/") {
			return f, stem
		}
	}
	return nil, ""
}

// Protocol is what a viewer watches by, of package viewers.
func (f *Format) Protocol() string { return strings.ToUpper(f.Ext[1:]) }

// inWebM reports whether t is one of the codecs that WebM has.
func inWebM(t *media.Track) bool {
	switch t.Codec {
	case media.CodecVP8, media.CodecVP9, media.CodecAV1, media.CodecOpus:
		return mkv.Supports(t)
	}
	return false
}

func inADTS(t *media.Track) bool { return t.Codec == media.CodecAAC && mpegts.Supports(t) }

// Fitting returns the formats that have a place for the tracks of a stream.
func Fitting(video, audio *media.Track) (out []*Format) {
	for _, f := range formats {
		if f.Fits(video, audio) == nil && !(f.Sound && audio == nil) {
			out = append(out, f)
		}
	}
	return out
}

// An UnfitError says that a stream can't be sent in a format without coding it again.
type UnfitError struct{ reason string }

// Error says why, for the viewer.
func (e *UnfitError) Error() string { return e.reason }

// Fits checks the tracks of a stream, as far as they are known. The error is an
// *UnfitError.
func (f *Format) Fits(video, audio *media.Track) error {
	if f.Events {
		return nil
	}
	if f.Sound {
		video = nil
	}
	for _, t := range [...]*media.Track{video, audio} {
		if t == nil || f.takes(t) {
			continue
		}
		what := "pictures"
		if t.Kind == media.Audio {
			what = "sound"
		}
		return &UnfitError{fmt.Sprintf("%s has no place for the %s of this stream, %s, and nothing is coded again here%s", f.Name, what, t.CodecName(), f.instead(video, audio))}
	}
	return nil
}

// instead names the formats that would fit.
func (f *Format) instead(video, audio *media.Track) string {
	var others []string
	for _, o := range formats {
		if o != f && !o.Events && o.Sound == f.Sound && (o.Sound || video == nil || o.takes(video)) && (audio == nil || o.takes(audio)) {
			others = append(others, o.Ext)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return "; these fit: " + strings.Join(others, " ")
}
