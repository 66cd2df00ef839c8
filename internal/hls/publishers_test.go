package hls

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A sending is one message of a publisher.
type sending struct {
	kind    media.Kind
	at      time.Duration // when it was recorded
	stamp   int64         // its timestamp, ms
	arrives time.Duration
	key     bool
}

// An oddPublisher sends 44 s of picture and sound that begin together.
type oddPublisher struct {
	name string
	fps  int
	gop  time.Duration
	aac  string
	// spoil changes a message, or says that the encoder leaves it out.
	spoil func(*sending) (sent bool)
}

const oddLength = 44 * time.Second

// packets are what the messages become at the server, and when each arrived.
func (o *oddPublisher) packets(t *testing.T) (packets []*media.Packet, arrives map[*media.Packet]time.Duration) {
	t.Helper()
	var all []*sending
	frame := time.Second / time.Duration(o.fps)
	for at, key := time.Duration(0), time.Duration(0); at < oddLength; at += frame {
		m := &sending{kind: media.Video, at: at, key: at >= key}
		if m.key {
			key += o.gop
		}
		all = append(all, m)
	}
	track := mediatest.Track(t, media.CodecAAC, o.aac)
	for n := int64(0); ; n++ {
		at := time.Duration(n*1024) * time.Second / time.Duration(track.SampleRate)
		if at >= oddLength {
			break
		}
		all = append(all, &sending{kind: media.Audio, at: at})
	}
	slices.SortStableFunc(all, func(a, b *sending) int { return int(a.at - b.at) })
	all = slices.DeleteFunc(all, func(m *sending) bool {
		m.stamp, m.arrives = m.at.Milliseconds(), m.at
		return o.spoil != nil && !o.spoil(m)
	})
	slices.SortStableFunc(all, func(a, b *sending) int { return int(a.arrives - b.arrives) })

	d := flv.NewDemuxer(0, 1)
	d.Arrived(testStart)
	take := func(p *media.Packet, err error) *media.Packet {
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	header := func(tag []byte, config string) []byte {
		b, err := hex.DecodeString(config)
		if err != nil {
			t.Fatal(err)
		}
		return append(tag, b...)
	}
	take(d.Video(uint32(all[0].stamp), header([]byte{0x17, 0, 0, 0, 0}, mediatest.AVCHigh1080)))
	take(d.Audio(uint32(all[0].stamp), header([]byte{0xaf, 0}, o.aac)))
	arrives = make(map[*media.Packet]time.Duration)
	for i, m := range all {
		d.Arrived(testStart.Add(m.arrives))
		var p *media.Packet
		if m.kind == media.Audio {
			p = take(d.Audio(uint32(m.stamp), fmt.Appendf([]byte{0xaf, 1}, "<A%07d>aac", i)))
		} else {
			tag, nal := byte(0x27), []byte{0x41, 0x9a} // a slice that begins a picture
			if m.key {
				tag, nal[0] = 0x17, 0x65
			}
			p = take(d.Video(uint32(m.stamp), append([]byte{tag, 1, 0, 0, 0}, lengths(fmt.Appendf(nal, "<V%07d>", i))...)))
		}
		packets = append(packets, p)
		arrives[p] = m.arrives
	}
	return packets, arrives
}

// Encoders as they are, with their own ideas of time: all that they send is in the
// fragments, each fragment has picture and sound, and the playlist is as long as
// the stream.
func TestWhatAnOddPublisherSendsIsAllThere(t *testing.T) {
	t.Parallel()
	off := func(kind media.Kind, d time.Duration) func(*sending) bool {
		return func(m *sending) bool { return m.kind != kind || m.at <= 12*time.Second || m.at >= 12*time.Second+d }
	}
	var all []oddPublisher
	add := func(name string, spoil func(*sending) bool) {
		all = append(all, oddPublisher{name: name, fps: 25, gop: 2 * time.Second, aac: mediatest.AACLC44, spoil: spoil})
	}
	for _, skew := range []int64{0, 500, 1100, 5000, 9000, -500, -1100, -5000, -9000} {
		skewed := func(spoil func(*sending) bool) func(*sending) bool {
			return func(m *sending) bool {
				if m.kind == media.Audio {
					m.stamp += skew
				}
				return spoil == nil || spoil(m)
			}
		}
		add(fmt.Sprintf("sound %d ms ahead", skew), skewed(nil))
		for _, d := range []time.Duration{2 * time.Second, 5 * time.Second, 20 * time.Second} {
			add(fmt.Sprintf("sound %d ms ahead, muted for %v", skew, d), skewed(off(media.Audio, d)))
			add(fmt.Sprintf("sound %d ms ahead, a picture stands for %v", skew, d), skewed(off(media.Video, d)))
		}
	}
	for _, d := range []time.Duration{500 * time.Millisecond, 3 * time.Second, 6 * time.Second, 12 * time.Second} {
		for kind, name := range []string{media.Video: "pictures", media.Audio: "sound"} {
			add(fmt.Sprintf("timestamps of %s stand for %v", name, d), func(m *sending) bool {
				if m.kind == media.Kind(kind) && m.at >= 10*time.Second && m.at < 10*time.Second+d {
					m.stamp = 10000
				}
				return true
			})
		}
		add(fmt.Sprintf("everything comes in bursts of %v", d), func(m *sending) bool {
			m.arrives = m.at - m.at%d + d
			return true
		})
		add(fmt.Sprintf("the network hangs for %v", d), func(m *sending) bool {
			if m.at >= 10*time.Second && m.at < 10*time.Second+d {
				m.arrives = 10*time.Second + d
			}
			return true
		})
	}
	for kind, name := range []string{media.Video: "pictures", media.Audio: "sound"} {
		add("timestamps of "+name+" are always 0", func(m *sending) bool {
			if m.kind == media.Kind(kind) {
				m.stamp = 0
			}
			return true
		})
		for _, far := range []int64{300, 1500, 20000, 3600000, -300, -1500, -20000} {
			last := 0
			add(fmt.Sprintf("one timestamp of %s in 4 s is %d ms off", name, far), func(m *sending) bool {
				if n := int(m.at / (4 * time.Second)); m.kind == media.Kind(kind) && n > last {
					last, m.stamp = n, m.stamp+far
				}
				return true
			})
		}
	}
	for _, start := range []int64{1<<31 - 10000, 1<<32 - 10000} {
		add(fmt.Sprintf("timestamps from %d on, muted", start), func(m *sending) bool {
			m.stamp += start
			return off(media.Audio, 5*time.Second)(m)
		})
	}
	for _, fps := range []int{2, 10, 60} {
		for _, gop := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second} {
			o := oddPublisher{name: fmt.Sprintf("%d fps, GOP of %v, muted", fps, gop), fps: fps, gop: gop, aac: mediatest.AACLC48, spoil: off(media.Audio, 5*time.Second)}
			all = append(all, o)
		}
	}
	for i, o := range all {
		if testing.Short() && i%4 != 0 {
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.check(t)
		})
	}
}

