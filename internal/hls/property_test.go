package hls

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// A viewer polls a playlist and checks each version against all before.
type viewer struct {
	testing.TB
	dir, file string
	last      []byte
	target    int
	seq       int
	first     int            // media sequence number of the first fragment seen
	uris      map[int]string // by media sequence number
	discs     map[int]int
	durations map[int]time.Duration
	inits     map[int]string // of fragmented MP4
	order     []string       // fragments in the order they appeared
	pictures  map[int]bool   // that fragments had, by packet
	versions  int
}

func newViewer(t testing.TB, dir, file string) *viewer {
	return &viewer{TB: t, dir: dir, file: file, uris: make(map[int]string), discs: make(map[int]int), inits: make(map[int]string), durations: make(map[int]time.Duration), pictures: make(map[int]bool)}
}

// poll reads the playlist. A restart may raise the target duration; nothing
// else may.
func (v *viewer) poll() {
	v.Helper()
	body, err := os.ReadFile(filepath.Join(v.dir, v.file))
	if os.IsNotExist(err) {
		if v.last != nil {
			v.Fatalf("the playlist has gone")
		}
		return
	}
	if err != nil {
		v.Fatal(err)
	}
	if bytes.Equal(body, v.last) {
		return
	}
	v.last = body
	v.versions++
	var m m3u8.Media
	if err := m.Unmarshal(body); err != nil {
		v.Fatalf("%v in\n%s", err, body)
	}
	if v.target != 0 && m.TargetDuration != v.target {
		v.Fatalf("TARGETDURATION went from %d to %d", v.target, m.TargetDuration)
	}
	if m.MediaSequence < v.seq {
		v.Fatalf("MEDIA-SEQUENCE went back from %d to %d", v.seq, m.MediaSequence)
	}
	v.target, v.seq = m.TargetDuration, m.MediaSequence
	disc := *m.DiscontinuitySequence
	inits := mapsOf(string(body))
	for i, s := range m.Segments {
		n := m.MediaSequence + i
		if s.Discontinuity {
			disc++
		}
		if s.Gap {
			continue
		}
		v.inits[n] = inits[i]
		if uri, ok := v.uris[n]; ok && (uri != s.URI || v.discs[n] != disc) {
			v.Fatalf("fragment %d was %s (discontinuity %d), is %s (%d)", n, uri, v.discs[n], s.URI, disc)
		} else if !ok {
			if slices.Contains(v.order, s.URI) {
				v.Fatalf("%s is named a second time, as %d", s.URI, n)
			}
			if len(v.order) == 0 {
				v.first = n
			}
			v.order = append(v.order, s.URI)
		}
		v.uris[n], v.discs[n], v.durations[n] = s.URI, disc, s.Duration
		if rounded := int(s.Duration.Seconds() + 0.5); rounded > m.TargetDuration || s.Duration <= 0 {
			v.Fatalf("EXTINF %v with TARGETDURATION %d in\n%s", s.Duration, m.TargetDuration, body)
		}
		info, err := os.Stat(filepath.Join(v.dir, filepath.Dir(v.file), s.URI))
		if err != nil || info.Size() == 0 {
			v.Fatalf("%s is named and is not there whole: %v", s.URI, err)
		}
	}
}

// check demands that every packet is in exactly one fragment and in order, but
// for as many as the packager says it dropped.
func (v *viewer) check(packets []*media.Packet, stats packager.Snapshot) {
	v.Helper()
	seen := make(map[int]string)
	last := make(map[int]time.Duration)
	var began, sum time.Duration // of the run without discontinuity
	for i, uri := range v.order {
		b, err := os.ReadFile(filepath.Join(v.dir, filepath.Dir(v.file), uri))
		if err != nil {
			v.Fatal(err)
		}
		if i > 0 && v.discs[v.first+i] != v.discs[v.first+i-1] {
			clear(last)
			sum = 0
		}
		at := earliest(mediatest.DecodeTimes(b))
		if sum == 0 {
			began = at
		}
		if off := at - began - sum; off < -drift || off > drift {
			v.Errorf("%s begins %v after the run's start, by EXTINF %v", uri, at-began, sum)
		}
		sum += v.durations[v.first+i]
		for pid, times := range mediatest.DecodeTimes(b) {
			for _, at := range times {
				if at < last[pid] {
					v.Errorf("%s: PID %#x goes back from %v to %v", uri, pid, last[pid], at)
				}
				last[pid] = at
			}
		}
		video, audio := mediatest.Markers(v, b)
		video = v.standing(uri, video, seen)
		for _, kind := range [][]int{video, audio} {
			if !slices.IsSorted(kind) {
				v.Errorf("%s is out of order: %v", uri, kind)
			}
			for _, n := range kind {
				if was, ok := seen[n]; ok {
					v.Errorf("packet %d is in %s and in %s", n, was, uri)
				}
				seen[n] = uri
			}
		}
	}
	missing := uint64(len(packets) - len(seen))
	if stats.Lost == 0 && missing != stats.Dropped || missing < stats.Dropped {
		v.Errorf("%d of %d packets are in no fragment, %d were dropped knowingly, %d fragments lost",
			missing, len(packets), stats.Dropped, stats.Lost)
	}
}

