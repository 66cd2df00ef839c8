package segmenter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A partSample is a sample of a file of fragmented MP4, with the times of the file's track.
type partSample struct {
	data     string
	dts, pts int64
	sync     bool
}

// samplesOf reads the fragments of a file with an independent reader. Each begins where
// the one before ends.
func samplesOf(t *testing.T, file []byte) (all []partSample, fragments int, end int64) {
	t.Helper()
	var parts fmp4.Parts
	if err := parts.Unmarshal(file); err != nil {
		t.Fatal(err)
	}
	for i, p := range parts {
		tr := p.Tracks[0]
		if at := int64(tr.BaseTime); i > 0 && at != end || len(p.Tracks) != 1 || len(tr.Samples) == 0 {
			t.Fatalf("fragment %d of %d tracks and %d samples begins at %d, the one before ends at %d", i, len(p.Tracks), len(tr.Samples), at, end)
		}
		end = int64(tr.BaseTime)
		for _, s := range tr.Samples {
			all = append(all, partSample{string(s.Payload), end, end + int64(s.PTSOffset), !s.IsNonSyncSample})
			end += int64(s.Duration)
		}
	}
	return all, len(parts), end
}

// parted are the files of each segment, written part by part as packets come, or at once.
type parted struct {
	*Segmenter
	x        *FMP4
	open     Files
	segments []Files
	pieces   [][2]Piece
}

func newParted(rules Rules, part time.Duration) *parted {
	c := &parted{x: NewFMP4()}
	c.x.SetAudio(2*ms, 300*ms)
	c.x.SetParts(part)
	c.Segmenter = &Segmenter{rules: rules, limit: limitFor(4)}
	c.emit = func(g *Segment) {
		pieces := c.x.Append(&c.open, g)
		for kind := range pieces {
			pieces[kind].Parts = append([]Part(nil), pieces[kind].Parts...)
		}
		c.segments, c.pieces = append(c.segments, c.open), append(c.pieces, pieces)
		c.open = Files{}
	}
	return c
}

// whatCame is a stream of random GOPs, some with reordered pictures.
func whatCame(t *testing.T, r *rand.Rand) (packets []*media.Packet, frame time.Duration) {
	s := mediatest.NewScript(t)
	s.Frame = time.Duration(10+r.IntN(40)) * ms
	for range 3 + r.IntN(6) {
		s.GOP = time.Duration(100+r.IntN(4000)) * ms
		s.Play(time.Duration(500+r.IntN(4000)) * ms)
	}
	if r.IntN(3) == 0 {
		mediatest.Reordered(s.Packets)
	}
	return s.Packets, s.Frame
}

// Whatever comes and whenever the parts are asked for: the parts of a segment are its
// file, every sample is in it once with the time that it has without parts, and a part
// begins at each keyframe.
func TestPartsAreTheirSegment(t *testing.T) {
	t.Parallel()
	for i := range 25 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 7))
			packets, frame := whatCame(t, r)
			rules := Rules{Fragment: 2 * sec, MaxFragment: 6 * sec, Apart: true}
			part := time.Duration(50+r.IntN(600)) * ms
			c, plain := newParted(rules, part), newParted(rules, 0)
			often, grown := 1+r.IntN(20), 0
			var targets [2]time.Duration
			for n, p := range packets {
				plain.Push(p, testStart, 0)
				c.Push(p, testStart, 0)
				if g := c.Growing(); g != nil && n%often == 0 {
					before := c.open
					c.x.Advance(&c.open, g)
					for kind := range c.open {
						if !bytes.HasPrefix(c.open[kind], before[kind]) {
							t.Fatal("what was written before has changed")
						}
						if len(c.open[kind]) > len(before[kind]) {
							grown++
						}
						if was, is := targets[kind], c.x.PartTarget(media.Kind(kind)); was > 0 && is != was {
							t.Fatalf("the part target went from %v to %v", was, is)
						} else {
							targets[kind] = is
						}
					}
				}
			}
			plain.Finish()
			c.Finish()
			if len(c.segments) != len(plain.segments) || len(packets) > 500 && grown == 0 {
				t.Fatalf("%d segments that grew %d times, %d without parts", len(c.segments), grown, len(plain.segments))
			}
			var lost [2]int
			for n := range c.segments {
				for kind := range c.segments[n] {
					c.check(t, n, media.Kind(kind), plain.segments[n][kind], targets[kind], frame)
					lost[kind] += len(c.segments[n][kind])
				}
			}
			if lost[0] == 0 || lost[1] == 0 {
				t.Error("a track has no file")
			}
		})
	}
}

