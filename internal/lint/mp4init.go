package lint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/bmff"
	"github.com/rtmpd/rtmpd/internal/media"
)

// An initSection is a Media Initialization Section of fragmented MP4 (RFC 8216 §3.3).
type initSection struct {
	movie  bmff.Movie
	tracks []initTrack
	faults []fault // rule and says
}

// An initTrack is one of its tracks.
type initTrack struct {
	id, scale uint32
	kind      media.Kind
	codec     media.Codec
	name      string // RFC 6381
	about     *media.Track
	encrypted bool
	nalu      int           // bytes of a NAL unit's length
	edit      time.Duration // from which media time on it is shown
}

// edit is that of a track.
func (i *initSection) edit(id uint32) time.Duration {
	for t := range i.tracks {
		if i.tracks[t].id == id {
			return i.tracks[t].edit
		}
	}
	return 0
}

func (i *initSection) fault(rule, format string, args ...any) {
	i.faults = append(i.faults, fault{rule: rule, says: fmt.Sprintf(format, args...)})
}

// readInit reads an initialization section; nil: it can't be used.
func readInit(b []byte) (*initSection, []fault) {
	i := &initSection{}
	r := bytes.NewReader(b)
	var order []string
	err := eachBox(r, int64(len(b)), func(x bmff.Box) error {
		order = append(order, x.Kind)
		switch x.Kind {
		case "ftyp":
			i.brands(r, x)
		case "moov":
			var err error
			if i.movie, err = bmff.ReadMovie(r, x); err != nil {
				return err
			}
			i.movieFaults(r, x)
		}
		return nil
	})
	switch {
	case err != nil:
		i.fault("init", "%v", err)
		return nil, i.faults
	case !slices.Contains(order, "moov"):
		i.fault("init", "it has no box \"moov\"")
		return nil, i.faults
	case slices.Index(order, "ftyp") < 0 || slices.Index(order, "ftyp") > slices.Index(order, "moov"):
		i.fault("init-brand", "no box \"ftyp\" stands before \"moov\"")
	}
	for t := range i.movie.Tracks {
		i.tracks = append(i.tracks, i.readTrack(r, &i.movie.Tracks[t]))
	}
	return i, i.faults
}

// eachBox calls f for the boxes of a file.
func eachBox(r io.ReaderAt, size int64, f func(bmff.Box) error) error {
	for at, n := int64(0), 0; at < size; n++ {
		if n == maxTopBoxes {
			return fmt.Errorf("more than %d boxes", maxTopBoxes)
		}
		b, err := bmff.At(r, at, size)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%d bytes at the end are no box", size-at)
		}
		if err != nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
		at = b.End
	}
	return nil
}

const maxTopBoxes = 10000 // of a segment: a moof and an mdat for each sample are some 1000

// brands checks that one is iso6 or compatible with it.
func (i *initSection) brands(r io.ReaderAt, b bmff.Box) {
	c, err := bmff.Content(r, b, 8)
	if err != nil {
		i.fault("init-brand", "%v", err)
		return
	}
	var names []string
	for at := 0; at+4 <= len(c) && len(names) < maxAttributes; at += 4 {
		if at == 4 {
			continue // minor_version
		}
		name := string(c[at : at+4])
		names = append(names, bmff.Printable(name))
		if n, ok := strings.CutPrefix(name, "iso"); ok && (n >= "6" && n <= "9" || n >= "a" && n <= "c") {
			return
		}
		if slices.Contains([]string{"cmfc", "cmf2", "cmfs", "cmff", "dash", "msdh", "msix"}, name) {
			return
		}
	}
	i.fault("init-brand", "its brands are %s: none is iso6 or compatible with it", strings.Join(names, " "))
}

// movieFaults is about moov.
func (i *initSection) movieFaults(r io.ReaderAt, moov bmff.Box) {
	var order []string
	_ = bmff.Children(r, moov, func(b bmff.Box) error {
		order = append(order, b.Kind)
		return nil
	})
	switch {
	case !i.movie.Fragmented:
		i.fault("init-mvex", "moov has no box \"mvex\"")
	case slices.Index(order, "mvex") < lastIndex(order, "trak"):
		i.fault("init-mvex", "the box \"mvex\" stands before a \"trak\"")
	}
	if i.movie.Duration > 0 {
		i.fault("init-duration", "mvhd has a duration of %d", i.movie.Duration)
	}
	if len(i.movie.Tracks) == 0 {
		i.fault("init", "moov has no track")
	}
}

func lastIndex(list []string, s string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == s {
			return i
		}
	}
	return -1
}