func (o *oddPublisher) check(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength, cfg.Cleanup = 10*time.Minute, false
	packets, arrives := o.packets(t)
	p := b.packager("test", cfg)
	b.runQuiet(p, &quietFeed{feed: feed{packets: packets, clock: b.clock, stop: eof}, at: func(p *media.Packet) time.Duration { return arrives[p] }})
	list := b.playlist("test.m3u8")
	var sum float64
	seen := make(map[int]int)
	for _, s := range list.Segments {
		sum += s.Duration.Seconds()
		video, audio := mediatest.Markers(t, b.read(s.URI))
		for _, n := range slices.Concat(video, audio) {
			seen[n]++
		}
		kinds := make(map[media.Kind]int)
		for _, q := range pesPackets(t, b.read(s.URI)) {
			kinds[q.kind]++
		}
		if kinds[media.Video] == 0 || kinds[media.Audio] == 0 {
			t.Errorf("%s has %d PES packets of pictures and %d of sound", s.URI, kinds[media.Video], kinds[media.Audio])
		}
	}
	lost := 0
	for i := range packets {
		if seen[i] == 0 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d messages are in no fragment; %+v", lost, len(packets), p.Snapshot())
	}
	if want := oddLength.Seconds(); math.Abs(sum-want) > 0.6 {
		t.Errorf("EXTINFs add up to %.1f s, the stream has %.1f", sum, want)
	}
	if n := strings.Count(string(b.read("test.m3u8")), "#EXT-X-DISCONTINUITY\n"); n > 0 {
		t.Errorf("%d discontinuities", n)
	}
}
