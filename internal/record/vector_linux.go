package record

import (
	"errors"
	"io"
	"math/bits"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxVector is how many pieces of memory one call takes (UIO_MAXIOV).
const maxVector = 1024

// A vectorFile writes scattered memory in one call. It allocates nothing for that, as
// unix.Pwritev would. It belongs to one goroutine.
type vectorFile struct {
	*os.File
	conn syscall.RawConn
	once func(fd uintptr) // call, bound once: a method value allocates

	vector []unix.Iovec
	off    int64
	n      int // of the call
	err    error
}

// withVectors has f, which is open for writing, write vectors.
func withVectors(f *os.File) *vectorFile {
	v := &vectorFile{File: f}
	v.conn, v.err = f.SyscallConn()
	v.once = v.call
	return v
}

// WriteVectorAt implements gather.VectorWriter.
func (f *vectorFile) WriteVectorAt(v [][]byte, off int64) error {
	if f.conn == nil {
		return f.err
	}
	defer func() { clear(f.vector) }()
	f.off = off
	for len(v) > 0 {
		f.vector = f.vector[:0]
		size := 0
		for _, b := range v[:min(len(v), maxVector)] {
			if len(b) > 0 {
				f.vector = append(f.vector, unix.Iovec{Base: &b[0]})
				f.vector[len(f.vector)-1].SetLen(len(b))
				size += len(b)
			}
		}
		if size > 0 {
			if err := f.conn.Control(f.once); err != nil {
				return err
			}
			if f.err != nil {
				return &os.PathError{Op: "pwritev", Path: f.Name(), Err: f.err}
			}
			f.off += int64(f.n)
			if f.n < size {
				v = behind(v, f.n)
				continue
			}
		}
		v = v[min(len(v), maxVector):]
	}
	return nil
}

// behind is v without its first n bytes.
func behind(v [][]byte, n int) [][]byte {
	for n >= len(v[0]) {
		n -= len(v[0])
		v = v[1:]
	}
	v[0] = v[0][n:]
	return v
}

// call writes f.vector at f.off, as much as the system takes.
func (f *vectorFile) call(fd uintptr) {
	low, high := uintptr(f.off), uintptr(uint64(f.off)>>(bits.UintSize-1)>>1)
	for {
		n, _, errno := unix.Syscall6(unix.SYS_PWRITEV, fd, uintptr(unsafe.Pointer(&f.vector[0])), uintptr(len(f.vector)), low, high, 0)
		runtime.KeepAlive(f.vector)
		switch {
		case errno == 0 && n == 0:
			f.n, f.err = 0, io.ErrShortWrite
		case errno == 0:
			f.n, f.err = int(n), nil
		case errors.Is(errno, unix.EINTR):
			continue
		default:
			f.n, f.err = 0, errno
		}
		return
	}
}
