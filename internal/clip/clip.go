// Package clip makes one MP4 of segments of a live stream: what a viewer saves or posts.
// Nothing is coded again. The MP4 is fragmented, so that it can be sent from its first
// byte on, and holds one segment in memory at most.
//
//	playlists → Read → Select → Write → ftyp moov, then moof mdat of each segment
package clip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// A File is a file of a segment, open.
type File interface {
	io.ReaderAt
	io.Closer
}

// Open opens a file by its name in a playlist and says how long it is.
type Open func(name string) (f File, size int64, err error)

// maxFile bounds a segment: those of rtmpd hold 24 MiB of media at most.
const maxFile = 64 << 20

var (
	// ErrNothing says that there is no segment of the time asked for.
	ErrNothing = errors.New("nothing of that time is there")
	// ErrCoded says that there are segments of which no clip can be made.
	ErrCoded = errors.New("no clip can be made of this stream")
)

// A source reads the segments of one format.
type source interface {
	// header is ftyp and moov of s, the same for all segments that can be in one clip.
	header(s *Segment) ([]byte, error)
	// begin makes the media of s, which the source was given last by header, begin at a
	// time of the clip.
	begin(s *Segment, at time.Duration) error
	// write writes the fragments of s.
	write(w io.Writer, s *Segment) error
}

// A Clip is what Write writes: segments of one coding.
type Clip struct {
	segments []Segment
	src      source
	head     []byte
}

// New prepares a clip of segments: of the newest of them, if older ones are coded in
// another way. After it Write fails only if a file has gone, or the reader of the clip.
//
// Errors: ErrNothing, ErrCoded, those of open.
func New(segments []Segment, open Open) (*Clip, error) {
	if len(segments) == 0 {
		return nil, ErrNothing
	}
	last := &segments[len(segments)-1]
	if last.Encrypted {
		return nil, fmt.Errorf("%w: its fragments are encrypted", ErrCoded)
	}
	c := &Clip{}
	if last.Init[0] != "" || last.Init[1] != "" {
		c.src = &fragments{open: open}
	} else {
		c.src = &transport{open: open}
	}
	from := len(segments) - 1
	for {
		for from > 0 && !segments[from].Break && sameFiles(&segments[from], &segments[from-1]) {
			from--
		}
		head, err := c.src.header(&segments[from])
		switch {
		case err != nil && c.head == nil:
			return nil, err
		case c.head == nil:
			c.head = head
		case err != nil || !bytes.Equal(c.head, head):
			_, err := c.src.header(&c.segments[0]) // the source is to know these
			return c, err
		}
		c.segments = segments[from:]
		if from == 0 || !sameKinds(&segments[from], &segments[from-1]) {
			return c, nil
		}
		from--
	}
}

// sameFiles reports whether two segments that follow each other need the same
// initialisation sections.
func sameFiles(a, b *Segment) bool { return a.Init == b.Init && sameKinds(a, b) }

// sameKinds reports whether both have the same kinds of files, none of them encrypted.
func sameKinds(a, b *Segment) bool {
	return (a.Files[0] == "") == (b.Files[0] == "") && (a.Files[1] == "") == (b.Files[1] == "") && !a.Encrypted && !b.Encrypted
}

// Duration is how long the clip is.
func (c *Clip) Duration() (d time.Duration) {
	for i := range c.segments {
		d += c.segments[i].Duration
	}
	return d
}

// Write writes the clip.
func (c *Clip) Write(w io.Writer) error {
	if _, err := w.Write(c.head); err != nil {
		return err
	}
	at := time.Duration(0)
	for i := range c.segments {
		s := &c.segments[i]
		if i == 0 || s.Break {
			if err := c.src.begin(s, at); err != nil {
				return err
			}
		}
		if err := c.src.write(w, s); err != nil {
			return err
		}
		at += s.Duration
	}
	return nil
}

// readAll reads a file whole into buf.
func readAll(open Open, name string, buf []byte) ([]byte, error) {
	f, size, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if size > maxFile {
		return nil, fmt.Errorf("%w: a segment of %d bytes", ErrCoded, size)
	}
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := f.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf, nil
}
