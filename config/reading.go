package config

import (
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// A Reading is what files held at one moment, by path. A directory stands for the
// names of its *.hcl files.
type Reading map[string]content

// content is a digest of a file. One that is missing or can't be read has a digest
// too, and no size.
type content struct {
	size int
	sum  [sha256.Size]byte
}

// Read reads the files and directories, and the *.hcl files of the directories.
func Read(paths []string) Reading {
	r := make(Reading)
	for _, path := range paths {
		if _, done := r[path]; done {
			continue
		}
		if fi, err := os.Stat(path); err != nil || !fi.IsDir() {
			_, _ = r.file(path)
			continue
		}
		names, _ := r.directory(path)
		for _, name := range names {
			_, _ = r.file(name)
		}
	}
	return r
}

// Paths are the files and directories, sorted.
func (r Reading) Paths() []string { return slices.Sorted(maps.Keys(r)) }

// Equal reports whether both hold the same.
func (r Reading) Equal(o Reading) bool { return maps.Equal(r, o) }

// Shrunk reports whether a file has become shorter since old, or is gone.
func (r Reading) Shrunk(old Reading) bool {
	for path, was := range old {
		if r[path].size < was.size {
			return true
		}
	}
	return false
}

// file reads a text file and notes what it holds.
func (r Reading) file(path string) ([]byte, error) {
	data, err := readRegular(path)
	return r.note(path, data, err)
}

func (r Reading) note(path string, data []byte, err error) ([]byte, error) {
	path = AbsPath(path)
	if err != nil {
		r[path] = content{sum: sha256.Sum256([]byte(pathCause(err).Error()))}
		return nil, err
	}
	r[path] = content{len(data), sha256.Sum256(data)}
	return value.PlainText(data)
}

// directory lists the *.hcl files of a directory and notes their names.
func (r Reading) directory(dir string) ([]string, error) {
	names, err := configNames(dir)
	r[AbsPath(dir)] = content{sum: sha256.Sum256([]byte(strings.Join(names, "\x00")))}
	return names, err
}

// readRegular reads a regular file of bounded size: a config that names a
// device or a pipe must not hang the server.
func readRegular(path string) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

// readIn is readRegular for a name that must not lead out of dir.
func readIn(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fi, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f)
}

var errNotRegular = errors.New("not a regular file")

const maxFile = 1 << 20 // bytes of a config file, and of one that it names

func readBounded(f io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("larger than 1 MiB")
	}
	return data, err
}
