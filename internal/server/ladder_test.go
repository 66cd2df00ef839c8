package server

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// An extraTrack is a video track beside track 0 with the pictures of the test card. Its
// header says another size.
type extraTrack struct {
	id     byte
	header string // avcC in hex; empty: it sends none
	paused bool
}

// Headers of x264, by size. The test card is 640x360.
const (
	avc1280x720 = "0142c01fffe100196742c01fd9005005bb0110000003001000000303c0f183248001000568cb83cb20"
	avc854x480  = "0142c01fffe100196742c01fd900d83de6f0110000030001000003003c0f18324801000568cb83cb20"
	avc720x1280 = "0142c01fffe100196742c01fd900b40a1b0110000003001000000303c0f183248001000568cb83cb20"
)

// alsoHeaders sends the headers of further tracks (E-RTMP v2: one track, avc1).
func (c *client) alsoHeaders() error {
	for _, x := range c.also {
		avcC, err := hex.DecodeString(x.header)
		if err != nil {
			return err
		}
		if len(avcC) == 0 {
			continue
		}
		if err := c.WriteMessage(c.onTrack(0, slices.Concat([]byte{0x96, 0x00}, []byte("avc1"), []byte{x.id}, avcC))); err != nil {
			return err
		}
	}
	return nil
}

// alsoFrames sends m, if it is a picture, as that of further tracks.
func (c *client) alsoFrames(m rtmp.Message) error {
	if m.Type != rtmp.TypeVideo {
		return nil
	}
	for _, x := range c.also {
		if x.paused {
			continue
		}
		// 0x1 or 0x2 before the codec becomes 0x9 or 0xa: the frame type of an ExVideo body.
		body := slices.Concat([]byte{m.Payload[0]&0x70 | 0x86, 0x01}, []byte("avc1"), []byte{x.id}, m.Payload[2:5], withoutSets(m.Payload[5:]))
		if err := c.WriteMessage(c.onTrack(m.Timestamp, body)); err != nil {
			return err
		}
		c.sent.Add(1)
	}
	return nil
}

// withoutSets leaves parameter sets out of NAL units: the header says the size.
func withoutSets(units []byte) (out []byte) {
	for len(units) > 4 {
		n := 4 + int(binary.BigEndian.Uint32(units))
		if typ := units[4] & 0x1f; typ != 7 && typ != 8 {
			out = append(out, units[:n]...)
		}
		units = units[n:]
	}
	return out
}

func (c *client) onTrack(ts uint32, body []byte) rtmp.Message {
	return rtmp.Message{Type: rtmp.TypeVideo, ChunkStreamID: 6, StreamID: 1, Timestamp: ts, Payload: body}
}

// multitrack publishes with further tracks.
func (r *rig) multitrack(name string, also ...extraTrack) *client {
	r.Helper()
	p := r.publish("live", name)
	p.also = also
	return p
}

var threeSizes = []extraTrack{{id: 1, header: avc1280x720}, {id: 2, header: avc854x480}}

// masterOf parses a multivariant playlist; nil: there is none.
func (r *rig) masterOf(name string) *m3u8.Multivariant {
	var m m3u8.Multivariant
	if m.Unmarshal([]byte(r.read("www/live/"+name))) != nil {
		return nil
	}
	return &m
}

// segmentLines are the lines of a playlist, without the name of the rendition.
var ofRendition = regexp.MustCompile(`cam_[0-9]+p[0-9]*-`)

func (r *rig) segmentLines(name string) (out []string) {
	for line := range strings.Lines(r.read("www/live/" + name)) {
		out = append(out, ofRendition.ReplaceAllString(strings.TrimSpace(line), "NAME-"))
	}
	return out
}

