package vod

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rtmpd/rtmpd/internal/bmff"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// A memFile is a file in memory.
type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

var _ handle = memFile{}

// fuzzFiles plays files that may be anything, with a seek in between.
func fuzzFiles(f *testing.F, pattern string, format Format) {
	names, err := filepath.Glob("testdata/" + pattern)
	if err != nil || len(names) == 0 {
		f.Fatalf("no files in testdata: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint32(1500))
	}
	f.Fuzz(func(t *testing.T, b []byte, to uint32) {
		fuzztime.Bound(t)
		file, err := read(memFile{bytes.NewReader(b)}, format, nil)
		if err != nil {
			return
		}
		_ = file.Metadata()
		for range 2 {
			for range 500 {
				tag, err := file.Next()
				if err != nil {
					break
				}
				if len(tag.Body) > len(b)+16 {
					t.Fatalf("a message of %d bytes from a file of %d", len(tag.Body), len(b))
				}
			}
			if err := file.Seek(context.Background(), to); err != nil {
				return
			}
			for _, h := range file.Headers() {
				if len(h.Body) > bmff.MaxContent+64 {
					t.Fatalf("a header of %d bytes", len(h.Body))
				}
			}
		}
	})
}

func FuzzMP4(f *testing.F) { fuzzFiles(f, "*.m*", MP4) }

func FuzzFLV(f *testing.F) { fuzzFiles(f, "*.flv", FLV) }

// A file whose tables promise what it does not have costs no memory.
func TestHostileTables(t *testing.T) {
	whole, err := os.ReadFile("testdata/front.mp4")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"stts", "ctts", "stsc", "stsz", "stco", "stss", "elst"} {
		for at := 0; ; {
			i := bytes.Index(whole[at:], []byte(kind))
			if i < 0 {
				break
			}
			at += i + 4
			for off := 4; off <= 12; off += 4 {
				for _, v := range []uint32{0, 1, 0x7fffffff, 0xffffffff} {
					b := bytes.Clone(whole)
					be.PutUint32(b[at+off:], v)
					f, err := read(memFile{bytes.NewReader(b)}, MP4, nil)
					if err != nil {
						continue
					}
					allocated := testing.AllocsPerRun(1, func() {
						for range 200 {
							if _, err := f.Next(); err != nil {
								break
							}
						}
						_ = f.Seek(context.Background(), 1500)
						for range 200 {
							if _, err := f.Next(); err != nil {
								break
							}
						}
					})
					if allocated > 2000 {
						t.Errorf("%s+%d = %#x: %v allocations", kind, off, v, allocated)
					}
				}
			}
		}
	}
}

var _ io.ReaderAt = memFile{}
