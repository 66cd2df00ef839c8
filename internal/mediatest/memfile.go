package mediatest

import (
	"errors"
	"io"
)

// A MemFile is a file in memory that can be full.
type MemFile struct {
	B    []byte
	Room int // bytes that it may have; 0: any
}

// ErrFull is the error of a write that a MemFile has no room for.
var ErrFull = errors.New("no space left on device")

// ReadAt implements io.ReaderAt.
func (m *MemFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.B)) {
		return 0, io.EOF
	}
	n := copy(p, m.B[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (m *MemFile) WriteAt(p []byte, off int64) (int, error) {
	n := len(p)
	if m.Room > 0 && int(off)+n > m.Room {
		n = max(m.Room-int(off), 0)
	}
	if grow := int(off) + n - len(m.B); grow > 0 {
		m.B = append(m.B, make([]byte, grow)...)
	}
	copy(m.B[off:], p[:n])
	if n < len(p) {
		return n, ErrFull
	}
	return n, nil
}

// Truncate sets the size, as os.File's does.
func (m *MemFile) Truncate(size int64) error {
	m.B = append(m.B[:min(int(size), len(m.B))], make([]byte, max(0, int(size)-len(m.B)))...)
	return nil
}

// Sync does nothing.
func (m *MemFile) Sync() error { return nil }
