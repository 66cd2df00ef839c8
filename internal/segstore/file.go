package segstore

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Kind says what a live file is.
type Kind uint8

// The kinds of live files.
const (
	Playlist Kind = iota + 1 // a media playlist
	Master                   // a multivariant playlist
	Segment                  // a fragment or an initialisation section
	Key                      // a fragment key: never to be served by a root location
	Part                     // a part of a fragment
)

// A File is what HTTP needs to know about a file that an application is writing right
// now. Its bytes are the ones on disk.
type File struct {
	App, Stream string
	Dir         string // the directory of the output, as the configuration spells it; keys may be elsewhere
	Kind        Kind
	Body        []byte        // of playlists: the whole file; shared, never written
	Gzip        func() []byte // of playlists: Body compressed, which is done when it is first asked for; may be nil
	Full        []byte        // of multivariant playlists: with what some players can't do; nil: that is Body
	ModTime     time.Time
	ETag        string        // with quotes; empty: made from size and time of the file
	MaxAge      time.Duration // how long caches may keep it
	Target      time.Duration // of playlists: TARGETDURATION; 0: not known
	Size        int64         // bytes on disk
	Growing     *Growing      // of a segment that is being written: what there is of it
	Low         *Low          // of low-latency playlists: its versions; nil: Body is all there is
	Range       Range         // of parts without Body: where their bytes are
	Lent        *Lent         // what parts and growing segments have their bytes in; nil: in memory of their own
}

// A Lent is memory that files are in for a while. Who lends it may use it again when there are
// other files under their names, if nobody had one of them.
type Lent struct{ had atomic.Bool }

// Had says whether somebody may still read it.
func (l *Lent) Had() bool { return l.had.Load() }

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
	return File{
		App: r.App, Stream: r.Stream, Kind: kind,
		Body: body, Gzip: sync.OnceValue(func() []byte { return g.compress(body) }), Size: int64(len(body)), ModTime: mod,
		ETag: textTag(body),
	}
}

// textTag is the entity tag of a text.
func textTag(body []byte) string {
	return `"` + strconv.FormatUint(xxhash.Sum64(body), 16) + `"`
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