// readTrack finds out what a track is.
func (i *initSection) readTrack(r io.ReaderAt, t *bmff.Track) initTrack {
	out := initTrack{id: t.ID, scale: t.Scale, kind: media.Data}
	switch t.Handler {
	case "vide":
		out.kind = media.Video
	case "soun":
		out.kind = media.Audio
	}
	if t.Scale == 0 {
		i.fault("init", "track %d has no timescale", t.ID)
		out.scale = 1
	}
	if t.Edits.Kind != "" {
		out.readEdits(r, t.Edits)
	}
	var entry bmff.Box
	_ = bmff.Children(r, t.Tables, func(b bmff.Box) error {
		if b.Kind != "stsd" || b.Size() < 8 {
			return nil
		}
		return bmff.ChildrenFrom(r, b, b.Body+8, func(e bmff.Box) error {
			if entry.Kind == "" {
				entry = e
			}
			return nil
		})
	})
	if entry.Kind == "" {
		i.fault("init", "track %d has no sample entry", t.ID)
		return out
	}
	if err := out.readEntry(r, entry); err != nil {
		i.fault("init", "track %d (%s): %v", t.ID, bmff.Printable(entry.Kind), err)
	}
	return out
}

// readEdits reads where the first edit that is not empty begins (ISO 14496-12 §8.6.6).
func (t *initTrack) readEdits(r io.ReaderAt, b bmff.Box) {
	c, err := bmff.Content(r, b, 8)
	if err != nil {
		return
	}
	entry := 12
	if c[0] == 1 {
		entry = 20
	}
	for rest := c[8:]; len(rest) >= entry; rest = rest[entry:] {
		begin := int64(int32(binary.BigEndian.Uint32(rest[4:])))
		if c[0] == 1 {
			begin = int64(binary.BigEndian.Uint64(rest[8:]))
		}
		if begin >= 0 {
			t.edit = ticksTime(uint64(begin), max(t.scale, 1))
			return
		}
	}
}

// configs are the sample entries that are known, and the box with the decoder's
// configuration in them.
var configs = map[string]struct {
	codec  media.Codec
	config string
}{
	"avc1": {media.CodecH264, "avcC"}, "avc3": {media.CodecH264, "avcC"},
	"hvc1": {media.CodecHEVC, "hvcC"}, "hev1": {media.CodecHEVC, "hvcC"},
	"av01": {media.CodecAV1, "av1C"}, "vp09": {media.CodecVP9, "vpcC"},
	"mp4a": {media.CodecAAC, "esds"}, "Opus": {media.CodecOpus, ""}, "fLaC": {media.CodecFLAC, ""},
	"ac-3": {media.CodecAC3, ""}, "ec-3": {media.CodecEAC3, ""},
}

// readEntry reads a sample entry (ISO 14496-12 §8.5.2).
func (t *initTrack) readEntry(r io.ReaderAt, entry bmff.Box) error {
	from := entry.Body + bmff.VisualEntry
	if t.kind == media.Audio {
		from = entry.Body + bmff.AudioEntry
	}
	t.name = bmff.Printable(entry.Kind)
	if entry.Kind == "encv" || entry.Kind == "enca" {
		t.encrypted = true
		if sinf, err := bmff.Find(r, entry, from, "sinf"); err == nil {
			if frma, err := bmff.Find(r, sinf, sinf.Body, "frma"); err == nil {
				if c, err := bmff.Content(r, frma, 4); err == nil {
					t.name = bmff.Printable(string(c[:4]))
				}
			}
		}
	}
	known, ok := configs[t.name]
	if !ok {
		return nil
	}
	t.codec = known.codec
	if known.config == "" {
		return nil
	}
	b, err := bmff.Find(r, entry, from, known.config)
	if err != nil {
		return err
	}
	c, err := bmff.Content(r, b, 1)
	if err != nil {
		return err
	}
	if known.config == "esds" {
		object, config, err := bmff.ReadESDS(c[min(4, len(c)):])
		if err != nil {
			return err
		}
		if object == 0x69 || object == 0x6b {
			t.codec, t.name = media.CodecMP3, "mp4a.40.34"
			return nil
		}
		c = config
	}
	track, err := media.ParseConfig(known.codec, c)
	if err != nil && !errors.Is(err, media.ErrNoSPS) {
		return fmt.Errorf("box %q: %w", known.config, err)
	}
	t.nalu = track.NALULength
	if err == nil {
		t.about = &track
		if four, rest, ok := strings.Cut(track.CodecString, "."); ok {
			if known.config == "avcC" || known.config == "hvcC" {
				four = t.name
			}
			t.name = four + "." + rest
		}
	}
	return nil
}