// standing takes off the pictures that a fragment begins and ends with and that
// were there before: those up to the newest one, which stands still.
func (v *viewer) standing(uri string, video []int, seen map[int]string) []int {
	v.Helper()
	newest := -1
	for p := range seen {
		if v.pictures[p] {
			newest = max(newest, p)
		}
	}
	n := 0
	for n < len(video) && seen[video[n]] != "" {
		n++
	}
	for _, p := range video {
		v.pictures[p] = true
	}
	if n > 0 && video[n-1] != newest {
		v.Errorf("%s begins with picture %d, the newest is %d", uri, video[n-1], newest)
	}
	video = video[n:]
	// What comes behind the newest picture of all is there again.
	if len(video) > 0 {
		if top := slices.Index(video, slices.Max(video)); top < len(video)-1 {
			if video[len(video)-1] != video[top] {
				v.Errorf("%s ends with picture %d, the newest is %d", uri, video[len(video)-1], video[top])
			}
			video = video[:top+1]
		}
	}
	return video
}

// drift is how far EXTINFs may be from the timestamps: interleaving, and one
// frame's estimate, but nothing that adds up.
const drift = time.Second

func earliest(times map[int][]time.Duration) time.Duration {
	first := time.Duration(math.MaxInt64)
	for _, t := range times {
		first = min(first, t[0])
	}
	return first
}

// wild makes a stream that misbehaves in every way there is.
func wild(t testing.TB, r *rand.Rand) *mediatest.Script {
	s := mediatest.NewScript(t)
	videos := []*media.Track{s.Video, mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)}
	audios := []*media.Track{s.Audio, mediatest.Track(t, media.CodecAAC, mediatest.AACLC48)}
	ms := func(n int) time.Duration { return time.Duration(r.IntN(n)) * time.Millisecond }
	for range 4 + r.IntN(8) {
		switch r.IntN(14) {
		case 0:
			s.Epoch++
		case 1:
			s.At += 11*time.Second + ms(100000)
		case 2:
			s.At = max(s.At-2*time.Second-ms(60000), 0)
		case 3:
			s.Video = videos[r.IntN(2)]
		case 4:
			s.Audio = audios[r.IntN(2)]
		case 5:
			s.Audio = nil
		case 6:
			s.Video = nil
		case 7:
			s.Video, s.Audio = videos[0], audios[0]
		case 8:
			s.At += ms(9000)
		case 9:
			s.GOP = 200*time.Millisecond + ms(9000)
		case 10:
			s.Frame = 10*time.Millisecond + ms(150)
		case 11:
			s.At = max(s.At-ms(900), 0)
		}
		if s.Video == nil && s.Audio == nil {
			s.Video = videos[0]
		}
		from := len(s.Packets)
		s.Play(ms(9000))
		late := s.Packets[from:]
		switch r.IntN(6) {
		case 0: // audio arrives late
			slices.SortStableFunc(late, func(a, b *media.Packet) int { return int(due(a) - due(b)) })
		case 1: // a publisher that begins between keyframes
			if len(late) > 0 {
				late[0].Keyframe = late[0].Keyframe && late[0].Track.Kind == media.Audio
			}
		case 2: // audio with a zero point of its own
			for _, p := range late {
				if p.Track.Kind == media.Audio {
					p.DTS += 1000 * time.Second
				}
			}
		}
	}
	return s
}

func due(p *media.Packet) time.Duration {
	if p.Track.Kind == media.Audio {
		return p.DTS + 300*time.Millisecond
	}
	return p.DTS
}

func rounds() int {
	if testing.Short() {
		return 15
	}
	return 60
}

func TestWhateverComesThePlaylistIsValid(t *testing.T) {
	for i := range rounds() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 7))
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Fragment = time.Duration(1+r.IntN(5)) * time.Second
			cfg.MaxFragment = 3 * cfg.Fragment
			cfg.PlaylistLength = time.Duration(r.IntN(30)) * time.Second
			cfg.Cleanup = false // the fragments are wanted at the end
			file := "test.m3u8"
			if r.IntN(3) == 0 {
				cfg.Nested, file = true, "test/index.m3u8"
			}
			cfg.Type = []string{"live", "live", "event"}[r.IntN(3)]
			cfg.FragmentNaming = []string{"sequential", "timestamp", "system"}[r.IntN(3)]
			cfg.FragmentNamingGranularity = r.IntN(2) * 1000
			s := wild(t, r)
			v := newViewer(t, b.dir, file)
			p := b.packager("test", cfg)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { v.poll() }})
			v.poll()
			v.check(s.Packets, p.Snapshot())
			if t.Failed() {
				t.Logf("%+v\n%s", p.Snapshot(), v.last)
			}
		})
	}
}

func TestRandomRestartsNeverConfuseAViewer(t *testing.T) {
	for i := range rounds() / 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 11))
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Continuous = r.IntN(4) > 0
			v := newViewer(t, b.dir, "test.m3u8")
			s := mediatest.NewScript(t)
			s.Size = 100
			for range 4 {
				s.Packets = nil
				s.Epoch++
				s.Play(time.Duration(r.IntN(20000)) * time.Millisecond)
				b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) {
					b.clean()
					v.poll()
				}})
				v.poll()
				if r.IntN(2) == 0 {
					b.reopen()
				}
				b.clock.advance(time.Duration(r.IntN(5)) * time.Second)
				b.clean()
				v.poll()
			}
			if v.versions < 3 {
				t.Errorf("only %d playlists", v.versions)
			}
		})
	}
}
