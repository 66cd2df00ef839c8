// Package ingest turns the RTMP messages of a publisher into packets, and bounds what
// it may change how often. A publisher of another protocol does not need it: see
// origin.Publisher.
package ingest

import (
	"bytes"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A Publication takes what becomes of the messages: *origin.Publication.
type Publication interface {
	Name() string
	Begin() (base time.Duration, epoch uint32)
	Arrived(timestamp uint32, now time.Time)
	Write(p *media.Packet, now time.Time) bool
	SetMetadata(raw []byte)
	Metadata() *live.Metadata
	NameEncoder(name string)
	Repaired(r flv.Repairs)
	Complain(defects media.Defects, now time.Time, err error)
}

// An Ingest turns a publisher's messages into packets of its publications, one
// after the other. It belongs to the publisher's goroutine.
type Ingest struct {
	Log *zap.Logger

	publication Publication
	demuxer     *flv.Demuxer
	now         time.Time     // when the present message arrived
	repairs     flv.Repairs   // reported already
	defects     media.Defects // reported already
	warned      bool          // of a data message

	headers  headers
	metadata ration // changes of it
	refused  error  // ends the session
}

// Begin has what comes go to pub.
func (in *Ingest) Begin(pub Publication) {
	base, epoch := pub.Begin()
	in.publication = pub
	if in.demuxer == nil {
		in.demuxer = flv.NewDemuxer(base, epoch)
	} else {
		in.demuxer.Restart(base, epoch)
	}
}

// ErrTaken says that another publisher has the stream now.
var ErrTaken = errors.New("another publisher has the stream")

// ErrHeaders ends a publisher whose headers change all the time.
var ErrHeaders = errors.New("sequence headers change too often: at most 2 a second")

// Message takes an audio, video or data message; others are passed over. After an
// error nothing more is taken: ErrTaken, ErrHeaders.
func (in *Ingest) Message(m rtmp.Message) error {
	in.now = time.Now()
	ok := true
	switch m.Type {
	case rtmp.TypeVideo, rtmp.TypeAudio:
		in.publication.Arrived(m.Timestamp, in.now)
		ok = in.media(m)
	case rtmp.TypeDataAMF0, rtmp.TypeDataAMF3:
		ok = in.script(m)
	}
	switch {
	case ok:
		return nil
	case in.refused != nil:
		return in.refused
	}
	return ErrTaken
}

// media takes one audio or video message; false means that it was the last.
func (in *Ingest) media(m rtmp.Message) bool {
	in.demuxer.Arrived(in.now)
	var p *media.Packet
	var err error
	if m.Type == rtmp.TypeVideo {
		p, err = in.demuxer.Video(m.Timestamp, m.Payload)
	} else {
		p, err = in.demuxer.Audio(m.Timestamp, m.Payload)
	}
	if r := in.demuxer.Repairs(); r != in.repairs {
		in.repairs = r
		in.publication.Repaired(r)
	}
	return in.put(p, err)
}

// script takes a data message: metadata describes the stream, others
// (onTextData, onCuePoint, onFI) go to its players.
func (in *Ingest) script(m rtmp.Message) bool {
	body := m.Payload
	if m.Type == rtmp.TypeDataAMF3 && len(body) > 0 {
		body = body[1:] // the format, which is AMF0 with AMF3 values in it
	}
	meta, ok, err := flv.ParseMetadata(body)
	switch {
	case errors.Is(err, flv.ErrUnsupported):
		return in.passOver(err)
	case ok:
		in.publication.NameEncoder(meta.Encoder)
		if known := in.publication.Metadata(); known != nil && bytes.Equal(known.Raw, meta.Raw) {
			return true
		}
		if !in.metadata.take(in.now) {
			return in.passOver(errors.New("onMetaData changes too often: not passed on"))
		}
		in.publication.SetMetadata(meta.Raw)
		return true
	}
	p, _ := in.demuxer.Data(m.Timestamp, body) // one without a name is passed over, and counted
	return in.put(p, nil)
}

// passOver leaves out a data message that can't be taken.
func (in *Ingest) passOver(err error) bool {
	if !in.warned {
		in.warned = true // once per publisher: a broken encoder repeats itself
		in.Log.Warn("bad data message", zap.String("stream", in.publication.Name()), zap.Error(err))
	}
	return true
}

// put appends what the demuxer made of a message.
func (in *Ingest) put(p *media.Packet, err error) bool {
	if now := in.demuxer.Defects(); now != in.defects {
		in.defects = now
		in.publication.Complain(now, in.now, err)
	}
	if p == nil {
		return true
	}
	if !in.headers.allow(p, in.now) {
		in.refused = ErrHeaders
		return false
	}
	return in.publication.Write(p, in.now)
}
