package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func card(t *testing.T) clip {
	t.Helper()
	c, err := readClip(testcard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTestCardIsSmallAndBothTracksFillItsLength(t *testing.T) {
	if len(testcard) > 1<<20 {
		t.Errorf("the test card is %d bytes, more than 1 MiB", len(testcard))
	}
	var video, audio, keyframes int
	for _, m := range card(t).frames {
		switch m.Type {
		case rtmp.TypeVideo:
			video++
			if m.Payload[0]>>4 == 1 {
				keyframes++
			}
		case rtmp.TypeAudio:
			audio++
		}
	}
	if got := time.Duration(video) * time.Second / 30; got != length {
		t.Errorf("%d video frames last %s, want %s", video, got, length)
	}
	if got := time.Duration(audio) * 1024 * time.Second / 48000; got != length {
		t.Errorf("%d audio frames last %s, want %s", audio, got, length)
	}
	if want := int(length / time.Second); keyframes != want {
		t.Errorf("%d keyframes, want one a second: %d", keyframes, want)
	}
}

func TestTestCardIsWhatFFprobeSays(t *testing.T) {
	out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-show_entries",
		"stream=codec_name,width,height,sample_rate,channels,nb_read_packets", "-of", "json", "testcard.flv").Output()
	if err != nil {
		t.Fatalf("ffprobe: %v (sudo apt-get install --no-install-recommends ffmpeg)", err)
	}
	type stream struct {
		Codec    string `json:"codec_name"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		Rate     string `json:"sample_rate"`
		Channels int    `json:"channels"`
		Packets  string `json:"nb_read_packets"`
	}
	var got struct{ Streams []stream }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := []stream{
		{Codec: "h264", Width: 640, Height: 360, Packets: "480"},
		{Codec: "aac", Rate: "48000", Channels: 2, Packets: "750"},
	}
	if len(got.Streams) != 2 || got.Streams[0] != want[0] || got.Streams[1] != want[1] {
		t.Errorf("got %+v, want %+v", got.Streams, want)
	}
}

// played is what play wrote, and when.
type played struct {
	m  rtmp.Message
	at time.Duration
}

// run has play write for d of fake time.
func run(t *testing.T, d time.Duration, write func(played)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		start := time.Now()
		err := play(ctx, card(t), func(m rtmp.Message) error {
			write(played{m, time.Since(start)})
			return nil
		}, func() error { return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("play ends with %v, want the end of its context", err)
		}
	})
}

func TestTimestampsRiseWithoutAGapOverThreeRounds(t *testing.T) {
	// A frame's length and the rounding of both its ends to milliseconds.
	longest := map[rtmp.MessageType]uint32{rtmp.TypeVideo: 34, rtmp.TypeAudio: 22}
	last := map[rtmp.MessageType]uint32{}
	count := map[rtmp.MessageType]int{}
	headers := 0
	run(t, 3*length-time.Millisecond, func(p played) {
		kind := p.m.Type
		if kind == rtmp.TypeDataAMF0 || p.m.Payload[1] == 0 {
			headers++
			return
		}
		if n := count[kind]; n > 0 {
			if step := p.m.Timestamp - last[kind]; step == 0 || step > longest[kind] {
				t.Errorf("type %d, frame %d: timestamp %d after %d", kind, n, p.m.Timestamp, last[kind])
			}
		}
		last[kind] = p.m.Timestamp
		count[kind]++
	})
	if count[rtmp.TypeVideo] != 3*480 || count[rtmp.TypeAudio] != 3*750 {
		t.Errorf("three rounds have %d video and %d audio frames, want 1440 and 2250", count[rtmp.TypeVideo], count[rtmp.TypeAudio])
	}
	if headers != 3 {
		t.Errorf("%d headers, want 3: metadata, video, audio", headers)
	}
}

func TestFramesAreSentWhenTheyAreDue(t *testing.T) {
	run(t, 2*length, func(p played) {
		due := time.Duration(p.m.Timestamp) * time.Millisecond
		if p.at != due {
			t.Errorf("the frame of %s is sent at %s", due, p.at)
		}
	})
}

func TestAStallIsNotCaughtUpWithABurst(t *testing.T) {
	var before, burst int
	run(t, 40*time.Second, func(p played) {
		if before++; before == 300 {
			time.Sleep(30 * time.Second) // the machine slept
		}
		if before > 300 && p.at-30*time.Second < time.Duration(p.m.Timestamp)*time.Millisecond-50*time.Millisecond {
			burst++
		}
	})
	// What is at most late behind is caught up; 30 s are not.
	if burst > 0 {
		t.Errorf("%d frames came before their time after a stall", burst)
	}
}

func TestTimestampsGoRoundAtThirtyTwoBits(t *testing.T) {
	c := card(t)
	n := int((1<<32)/length.Milliseconds()) * len(c.frames)
	m, due := c.at(n)
	if want := uint32(due.Milliseconds() % (1 << 32)); m.Timestamp != want {
		t.Errorf("got %d, want %d", m.Timestamp, want)
	}
	next, _ := c.at(n + len(c.frames))
	if next.Timestamp-m.Timestamp != uint32(length.Milliseconds()) {
		t.Errorf("%d comes a round after %d", next.Timestamp, m.Timestamp)
	}
}

func TestSplitTakesTheStreamOffAURL(t *testing.T) {
	for _, c := range []struct{ name, url, server, stream string }{
		{"an application and a stream", "rtmp://127.0.0.1:1935/live/demo", "rtmp://127.0.0.1:1935/live", "demo"},
		{"a query goes with the stream", "rtmp://h/live/demo?key=x", "rtmp://h/live", "demo?key=x"},
		{"an application with an instance", "rtmps://h/a/b/demo", "rtmps://h/a/b", "demo"},
		{"no stream", "rtmp://h/live", "", ""},
		{"a slash at the end", "rtmp://h/live/", "", ""},
		{"not a URL", "rtmp://h:x/live/demo", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, stream, err := split(c.url)
			if server != c.server || stream != c.stream || (err == nil) != (c.server != "") {
				t.Errorf("split(%q): got %q, %q, %v, want %q, %q", c.url, server, stream, err, c.server, c.stream)
			}
		})
	}
}

// TestPublishComesBackAfterALostConnection has a server that takes the test
// card, hangs up, and takes it again.
func TestPublishComesBackAfterALostConnection(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Publish(ctx, "rtmp://"+l.Addr().String()+"/live/demo?key=secret", nil) }()

	for round := range 2 {
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got, err := accept(nc, 20)
		nc.Close()
		if err != nil {
			t.Fatalf("connection %d: %v", round, err)
		}
		if want := "connect live, publish demo?key=secret, video from 0, audio from 0"; got != want {
			t.Errorf("connection %d: got %q, want %q", round, got, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Publish: %v, want nil at the end of its context", err)
	}
}

// accept plays the server for one publisher until it has sent n frames, and says
// what it did.
func accept(nc net.Conn, n int) (string, error) {
	c, err := rtmp.Accept(nc, rtmp.Options{})
	if err != nil {
		return "", err
	}
	var did []string
	seen := map[rtmp.MessageType]bool{}
	for n > 0 {
		m, err := c.ReadMessage()
		if err != nil {
			return "", err
		}
		switch m.Type {
		case rtmp.TypeVideo, rtmp.TypeAudio:
			n--
			if m.Payload[1] != 0 && !seen[m.Type] {
				seen[m.Type] = true
				kind := map[rtmp.MessageType]string{rtmp.TypeVideo: "video", rtmp.TypeAudio: "audio"}[m.Type]
				did = append(did, kind+" from "+(time.Duration(m.Timestamp)*time.Millisecond).String())
			}
		case rtmp.TypeCommandAMF0:
			cmd, err := rtmp.ParseCommand(m)
			if err != nil {
				return "", err
			}
			switch cmd.Name {
			case "connect":
				var connect rtmp.Connect
				if connect, err = rtmp.ParseConnect(cmd); err == nil {
					did = append(did, "connect "+connect.App)
					err = c.WriteConnectResult(cmd.Transaction, connect)
				}
			case "createStream":
				err = c.WriteCommand(0, "_result", cmd.Transaction, nil, 1.0)
			case "publish":
				did = append(did, "publish "+cmd.Args[0].(string))
				c.Authorise()
				err = c.WriteStatus(1, "status", rtmp.StatusPublishStart, "go on")
			}
			if err == nil {
				err = c.Flush()
			}
			if err != nil {
				return "", err
			}
		}
	}
	return strings.ReplaceAll(strings.Join(did, ", "), "from 0s", "from 0"), nil
}

// A filled card has the bit rate that was asked for, and the same pictures.
func TestAFilledCardHasItsBitRate(t *testing.T) {
	plain, full := card(t), card(t)
	full.fill(2_500_000)
	bytesOf := func(c clip) (n int) {
		for _, m := range c.frames {
			n += len(m.Payload)
		}
		return n
	}
	if got := float64(bytesOf(full)) * 8 / length.Seconds(); got < 2_400_000 || got > 2_510_000 {
		t.Errorf("it has %.0f bits/s", got)
	}
	for i, m := range full.frames {
		if !bytes.HasPrefix(m.Payload, plain.frames[i].Payload) || m.Timestamp != plain.frames[i].Timestamp {
			t.Fatalf("frame %d is another one", i)
		}
		if rest := m.Payload[len(plain.frames[i].Payload):]; len(rest) > 0 && (int(rest[2])<<8+int(rest[3]) != (len(rest)-4)&0xffff || rest[4] != filler) {
			t.Fatalf("frame %d ends in %x", i, rest[:5])
		}
	}
	full.fill(1000) // it has more
	if n := bytesOf(full); n < bytesOf(plain) {
		t.Error("it has become smaller")
	}
}
