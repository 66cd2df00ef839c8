package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
)

// lists reports whether the recorder's files are listed.
func (r *Recorder) lists() bool {
	return keeps(r.cfg) || publishes(r.cfg) || r.o.List != nil && r.o.List()
}

// publishes reports whether others can see what there is of recordings.
func publishes(cfg *config.Record) bool { return cfg.Index != "" || cfg.Playlist != "" }

// An indexEntry is a finished recording in an index.
type indexEntry struct {
	File     string  `json:"file"` // below the directory of the index
	App      string  `json:"app"`
	Stream   string  `json:"stream"`
	Recorder string  `json:"recorder"`
	Began    string  `json:"began"` // RFC 3339
	Ended    string  `json:"ended"`
	Duration float64 `json:"duration"` // s
	Bytes    int64   `json:"bytes"`
}

// Publish writes the index and the playlists of a recorder, as far as what they say has
// changed: of recordings that are finished, and still there.
func (s *Store) Publish(cfg *config.Record, app string) error {
	if !publishes(cfg) {
		return nil
	}
	s.ledgers.Lock()
	defer s.ledgers.Unlock()
	root, err := os.OpenRoot(string(cfg.Path))
	if err != nil {
		return ignoreMissing(err)
	}
	defer root.Close()
	all, lines, err := readLedger(root)
	if err != nil {
		return ignoreMissing(err)
	}
	var done []listed
	for name, e := range all {
		if e.Ended == 0 || s.isOpen(string(cfg.Path), name) {
			continue
		}
		info, err := root.Lstat(name)
		switch {
		case err == nil && info.Mode().IsRegular() && inode(info) == e.Inode:
			done = append(done, e)
		case err == nil || errors.Is(err, fs.ErrNotExist):
			delete(all, name)
		}
	}
	slices.SortFunc(done, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.Began, b.Began), cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Name, b.Name))
	})
	var errs []error
	if lines > 2*len(all)+64 {
		errs = append(errs, rewriteLedger(root, all))
	}
	if cfg.Index != "" {
		errs = append(errs, writeChanged(root, cfg.Index, indexOf(done)))
	}
	if cfg.Playlist != "" {
		errs = append(errs, publishPlaylists(root, cfg, app, done))
	}
	return errors.Join(errs...)
}

