package server

import (
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"slices"
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
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, strings.Replace(watched(""), "hls {", "hls {\n"+c.block, 1))
			p := r.multitrack("cam", threeSizes...)
			p.until("the multivariant playlist", func() bool {
				return r.masterOf("cam.m3u8") != nil && strings.Count(r.read("www/live/cam_480p"+c.list), "#EXTINF") >= 3
			})
			m := r.masterOf("cam.m3u8")
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
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			r.eventually("the end of all renditions", func() bool {
				return strings.Count(r.read("www/live/cam_360p"+c.list)+r.read("www/live/cam_720p"+c.list)+r.read("www/live/cam_480p"+c.list), "ENDLIST") == 3
			})
			one := r.segmentLines("cam_360p" + c.list)
			for _, other := range []string{"cam_720p", "cam_480p"} {
				if lines := r.segmentLines(other + c.list); !slices.Equal(lines, one) {
					t.Errorf("%s is not cut as cam_360p:\n%s\nand\n%s", other, strings.Join(lines, "\n"), strings.Join(one, "\n"))
				}
			}
		})
	}
}
