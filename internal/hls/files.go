package hls

import (
	"bytes"
	"compress/gzip"
	"hash/fnv"
	"strconv"
	"sync"
	"time"
)

// liveFile describes a segment or key for Lookup.
func liveFile(rec record, size int64, mod time.Time, maxAge time.Duration) File {
	kind := Segment
	if rec.Kind == kindKey {
		kind = Key
	}
	return File{
		App: rec.App, Stream: rec.Stream, Kind: kind, Size: size, ModTime: mod,
		// Never immutable: a name may be used again long after its file has gone.
		MaxAge: maxAge,
		ETag:   `"` + strconv.FormatInt(size, 16) + "-" + strconv.FormatInt(mod.UnixNano(), 16) + `"`,
	}
}

// livePlaylist describes a playlist for Lookup; target in seconds, 0 unknown.
func (d *Directory) livePlaylist(rec record, body []byte, mod time.Time, target int) File {
	kind := Playlist
	if rec.Kind == kindMaster {
		kind = Master
	}
	h := fnv.New64a()
	_, _ = h.Write(body)
	return File{
		App: rec.App, Stream: rec.Stream, Kind: kind,
		Body: body, Gzip: d.gzip.compress(body), Size: int64(len(body)), ModTime: mod,
		// RFC 8216 §6.3.4: players poll after one target duration, or half
		// of one if nothing changed; a cache must not hold it longer. 0: at
		// all.
		MaxAge: time.Duration(target/2) * time.Second,
		Target: time.Duration(target) * time.Second,
		ETag:   `"` + strconv.FormatUint(h.Sum64(), 16) + `"`,
	}
}

// A gzipper compresses playlists; its tables (most of a megabyte) are shared by
// the directory's streams.
type gzipper struct {
	mu  sync.Mutex
	w   *gzip.Writer
	buf bytes.Buffer
}

func (g *gzipper) compress(b []byte) []byte {
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
