package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/clip"
	"github.com/rtmpd/rtmpd/internal/fdlimit"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// clipName is what a viewer asks for in the place of a stream's playlist: NAME/clip.mp4
// is made of the segments of NAME.m3u8, or NAME/index.m3u8.
const clipName = "/clip.mp4"

const (
	defaultClip = 30 * time.Second
	maxClip     = 24 * time.Hour
)

// clipOf returns the playlist that a clip is to be made of.
func (x *exchange) clipOf(m *mount, in string) (list segstore.File, name string, ok bool) {
	stream, is := strings.CutSuffix(in, clipName)
	if !is || stream == "" || x.site.deps.Live == nil {
		return list, "", false
	}
	for _, name := range []string{stream + "-dvr.m3u8", stream + "/dvr.m3u8", stream + ".m3u8", stream + "/index.m3u8"} {
		if list, ok = x.lookup(m, name); ok {
			return list, name, true
		}
	}
	return list, "", false
}

// lookup finds a live playlist in a mount.
func (x *exchange) lookup(m *mount, name string) (f segstore.File, ok bool) {
	f, ok = x.site.deps.Live.Lookup(strings.TrimSuffix(m.dir, "/") + "/" + name)
	return f, ok && (f.Kind == segstore.Playlist || f.Kind == segstore.Master)
}

// serveClip answers with an MP4 of a part of the stream that has the given playlist.
// Whoever may have the playlist may have it.
func (x *exchange) serveClip(l *location, urlPath string, m *mount, list *segstore.File, name string) {
	pick, err := clipWindow(x.r.URL.RawQuery)
	if err != nil {
		x.fail(l, http.StatusBadRequest, err.Error())
		return
	}
	if x.site.deps.Audience != nil {
		if _, _, ok := x.admitOnce(l, urlPath, list); !ok {
			return
		}
	}
	open := func(file string) (clip.File, int64, error) {
		at := path.Join(path.Dir(name), file)
		if !fs.ValidPath(at) {
			return nil, 0, fs.ErrInvalid
		}
		f, fi, err := m.open(at, time.Now())
		if err != nil {
			return nil, 0, err
		}
		return f, fi.Size(), nil
	}
	all := x.clipSegments(m, list, name)
	c, err := clip.New(pick(all), open)
	switch {
	case errors.Is(err, clip.ErrNothing) && len(all) > 0 && !all[0].Date.IsZero():
		last := &all[len(all)-1]
		x.fail(l, http.StatusNotFound, fmt.Sprintf("%v: there is from=%s to=%s", err, all[0].Date.UTC().Format(clipTime), last.Date.Add(last.Duration).UTC().Format(clipTime)))
		return
	case errors.Is(err, clip.ErrNothing):
		x.fail(l, http.StatusNotFound, err.Error())
		return
	case errors.Is(err, clip.ErrCoded):
		x.fail(l, http.StatusNotImplemented, err.Error())
		return
	case errors.Is(err, fdlimit.Error{}):
		x.fail(l, http.StatusServiceUnavailable, "")
		return
	case err != nil:
		x.openFailed(l, urlPath, err)
		return
	}
	h := x.Header()
	h["Content-Type"] = []string{"video/mp4"}
	h["Content-Disposition"] = []string{`inline; filename="clip.mp4"`}
	h["Cache-Control"] = cacheNoStore
	l.setExtra(h)
	x.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead {
		return
	}
	if err := c.Write(x); err != nil {
		if x.r.Context().Err() == nil && x.site.warned.first("clip "+urlPath) {
			x.site.log.Info("clip not sent to its end", zap.String("path", urlPath), zap.Error(err))
		}
		panic(http.ErrAbortHandler) // the viewer is to know that it is not whole
	}
}

// clipTime is how dates are written, as from and to take them.
const clipTime = "2006-01-02T15:04:05.000Z"

// clipSegments are those of a playlist, or of the first rendition that it names.
func (x *exchange) clipSegments(m *mount, list *segstore.File, name string) []clip.Segment {
	if list.Kind == segstore.Playlist {
		return clip.Read(list.Body, 0)
	}
	dir := path.Dir(name)
	read := func(file string, kind int) []clip.Segment {
		if file == "" {
			return nil
		}
		f, ok := x.lookup(m, path.Join(dir, file))
		if !ok || f.Kind != segstore.Playlist {
			return nil
		}
		all := clip.Read(f.Body, kind)
		for i := range all { // relative to name
			all[i].Files[kind] = path.Join(path.Dir(file), all[i].Files[kind])
			if all[i].Init[kind] != "" {
				all[i].Init[kind] = path.Join(path.Dir(file), all[i].Init[kind])
			}
		}
		return all
	}
	video, audio := clip.Playlists(list.Body)
	return clip.Beside(read(video, 0), read(audio, 1))
}

// clipWindow reads ?last=30s or ?from=…&to=…. Other parameters are not its own.
func clipWindow(query string) (pick func([]clip.Segment) []clip.Segment, err error) {
	if len(query) > maxQuery {
		return nil, errors.New("the query is too long")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the query can't be read")
	}
	last, from, to := values.Get("last"), values.Get("from"), values.Get("to")
	if last != "" && (from != "" || to != "") {
		return nil, errors.New("write last, or from and to")
	}
	if from == "" && to == "" {
		d := defaultClip
		if last != "" {
			if d, err = clipDuration(last); err != nil {
				return nil, err
			}
		}
		return func(all []clip.Segment) []clip.Segment { return clip.Last(all, d) }, nil
	}
	begin, err := clipDate("from", from)
	if err != nil {
		return nil, err
	}
	end, err := clipDate("to", to)
	if err != nil {
		return nil, err
	}
	if d := end.Sub(begin); d <= 0 || d > maxClip {
		return nil, errors.New("to is after from, by a day at most")
	}
	return func(all []clip.Segment) []clip.Segment { return clip.Between(all, begin, end) }, nil
}

func clipDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if n, e := strconv.ParseUint(s, 10, 32); e == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 || d > maxClip {
		return 0, errors.New("last is a time as 30s or 5m, and a day at most")
	}
	return d, nil
}

// clipDate reads a date: RFC 3339, or seconds since 1970.
func clipDate(name, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(s, " ", "+")); err == nil {
		return t, nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 0 && f < 1<<33 {
		return time.UnixMilli(int64(f * 1000)), nil
	}
	return time.Time{}, fmt.Errorf("%s is a date as 2026-11-30T20:15:00Z, or seconds since 1970", name)
}
