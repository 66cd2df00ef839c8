package mp4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/gather"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A RecordingFile is where a Recording is written: an *os.File, open for reading
// and writing and not for appending.
type RecordingFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// A Recording is an MP4 file of at most one video and one audio track. While it
// grows it is fragmented, and playable after a crash up to its last whole
// fragment. Finish makes a plain MP4 of it, in place: it appends the moov with the
// tables of all samples, then turns the free box in front into the header of one
// mdat that covers everything up to there, fragments and their headers included.
// It belongs to one goroutine.
//
//	growing:   ftyp free(16) moov(mvex) [moof mdat]…
//	finished:  ftyp mdat(   moov(mvex) [moof mdat]…) moov
type Recording struct {
	file    RecordingFile
	created time.Time
	tracks  [2]*recordedTrack // by media.Kind; nil: there is none
	zero    time.Duration     // DTS of the first packet
	begun   bool              // the header is in the file, its tracks are settled
	written int64             // bytes in the file, whole boxes only
	pending int64             // bytes of samples that are not
	oldest  time.Duration     // DTS of the oldest of them
	newest  time.Duration     // DTS of the newest packet
	number  uint32            // of the newest fragment
	endless bool              // see NewStream
	every   time.Duration     // how long a fragment gets
	failed  bool

	out  gather.Batch // scratch
	runs []Run
}

const (
	// fragmentTime is how long a fragment gets. One also begins with a keyframe,
	// if the one before is half as long.
	fragmentTime = time.Second
	// settleTime is how long the second track may take to appear.
	settleTime = time.Second
	// bothTime is how much the first fragment has if both tracks are there.
	bothTime = 200 * time.Millisecond
	// maxFragment bounds the bytes that wait.
	maxFragment = 8 << 20
	maxKept     = 64 << 10 // the largest buffer that is kept

	// maxDrift is how far sound may be from its timestamps, which RTMP rounds to
	// milliseconds, before it is put where they say.
	maxDrift = 60 * time.Millisecond
)

// NewRecording starts a recording in the empty file f. Nothing is written before
// its tracks are known.
func NewRecording(f RecordingFile, created time.Time) *Recording {
	return &Recording{file: f, created: created, every: fragmentTime}
}

// NewStream starts an MP4 that is only sent: what it writes to f goes one behind the
// other, it keeps no index, and a fragment gets the time every. It is never finished; End
// writes what is left.
func NewStream(f RecordingFile, created time.Time, every time.Duration) *Recording {
	return &Recording{file: f, created: created, every: every, endless: true}
}

// End writes the samples that wait.
func (r *Recording) End() error {
	if r.Empty() || r.failed {
		return nil
	}
	return r.flush(r.newest, true)
}

// Accepts says whether packets of t can be in this recording: it is a codec that
// MP4 has, and the track, if it is there or settled, is coded alike.
func (r *Recording) Accepts(t *media.Track) bool {
	if t.Kind > media.Audio || !Supports(t) {
		return false
	}
	have := r.tracks[t.Kind]
	if have == nil {
		return !r.begun
	}
	return SameCoding(have.Media, t)
}

// SameCoding says whether one sample entry describes a and b.
func SameCoding(a, b *media.Track) bool {
	return a == b || a.Codec == b.Codec && bytes.Equal(a.Config, b.Config) && a.SampleRate == b.SampleRate && a.Channels == b.Channels
}

// Write takes a packet that Accepts allows, a whole picture or one frame of sound.
func (r *Recording) Write(p *media.Packet) error {
	if r.failed {
		return errors.New("mp4: it could not be written on before")
	}
	kind := p.Track.Kind
	t := r.tracks[kind]
	if t == nil && r.begun {
		return fmt.Errorf("mp4: the file has no track for %s", p.Track.CodecName())
	} else if t == nil {
		t = &recordedTrack{Track: Track{ID: uint32(kind) + 1, Media: p.Track, Frame: p.Data}, first: p.DTS}
		r.tracks[kind] = t
	} else if r.due(p) {
		if err := r.flush(p.DTS, false); err != nil {
			return err
		}
	}
	if r.pending == 0 {
		r.oldest = p.DTS
	}
	t.take(p)
	r.pending += int64(len(p.Data)) + 1
	r.newest = max(r.newest, p.DTS)
	return nil
}

