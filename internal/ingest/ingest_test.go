package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A notebook is a Publication that writes down what it is told.
type notebook struct {
	base     time.Duration
	epoch    uint32
	taken    int // packets that it takes; -1: all
	packets  []*media.Packet
	metadata *live.Metadata
	said     []string
	arrived  int
}

func (n *notebook) say(format string, args ...any) {
	n.said = append(n.said, fmt.Sprintf(format, args...))
}

func (n *notebook) Name() string                   { return "cam" }
func (n *notebook) Begin() (time.Duration, uint32) { return n.base, n.epoch }
func (n *notebook) Arrived(uint32, time.Time)      { n.arrived++ }
func (n *notebook) Metadata() *live.Metadata       { return n.metadata }
func (n *notebook) NameEncoder(name string)        { n.say("encoder %s", name) }
func (n *notebook) Repaired(r flv.Repairs)         { n.say("%d outliers, offset %v", r.Outliers, r.Offset) }
func (n *notebook) SetMetadata(raw []byte)         { n.metadata = &live.Metadata{Raw: raw}; n.say("metadata") }
func (n *notebook) Write(p *media.Packet, _ time.Time) bool {
	if len(n.packets) == n.taken {
		return false
	}
	n.packets = append(n.packets, p)
	return true
}

func (n *notebook) Complain(d media.Defects, _ time.Time, err error) { n.say("defects %v: %v", d, err) }

// sent are the messages of a file.
func sent(t *testing.T) (all []rtmp.Message) {
	t.Helper()
	b, err := os.ReadFile("../flv/testdata/h264aac.flv")
	if err != nil {
		t.Fatal(err)
	}
	r, err := flv.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		tag, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rtmp.Message{Type: rtmp.MessageType(tag.Type), Timestamp: tag.Timestamp, Payload: tag.Body})
	}
}

func begun(n *notebook) (*Ingest, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	in := &Ingest{Log: zap.New(core)}
	in.Begin(n)
	return in, logs
}

func TestMessagesBecomePacketsOfThePublicationAtHand(t *testing.T) {
	t.Parallel()
	all := sent(t)
	first := &notebook{taken: -1}
	in, _ := begun(first)
	var want [3]int // by media.Kind
	for _, m := range all {
		if err := in.Message(m); err != nil {
			t.Fatal(err)
		}
		if m.Type == rtmp.TypeVideo && m.Payload[1] == 1 {
			want[media.Video]++
		} else if m.Type == rtmp.TypeAudio && m.Payload[1] == 1 {
			want[media.Audio]++
		}
	}
	var got [3]int
	for _, p := range first.packets {
		if got[p.Track.Kind]++; p.Epoch != 0 {
			t.Fatalf("epoch %d", p.Epoch)
		}
	}
	if got != want || want[media.Video] == 0 || want[media.Audio] == 0 {
		t.Errorf("%d packets by kind, want %d", got, want)
	}
	if !strings.HasPrefix(strings.Join(first.said, ", "), "encoder Lavf") || first.metadata == nil || first.arrived < len(first.packets) {
		t.Errorf("it is told %q, and of %d arrivals", first.said, first.arrived)
	}
	if err := in.Message(rtmp.Message{Type: rtmp.TypeCommandAMF0, Payload: []byte("no media")}); err != nil || len(first.packets) != want[0]+want[1] {
		t.Errorf("a command: %v", err)
	}
	second := &notebook{taken: 3, base: time.Hour, epoch: 7}
	in.Begin(second)
	var err error
	for _, m := range all {
		if err = in.Message(m); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrTaken) || len(second.packets) != 3 {
		t.Fatalf("%v after %d packets", err, len(second.packets))
	}
	if p := second.packets[0]; p.Epoch != 7 || p.DTS < time.Hour || p.DTS > time.Hour+time.Second {
		t.Errorf("it begins at %v, epoch %d", p.DTS, p.Epoch)
	}
}

