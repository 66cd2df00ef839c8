package vod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/bmff"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

// An mp4File is an MP4 file as a File: one video and one audio track of it.
type mp4File struct {
	f        handle
	tracks   []*movieTrack
	cursors  []tableCursor // of the tracks of a file with tables
	frags    *fragments    // of a fragmented one; else nil
	heads    []*sample     // the next sample of each track; nil: not read yet
	ended    []bool
	base     int64 // ms that all timestamps are moved by, so that none is below 0
	duration uint32
	headers  []flv.FileTag
	metadata []byte
	body     []byte
}

// openMP4 begins to read an MP4 file. vindex and aindex of args choose the tracks,
// counted from 0, as at nginx-rtmp.
func openMP4(f handle, args url.Values) (*mp4File, error) {
	size := f.Size()
	var moov box
	for at, n := int64(0), 0; moov.Kind != "moov"; n++ {
		b, err := bmff.At(f, at, size)
		switch {
		case n == maxBoxes:
			return nil, errors.New("it has too many boxes")
		case errors.Is(err, io.EOF):
			return nil, errors.New("it has no box \"moov\": it is no MP4 file, or is not complete")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errors.New("it has no box \"moov\": it is cut off, or no MP4 file")
		case err != nil:
			return nil, err
		}
		moov, at = b, b.End
	}
	m, err := readMovie(f, moov)
	if err != nil {
		return nil, err
	}
	v := &mp4File{f: f, duration: m.duration}
	for _, choice := range []struct {
		kind media.Kind
		arg  string
	}{{media.Video, "vindex"}, {media.Audio, "aindex"}} {
		if t := m.choose(choice.kind, args.Get(choice.arg)); t != nil {
			v.tracks = append(v.tracks, t)
		}
	}
	if len(v.tracks) == 0 {
		return nil, errors.New(strings.Join(append([]string{"it has no track that goes over RTMP"}, m.others...), ", "))
	}
	v.begin(m, moov)
	return v, nil
}

// choose is the track of a kind that arg names.
func (m *movie) choose(kind media.Kind, arg string) *movieTrack {
	index, err := strconv.Atoi(arg)
	if err != nil {
		index = 0
	}
	for _, t := range m.tracks {
		if t.kind != kind {
			continue
		}
		if index == 0 {
			return t
		}
		index--
	}
	return nil
}

func (v *mp4File) begin(m movie, moov box) {
	v.heads, v.ended = make([]*sample, len(v.tracks)), make([]bool, len(v.tracks))
	samples := false
	for _, t := range v.tracks {
		v.base = max(v.base, -t.shift)
		samples = samples || t.tables.samples > 0
		if h, ok := t.header(); ok {
			v.headers = append(v.headers, h)
		}
	}
	if m.fragmented && !samples {
		v.frags = &fragments{r: v.f, size: v.f.Size, tracks: v.tracks, first: moov.End, at: moov.End, queues: make([][]sample, len(v.tracks))}
	} else {
		v.cursors = make([]tableCursor, len(v.tracks))
		for i, t := range v.tracks {
			v.cursors[i] = tableCursor{tables: &t.tables}
		}
	}
	v.metadata = v.describe()
}

// describe makes the onMetaData.
func (v *mp4File) describe() []byte {
	a := amf.ECMAArray{{Name: "duration", Value: float64(v.duration) / 1000}}
	id := func(t *movieTrack) float64 {
		if t.legacy != 0 {
			return float64(t.legacy)
		}
		return float64(t.fourCC)
	}
	for _, t := range v.tracks {
		if t.kind == media.Audio {
			a = append(a, amf.Property{Name: "audiocodecid", Value: id(t)})
			if t.track.SampleRate > 0 {
				a = append(a, amf.Property{Name: "audiosamplerate", Value: float64(max(t.track.SampleRate, t.track.OutputRate))}, amf.Property{Name: "stereo", Value: t.track.Channels > 1})
			}
			continue
		}
		a = append(a, amf.Property{Name: "videocodecid", Value: id(t)})
		if t.track.Width > 0 {
			a = append(a, amf.Property{Name: "width", Value: float64(t.track.Width)}, amf.Property{Name: "height", Value: float64(t.track.Height)})
		}
		if t.track.FrameRate > 0 {
			a = append(a, amf.Property{Name: "framerate", Value: t.track.FrameRate})
		}
	}
	return message(a)
}

// Metadata implements File.
func (v *mp4File) Metadata() []byte { return v.metadata }

