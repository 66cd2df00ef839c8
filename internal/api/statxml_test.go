package api

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is what a name or a client's words can hold at worst.
const hostile = "<b>\"x\" & 'y'</b>\x00\x1b]0;\r\nü\xff\u2028\u202e]]>"

// snapshot has everything in it that the page can show.
func snapshot() *Snapshot {
	avc := &media.Track{
		Kind: media.Video, Codec: media.CodecH264, Width: 1920, Height: 1080, FrameRate: 29.97,
		Profile: 100, Compat: 0, Level: 40,
	}
	aac := &media.Track{Kind: media.Audio, Codec: media.CodecAAC, AudioObjectType: 2, Channels: 2, SampleRate: 48000}
	return &Snapshot{
		Version: "1.2.3", Uptime: 90061 * time.Second, Accepted: 42,
		Built:    time.Date(2021, 2, 5, 1, 6, 1, 0, time.FixedZone("east", 0)),
		Findings: []doctor.Finding{{Name: "reload_failed", Level: "error", Advice: "the file has a mistake", Since: time.Unix(1e9, 0).UTC(), Count: 1}},
		BytesIn:  1 << 40, BytesOut: 12345, BwIn: 2650000, BwOut: 1,
		Servers: []Server{
			{Applications: []Application{
				{Name: "empty", Live: true},
				{Name: "off", Live: false, Streams: []Stream{{Name: "not shown"}}},
				{Name: "show", Live: true, Streams: []Stream{
					{
						Name: "test", Age: 61500 * time.Millisecond, BytesIn: 1000, BytesOut: 2000,
						BwIn: 2500000, BwOut: 5000000, BwAudio: 128000, BwVideo: 2372000,
						Publishing: true, Active: true, Video: avc, Audio: aac, BufferPackets: 120, BufferBytes: 1234567, Readers: 2, Viewers: 3, ViewersPeak: 40, ViewersUnique: 500,
						Outputs: []Output{
							{Kind: "hls", State: output.State{Target: "test.m3u8", Since: time.Unix(1e9, 0).UTC(), Bytes: 4096, Files: 7}},
							{Kind: "record", Name: "all <1>", State: output.State{Failing: "no space & no hope", FailingSince: time.Unix(1e9, 0).UTC(), Retry: time.Unix(1e9+30, 0).UTC()}},
						},
						Ingest: doctor.Figures{FrameRate: 29.97, GOP: 2 * time.Second, GOPMin: time.Second, GOPMax: 4 * time.Second, Jitter: 1500 * time.Microsecond},
						Health: []doctor.Finding{{Name: "gop_long", Level: "warning", Advice: "A keyframe <interval> of 4 s & more", Since: time.Unix(1e9, 0).UTC(), Count: 2}},
						Clients: []Client{
							{
								ID: 7, Address: "192.0.2.1", Age: time.Second, FlashVer: "FMLE/3.0 (compatible; FMSc/1.0)",
								SWFURL: "rtmp://example.org/show", Timestamp: 4294967295, Publishing: true, Active: true,
							},
							{
								ID: 8, Address: "2001:db8::1", Age: time.Millisecond, FlashVer: "LNX 9,0,124,2",
								PageURL: "https://example.org/?a=1&b=2", Dropped: 3, RoundTrip: 42500 * time.Microsecond, AVSync: -21, Active: true,
							},
							{ID: 9, Address: "127.0.0.1"},
						},
					},
					{Name: "waits", Age: time.Hour},
					{Name: hostile, Publishing: true, Clients: []Client{{ID: 10, Address: "::1", FlashVer: hostile, PageURL: hostile, SWFURL: hostile, Publishing: true}}},
				}},
			}},
			{Applications: []Application{{Name: "codecs", Live: true, Streams: []Stream{
				{Name: "hevc", Video: &media.Track{Codec: media.CodecHEVC, Width: 3840, Height: 2160}, FrameRate: 59.94, Audio: &media.Track{Kind: media.Audio, Codec: media.CodecOpus}},
				{Name: "slides", Video: &media.Track{Codec: media.CodecH264, Profile: 77, Level: 30, Width: 640, Height: 480}},
				{Name: "radio", Audio: &media.Track{Kind: media.Audio, Codec: media.CodecMP3, Channels: 1, SampleRate: 44100}},
				{Name: "he", Video: &media.Track{Codec: media.CodecH264, Profile: 66, Compat: 192, Level: 31}, Audio: &media.Track{Kind: media.Audio, Codec: media.CodecAAC, AudioObjectType: 29, Channels: 2, SampleRate: 24000}},
			}}}},
			{},
		},
	}
}

var (
	pid      = regexp.MustCompile(`<pid>\d+</pid>`)
	compiler = "<compiler>" + runtime.Version() + "</compiler>"
)

