package demo

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// testcard is made by scripts/testcard.sh: 640x360 at 30 frames a second, a
// keyframe a second, a beep a second, both tracks exactly one length long.
//
//go:embed testcard.flv
var testcard []byte

// length of the test card: 480 video frames, 750 AAC frames of 1024 samples at
// 48 kHz. The first frames of the next round come this long after the first
// ones of this, so nothing overlaps and nothing is missing.
const length = 16 * time.Second

// Chunk streams, one a type: a frame of one may then come between the chunks of
// another. The figures are those of most encoders.
const (
	csidAudio = 4
	csidData  = 5
	csidVideo = 6
)

// A clip is the test card as RTMP messages without a message stream.
type clip struct {
	headers []rtmp.Message // metadata and sequence headers: sent once
	frames  []rtmp.Message // one round, by rising timestamp from 0
}

// readClip reads an FLV file of legacy tags (FLV 10.1 §E.4).
func readClip(file []byte) (clip, error) {
	r, err := flv.NewReader(bytes.NewReader(file))
	if err != nil {
		return clip{}, err
	}
	var c clip
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return clip{}, err
		}
		m := rtmp.Message{Type: rtmp.MessageType(tag.Type), Timestamp: tag.Timestamp, Payload: tag.Body}
		switch {
		case tag.Type == flv.TagScript:
			m.ChunkStreamID, m.Payload = csidData, setDataFrame(tag.Body)
			c.headers = append(c.headers, m)
			continue
		case tag.Type == flv.TagAudio:
			m.ChunkStreamID = csidAudio
		case tag.Type == flv.TagVideo:
			m.ChunkStreamID = csidVideo
		default:
			return clip{}, fmt.Errorf("tag type %d", tag.Type)
		}
		if len(tag.Body) < 2 {
			return clip{}, fmt.Errorf("a tag of %d bytes", len(tag.Body))
		}
		if tag.Body[1] == 0 { // AACPacketType, AVCPacketType: a sequence header
			c.headers = append(c.headers, m)
		} else {
			c.frames = append(c.frames, m)
		}
	}
	if len(c.headers) == 0 || len(c.frames) == 0 {
		return clip{}, errors.New("no frames")
	}
	return c, nil
}

// setDataFrame puts "@setDataFrame" (an AMF0 string) before an onMetaData, as
// publishers do to make the server keep it.
func setDataFrame(body []byte) []byte {
	const name = "@setDataFrame"
	return append([]byte{2, 0, byte(len(name))}, name+string(body)...)
}

// at returns the n-th frame since publishing began, counted over all rounds,
// and when it is due. The timestamp wraps at 32 bits, as in RTMP; due does not.
func (c clip) at(n int) (m rtmp.Message, due time.Duration) {
	m = c.frames[n%len(c.frames)]
	due = time.Duration(n/len(c.frames))*length + time.Duration(m.Timestamp)*time.Millisecond
	m.Timestamp = uint32(due.Milliseconds())
	return m, due
}