// indexOf is the index of all recordings of a directory, the newest first.
func indexOf(done []listed) []byte {
	out := make([]indexEntry, 0, len(done))
	for _, e := range slices.Backward(done) {
		app, recorder, _ := strings.Cut(e.Owner, "/")
		out = append(out, indexEntry{
			File: e.Name, App: app, Recorder: recorder, Stream: e.Stream, Bytes: e.Size,
			Began: stamp(e.Began), Ended: stamp(e.Ended), Duration: float64(e.Length) / 1000,
		})
	}
	b, err := json.MarshalIndent(map[string]any{"recordings": out}, "", " ")
	if err != nil {
		return []byte("{}\n") // strings and numbers: can't fail
	}
	return append(b, '\n')
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// publishPlaylists writes a playlist for each stream of the recorder.
func publishPlaylists(root *os.Root, cfg *config.Record, app string, done []listed) error {
	byStream := make(map[string][]listed)
	for _, e := range done {
		if e.Owner == owner(app, cfg.Name) && e.Stream != "" && e.Length > 0 && path.Ext(e.Name) == ".ts" {
			byStream[e.Stream] = append(byStream[e.Stream], e)
		}
	}
	var errs []error
	for _, stream := range slices.Sorted(maps.Keys(byStream)) {
		name := expandPath(string(cfg.Playlist), func(p string) string {
			return naming{app: app, stream: stream, cfg: cfg}.value(p, time.Time{})
		})
		err := checkName(name)
		if err == nil {
			err = writeChanged(root, name, playlistOf(name, cfg, byStream[stream]))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// playlistOf is a media playlist (RFC 8216) of recordings in MPEG-TS. Each is an encoding of
// its own to players: its continuity counters begin anew.
func playlistOf(name string, cfg *config.Record, all []listed) []byte {
	// It must not change while players read the playlist: a file ends at the first keyframe
	// after interval.
	target := math.Ceil((cfg.Interval + 10*time.Second).Seconds())
	for _, e := range all {
		target = max(target, math.Ceil(float64(e.Length)/1000))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:%.0f\n#EXT-X-MEDIA-SEQUENCE:%d\n#EXT-X-DISCONTINUITY-SEQUENCE:%[2]d\n", target, all[0].Sequence)
	if !keeps(cfg) {
		b.WriteString("#EXT-X-PLAYLIST-TYPE:EVENT\n")
	}
	for i, e := range all {
		if i > 0 {
			b.WriteString("#EXT-X-DISCONTINUITY\n")
		}
		uri := e.Name
		if rel, err := filepath.Rel(filepath.FromSlash(path.Dir(name)), filepath.FromSlash(e.Name)); err == nil {
			uri = filepath.ToSlash(rel)
		}
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%.3f,\n%s\n", stamp(e.Began), float64(e.Length)/1000, (&url.URL{Path: uri}).String())
	}
	if all[len(all)-1].Over {
		b.WriteString("#EXT-X-ENDLIST\n")
	}
	return b.Bytes()
}

// writeChanged replaces a file, in one step, if it has another content.
func writeChanged(root *os.Root, name string, content []byte) error {
	if old, err := root.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	aside := path.Join(path.Dir(name), "."+path.Base(name)+".new")
	if err := root.WriteFile(aside, content, fileMode); err != nil {
		return errors.Join(err, ignoreMissing(root.Remove(aside)))
	}
	return root.Rename(aside, name)
}

// Latest returns the newest finished recording of a stream that can be played as a
// fallback; empty: there is none.
func (s *Store) Latest(cfg *config.Record, app, stream string) (file string, ended time.Time) {
	s.ledgers.Lock()
	defer s.ledgers.Unlock()
	root, err := os.OpenRoot(string(cfg.Path))
	if err != nil {
		return "", ended
	}
	defer root.Close()
	all, _, err := readLedger(root)
	if err != nil {
		return "", ended
	}
	newest := listed{}
	for name, e := range all {
		if e.Owner != owner(app, cfg.Name) || e.Stream != stream || e.Length == 0 || e.Ended <= newest.Ended || !playable(name) {
			continue
		}
		if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() && inode(info) == e.Inode && !s.isOpen(string(cfg.Path), name) {
			newest = e
		}
	}
	if newest.Name == "" {
		return "", ended
	}
	return filepath.Join(string(cfg.Path), filepath.FromSlash(newest.Name)), time.UnixMilli(newest.Ended)
}

// playable reports whether a file can be a fallback.
func playable(name string) bool {
	return slices.Contains([]string{".flv", ".mp4"}, strings.ToLower(path.Ext(name)))
}

// nextSequence numbers the recordings of a stream: in a playlist none has the number of
// another one, also after a restart.
func (r *Recorder) nextSequence() int64 {
	if r.sequence == 0 {
		r.sequence = r.o.Store.lastSequence(r.cfg, r.o.App, r.o.Stream)
	}
	r.sequence++
	return r.sequence
}

func (s *Store) lastSequence(cfg *config.Record, app, stream string) (last int64) {
	s.ledgers.Lock()
	defer s.ledgers.Unlock()
	root, err := os.OpenRoot(string(cfg.Path))
	if err != nil {
		return 0
	}
	defer root.Close()
	all, _, _ := readLedger(root) // what can't be read has no numbers
	for _, e := range all {
		if e.Owner == owner(app, cfg.Name) && e.Stream == stream {
			last = max(last, e.Sequence)
		}
	}
	return last
}
