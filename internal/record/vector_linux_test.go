package record

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// All pieces are written in their order, however many and whatever their sizes, and
// nothing is allocated for that.
func TestVectorsAreWrittenWhole(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := withVectors(f)
	var pieces [][]byte
	for i := range 3*maxVector + 5 {
		pieces = append(pieces, bytes.Repeat([]byte{byte(i)}, i%700))
	}
	want := slices.Concat([]byte("abc"), slices.Concat(pieces...))
	if _, err := f.WriteString("abcdef"); err != nil {
		t.Fatal(err)
	}
	if err := v.WriteVectorAt(slices.Clone(pieces), 3); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
	}
	few := pieces[600:640]
	scratch := make([][]byte, len(few))
	if n := testing.AllocsPerRun(100, func() {
		copy(scratch, few)
		if err := v.WriteVectorAt(scratch, 0); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if err := v.WriteVectorAt([][]byte{nil, {}}, 0); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

// What a call did not take is written by the next one.
func TestTheRestOfAVector(t *testing.T) {
	t.Parallel()
	whole := [][]byte{[]byte("ab"), nil, []byte("c"), []byte("defg"), {}}
	for n := range 7 {
		v := behind(slices.Clone(whole), n)
		if got, want := string(slices.Concat(v...)), "abcdefg"[n:]; got != want {
			t.Errorf("behind %d bytes: %q, want %q", n, got, want)
		}
	}
}

func TestVectorsThatCannotBeWrittenSaySo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	v := withVectors(f)
	if err := v.WriteVectorAt([][]byte{{1}}, 0); !errors.Is(err, syscall.EBADF) {
		t.Errorf("a file that is open for reading: %v", err)
	}
	f.Close()
	if err := v.WriteVectorAt([][]byte{{1}}, 0); err == nil {
		t.Errorf("a closed file: %v", err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := withVectors(full).WriteVectorAt([][]byte{{1}, {2}}, 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
}
