package segstore

import (
	"bytes"
	"compress/gzip"
	"hash/fnv"
	"strconv"
	"sync"
	"time"
)

// Kind says what a live file is.
type Kind uint8

// The kinds of live files.
const (
	Playlist Kind = iota // of one stream
	Master               // of the variants of one base name
	Segment
	Key // never to be served by a root location
)

// A File is what HTTP needs to know about one live file.
type File struct {
	App, Stream string
	Dir         string // absolute: where all files of this output are, but for keys kept elsewhere
	Kind        Kind
	// Body is a playlist as it is on disk and Gzip the same compressed; both
	// are shared and immutable. Nil for segments and keys.
	Body, Gzip []byte
	ModTime    time.Time
	ETag       string // with quotes
	MaxAge     time.Duration
	Target     time.Duration // of a playlist: its TARGETDURATION; 0: not known
	Size       int64         // bytes on disk
}

// MediaFile describes a file that is served from the disk.
func (r *Entry) MediaFile(kind Kind, size int64, mod time.Time, maxAge time.Duration) File {
	return File{
		App: r.App, Stream: r.Stream, Kind: kind, Size: size, ModTime: mod,
		// Never immutable: a name may be used again long after its file has gone.
		MaxAge: maxAge,
		ETag:   `"` + strconv.FormatInt(size, 16) + "-" + strconv.FormatInt(mod.UnixNano(), 16) + `"`,
	}
}

// TextFile describes a file that is served from memory.
func (r *Entry) TextFile(kind Kind, body []byte, mod time.Time, g *Gzipper) File {
	h := fnv.New64a()
	_, _ = h.Write(body)
	return File{
		App: r.App, Stream: r.Stream, Kind: kind,
		Body: body, Gzip: g.compress(body), Size: int64(len(body)), ModTime: mod,
		ETag: `"` + strconv.FormatUint(h.Sum64(), 16) + `"`,
	}
}

// A Gzipper compresses playlists; its tables (most of a megabyte) are shared by
// the directory's streams.
type Gzipper struct {
	mu  sync.Mutex
	w   *gzip.Writer
	buf bytes.Buffer
}

func (g *Gzipper) compress(b []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.buf.Reset()
	if g.w == nil {
		g.w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	}
	g.w.Reset(&g.buf)
	_, _ = g.w.Write(b) // into memory: can't fail
	_ = g.w.Close()
	return bytes.Clone(g.buf.Bytes())
}
