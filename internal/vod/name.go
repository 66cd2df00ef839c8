package vod

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

const maxName = 255 // bytes; nginx-rtmp's limit

// CheckName is the door for the names of files: parts between single slashes that do
// not begin with a dot, without control characters and backslashes. What passes can't
// leave a directory or name a hidden file in it. The error does not hold the name.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the file name is empty")
	case len(name) > maxName:
		return fmt.Errorf("the file name is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return errors.New("the file name is not UTF-8")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return errors.New("a part of the file name is empty or starts with a dot")
		}
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '\\' {
			return errors.New("the file name holds a control character or a backslash")
		}
	}
	return nil
}

// A Format is how a file is read.
type Format string

// The formats. Unset: the name's extension decides, or else FLV, as at nginx-rtmp.
const (
	FLV Format = "flv"
	MP4 Format = "mp4"
)

// formatOf is the format of an extension; empty: none of ours.
func formatOf(name string) Format {
	switch strings.ToLower(path.Ext(name)) {
	case ".flv":
		return FLV
	case ".mp4", ".m4v", ".m4a", ".mov":
		return MP4
	}
	return ""
}

// A candidate is a file that a name may mean.
type candidate struct {
	name   string
	format Format
}

// candidates are the files that name may mean, the likeliest first. prefix is what
// stood before a colon in front of it. A name without extension gets .flv, or .mp4
// where the prefix says so (nginx-rtmp), and may be a file as it is or have the other
// extension.
func candidates(name string, prefix Format) []candidate {
	format := formatOf(name)
	if prefix == MP4 {
		format = MP4
	}
	if formatOf(name) != "" {
		return []candidate{{name, format}}
	}
	if prefix == MP4 {
		return []candidate{{name + ".mp4", MP4}, {name, MP4}, {name + ".flv", FLV}}
	}
	return []candidate{{name + ".flv", FLV}, {name + ".mp4", MP4}, {name, FLV}}
}
