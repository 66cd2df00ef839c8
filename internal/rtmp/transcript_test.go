package rtmp

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
)

var update = flag.Bool("update", false, "record the transcripts again with the real clients, and rewrite the goldens")

const (
	ffmpegSource = "ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=128x72:rate=10 -f lavfi -i sine=sample_rate=44100 -t 1 " +
		"-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -b:v 100k -g 10 -c:a aac -b:a 32k "
	gstSource = "videotestsrc num-buffers=10 ! video/x-raw,width=128,height=72,framerate=10/1 ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=100 key-int-max=10 ! video/x-h264,profile=main ! h264parse ! m. " +
		"audiotestsrc num-buffers=20 ! audio/x-raw,rate=44100 ! avenc_aac ! aacparse ! m."
)

// transcripts are what real clients send to a server that answers as ours does:
// testdata/transcripts/NAME.rtmp, byte for byte from C0 on. NAME.txt says what
// is in it. librtmp is what OBS uses.
var transcripts = []struct{ name, command string }{
	{"ffmpeg-publish", ffmpegSource + "-f flv URL/live/test?key=secret"},
	{"ffmpeg-publish-after-4h43m", ffmpegSource + "-output_ts_offset 17000 -f flv URL/live/test"},
	{"ffmpeg-play", "ffmpeg -nostdin -loglevel error -rw_timeout 5000000 -i URL/live/test -f null -"},
	{"gst-rtmp2sink-publish", "gst-launch-1.0 -e -q flvmux name=m streamable=true ! rtmp2sink location=URL/live/test " + gstSource},
	{"gst-rtmpsink-librtmp-publish", "gst-launch-1.0 -e -q flvmux name=m streamable=true ! rtmpsink location=URL/live/test " + gstSource},
	{"rtmpdump-librtmp-play", "rtmpdump -q -v -r URL/live -y test -o /dev/null"},
}

// recorder keeps what is read from a connection.
type recorder struct {
	net.Conn
	mu   sync.Mutex
	read bytes.Buffer
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	r.read.Write(p[:n])
	r.mu.Unlock()
	return n, err
}

// record runs a client against a server of ours and returns what it sent. A
// play ends the connection, once it was answered.
func record(t *testing.T, command string) []byte {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	args := strings.Fields(strings.ReplaceAll(command, "URL", "rtmp://"+ln.Addr().String()))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Conn: nc}
	if err := replay(r, io.Discard); err != nil {
		t.Log(err)
	}
	nc.Close()
	_ = cmd.Wait() // players mind that there is nothing to play
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read.Bytes()
}

// replay answers nc's commands and writes a line for each of its messages.
func replay(nc net.Conn, lines io.Writer) error {
	c, err := Accept(nc, Options{})
	if err != nil {
		return err
	}
	s := testServer{}
	for {
		m, err := c.ReadMessage()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(lines, "%d %s csid %d, stream %d, %d bytes\n", m.Timestamp, m.Type, m.ChunkStreamID, m.StreamID, len(m.Payload))
		switch m.Type {
		case TypeDataAMF0:
			vs, err := amf.DecodeAll(m.Payload, amf.MaxElements)
			fmt.Fprintf(lines, "\t%v %v\n", vs, err)
		case TypeCommandAMF0, TypeCommandAMF3:
			cmd, err := ParseCommand(m)
			if err != nil {
				return err
			}
			fmt.Fprintf(lines, "\t%s %v %v %v\n", cmd.Name, cmd.Transaction, cmd.Object, cmd.Args)
			if err := s.answer(c, m.StreamID, cmd); err != nil {
				return err
			}
			if err := c.Flush(); err != nil {
				return err
			}
			if cmd.Name == "play" {
				return nil
			}
		}
	}
}

func TestTranscripts(t *testing.T) {
	dir := filepath.Join("testdata", "transcripts")
	for _, tr := range transcripts {
		t.Run(tr.name, func(t *testing.T) {
			file := filepath.Join(dir, tr.name+".rtmp")
			golden := filepath.Join(dir, tr.name+".txt")
			if *update {
				if err := os.WriteFile(file, record(t, tr.command), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			wire, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := replay(&scripted{in: bytes.NewReader(wire)}, &got); err != nil {
				t.Errorf("after\n%s\n%v", got.Bytes(), err)
			}
			if *update {
				// The port was another one; the rest of the wire is as recorded.
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
			}
		})
	}
}
