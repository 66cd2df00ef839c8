package hls

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// A fragmentViewer polls the media playlists of fragmented MP4.
type fragmentViewer struct {
	testing.TB
	dir   string
	lists [2]*viewer // by media.Kind
}

func newFragmentViewer(t testing.TB, dir, stream string, nested bool) *fragmentViewer {
	v := &fragmentViewer{TB: t, dir: dir}
	for kind, name := range []string{"video", "audio"} {
		file := stream + "-" + name + ".m3u8"
		if nested {
			file = stream + "/" + name + ".m3u8"
		}
		v.lists[kind] = newViewer(t, dir, file)
	}
	return v
}

func (v *fragmentViewer) poll() {
	v.Helper()
	for _, l := range v.lists {
		l.poll()
	}
}

// fragment reads the fragment with that media sequence number.
func (v *viewer) fragment(n int) fragment {
	v.Helper()
	open := func(uri string) []byte {
		b, err := os.ReadFile(filepath.Join(v.dir, filepath.Dir(v.file), uri))
		if err != nil {
			v.Fatal(err)
		}
		return b
	}
	return readFragment(v, open(v.inits[n]), open(v.uris[n]))
}

var marker = regexp.MustCompile(`<[VA](\d{7})>`)

// check demands that every packet is in exactly one fragment of its kind and in order, but
// for as many as the packager says it dropped, and that fragments follow each other as
// EXTINF says.
func (v *fragmentViewer) check(packets []*media.Packet, stats packager.Snapshot) {
	v.Helper()
	seen := make(map[int]string)
	for kind, l := range v.lists {
		l.checkFragments(media.Kind(kind), seen)
	}
	missing := uint64(len(packets) - len(seen))
	if stats.Lost == 0 && missing != stats.Dropped || missing < stats.Dropped {
		v.Errorf("%d of %d packets are in no fragment, %d were dropped knowingly, %d fragments lost",
			missing, len(packets), stats.Dropped, stats.Lost)
	}
}

func (v *viewer) checkFragments(kind media.Kind, seen map[int]string) {
	v.Helper()
	newest := -1
	var before fragment
	beforeN := -2
	for _, n := range slices.Sorted(maps.Keys(v.uris)) {
		uri, f := v.uris[n], v.fragment(n)
		if d := v.durations[n] - min(f.time(f.end)-f.time(f.start), limitFor(v.target)); d.Abs() > time.Millisecond {
			v.Errorf("%s: EXTINF is %v off", uri, d)
		}
		if n == beforeN+1 && v.discs[n] == v.discs[beforeN] {
			hole := f.time(f.start) - before.time(before.end)
			if f.scale != before.scale || hole < -time.Microsecond*20 || kind == media.Video && hole > 50*time.Millisecond || hole > 0 && hole < time.Second && kind == media.Audio {
				v.Errorf("%s begins %v behind %s", uri, hole, v.uris[beforeN])
			}
		}
		before, beforeN = f, n
		again := true // pictures that stand are there again, up to the newest
		for i, s := range f.samples {
			marks := marker.FindAllStringSubmatch(s.data, -1)
			if len(marks) == 0 && kind == media.Video {
				v.Errorf("%s: sample %d is none that was sent", uri, i)
			}
			for _, m := range marks {
				p, _ := strconv.Atoi(m[1])
				was := seen[p]
				if again = again && was != "" && kind == media.Video; again {
					if i == 0 && !s.sync {
						v.Errorf("%s begins again with picture %d, which is no keyframe", uri, p)
					}
					continue
				}
				if was != "" || p < newest {
					v.Errorf("packet %d is in %q and in %s, after %d", p, was, uri, newest)
				}
				seen[p], newest = uri, p
			}
		}
	}
}

func TestWhateverComesFragmentedMP4IsValid(t *testing.T) {
	for i := range rounds() {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 23))
			b := newBench(t)
			cfg := fragmentedConfig(b.dir)
			cfg.Fragment = time.Duration(1+r.IntN(5)) * time.Second
			cfg.MaxFragment = 3 * cfg.Fragment
			cfg.PlaylistLength = time.Duration(r.IntN(30)) * time.Second
			cfg.Cleanup = false // the fragments are wanted at the end
			cfg.Nested = r.IntN(3) == 0
			cfg.Type = []string{"live", "live", "event"}[r.IntN(3)]
			cfg.FragmentNaming = []string{"sequential", "timestamp", "system"}[r.IntN(3)]
			cfg.FragmentNamingGranularity = r.IntN(2) * 1000
			s := wild(t, r)
			v := newFragmentViewer(t, b.dir, "test", cfg.Nested)
			p := b.packager("test", cfg)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { v.poll() }})
			v.poll()
			v.check(s.Packets, p.Snapshot())
			if t.Failed() {
				t.Logf("%+v\n%s\n%s", p.Snapshot(), v.lists[0].last, v.lists[1].last)
			}
		})
	}
}
