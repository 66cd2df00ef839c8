package segstore

import "time"

// A liveFile is a File as it is kept. Long playlists name thousands of files of segments,
// and of those little is known that is not in their entry.
type liveFile struct {
	size, mod int64 // mod: Unix ns
	maxAge    time.Duration
	etag      string
	kind      Kind
	text      *File // all of it; nil: the fields above and the entry are
}

// liveOf keeps f, of a file with an entry.
func liveOf(f File, e *Entry) liveFile {
	plain := f.App == e.App && f.Stream == e.Stream && f.Dir == "" && f.Target == 0 && f.Body == nil && f.Gzip == nil && f.Full == nil &&
		f.Growing == nil && f.Low == nil && f.Lent == nil && f.Range == Range{} && f.ModTime.Equal(time.Unix(0, f.ModTime.UnixNano()))
	if !plain {
		return liveFile{text: &f}
	}
	return liveFile{size: f.Size, mod: f.ModTime.UnixNano(), maxAge: f.MaxAge, etag: f.ETag, kind: f.Kind}
}

// file is what liveOf was given.
func (l *liveFile) file(e *Entry) File {
	if l.text != nil {
		return *l.text
	}
	return File{App: e.App, Stream: e.Stream, Kind: l.kind, ModTime: time.Unix(0, l.mod), ETag: l.etag, MaxAge: l.maxAge, Size: l.size}
}