func (c *parted) check(t *testing.T, n int, kind media.Kind, plain []byte, target, frame time.Duration) {
	t.Helper()
	file, p := c.segments[n][kind], c.pieces[n][kind]
	if len(file) == 0 && len(plain) == 0 {
		return
	}
	got, fragments, end := samplesOf(t, file)
	want, _, wantEnd := samplesOf(t, plain)
	if off := end - wantEnd; len(got) != len(want) || off != 0 && kind == media.Video || off < -1024 || off > 1024 {
		t.Fatalf("segment %d, track %d: %d samples up to %d, want %d up to %d", n, kind, len(got), end, len(want), wantEnd)
	}
	for i := range got {
		same, off := got[i] == want[i], got[i].dts-want[i].dts
		if kind == media.Audio { // sound that overlaps: by up to a frame
			same = got[i].data == want[i].data && off >= -1024 && off <= 1024
		}
		if !same {
			t.Errorf("segment %d, track %d: sample %d is %+v, want %+v", n, kind, i, got[i], want[i])
		}
	}
	if fragments != len(p.Parts) {
		t.Errorf("segment %d, track %d: %d fragments, %d parts", n, kind, fragments, len(p.Parts))
	}
	at, sum := 0, time.Duration(0)
	for i, part := range p.Parts {
		if part.Offset != at {
			t.Errorf("part %d begins at byte %d, want %d", i, part.Offset, at)
		}
		at += part.Size
		sum += part.Duration
		samples, _, _ := samplesOf(t, file[part.Offset:at])
		for k, s := range samples {
			if kind == media.Video && s.sync && k > 0 && target > 0 && n > 0 {
				t.Errorf("segment %d: part %d has a keyframe that is not its first picture", n, i)
			}
		}
		if part.Independent != samples[0].sync {
			t.Errorf("segment %d, track %d: part %d is independent: %v", n, kind, i, part.Independent)
		}
		if n > 0 && target > 0 && part.Duration > target+frame {
			t.Errorf("segment %d, track %d: part %d lasts %v, the target is %v", n, kind, i, part.Duration, target)
		}
	}
	if at != len(file) {
		t.Errorf("the parts are %d bytes, the file %d", at, len(file))
	}
	if lasts := time.Duration(p.Duration) * time.Second / time.Duration(p.Timescale); (sum - lasts).Abs() > time.Millisecond {
		t.Errorf("the parts last %v, the file %v", sum, lasts)
	}
}

// A prft before each fragment says at what time of day its media was.
func TestPartsSayWhenTheirMediaWas(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	s.At = 7 * sec
	mediatest.Reordered(s.Play(10 * sec).Packets)
	c, n := newParted(Rules{Fragment: 2 * sec, MaxFragment: 6 * sec, Apart: true}, 200*ms), 0
	for _, p := range s.Packets {
		c.Push(p, testStart, 0)
		g := c.Growing()
		if g == nil {
			continue
		}
		c.x.SetDay(g, testStart.Add(g.Start-7*sec))
		before := c.open
		c.x.Advance(&c.open, g)
		for kind := range c.open {
			part := c.open[kind][len(before[kind]):]
			at := bytes.Index(part, []byte("prft"))
			if len(part) == 0 {
				continue
			}
			if at < 0 {
				t.Fatalf("no prft in a part of track %d", kind)
			}
			n++
			body := part[at+4:]
			samples, _, _ := samplesOf(t, part)
			media := int64(binary.BigEndian.Uint64(body[16:]))
			if samples[0].dts != media || int(binary.BigEndian.Uint32(body[4:])) != kind+1 {
				t.Errorf("track %d: prft is of %d in track %d, the part begins at %d", kind, media, body[7], samples[0].dts)
			}
			day := time.Unix(int64(binary.BigEndian.Uint32(body[8:]))-2208988800, int64(binary.BigEndian.Uint32(body[12:]))*1e9>>32)
			want := testStart.Add(mp4.Time(media, c.x.tracks[kind].scale) - c.x.base - c.x.tracks[0].lead - 7*sec)
			if day.Sub(want).Abs() > ms {
				t.Errorf("track %d: %v, want %v", kind, day, want)
			}
		}
	}
	if n < 50 {
		t.Errorf("%d parts", n)
	}
}
