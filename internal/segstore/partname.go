package segstore

import (
	"strconv"
	"strings"
)

// A PartName names a part of a segment's file: part 3 of a/7.m4s is a/7.3.m4s. There is no
// file of that name on disk. The zero value names none.
type PartName struct {
	File string // of the segment, with an extension
	Part int    // counted from 0
}

// Append appends the name to b, without the first cut bytes of the file's.
func (p PartName) Append(b []byte, cut int) []byte {
	dot := strings.LastIndexByte(p.File, '.') + 1
	b = append(b, p.File[cut:dot]...)
	b = strconv.AppendInt(b, int64(p.Part), 10)
	b = append(b, '.')
	return append(b, p.File[dot:]...)
}

func (p PartName) String() string { return string(p.Append(nil, 0)) }

// fileOf appends the name of the file that name is a part of, and returns the part's number;
// negative: it is not the name of a part.
func fileOf(b []byte, name string) (file []byte, part int) {
	dot := strings.LastIndexByte(name, '.')
	at := strings.LastIndexByte(name[:max(dot, 0)], '.')
	if at < 0 {
		return nil, -1
	}
	n, ok := partNumber(name[at+1 : dot])
	if !ok {
		return nil, -1
	}
	return append(append(b, name[:at]...), name[dot:]...), n
}

// partNumber reads the number of a part: each has one spelling.
func partNumber(digits string) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 6 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = 10*n + int(digits[i]-'0')
	}
	return n, true
}
