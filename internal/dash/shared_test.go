package dash

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// sharing has HLS and DASH name the same segments.
func sharing(b *bench) *packager.Packager { return sharingAs(b, "live", 30*sec) }

// sharingAs is sharing with an hls.type and hls.playlist_length.
func sharingAs(b *bench, kind string, length time.Duration) *packager.Packager {
	b.Helper()
	h, d := hls.NewDirectory(), NewDirectory()
	dir, err := packager.OpenDirectory(b.dir, packager.DirectoryOptions{Log: b.log, Now: func() time.Time { return b.now }, Formats: []packager.Format{h, d}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(dir.Close)
	b.d = d
	set := h.Settings(config.HLS{
		Path: value.Path(b.dir), Format: "fmp4", Fragment: 2 * sec, MaxFragment: 6 * sec, PlaylistLength: length, FragmentNaming: "sequential", Type: kind,
		Continuous: true, Cleanup: true, Datetime: true, Endlist: true,
	})
	set.Naming = packager.NamingMedia
	set.Manifests = append(set.Manifests, d.Spec(testConfig(b.dir)))
	p, err := dir.NewPackager("show", "cam", set, b.log)
	if err != nil {
		b.Fatal(err)
	}
	p.OnManifest = func(string) { b.seen = append(b.seen, b.present("cam.mpd")) }
	return p
}

// listed are the files that the playlists name.
func (b *bench) listed() (names []string) {
	b.Helper()
	for _, list := range []string{"video", "audio"} {
		for line := range strings.Lines(string(b.read("cam-" + list + ".m3u8"))) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "gap.m4s" {
				names = append(names, line)
			}
		}
	}
	return names
}

// named are the files that the MPD names.
func (p *presentation) named() (names []string) {
	for _, kind := range []string{"video", "audio"} {
		for _, o := range p.periods {
			if o.tracks[kind] == nil {
				continue
			}
			for _, s := range o.tracks[kind].segments {
				names = append(names, s.file)
			}
		}
	}
	return names
}

func TestOneSetOfSegmentsGoesOnAfterARestart(t *testing.T) {
	for name, lost := range map[string]string{"both are there": "", "the MPD is gone": "cam.mpd", "a playlist is gone": "cam-audio.m3u8", "the playlists are gone": "cam-*.m3u8"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.d.Close()
			b.run(sharing(b), mediatest.NewScript(t).Play(8*sec).Packets, nil)
			before := b.last()
			if got, want := strings.Join(before.named(), " "), strings.Join(b.listed(), " "); got != want {
				t.Errorf("the MPD names %s, the playlists %s", got, want)
			}
			files, _ := filepath.Glob(filepath.Join(b.dir, lost))
			for _, file := range files {
				if lost != "" {
					if err := os.Remove(file); err != nil {
						t.Fatal(err)
					}
				}
			}
			b.now = b.now.Add(2 * sec)
			b.run(sharing(b), mediatest.NewScript(t).Play(8*sec).Packets, nil)
			after := b.last()
			listed := b.listed()
			names := make(map[string]bool)
			for _, name := range listed {
				if names[name] {
					t.Errorf("%s is listed twice", name)
				}
				names[name] = true
			}
			switch lost {
			case "":
				if got, want := strings.Join(after.named(), " "), strings.Join(listed, " "); got != want || len(after.periods) != 2 || !after.start.Equal(before.start) {
					t.Errorf("the MPD from %s (before the restart %s) names\n%s, the playlists\n%s", after.start, before.start, got, want)
				}
			case "cam.mpd":
				if len(after.periods) != 1 {
					t.Errorf("periods %v", after.ids())
				}
			}
			for _, s := range after.periods[len(after.periods)-1].all() {
				if !names[s.file] {
					t.Errorf("no playlist names %s", s.file)
				}
			}
			if lag := after.at.Sub(after.edge()); lag < -200*time.Millisecond || lag > 200*time.Millisecond {
				t.Errorf("the newest media was %v before the MPD was written", lag)
			}
		})
	}
}