// due says whether the fragment is to end before p.
func (r *Recording) due(p *media.Packet) bool {
	span := p.DTS - r.oldest
	switch {
	case r.pending == 0:
		return false
	case r.pending > maxFragment:
		return true
	case !r.begun && r.tracks[media.Video] != nil && r.tracks[media.Audio] != nil:
		return span >= bothTime
	case !r.begun:
		return span >= settleTime
	}
	return span >= r.every || p.Keyframe && span >= r.every/2
}

// flush writes a fragment of the samples that wait, but for the newest of each
// track: how long that one lasts is not known before the next one, or the end. One
// that has lasted for a fragment is not waited for.
func (r *Recording) flush(now time.Duration, end bool) error {
	r.out.Reset(maxKept)
	if !r.begun {
		var err error
		if r.out.Own, err = r.header(r.out.Own); err != nil {
			r.failed = true
			return err
		}
	}
	r.runs = r.runs[:0]
	oldest := now
	for _, t := range r.tracks {
		if t == nil || len(t.waiting) == 0 {
			continue
		}
		n := len(t.waiting)
		newest := t.waiting[n-1]
		if !end && now-newest.came < fragmentTime {
			n--
			oldest = min(oldest, newest.came)
		}
		if n > 0 {
			r.addRun(t, n, end, now)
		}
	}
	if len(r.runs) == 0 {
		return nil
	}
	r.number++
	r.out.Own = appendFragmentHead(r.out.Own, r.number, r.runs)
	place := r.written + int64(len(r.out.Own))
	for i := range r.runs {
		for j := range r.runs[i].Samples {
			r.out.Append(r.runs[i].Samples[j].Data)
		}
	}
	if err := r.put(); err != nil {
		return err
	}
	r.begun = true
	r.note(place, oldest)
	return r.spill()
}

// header appends what stands before the first fragment, and settles the tracks.
func (r *Recording) header(b []byte) ([]byte, error) {
	set := false
	var tracks []Track
	for _, t := range r.tracks {
		if t == nil {
			continue
		}
		tracks = append(tracks, t.Track)
		if !set || t.first < r.zero {
			r.zero, set = t.first, true
		}
	}
	for _, t := range r.tracks {
		if t != nil {
			t.shift = Ticks(t.first-r.zero, int64(Timescale(t.Media)))
			t.lead = max(t.waiting[0].offset, 0)
			t.start, t.end = t.shift, t.shift
		}
	}
	b = AppendFileType(b, "isom", "iso6", "mp41", "mp42")
	b, at := open(b, "free")
	b = zeros(b, 8)
	shut(b, at, 0)
	return AppendInit(b, r.created, tracks...)
}

// addRun makes a run of the first n waiting samples of t.
func (r *Recording) addRun(t *recordedTrack, n int, end bool, now time.Duration) {
	i := len(r.runs)
	if i < cap(r.runs) {
		r.runs = r.runs[:i+1]
	} else {
		r.runs = append(r.runs, Run{})
	}
	run := &r.runs[i]
	*run = Run{TrackID: t.ID, Start: uint64(t.waiting[0].dts + t.shift), Video: t.Media.Kind == media.Video, Samples: run.Samples[:0]}
	for j, w := range t.waiting[:n] {
		run.Samples = append(run.Samples, Sample{
			Data: w.data, Duration: uint32(t.durationOf(j, end, now)), Offset: clamp32(w.offset), Sync: w.sync,
		})
	}
}

