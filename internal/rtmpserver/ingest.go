package rtmpserver

import (
	"bytes"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// ingest turns a publisher's messages into packets of its publications, one after
// the other.
type ingest struct {
	session     *session
	publication *origin.Publication
	demuxer     *flv.Demuxer
	now         time.Time     // when the present message arrived
	repairs     flv.Repairs   // reported already
	defects     media.Defects // reported already
	warned      bool          // of a data message

	headers  headers
	metadata ration // changes of it
	refused  error  // ends the session
}

// begin has what comes go to pub.
func (in *ingest) begin(pub *origin.Publication) {
	base, epoch := pub.Begin()
	in.publication = pub
	if in.demuxer == nil {
		in.demuxer = flv.NewDemuxer(base, epoch)
	} else {
		in.demuxer.Restart(base, epoch)
	}
}

// over is why nothing more is taken: what is wrong, else that another publisher
// has the stream now, of which kick has told the client.
func (in *ingest) over() error {
	if in.refused != nil {
		return in.refused
	}
	return errBye
}

// media takes one audio or video message; false means that it was the last: see
// over.
func (in *ingest) media(m rtmp.Message) bool {
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
func (in *ingest) script(m rtmp.Message) bool {
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
		if known := in.publication.Stream().Live().Metadata(); known != nil && bytes.Equal(known.Raw, meta.Raw) {
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
func (in *ingest) passOver(err error) bool {
	if !in.warned {
		in.warned = true // once per publisher: a broken encoder repeats itself
		in.session.log.Warn("bad data message", zap.String("stream", in.publication.Name()), zap.Error(err))
	}
	return true
}

// put appends what the demuxer made of a message.
func (in *ingest) put(p *media.Packet, err error) bool {
	if now := in.demuxer.Defects(); now != in.defects {
		in.defects = now
		in.publication.Complain(now, in.now, err)
	}
	if p == nil {
		return true
	}
	if !in.headers.allow(p, in.now) {
		in.refused = errHeaders
		return false
	}
	return in.publication.Write(p, in.now)
}