func TestWhatBecomesOfDataMessages(t *testing.T) {
	t.Parallel()
	n := &notebook{taken: -1}
	in, logs := begun(n)
	data := func(typ rtmp.MessageType, body []byte) {
		t.Helper()
		if err := in.Message(rtmp.Message{Type: typ, Timestamp: 40, Payload: body}); err != nil {
			t.Fatal(err)
		}
	}
	metadata := func(encoder string) []byte {
		return amf.Append(amf.Append(nil, "onMetaData"), amf.Object{{Name: "encoder", Value: encoder}})
	}
	said := func(want string) {
		t.Helper()
		if got := strings.Join(n.said, ", "); got != want {
			t.Errorf("it is told %q, want %q", got, want)
		}
		n.said = nil
	}
	data(rtmp.TypeDataAMF0, metadata("one"))
	said("encoder one, metadata")
	data(rtmp.TypeDataAMF0, metadata("one")) // again, as encoders do
	said("encoder one")
	data(rtmp.TypeDataAMF3, append([]byte{0}, metadata("one")...)) // behind its format
	said("encoder one")
	data(rtmp.TypeDataAMF3, append([]byte{0}, metadata("two")...))
	said("encoder two, metadata")
	data(rtmp.TypeDataAMF0, amf.Append(amf.Append(nil, "onTextData"), "hello"))
	data(rtmp.TypeDataAMF3, append([]byte{0}, amf.Append(amf.Append(nil, "onTextData"), "hello")...))
	if len(n.packets) != 2 || !bytes.Equal(n.packets[0].Data, n.packets[1].Data) || n.packets[0].Track.Kind != media.Data {
		t.Errorf("%d packets of text", len(n.packets))
	}
	for _, nothing := range [][]byte{nil, {}, {0}, {5}} {
		data(rtmp.TypeDataAMF0, nothing)
		data(rtmp.TypeDataAMF3, nothing)
	}
	if len(n.packets) != 2 || logs.Len() != 0 {
		t.Errorf("%d packets, logged %v", len(n.packets), logs.All())
	}
	for i := range 200 {
		data(rtmp.TypeDataAMF0, metadata(fmt.Sprint(i)))
	}
	changes := strings.Count(strings.Join(n.said, ","), "metadata")
	if l := logs.All(); changes < 55 || changes > 70 || len(l) != 1 || !strings.Contains(fmt.Sprint(l[0].ContextMap()), "changes too often") {
		t.Errorf("%d changes, logged %v", changes, l)
	}
}

func TestWhatIsWrongIsToldOnce(t *testing.T) {
	t.Parallel()
	n := &notebook{taken: -1}
	in, _ := begun(n)
	for range 3 {
		if err := in.Message(rtmp.Message{Type: rtmp.TypeVideo, Payload: []byte{0x17, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.said) != 1 || !strings.HasPrefix(n.said[0], "defects ") {
		t.Errorf("a picture without a header: it is told %q", n.said)
	}
	all := sent(t)
	n = &notebook{taken: -1}
	in, _ = begun(n)
	for i, m := range all {
		if m.Type == rtmp.TypeVideo && i == len(all)/2 {
			m.Timestamp += 3_600_000
		}
		if m.Type == rtmp.TypeVideo && i == len(all)/2+1 || m.Type == rtmp.TypeAudio && i == len(all)/2 {
			m.Timestamp += 3_600_000
		}
		if err := in.Message(m); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(n.said, ", "); strings.Count(got, "1 outliers") != 1 || strings.Contains(got, "0 outliers") {
		t.Errorf("timestamps that are an hour off: it is told %q", got)
	}
}

func TestHeadersThatChangeAllTheTimeEndThePublisher(t *testing.T) {
	t.Parallel()
	n := &notebook{taken: -1}
	in, _ := begun(n)
	header := func(i int) rtmp.Message { // of AAC: 44.1 and 48 kHz
		return rtmp.Message{Type: rtmp.TypeAudio, Payload: []byte{0xaf, 0, 0x11 + byte(i%2), 0x90 - byte(i%2)*0x80}}
	}
	var err error
	i := 0
	for ; i < 500 && err == nil; i++ {
		if err = in.Message(header(i)); err == nil {
			err = in.Message(rtmp.Message{Type: rtmp.TypeAudio, Timestamp: uint32(i * 21), Payload: []byte{0xaf, 1, 0x21, 0x10}})
		}
	}
	if !errors.Is(err, ErrHeaders) || i < 60 || i > 80 {
		t.Errorf("%v after %d headers", err, i)
	}
}
