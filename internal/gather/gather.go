// Package gather collects what is written in one system call (writev, pwritev): bytes of
// one's own, and between them memory of others, which is not copied.
package gather

import (
	"io"
	"slices"
)

// Least is how long memory must be to be shared: a copy of less costs less than one
// more entry in the system call.
const Least = 1 << 10

// A Batch is what one call writes. The zero value is empty and ready for use. It belongs
// to one goroutine at a time.
type Batch struct {
	// Own is the bytes that the batch holds itself: append to it.
	Own []byte

	shared []piece
	size   int // of what is shared, bytes
	vector [][]byte
}

// A piece is memory that is written after Own[:after].
type piece struct {
	after  int
	memory []byte
}

// Share appends p without a copy. It must not change before the batch is written.
func (b *Batch) Share(p []byte) {
	b.shared = append(b.shared, piece{len(b.Own), p})
	b.size += len(p)
}

// Append appends p: a copy if it is short, else p itself, as Share does.
func (b *Batch) Append(p []byte) {
	if len(p) < Least {
		b.Own = append(b.Own, p...)
		return
	}
	b.Share(p)
}

// Precede puts a copy of p in front of all.
func (b *Batch) Precede(p []byte) {
	b.Own = slices.Concat(p, b.Own)
	for i := range b.shared {
		b.shared[i].after += len(p)
	}
}

// Len is how many bytes are written.
func (b *Batch) Len() int { return len(b.Own) + b.size }

// Vector returns all memory in its order, until the batch changes. It is the caller's to
// consume.
func (b *Batch) Vector() [][]byte {
	v, from := b.vector[:0], 0
	for _, p := range b.shared {
		if from < p.after {
			v = append(v, b.Own[from:p.after])
			from = p.after
		}
		v = append(v, p.memory)
	}
	if from < len(b.Own) {
		v = append(v, b.Own[from:])
	}
	b.vector = v
	return v
}

// Reset empties the batch. Its own memory is used again unless it is more than keep
// bytes.
func (b *Batch) Reset(keep int) {
	clear(b.shared)
	clear(b.vector)
	b.Own, b.shared, b.size, b.vector = b.Own[:0], b.shared[:0], 0, b.vector[:0]
	if cap(b.Own) > keep {
		*b = Batch{}
	}
}

// A VectorWriter is a file that writes scattered memory in one call. v is consumed.
type VectorWriter interface {
	WriteVectorAt(v [][]byte, off int64) error
}

// WriteAt writes the batch to f at off: in one call if f is a VectorWriter. The batch is
// not emptied. After an error it is not known how much was written.
func (b *Batch) WriteAt(f io.WriterAt, off int64) error {
	v := b.Vector()
	if to, ok := f.(VectorWriter); ok {
		return to.WriteVectorAt(v, off)
	}
	for _, p := range v {
		n, err := f.WriteAt(p, off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