// page renders s, with what differs from run to run replaced.
func page(t *testing.T, s *Snapshot, stylesheet string) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteXML(&b, s, stylesheet); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if want := fmt.Sprintf("<pid>%d</pid>", os.Getpid()); !strings.Contains(text, want) || !strings.Contains(text, compiler) {
		t.Errorf("the page lacks %s or %s", want, compiler)
	}
	text = pid.ReplaceAllString(text, "<pid>1</pid>")
	return strings.ReplaceAll(text, compiler, "<compiler>go</compiler>")
}

func TestWriteXMLIsTheGoldenPage(t *testing.T) {
	const golden = "testdata/stat.golden.xml"
	got := page(t, snapshot(), "/stat.xsl?a=\"1\"&b")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A page in the structure that nginx-rtmp's exporters read.
type parsed struct {
	XMLName  xml.Name `xml:"rtmp"`
	Accepted uint64   `xml:"naccepted"`
	Uptime   int64    `xml:"uptime"`
	Servers  []struct {
		Applications []struct {
			Name string `xml:"name"`
			Live *struct {
				Clients int `xml:"nclients"`
				Streams []struct {
					Name       string    `xml:"name"`
					Clients    int       `xml:"nclients"`
					Publishing *struct{} `xml:"publishing"`
					Client     []struct {
						ID       uint64 `xml:"id"`
						FlashVer string `xml:"flashver"`
					} `xml:"client"`
					Width int    `xml:"meta>video>width"`
					Rate  int    `xml:"meta>video>frame_rate"`
					Codec string `xml:"meta>audio>codec"`
				} `xml:"stream"`
			} `xml:"live"`
		} `xml:"application"`
	} `xml:"server"`
}

func TestAStatPageIsWellFormedWhateverIsInIt(t *testing.T) {
	text := page(t, snapshot(), "")
	for _, r := range text {
		if r != '\r' && r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("the page has %q", r)
		}
	}
	var p parsed
	if err := xml.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if p.Accepted != 42 || p.Uptime != 90061 || len(p.Servers) != 3 {
		t.Fatalf("read back: %+v", p)
	}
	apps := p.Servers[0].Applications
	if len(apps) != 3 || apps[1].Live != nil || apps[2].Live == nil || apps[2].Live.Clients != 4 {
		t.Fatalf("applications: %+v", apps)
	}
	streams := apps[2].Live.Streams
	const shown = `<b>"x" & 'y'</b>  ]0;  ü       ]]>` // a space for each byte of what can't be seen
	if len(streams) != 3 || streams[2].Name != shown || streams[2].Client[0].FlashVer != shown {
		t.Errorf("hostile name read back as %+v, want %q", streams, shown)
	}
	if s := streams[0]; s.Clients != 3 || s.Publishing == nil || s.Width != 1920 || s.Rate != 30 || s.Codec != "AAC" || s.Client[1].ID != 8 {
		t.Errorf("stream: %+v", s)
	}
	if s := streams[1]; s.Clients != 0 || s.Publishing != nil {
		t.Errorf("a stream that waits: %+v", s)
	}
	if s := p.Servers[1].Applications[0].Live.Streams[0]; s.Rate != 60 || s.Codec != "Opus" {
		t.Errorf("the metadata's frame rate: %+v", s)
	}
}

// Scripts that watch nginx-rtmp parse the date of the build (rtmp_exporter) and
// read both tracks of a stream that has one of them (NOALBS).
func TestScrapersOfNginxRTMPReadOn(t *testing.T) {
	var p struct {
		Built   string `xml:"built"`
		Streams []struct {
			Name string `xml:"name"`
			Meta *struct {
				Tracks []struct {
					XMLName xml.Name
					Width   *int `xml:"width"`
					Height  *int `xml:"height"`
					Rate    *int `xml:"frame_rate"`
				} `xml:",any"`
			} `xml:"meta"`
		} `xml:"server>application>live>stream"`
	}
	if err := xml.Unmarshal([]byte(page(t, snapshot(), "")), &p); err != nil {
		t.Fatal(err)
	}
	if p.Built != "Feb  5 2021 01:06:01" {
		t.Errorf("built %q", p.Built)
	}
	seen := 0
	for _, s := range p.Streams {
		if s.Meta == nil {
			continue
		}
		seen++
		if m := s.Meta.Tracks; len(m) != 2 || m[0].XMLName.Local != "video" || m[1].XMLName.Local != "audio" ||
			m[0].Width == nil || m[0].Height == nil || m[0].Rate == nil {
			t.Errorf("%s: <meta> has %+v", s.Name, m)
		}
	}
	if seen != 5 {
		t.Errorf("%d streams with <meta>", seen)
	}
}

// A failingWriter takes so many bytes.
type failingWriter struct{ left int }

var errFull = errors.New("full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteXMLReportsAReaderThatWentAway(t *testing.T) {
	big := &Snapshot{Servers: []Server{{Applications: []Application{{Name: strings.Repeat("x", 1<<16), Live: true}}}}}
	for _, n := range []int{0, 5000} {
		if err := WriteXML(&failingWriter{left: n}, big, ""); !errors.Is(err, errFull) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	if err := WriteXML(io.Discard, &Snapshot{}, ""); err != nil {
		t.Errorf("an empty server: %v", err)
	}
}
