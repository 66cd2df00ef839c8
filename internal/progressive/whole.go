package progressive

import (
	"errors"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mkv"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A container takes whole pictures and single frames of sound.
type container interface {
	write(p *media.Packet) error
	flush() error
	end() error
}

// A wholeMuxer gives a container the pictures and frames of its tracks, from a keyframe on.
type wholeMuxer struct {
	r      *Reader
	to     container
	frames media.Frames
	out    []*media.Packet
	key    bool // a keyframe was written
	fixed  bool // the container has no way to say another coding
}

func (m *wholeMuxer) passed() {
	m.out = m.frames.Flush(m.out[:0])
	m.frames.Passed()
}

func (m *wholeMuxer) take(p *media.Packet) error {
	m.out = m.frames.Add(m.out, p)
	return m.put()
}

func (m *wholeMuxer) put() error {
	for i, p := range m.out {
		m.out[i] = nil
		if err := m.write(p); err != nil {
			return err
		}
	}
	m.out = m.out[:0]
	return nil
}

func (m *wholeMuxer) write(p *media.Packet) error {
	kind := p.Track.Kind
	track := m.r.tracks[kind]
	switch {
	case kind == media.Video && !m.key && !p.Keyframe, m.r.format.Sound && kind != media.Audio:
		return nil
	case m.r.tracks[media.Video] != nil && !m.key && kind != media.Video:
		return nil // sound before the first picture
	case track == nil && m.fixed, !m.r.format.takes(p.Track):
		return nil
	case p.Track != track && m.fixed && !(kind == media.Video && !p.Keyframe && p.Track.Codec == track.Codec):
		if !mp4.SameCoding(track, p.Track) {
			return ErrRecoded
		}
	}
	m.r.tracks[kind] = p.Track
	m.key = m.key || kind == media.Video
	return m.to.write(p)
}

func (m *wholeMuxer) flush() error { return m.to.flush() }

func (m *wholeMuxer) end() error {
	m.out = m.frames.Flush(m.out)
	if err := m.put(); err != nil {
		return err
	}
	return m.to.end()
}

// pieceTime is how much media is sent at a time in formats that send pieces.
const pieceTime = 200 * time.Millisecond

// A straight is the file of a format that only grows.
type straight struct {
	to  Sink
	one [1][]byte
}

// WriteAt sends p: nothing is written twice.
func (f *straight) WriteAt(p []byte, _ int64) (int, error) {
	f.one[0] = p
	return len(p), f.to.Send(f.one[:])
}

// WriteVectorAt implements gather.VectorWriter.
func (f *straight) WriteVectorAt(v [][]byte, _ int64) error { return f.to.Send(v) }

// ReadAt is not called.
func (f *straight) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

// Truncate and Sync do nothing: what was sent was sent.
func (f *straight) Truncate(int64) error { return nil }

// Sync does nothing.
func (f *straight) Sync() error { return nil }

// An mp4Container writes fragments.
type mp4Container struct{ rec *mp4.Recording }

func newMP4(r *Reader, to Sink) muxer {
	return &wholeMuxer{r: r, fixed: true, to: mp4Container{mp4.NewStream(&straight{to: to}, time.Now(), pieceTime)}}
}

func (c mp4Container) write(p *media.Packet) error {
	if !c.rec.Accepts(p.Track) {
		return nil // sound that came too late for the header
	}
	return c.rec.Write(p)
}

func (c mp4Container) flush() error { return nil }
func (c mp4Container) end() error   { return c.rec.End() }

// An mkvContainer writes clusters. Its header is written with the first picture.
type mkvContainer struct {
	r    *Reader
	to   straight
	rec  *mkv.Recording
	zero time.Duration
}

func newMKV(r *Reader, to Sink) muxer {
	return &wholeMuxer{r: r, fixed: true, to: &mkvContainer{r: r, to: straight{to: to}}}
}

func (c *mkvContainer) write(p *media.Packet) error {
	if c.rec == nil {
		c.zero = p.DTS
		t := c.r.tracks
		c.rec = mkv.NewStream(&c.to, c.r.format.Ext == ".webm", time.Now(), pieceTime, t[media.Video], t[media.Audio], p.Data)
	}
	return c.rec.Write(p, p.DTS+p.CTS-c.zero)
}

func (c *mkvContainer) flush() error { return nil }

func (c *mkvContainer) end() error {
	if c.rec == nil {
		return nil
	}
	return c.rec.End()
}

// A byteContainer collects bytes until there is nothing more for now.
type byteContainer struct {
	to  Sink
	buf []byte
	one [1][]byte
}

func (c *byteContainer) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	c.one[0] = c.buf
	err := c.to.Send(c.one[:])
	if c.buf = c.buf[:0]; cap(c.buf) > maxKept {
		c.buf = nil
	}
	return err
}

// A tsContainer writes a transport stream.
type tsContainer struct {
	byteContainer
	r       *Reader
	program *mpegts.Program
	tracks  [2]*media.Track // that its tables list
}

func newTS(r *Reader, to Sink) muxer {
	return &wholeMuxer{r: r, to: &tsContainer{r: r, byteContainer: byteContainer{to: to}}}
}

func (c *tsContainer) write(p *media.Packet) error {
	t := c.r.tracks
	switch {
	case c.program == nil:
		c.program = mpegts.NewProgram(t[media.Video], t[media.Audio], p.DTS)
		c.buf = c.program.AppendTables(c.buf)
		c.tracks = t
	case !sameCodec(c.tracks[media.Video], t[media.Video]) || !sameCodec(c.tracks[media.Audio], t[media.Audio]):
		c.buf = c.program.SetTracks(c.buf, t[media.Video], t[media.Audio])
		c.tracks = t
	}
	c.buf = c.program.Append(c.buf, p)
	if len(c.buf) >= maxKept {
		return c.flush()
	}
	return nil
}

func sameCodec(a, b *media.Track) bool {
	return a == b || a != nil && b != nil && a.Codec == b.Codec
}

func (c *tsContainer) end() error {
	if c.program != nil {
		c.buf = c.program.AppendSound(c.buf)
	}
	return c.flush()
}

// A rawContainer writes frames of sound one behind the other: MP3 as they are, AAC in
// ADTS.
type rawContainer struct{ byteContainer }

func newRaw(r *Reader, to Sink) muxer {
	return &wholeMuxer{r: r, to: &rawContainer{byteContainer{to: to}}}
}

var errNoADTS = errors.New("a frame does not fit in ADTS")

func (c *rawContainer) write(p *media.Packet) error {
	if p.Track.Codec == media.CodecAAC {
		layout := p.Track.ProgramConfig
		if media.HasProgramConfig(p.Data) {
			layout = nil // it has its own
		}
		h, err := media.ADTSHeader(p.Track, len(layout)+len(p.Data))
		if err != nil {
			return errors.Join(errNoADTS, err)
		}
		c.buf = append(append(c.buf, h[:]...), layout...)
	}
	c.buf = append(c.buf, p.Data...)
	return nil
}

func (c *rawContainer) end() error { return c.flush() }