func TestAMultitrackPublisherIsALadder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, block, list, variant string
	}{
		{"MPEG-TS", "", ".m3u8", ".m3u8"},
		{"fragmented MP4", `format = "fmp4"`, "-video.m3u8", "-video.m3u8"},
		{"low latency", "format = \"fmp4\"\n      low_latency = true", "-video.m3u8", "-video.m3u8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, strings.Replace(watched(""), "hls {", "hls {\n"+c.block, 1))
			p := r.multitrack("cam", threeSizes...)
			var m *m3u8.Multivariant
			p.until("the multivariant playlist", func() bool {
				m = r.masterOf("cam.m3u8")
				return m != nil && len(m.Variants) == 3 && strings.Count(r.read("www/live/cam_480p"+c.list), "#EXTINF") >= 3
			})
			var got []string
			for _, v := range m.Variants {
				got = append(got, v.URI+" "+v.Resolution)
				if v.Bandwidth == 0 || len(v.Codecs) != 2 || !strings.HasPrefix(v.Codecs[0], "avc1.") {
					t.Errorf("%+v", v)
				}
			}
			want := []string{"cam_360p" + c.variant + " 640x360", "cam_720p" + c.variant + " 1280x720", "cam_480p" + c.variant + " 854x480"}
			if !slices.Equal(got, want) {
				t.Errorf("renditions %q, want %q", got, want)
			}
			if text := r.read("www/live/cam.m3u8"); c.block != "" && (strings.Count(text, "TYPE=AUDIO") != 1 || strings.Count(text, `AUDIO="audio0"`) != len(got)) {
				t.Errorf("the sizes do not share their sound:\n%s", text)
			}
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			r.eventually("the end of all renditions", func() bool {
				return strings.Count(r.read("www/live/cam_360p"+c.list)+r.read("www/live/cam_720p"+c.list)+r.read("www/live/cam_480p"+c.list), "ENDLIST") == 3
			})
			if r.hasLogged("hls output was too slow and passed over packets", "cam") {
				return // the machine is too busy: what was passed over is missing in one of them
			}
			one := r.segmentLines("cam_360p" + c.list)
			for _, other := range []string{"cam_720p", "cam_480p"} {
				if lines := r.segmentLines(other + c.list); !slices.Equal(lines, one) {
					t.Errorf("%s is not cut as cam_360p:\n%s\nand\n%s", other, strings.Join(lines, "\n"), strings.Join(one, "\n"))
				}
			}
		})
	}
}

// With low latency every size has parts, whoever waits for one gets it, and each playlist
// says where all others end, so that players change between sizes without asking.
func TestSizesOfALadderHaveParts(t *testing.T) {
	t.Parallel()
	for name, nested := range map[string]bool{"plain": false, "nested": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, strings.Replace(watched(""), "hls {", fmt.Sprintf("hls {\n      format = \"fmp4\"\n      low_latency = true\n      nested = %t", nested), 1))
			p := r.multitrack("cam", threeSizes...)
			list := func(size, kind string) string {
				if nested {
					return "/live/cam_" + size + "/" + kind + ".m3u8"
				}
				return "/live/cam_" + size + "-" + kind + ".m3u8"
			}
			w := r.watcher("203.0.113.7")
			sizes := []string{"360p", "480p", "720p"}
			last := regexp.MustCompile(`EXT-X-RENDITION-REPORT:URI="([^"?]*)[^"]*",LAST-MSN=(\d+)`)
			number := regexp.MustCompile(`EXT-X-MEDIA-SEQUENCE:(\d+)`)
			for _, size := range sizes {
				for _, kind := range []string{"video", "audio"} {
					var text string
					p.until(size+" "+kind+" has parts, and reports of the five others", func() bool {
						text = w.get(list(size, kind)).body
						return strings.Contains(text, "#EXT-X-PART:") && len(last.FindAllString(text, -1)) == 5
					})
					first, err := strconv.Atoi(number.FindStringSubmatch(text)[1])
					if err != nil {
						t.Fatal(err)
					}
					next := first + strings.Count(text, "#EXTINF")
					for _, m := range last.FindAllStringSubmatch(text, -1) {
						other := path.Join(path.Dir(list(size, kind)), m[1])
						if other == list(size, kind) {
							t.Errorf("%s reports itself", other)
						}
						// The others are about as far.
						if msn, err := strconv.Atoi(m[2]); err != nil || msn < next-5 || msn > next+5 {
							t.Errorf("%s ends at %s, this one at %d", other, m[2], next)
						}
						w.gets(other, 200, "#EXT-X-PART-INF")
					}
					part := regexp.MustCompile(`#EXT-X-PART:[^\n]*URI="([^"]*)"`).FindAllStringSubmatch(text, -1)
					w.gets(path.Join(path.Dir(list(size, kind)), part[len(part)-1][1]), 200, "moof")
				}
			}
			// A request that waits is answered with what it waits for.
			text := w.get(list("720p", "video")).body
			first, _ := strconv.Atoi(number.FindStringSubmatch(text)[1])
			want := first + strings.Count(text, "#EXTINF") + 1
			answer := make(chan page, 1)
			go func() {
				answer <- w.get(list("720p", "video") + fmt.Sprintf("?_HLS_msn=%d&_HLS_part=0", want))
			}()
			var got page
			p.until("the answer", func() bool {
				select {
				case got = <-answer:
					return true
				default:
					return false
				}
			})
			if now, _ := strconv.Atoi(number.FindStringSubmatch(got.body)[1]); got.status != 200 || now+strings.Count(got.body, "#EXTINF") < want {
				t.Errorf("asked for segment %d, got %d\n%s", want, got.status, got.body)
			}
		})
	}
}