// Headers implements File.
func (v *mp4File) Headers() []flv.FileTag { return v.headers }

// Duration implements File.
func (v *mp4File) Duration() uint32 { return v.duration }

// Size implements File.
func (v *mp4File) Size() int64 { return v.f.Size() }

// Close implements File.
func (v *mp4File) Close() error { return v.f.Close() }

// Next implements File.
func (v *mp4File) Next() (flv.FileTag, error) {
	if err := v.fill(); err != nil {
		return flv.FileTag{}, err
	}
	lead := -1
	for i, h := range v.heads {
		if h != nil && (lead < 0 || v.timestamp(i) < v.timestamp(lead)) {
			lead = i
		}
	}
	if lead < 0 {
		return flv.FileTag{}, io.EOF
	}
	tag, err := v.read(lead)
	if !errors.Is(err, io.EOF) { // else the frame comes when the file has grown
		v.heads[lead] = nil
	}
	return tag, err
}

// timestamp is that of the next sample of a track, in ms.
func (v *mp4File) timestamp(i int) int64 {
	t := v.tracks[i]
	return max(t.ms(v.heads[i].dts)+t.shift+v.base, 0)
}

// fill reads the next sample of each track that has one.
func (v *mp4File) fill() error {
	if v.frags != nil {
		return v.fillFragments()
	}
	for i := range v.heads {
		if v.heads[i] != nil || v.ended[i] {
			continue
		}
		s, err := v.cursors[i].next()
		if errors.Is(err, io.EOF) {
			v.ended[i] = true
			continue
		}
		if err != nil {
			return err
		}
		v.heads[i] = &s
	}
	return nil
}

func (v *mp4File) fillFragments() error {
	for {
		some := false
		for i, q := range v.frags.queues {
			if v.heads[i] == nil && len(q) > 0 {
				v.heads[i], v.frags.queues[i] = &q[0], q[1:]
			}
			some = some || v.heads[i] != nil
		}
		if some {
			return nil
		}
		if err := v.frags.load(); err != nil {
			return err
		}
	}
}

// read makes the message of the next sample of a track.
func (v *mp4File) read(i int) (flv.FileTag, error) {
	t, s := v.tracks[i], v.heads[i]
	at := v.timestamp(i)
	tag := flv.FileTag{Type: flv.TagVideo, Timestamp: uint32(at)}
	if t.kind == media.Audio {
		tag.Type = flv.TagAudio
	}
	if s.size > maxSample {
		return tag, fmt.Errorf("it has a frame of %d bytes", s.size)
	}
	pts := int64(s.dts) + int64(s.cts)
	cts := int64(0)
	if pts > 0 {
		cts = t.ms(uint64(pts)) - t.ms(s.dts)
	}
	head := t.appendHead(v.body[:0], s.sync, int32(max(min(cts, 1<<23-1), -1<<23)))
	n := len(head) + int(s.size)
	if n > cap(head) {
		if s.at+int64(s.size) > v.Size() { // before memory is taken for it
			return tag, v.cutOff()
		}
		head = append(make([]byte, 0, n), head...)
	}
	body := head[:n]
	if n <= maxKept {
		v.body = body
	}
	if _, err := v.f.ReadAt(body[len(head):], s.at); err != nil {
		if errors.Is(err, io.EOF) {
			err = v.cutOff()
		}
		return tag, err
	}
	tag.Body = body
	return tag, nil
}

// cutOff is the error of a frame behind the end of the file. A fragmented file is being
// written: that is its end so far.
func (v *mp4File) cutOff() error {
	if v.frags != nil {
		return io.EOF
	}
	return errShort("a frame")
}

// Seek implements File.
func (v *mp4File) Seek(ctx context.Context, ms uint32) error {
	clear(v.heads)
	clear(v.ended)
	lead := v.tracks[0] // the video, if there is one
	to := func(t *movieTrack, ms int64) uint64 { return t.ticks(uint64(max(ms-t.shift-v.base, 0))) }
	if v.frags != nil {
		err := v.frags.seek(ctx, 0, to(lead, int64(ms)))
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	if lead.tables.samples == 0 {
		return nil
	}
	if err := v.cursors[0].seek(ctx, to(lead, int64(ms))); err != nil {
		return err
	}
	from := lead.ms(v.cursors[0].dts) + lead.shift + v.base
	for i, t := range v.tracks[1:] {
		c := &v.cursors[i+1]
		if t.tables.samples == 0 {
			continue
		}
		if err := c.seek(ctx, to(t, from)); err != nil {
			return err
		}
	}
	return nil
}
