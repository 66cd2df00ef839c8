package mkv

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A RecordingFile is where a Recording is written: an *os.File, open for writing
// and not for appending.
type RecordingFile interface {
	io.WriterAt
	Truncate(size int64) error
}

// A Recording is a Matroska file that grows by whole clusters. It belongs to one
// goroutine.
//
//	EBML | Segment [ SeekHead or Void | Info | Tracks | Cluster… | Cues ]
type Recording struct {
	file    RecordingFile
	delay   [2]time.Duration // that players take off the timestamps of a track
	video   bool
	segment int64 // where the Segment's data begin
	info    int64 // where Info stands, from there on
	length  int64 // where the Duration stands, in the file
	tracks  int64 // where Tracks stands, from the Segment on

	buf     []byte // the cluster that is open, behind room for its head
	head    []byte // what stands before the first cluster; nil: it is in the file
	written int64
	first   time.Duration    // timestamp of the cluster
	seek    bool             // it begins with a keyframe
	end     time.Duration    // with the open cluster
	ended   time.Duration    // without
	last    [2]time.Duration // newest timestamps
	usual   [2]time.Duration // from one frame to the next
	cues    cues
	endless bool          // see NewStream
	every   time.Duration // how long a cluster gets
	failed  bool
}

const (
	// clusterTime is how long a cluster gets. One also begins with a keyframe, if
	// the one before is half as long.
	clusterTime = time.Second
	maxCluster  = 8 << 20
	maxKept     = 4 << 20 // the largest buffer that is kept

	// maxRelative is what the timestamp of a block holds, from its cluster's on.
	maxRelative = math.MaxInt16 * time.Millisecond

	clusterHead = 4 + 4 + 1 + 1 + 8
	seekHeadMax = 160
)

// NewRecording starts a recording in the empty file f, with the tracks that it
// is to have; nil: there is none. frame is a keyframe of the video.
func NewRecording(f RecordingFile, created time.Time, video, audio *media.Track, frame []byte) *Recording {
	return newRecording(&Recording{file: f, every: clusterTime}, "matroska", created, video, audio, frame)
}

// NewStream starts a Matroska file that is only sent, or a WebM one: what it writes to f
// goes one behind the other, it keeps no cues, and a cluster gets the time every. It is
// never finished; End writes what is left.
func NewStream(f RecordingFile, webm bool, created time.Time, every time.Duration, video, audio *media.Track, frame []byte) *Recording {
	kind := "matroska"
	if webm {
		kind = "webm"
	}
	return newRecording(&Recording{file: f, every: every, endless: true}, kind, created, video, audio, frame)
}

// End writes the cluster that is open.
func (r *Recording) End() error {
	if r.failed {
		return nil
	}
	return r.flush()
}

func newRecording(r *Recording, kind string, created time.Time, video, audio *media.Track, frame []byte) *Recording {
	r.video = video != nil
	b, at := open(nil, idEBML)
	b = appendUint(b, idEBMLVersion, 1)
	b = appendUint(b, idReadVersion, 1)
	b = appendUint(b, idMaxIDLength, 4)
	b = appendUint(b, idMaxSizeLength, 8)
	b = appendBytes(b, idDocType, kind)
	b = appendUint(b, idDocTypeVersion, 4)
	b = appendUint(b, idDocTypeRead, 2)
	shut(b, at)
	b = appendID(b, idSegment)
	b = be.AppendUint64(b, unknownSize)
	r.segment = int64(len(b))
	b = appendVoid(b, seekHeadMax)
	r.info = int64(len(b)) - r.segment
	b, at = open(b, idInfo)
	b = appendUint(b, idTimestampScale, uint64(time.Millisecond))
	r.length = int64(len(b))
	b = appendVoid(b, len(appendFloat(nil, idDuration, 0)))
	b = appendBytes(b, idMuxingApp, "rtmpd")
	b = appendBytes(b, idWritingApp, "rtmpd")
	b = appendUint(b, idDateUTC, uint64(created.Sub(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))))
	shut(b, at)
	r.tracks = int64(len(b)) - r.segment
	b, at = open(b, idTracks)
	if video != nil {
		b = appendTrack(b, video, frame)
	}
	if audio != nil {
		b = appendTrack(b, audio, nil)
		r.delay[media.Audio] = codecDelay(audio)
	}
	shut(b, at)
	r.head = b
	r.buf = append(r.buf, make([]byte, clusterHead)...)
	return r
}

// Write takes a packet, a whole picture or one frame of sound. at is its
// presentation time in the file.
func (r *Recording) Write(p *media.Packet, at time.Duration) error {
	if r.failed {
		return errors.New("mkv: it could not be written on before")
	}
	kind := p.Track.Kind
	at = max(at, 0) + r.delay[kind]
	if r.due(p, at) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if len(r.buf) == clusterHead {
		r.first = at.Round(time.Millisecond)
		r.seek = p.Keyframe || !r.video
	}
	flags := byte(0)
	if p.Keyframe || kind == media.Audio {
		flags = 0x80
	}
	relative := (at - r.first + time.Millisecond/2) / time.Millisecond
	if at < r.first {
		relative = -((r.first - at + time.Millisecond/2) / time.Millisecond)
	}
	r.buf = append(r.buf, idSimpleBlock)
	r.buf = be.AppendUint32(r.buf, marker4|uint32(4+len(p.Data)))
	r.buf = append(r.buf, 0x80|byte(kind+1))
	r.buf = be.AppendUint16(r.buf, uint16(int16(relative)))
	r.buf = append(append(r.buf, flags), p.Data...)
	if d := at - r.last[kind]; d > 0 && d < clusterTime {
		r.usual[kind] = d
	}
	if d := p.Track.FrameDuration(); d > 0 {
		r.usual[kind] = d
	}
	r.last[kind] = max(r.last[kind], at)
	r.end = max(r.end, r.last[kind]+r.usual[kind]-r.delay[kind])
	return nil
}