// Whoever watches one size watches the stream, and its name is nobody else's.
func TestALadderIsOneStream(t *testing.T) {
	t.Parallel()
	h := newHookServer(t, nil)
	r := start(t, strings.ReplaceAll(watched(`on_publish = "$HOOK/publish"
    on_play = "$HOOK/play"`), "$HOOK", h.url))
	h.rig = r
	p := r.multitrack("cam", append(threeSizes, extraTrack{id: 3, header: avc720x1280})...)
	p.until("both sets", func() bool {
		m := r.masterOf("cam.m3u8")
		return m != nil && len(m.Variants) == 3 && r.masterOf("cam-vertical.m3u8") != nil
	})
	newest := regexp.MustCompile(`cam_720p-[0-9]+\.ts`).FindString(r.read("www/live/cam_720p.m3u8"))
	if m := r.masterOf("cam-vertical.m3u8"); len(m.Variants) != 1 || m.Variants[0].URI != "cam-vertical_1280p.m3u8" || m.Variants[0].Resolution != "720x1280" {
		t.Errorf("%+v", m.Variants)
	}
	for _, name := range []string{"cam_720p", "cam-vertical", "cam-vertical_1280p"} {
		r.refused("live", name, dialling{}, statusBadName, `rendition of the stream "cam"`)
	}
	w := r.watcher("203.0.113.7")
	w.gets("/live/"+newest, 403, "")
	w.gets("/live/cam.m3u8", 200, "cam_480p.m3u8?viewer=")
	w.gets("/live/cam_720p.m3u8", 200, newest)
	w.gets("/live/"+newest, 200, "")
	w.gets("/live/cam-vertical_1280p.m3u8", 200, "")
	if call := h.last("play"); call.Get("name") != "cam" {
		t.Errorf("on_play is asked about %s", call.Get("name"))
	}
	if got := r.counts("cam"); got != [3]int{1, 1, 1} {
		t.Errorf("viewers now, peak, unique: %v", got)
	}
	if got := r.streams("live"); !slices.Equal(got, []string{"cam"}) {
		t.Errorf("streams %v", got)
	}
	outputs := r.srv.Snapshot().Servers[0].Applications[0].Streams[0].Outputs
	if len(outputs) != 4 {
		t.Errorf("outputs %+v", outputs)
	}
}

func TestSizesOfALadderComeAndGo(t *testing.T) {
	t.Parallel()
	r := start(t, watched(`reconnect_grace = "30s"`))
	p := r.multitrack("cam", threeSizes...)
	sizes := func() (out []string) {
		if m := r.masterOf("cam.m3u8"); m != nil {
			for _, v := range m.Variants {
				out = append(out, v.Resolution)
			}
		}
		return out
	}
	p.until("three sizes", func() bool { return slices.Equal(sizes(), []string{"640x360", "1280x720", "854x480"}) })
	p.also = slices.Clone(p.also)
	p.also[0].paused = true
	p.until("one has gone", func() bool { return slices.Equal(sizes(), []string{"640x360", "854x480"}) })
	p.also[0].paused = false
	p.until("it is back", func() bool { return slices.Equal(sizes(), []string{"640x360", "1280x720", "854x480"}) })
	number := func(name string) string {
		text := r.read("www/live/" + name)
		last := text[strings.LastIndexByte(strings.TrimSpace(text), '\n')+1:]
		return ofRendition.ReplaceAllString(last, "")
	}
	p.until("all have the same newest segment", func() bool {
		n := number("cam_360p.m3u8")
		return n != "" && number("cam_720p.m3u8") == n && number("cam_480p.m3u8") == n
	})

	// The encoder comes back with one size: players have a multivariant playlist.
	p.cut()
	p = r.publish("live", "cam")
	p.until("one size", func() bool { return slices.Equal(sizes(), []string{"640x360"}) })
}

func TestTracksOfAHostilePublisherAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, watched(""))
	all := []extraTrack{{id: 200, header: ""}, {id: 201, header: "00"}, {id: 1, header: avc1280x720}, {id: 1, header: avc1280x720}}
	for id := byte(2); id < 64; id++ {
		all = append(all, extraTrack{id: id, header: avc854x480})
	}
	p := r.multitrack("cam", all...)
	p.until("a playlist", func() bool { return r.masterOf("cam.m3u8") != nil })
	m := r.masterOf("cam.m3u8")
	if n := len(m.Variants); n < 2 || n > 9 {
		t.Errorf("%d renditions of 64 tracks", n)
	}
	if !p.alive() {
		t.Error("the publisher was closed")
	}
}

// The MPD of a ladder has all sizes as representations of one set.
func TestTheMPDOfALadderHasAllSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config, template string }{
		{"DASH alone", dashed("", ""), "cam_720p-$Time$.m4v"},
		{"nested", dashed("nested = true", ""), "../cam_720p/$Time$.m4v"},
		{"beside HLS", strings.Replace(watched(`dash {
      path = "$DIR/www/live"
    }`), "hls {", "hls {\n      format          = \"fmp4\"", 1), "cam_720p-video-$Time$.m4s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.config)
			file := "www/live/cam.mpd"
			if c.name == "nested" {
				file = "www/live/cam/index.mpd"
			}
			type representation struct {
				ID       string `xml:"id,attr"`
				Height   int    `xml:"height,attr"`
				Template struct {
					Media string `xml:"media,attr"`
					S     []struct {
						T uint64 `xml:"t,attr"`
						D uint64 `xml:"d,attr"`
						R uint64 `xml:"r,attr"`
					} `xml:"SegmentTimeline>S"`
				} `xml:"SegmentTemplate"`
			}
			type document struct {
				Type string `xml:"type,attr"`
				Sets []struct {
					Type string           `xml:"contentType,attr"`
					All  []representation `xml:"Representation"`
				} `xml:"Period>AdaptationSet"`
			}
			read := func() (m document) {
				_ = xml.Unmarshal([]byte(r.read(file)), &m)
				return m
			}
			p := r.multitrack("cam", threeSizes...)
			p.until("an MPD", func() bool { m := read(); return len(m.Sets) > 0 && len(m.Sets[0].All[0].Template.S) > 0 })
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			r.eventually("its end", func() bool {
				m := read()
				return m.Type == "static" && len(m.Sets) == 2 && len(m.Sets[0].All) == 3
			})
			m := read()
			if len(m.Sets) != 2 || m.Sets[0].Type != "video" || len(m.Sets[0].All) != 3 || len(m.Sets[1].All) != 1 {
				t.Fatalf("%+v", m)
			}
			v := m.Sets[0].All
			if v[0].Height != 360 || v[1].Height != 720 || v[2].Height != 480 || v[1].Template.Media != c.template || v[0].ID == v[1].ID {
				t.Errorf("%+v", v)
			}
			r.eventually("segments at the same times", func() bool {
				if r.hasLogged("hls output was too slow and passed over packets", "cam") || r.hasLogged("dash output was too slow and passed over packets", "cam") {
					return true // the machine is too busy
				}
				v := read().Sets[0].All
				return slices.Equal(v[0].Template.S, v[1].Template.S) && slices.Equal(v[0].Template.S, v[2].Template.S)
			})
		})
	}
}