// note takes the samples of the runs, which are in the file from place on, into
// the index, and forgets them.
func (r *Recording) note(place int64, oldest time.Duration) {
	r.pending = 0
	for i := range r.runs {
		run := &r.runs[i]
		t := r.tracks[run.TrackID-1]
		for j := range run.Samples {
			s := &run.Samples[j]
			dts := t.waiting[j].dts + t.shift
			if !r.endless {
				t.index.add(entry{place: place, size: uint32(len(s.Data)), dts: dts, offset: s.Offset, sync: s.Sync})
			}
			t.end = dts + int64(s.Duration)
			place += int64(len(s.Data))
			s.Data = nil
		}
		kept := copy(t.waiting, t.waiting[len(run.Samples):])
		clear(t.waiting[kept:])
		t.waiting = t.waiting[:kept]
	}
	for _, t := range r.tracks {
		if t != nil {
			for _, w := range t.waiting {
				r.pending += int64(len(w.data)) + 1
			}
		}
	}
	r.oldest = oldest
}

// put appends r.out to the file. After an error the file ends with the last whole box.
func (r *Recording) put() error {
	n := r.out.Len()
	err := r.out.WriteAt(r.file, r.written)
	r.out.Reset(maxKept)
	if err != nil {
		r.failed = true
		return errors.Join(fmt.Errorf("mp4: write: %w", err), r.file.Truncate(r.written))
	}
	r.written += int64(n)
	return nil
}

// spill puts an index that has grown into the file.
func (r *Recording) spill() error {
	for _, t := range r.tracks {
		if t == nil || len(t.index.list) < spillAt {
			continue
		}
		b, at := open(r.out.Own, "free")
		b = append(b, t.index.list...)
		shut(b, at, 0)
		r.out.Own = b
		where := extent{r.written + boxHeader, int64(len(t.index.list))}
		if err := r.put(); err != nil {
			return err
		}
		t.index.spilled = append(t.index.spilled, where)
		t.index.list = t.index.list[:0]
	}
	return nil
}

// Flush does nothing: fragments have their length.
func (r *Recording) Flush() error { return nil }

// Size is the file's size with all that was taken so far.
func (r *Recording) Size() int64 { return r.written + r.pending }

// Written is what is in the file.
func (r *Recording) Written() int64 { return r.written }

// Empty says that it has taken no packet.
func (r *Recording) Empty() bool { return r.tracks[0] == nil && r.tracks[1] == nil }

// Duration is how long the recording is.
func (r *Recording) Duration() time.Duration {
	var longest time.Duration
	for _, t := range r.tracks {
		if t == nil {
			continue
		}
		end := t.end
		if len(t.waiting) > 0 {
			end = t.last + t.shift
		}
		scale := int64(Timescale(t.Media))
		longest = max(longest, time.Duration(end/scale)*time.Second+time.Duration(end%scale)*time.Second/time.Duration(scale))
	}
	return longest
}

// Finish writes what is left and makes a plain MP4 of the file. After an error the
// file ends with the last whole fragment. The file is the caller's to close.
func (r *Recording) Finish() error {
	if r.Empty() {
		return nil
	}
	var err error
	if !r.failed {
		err = r.flush(r.newest, true)
	}
	if !r.begun {
		return err
	}
	s := &sink{file: r.file, at: r.written}
	merr := r.writeMovie(s)
	if merr == nil {
		// On the disk before what refers to it.
		merr = r.file.Sync()
	}
	if merr == nil {
		b, _ := open(nil, "mdat")
		be.PutUint32(b, 1) // its size follows
		at := int64(len(AppendFileType(nil, "isom", "iso6", "mp41", "mp42")))
		_, merr = r.file.WriteAt(be.AppendUint64(b, uint64(r.written-at)), at)
		r.written = s.at
	}
	if merr != nil {
		merr = errors.Join(fmt.Errorf("mp4: write the index: %w", merr), r.file.Truncate(r.written))
	}
	return errors.Join(err, merr)
}
