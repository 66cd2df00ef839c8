package http1

import (
	"io"
	"io/fs"
	"os"
)

// Section is a file, or its beginning, that others may be reading at the same
// time: it has a position of its own. A ResponseWriter sends it with sendfile
// when its ReadFrom gets it in an io.LimitedReader.
type Section struct {
	f         *os.File
	off, size int64
}

// NewSection returns the first size bytes of f, which stays the caller's to close.
func NewSection(f *os.File, size int64) *Section { return &Section{f: f, size: size} }

// Size is the length of the section.
func (s *Section) Size() int64 { return s.size }

// Read implements io.Reader.
func (s *Section) Read(p []byte) (int, error) {
	if s.off >= s.size {
		return 0, io.EOF
	}
	n, err := s.f.ReadAt(p[:min(int64(len(p)), s.size-s.off)], s.off)
	s.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (s *Section) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.off
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	s.off = offset
	return offset, nil
}

// isSection reports whether src is a part, not empty, of a file.
func isSection(src io.Reader) bool {
	lr, ok := src.(*io.LimitedReader)
	if !ok || lr.N <= 0 {
		return false
	}
	s, ok := lr.R.(*Section)
	return ok && s.off < s.size
}