// due says whether the cluster is to end before p.
func (r *Recording) due(p *media.Packet, at time.Duration) bool {
	span := at - r.first
	switch {
	case len(r.buf) == clusterHead:
		return false
	case len(r.buf) > maxCluster, span > maxRelative, span < -maxRelative:
		return true
	case p.Track.Kind == media.Video || !r.video:
		return span >= r.every || p.Keyframe && span >= r.every/2
	}
	return span >= 2*r.every // the video stands still
}

// flush writes the cluster. After an error the file ends with the one before.
func (r *Recording) flush() error {
	b := r.buf
	if len(b) == clusterHead {
		return nil
	}
	head, at := open(b[:0], idCluster)
	head = appendUint(head, idTimestamp, uint64(r.first/time.Millisecond))
	be.PutUint32(b[at:], marker4|uint32(len(b)-at-4))
	r.buf = b[:len(head)]
	if cap(b) > maxKept {
		r.buf = make([]byte, clusterHead)
	}
	place := r.written + int64(len(r.head)) - r.segment
	if r.head != nil {
		b = append(r.head, b...)
		r.head = nil
	}
	if _, err := r.file.WriteAt(b, r.written); err != nil {
		r.failed = true
		return errors.Join(fmt.Errorf("mkv: write: %w", err), r.file.Truncate(r.written))
	}
	r.written += int64(len(b))
	r.ended = r.end
	if r.seek && !r.endless {
		r.cues.add(cue{r.first, place})
	}
	return nil
}

// Size is the file's size with all that was taken so far.
func (r *Recording) Size() int64 { return r.written + int64(len(r.head)+len(r.buf)-clusterHead) }

// Written is what is in the file.
func (r *Recording) Written() int64 { return r.written }

// Finish writes what is left, the cues, the duration and where they are. The file
// is the caller's to close.
func (r *Recording) Finish() error {
	var err error
	if !r.failed {
		err = r.flush()
	}
	if r.written == 0 {
		return err
	}
	cuesAt := r.written - r.segment
	track := uint64(media.Video) + 1
	if !r.video {
		track = uint64(media.Audio) + 1
	}
	b := r.cues.append(nil, track)
	if _, werr := r.file.WriteAt(b, r.written); werr != nil {
		return errors.Join(err, fmt.Errorf("mkv: write the cues: %w", werr), r.file.Truncate(r.written))
	}
	r.written += int64(len(b))
	b, at := open(b[:0], idSeekHead)
	for _, e := range []struct {
		id uint32
		at int64
	}{{idInfo, r.info}, {idTracks, r.tracks}, {idCues, cuesAt}} {
		var seek int
		b, seek = open(b, idSeek)
		b = appendBytes(b, idSeekID, appendID(nil, e.id))
		b = appendUint(b, idSeekPosition, uint64(e.at))
		shut(b, seek)
	}
	shut(b, at)
	b = appendVoid(b, seekHeadMax-len(b))
	// What refers to the cues comes after them.
	for _, patch := range []struct {
		at int64
		b  []byte
	}{
		{r.segment, b},
		{r.length, appendFloat(nil, idDuration, float64(r.ended)/float64(time.Millisecond))},
		{r.segment - 8, be.AppendUint64(nil, marker8|uint64(r.written-r.segment))},
	} {
		if _, werr := r.file.WriteAt(patch.b, patch.at); werr != nil {
			return errors.Join(err, fmt.Errorf("mkv: write the header: %w", werr))
		}
	}
	return err
}

// A cue is a cluster that begins with a keyframe.
type cue struct {
	time  time.Duration
	place int64 // from the Segment on
}

// cues are all of them, or evenly spread ones of very many.
type cues struct {
	all    []cue
	stride int
	seen   int
}

// maxCues bounds them: 64 Ki are 18 hours of one a second.
const maxCues = 64 << 10

func (c *cues) add(k cue) {
	c.stride = max(c.stride, 1)
	if len(c.all) == maxCues {
		for i := range maxCues / 2 {
			c.all[i] = c.all[2*i]
		}
		c.all = c.all[:maxCues/2]
		c.stride *= 2
	}
	if c.seen%c.stride == 0 {
		c.all = append(c.all, k)
	}
	c.seen++
}

func (c *cues) append(b []byte, track uint64) []byte {
	b, at := open(b, idCues)
	for _, k := range c.all {
		var point, positions int
		b, point = open(b, idCuePoint)
		b = appendUint(b, idCueTime, uint64(k.time/time.Millisecond))
		b, positions = open(b, idCuePositions)
		b = appendUint(b, idCueTrack, track)
		b = appendUint(b, idCueCluster, uint64(k.place))
		shut(b, positions)
		shut(b, point)
	}
	shut(b, at)
	return b
}
