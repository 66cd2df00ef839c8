package origin

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// A publisher may send its picture in several sizes (Enhanced RTMP multitrack). Each video
// track is then a rung of a ladder: HLS and DASH have a packager for each, which reads the
// stream's own packets. Everything else sees track 0 alone.
//
//	NAME.m3u8            names the renditions that have track 0's orientation
//	NAME_720p.m3u8       one of them, 720 pictures elements high
//	NAME-vertical.m3u8   names those that are upright, beside a track 0 that is not

// A rung is one rendition, as its blocks have it.
type rung struct {
	Stream string // what is published
	Base   string // the name of the set that it is in: NAME or NAME-vertical
	Suffix string // what its own name has beyond that: _720p
	Index  int    // its place in the set
}

// name begins the names of its files.
func (r rung) name() string { return r.Base + r.Suffix }

// label tells the rung's outputs from others of the stream.
func (r rung) label() string {
	return strings.TrimLeft(strings.TrimPrefix(r.name(), r.Stream), "_-")
}

// rungsOf names the renditions of a stream: by their height, and those that another one
// of that height precedes by a number as well. Its result depends on nothing but all.
func rungsOf(stream string, all []media.Rendition) []rung {
	out := make([]rung, 0, len(all))
	for i, r := range all {
		x := rung{Stream: stream, Base: stream, Suffix: "_" + strconv.Itoa(r.Track.Height) + "p", Index: i}
		switch upright, first := upright(r.Track), upright(all[0].Track); {
		case upright && !first:
			x.Base += "-vertical"
		case first && !upright:
			x.Base += "-horizontal"
		}
		same := 1
		for j := range i {
			if all[j].Track.Height == r.Track.Height && out[j].Base == x.Base {
				same++
			}
		}
		if same > 1 {
			x.Suffix += strconv.Itoa(same)
		}
		out = append(out, x)
	}
	return out
}

func upright(t *media.Track) bool { return t.Height > t.Width }

// renditionsAt are those that the publisher of p, a video packet, has; none if nothing
// can be said.
func renditionsAt(p *media.Packet) []media.Rendition {
	if p.Extra != nil && p.Extra.Renditions != nil {
		return p.Extra.Renditions
	}
	if p.Track.ID == 0 && p.Track.Height > 0 {
		return []media.Rendition{{Track: p.Track}}
	}
	return nil
}

// followLadder makes the outputs those of p's renditions. Once a stream is a ladder it
// stays one, because its playlist is another kind of playlist. write is held, and nobody
// has seen p.
func (st *Stream) followLadder(p *media.Packet) {
	if p.Track.Kind != media.Video || p.Extra == st.extra && st.extraKnown {
		return
	}
	several := p.Extra != nil && p.Extra.Renditions != nil
	all := renditionsAt(p)
	if all == nil {
		return
	}
	st.extra, st.extraKnown = p.Extra, true
	if !several && len(st.outputs.ladder()) == 0 {
		return
	}
	carries := mpegts.Supports
	if st.fragmented() {
		carries = mp4.Supports
	}
	rungs := rungsOf(st.name, all)
	for i := len(all) - 1; i >= 0; i-- {
		if !carries(all[i].Track) {
			rungs = slices.Delete(rungs, i, i+1)
		}
	}
	if len(rungs) > 0 && st.outputs.setLadder(rungs) {
		names := make([]string, len(rungs))
		for i := range rungs {
			names[i] = rungs[i].name()
		}
		st.log().Info("renditions of a multitrack publisher", zap.Strings("renditions", names))
		st.outputs.apply(st.app.Config(st.name))
	}
}

// ladders are what the outputs of a stream's rungs share, by the kind of output.
type ladders struct {
	mu  sync.Mutex
	all map[string]*packager.Ladder
}

func (l *ladders) of(kind string) *packager.Ladder {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = make(map[string]*packager.Ladder)
	}
	if l.all[kind] == nil {
		l.all[kind] = new(packager.Ladder)
	}
	return l.all[kind]
}

// A rungSource reads the packets of one rung of a stream: its pictures and the stream's
// sound. It is a packager.Source.
type rungSource struct {
	cur    *live.Cursor
	stream string
	label  string

	extra *media.Extra // of the newest picture
	known bool         // extra is one
	id    int          // of the rung's track; -1: there is none
}

func newRungSource(cur *live.Cursor, r rung) *rungSource {
	return &rungSource{cur: cur, stream: r.Stream, label: r.label(), id: -1}
}

// Next implements packager.Source.
func (s *rungSource) Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error) {
	for n == 0 && skipped == 0 && err == nil {
		n, skipped, err = s.cur.Next(ctx, buf)
		n = s.pick(buf[:n])
	}
	return n, skipped, err
}

// TryNext implements packager.Source.
func (s *rungSource) TryNext(buf []*media.Packet) (n int, skipped uint64, err error) {
	for n == 0 && skipped == 0 && err == nil {
		if n, skipped, err = s.cur.TryNext(buf); n == 0 {
			break
		}
		n = s.pick(buf[:n])
	}
	return n, skipped, err
}

// pick leaves the rung's packets in buf, and returns how many those are.
func (s *rungSource) pick(buf []*media.Packet) (n int) {
	for _, p := range buf {
		if p = s.take(p); p != nil {
			buf[n] = p
			n++
		}
	}
	clear(buf[n:])
	return n
}

// take is what p has of the rung; nil: nothing.
func (s *rungSource) take(p *media.Packet) *media.Packet {
	if p.Track.Kind == media.Audio && p.Track.ID == 0 {
		return p
	}
	if p.Track.Kind != media.Video {
		return nil
	}
	if !s.known || p.Extra != s.extra {
		if all := renditionsAt(p); all != nil {
			s.extra, s.known, s.id = p.Extra, true, -1
			for i, r := range rungsOf(s.stream, all) {
				if r.label() == s.label {
					s.id = int(all[i].ID)
				}
			}
		}
	}
	if s.id == 0 {
		if p.Track.ID == 0 {
			return p
		}
		return nil
	}
	for f := p.Other; f != nil; f = f.Next {
		if int(f.ID) == s.id {
			return &media.Packet{
				Track: f.Track, DTS: p.DTS, CTS: f.CTS, Epoch: p.Epoch, Timestamp: p.Timestamp,
				Keyframe: f.Keyframe, Disposable: f.Disposable, Continues: f.Continues, Data: f.Data,
			}
		}
	}
	return nil
}

// rungBusyLocked refuses a name that a rendition, or a set of them, of another stream
// has. app.mu is held.
func (a *Application) rungBusyLocked(name string) error {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] != '_' && name[i] != '-' {
			continue
		}
		if st := a.streams[name[:i]]; st != nil && st.outputs.hasRung(name) {
			return &busyError{"it is the name of a rendition of the stream " + strconv.Quote(st.name)}
		}
	}
	return nil
}
