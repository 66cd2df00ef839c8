package dash

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A low-latency player looks at the MPD that HTTP has, and at the files that it names, after
// each packet.
type lowPlayer struct {
	b     *bench
	text  []byte
	grown map[string][]byte // what it saw of each growing file
	reads map[string]*segstore.Growing
	early int // how often there was some of a file that was not on disk
}

func (p *lowPlayer) look() {
	f, ok := p.b.d.Store().Lookup("cam.mpd")
	if !ok || f.Low == nil || f.Low.Newest() == nil {
		return
	}
	text := f.Low.Newest().Body()
	m, err := parseMPD(text)
	if err != nil {
		p.b.Fatalf("%v\n%s", err, text)
	}
	if !bytes.Equal(text, p.text) {
		p.text = text
		p.check(m)
	}
	last := m.Periods[len(m.Periods)-1]
	for i := range last.Sets {
		names := last.Sets[i].files("cam.mpd")
		name := names[len(names)-1]
		file, ok := p.b.d.Store().Lookup(name)
		switch {
		case !ok:
			p.b.Errorf("%s is named, and is not there", name)
		case file.Growing != nil:
			pieces, _, err := file.Growing.From(p.b.Context(), 0)
			if err != nil {
				p.b.Fatal(err)
			}
			all := bytes.Join(pieces, nil)
			if !bytes.HasPrefix(all, p.grown[name]) {
				p.b.Errorf("%s does not begin with what it was before", name)
			}
			if len(all) > len(p.grown[name]) {
				p.early++
			}
			p.grown[name], p.reads[name] = all, file.Growing
		}
	}
}

func (p *lowPlayer) check(m *mpd) {
	if m.Type == static {
		return
	}
	if m.ServiceDescription == nil || m.ServiceDescription.Latency.Target != latencyTarget.Milliseconds() || len(m.UTCTimings) != 1 {
		p.b.Errorf("no latency or no clock:\n%s", p.text)
	}
	for _, x := range m.Periods {
		for _, s := range x.Sets {
			last := s.Template.Timeline.S[len(s.Template.Timeline.S)-1]
			end := m.AvailabilityStartTime.Add(time.Duration(x.Start)).Add(ticks(last.T+last.D*(last.R+1), s.Template.Timescale) - ticks(s.Template.Offset, s.Template.Timescale))
			available := end.Add(-time.Duration(float64(s.Template.AvailabilityOffset) * float64(time.Second)))
			if s.Template.AvailabilityComplete == "false" && available.After(p.b.now.Add(100*time.Millisecond)) {
				p.b.Errorf("%s: the newest segment is announced %v before it is available", s.ContentType, available.Sub(p.b.now))
			}
			if want := m.AvailabilityStartTime.Add(time.Duration(x.Start)); s.Reference == nil || !s.Reference.WallClock.Equal(want) || s.Reference.Time != s.Template.Offset {
				p.b.Errorf("%s: ProducerReferenceTime %+v, want %s at %d", s.ContentType, s.Reference, want, s.Template.Offset)
			}
		}
	}
}

func TestLowLatencyNamesTheSegmentThatIsWritten(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.LowLatency, cfg.PlaylistLength = true, 60*sec
	s := mediatest.NewScript(t)
	s.Size = 2000
	s.Play(12 * sec)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	s.Play(12 * sec)
	p := &lowPlayer{b: b, grown: make(map[string][]byte), reads: make(map[string]*segstore.Growing)}
	from := b.now
	b.runFeed(b.packager("cam", cfg), &feed{packets: s.Packets, stop: eof, each: func(int) { p.look() }, wall: func(_ int, p *media.Packet) time.Time { return from.Add(p.DTS) }})
	p.look()
	if p.early < 100 {
		t.Errorf("%d times there was more of a growing segment; 24 s have 110 parts of either kind", p.early)
	}
	for name, g := range p.reads {
		pieces, _, err := g.From(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		more, whole, err := g.From(t.Context(), len(pieces))
		if got, want := bytes.Join(pieces, nil), b.read(name); !bytes.Equal(got, want) || len(more) > 0 || !whole || err != nil {
			t.Errorf("%s has %d bytes, and players had %d; whole %v (%v)", name, len(want), len(got), whole, err)
		}
	}
	if strings.Contains(string(b.read("cam.mpd")), "ServiceDescription") {
		t.Error("the MPD on disk is that with low latency")
	}
	if n := len(b.last().periods); n != 2 {
		t.Errorf("%d periods on disk", n)
	}
	if m, err := parseMPD(p.text); err != nil || m.Type != static {
		t.Errorf("at the end the MPD is\n%s", p.text)
	}
}
