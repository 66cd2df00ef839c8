// Package vod reads media files as the RTMP messages that they are played as: FLV and
// MP4, from directories and over HTTP.
//
//	Library.Open(name) ──► File ──Headers, Next, Seek──► messages
//
// A File belongs to one player. What it holds of the file does not depend on the
// file's length. Nothing in a file is relied upon.
package vod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rtmpd/rtmpd/internal/flv"
)

// A File is a media file open for one player. It belongs to one goroutine.
type File interface {
	// Metadata is the onMetaData message; nil: none.
	Metadata() []byte
	// Headers are the sequence headers that a decoder needs for what Next returns.
	Headers() []flv.FileTag
	// Next returns the next message, whose Body is valid until the next call. The
	// error is io.EOF at the end of what there is.
	Next() (flv.FileTag, error)
	// Seek has Next go on at the last keyframe that is not behind ms; without
	// video at the last sound. What is behind the end is the end's last keyframe.
	Seek(ctx context.Context, ms uint32) error
	// Duration is in ms; 0: not known.
	Duration() uint32
	// Size is in bytes.
	Size() int64
	// Close closes the file.
	Close() error
}

// A Library is where the files of an application are.
type Library struct {
	// Sources are directories, and URLs of http or https, in the order in which
	// files are looked for.
	Sources []string
	// TempPath is where files are while they are fetched; empty: the system's
	// directory for temporary files. LocalPath is where they are kept; empty: nowhere.
	TempPath, LocalPath string
	// Fetcher fetches what is behind URLs.
	Fetcher *Fetcher
}

// A Request is what a player asks for.
type Request struct {
	Name   string
	Prefix Format     // before a colon in front of the name; empty: none
	Args   url.Values // behind the ? of the name
	// RawArgs is the same as text, and Address the player's: HTTP sources get them.
	RawArgs, Address string
	// Fetching is called before a file is fetched, which may take minutes; Away
	// reports whether the player has left meanwhile. Both may be nil.
	Fetching func()
	Away     func() bool
}

// ErrNotFound says that no source has the file.
var ErrNotFound = errors.New("video on demand stream not found")

// Open opens the first file that r may mean. The error wraps ErrNotFound where no
// source has one; else the file is there and can't be played.
func (l *Library) Open(ctx context.Context, r Request) (File, string, error) {
	if err := CheckName(r.Name); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	why := ErrNotFound
	for _, source := range l.Sources {
		for _, c := range candidates(r.Name, r.Prefix) {
			f, err := l.find(ctx, source, c, r)
			if err != nil {
				if !missing(err) {
					why = fmt.Errorf("%w: %w", ErrNotFound, err)
				}
				continue
			}
			out, err := read(f, c.format, r.Args)
			if err != nil {
				f.Close()
				return nil, c.name, fmt.Errorf("%s can't be played: %w", c.name, err)
			}
			return out, c.name, nil
		}
	}
	return nil, "", why
}

// missing reports whether err says no more than that there is no such file.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR)
}

// find opens the file of a candidate in one source.
func (l *Library) find(ctx context.Context, source string, c candidate, r Request) (handle, error) {
	if remote(source) {
		return l.Fetcher.fetch(ctx, l, source, c.name, r)
	}
	f, err := openIn(source, c.name)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func remote(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// CheckSource returns an error for a directory that can't be opened. Of URLs it knows
// nothing.
func CheckSource(source string) error {
	if remote(source) {
		return nil
	}
	root, err := os.OpenRoot(source)
	if err != nil {
		return err
	}
	return root.Close()
}

// Has reports whether a directory has the file that r may mean. Nothing is fetched.
func (l *Library) Has(r Request) bool {
	if CheckName(r.Name) != nil {
		return false
	}
	for _, source := range l.Sources {
		for _, c := range candidates(r.Name, r.Prefix) {
			dir := source
			if remote(source) {
				dir = l.LocalPath
			}
			if dir == "" {
				continue
			}
			if f, err := openIn(dir, c.name); err == nil {
				f.Close()
				return true
			}
		}
	}
	return false
}

// OpenFile opens a file that a configuration names.
func OpenFile(path string) (File, error) {
	f, err := openIn(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return nil, err
	}
	out, err := read(osFile{f}, formatOf(path), nil)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// openIn opens a regular file below dir. Symbolic links are followed as long as they
// stay below it.
func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold the player up
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, err
	case st.IsDir():
		f.Close()
		return nil, syscall.EISDIR
	case !st.Mode().IsRegular():
		f.Close()
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	return f, nil
}

// A handle is an open file, which may grow.
type handle interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

type osFile struct{ *os.File }

// Size implements handle.
func (f osFile) Size() int64 {
	st, err := f.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// read begins to read f.
func read(f handle, format Format, args url.Values) (File, error) {
	if format == "" {
		format = FLV
	}
	if format == MP4 {
		return openMP4(f, args)
	}
	return openFLV(f)
}

// cutOff makes the end of a file in the middle of something the end of the file: it
// is being written, or was cut off by a crash.
func cutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
