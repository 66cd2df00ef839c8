package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestWhenMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		looks []memoryUse // one each 20 s
		want  string      // of each: x is given back
	}{
		{"little in use", []memoryUse{{5, 5 * mb, 10 * mb}, {5, 5 * mb, 10 * mb}, {5, 5 * mb, 10 * mb}}, "..."},
		{"garbage after a peak, and nothing to do", []memoryUse{{5, 500 * mb, 50 * mb}, {5, 500 * mb, 50 * mb}, {6, 70 * mb, 0}, {6, 70 * mb, 0}, {6, 70 * mb, 0}, {6, 70 * mb, 0}}, ".x...."},
		{"busy", []memoryUse{{5, 500 * mb, 50 * mb}, {9, 500 * mb, 50 * mb}, {13, 480 * mb, 60 * mb}, {17, 490 * mb, 70 * mb}}, "...."},
		{"idle pages after a peak", []memoryUse{{5, 100 * mb, 400 * mb}, {9, 100 * mb, 10 * mb}, {13, 100 * mb, 10 * mb}}, "x.."},
		{"idle pages all the time", []memoryUse{{5, 100 * mb, 400 * mb}, {9, 100 * mb, 400 * mb}, {13, 100 * mb, 400 * mb}, {17, 100 * mb, 400 * mb}, {21, 100 * mb, 400 * mb}}, "x..x."},
	} {
		var m memoryWatch
		got := ""
		for i, u := range c.looks {
			if m.due(u, start.Add(time.Duration(i)*memoryLook)) {
				got += "x"
			} else {
				got += "."
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if u := memoryNow(); u.objects == 0 || u.objects > 1<<40 {
		t.Errorf("this process has %+v", u)
	}
}

// rss is the resident memory of this process, in bytes.
func rss(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// account is what a stream costs by its own count: what the ring and the logs of
// its players hold.
func (r *rig) account(app, name string) int64 {
	st := r.stream(app, name)
	if st == nil {
		return 0
	}
	n := st.Live().Snapshot().HeldBytes
	if fan := st.Fan(); fan != nil {
		n += fan.Memory()
	}
	return n
}

// Whatever a publisher sends, with players that take nothing of it, it costs at
// most 64 MiB by the account, and the process does not grow by much more: what is
// garbage, and the client of this test, come on top.
func TestAPublisherCostsAtMost64MiB(t *testing.T) {
	const most = 64 << 20
	avc := "\x17\x00\x00\x00\x00\x01\x42\xc0\x1e\xff\xe1\x00\x0f\x67\x42\xc0\x1e\xd9\x00\xb0\x48\xc2\x00\x00\x03\x00\x02\x00\x00\x01\x00\x04\x68\xce\x3c\x80"
	video := func(ms uint32, body string) rtmp.Message {
		return rtmp.Message{Type: rtmp.TypeVideo, ChunkStreamID: 6, StreamID: 1, Timestamp: ms, Payload: []byte(body)}
	}
	frame := func(key bool, n int) string {
		head := "\x27"
		if key {
			head = "\x17"
		}
		return head + "\x01\x00\x00\x00" + strings.Repeat("\xaa", n)
	}
	// big are pictures of one body, so that the garbage is the server's alone.
	big := func(key bool, n, apart int) func(int) rtmp.Message {
		m := video(0, frame(key, n))
		return func(i int) rtmp.Message {
			m.Timestamp = uint32(i * apart)
			return m
		}
	}
	for _, c := range []struct {
		name     string
		messages int
		message  func(i int) rtmp.Message
	}{
		{"frames of 5 MB without a keyframe", 30, big(false, 5<<20, 40)},
		{"keyframes of 5 MB", 30, big(true, 5<<20, 40)},
		{"a keyframe each 2 s of 100 KB", 300, big(true, 100<<10, 2000)},
		{"tiny frames at one time", 100000, func(int) rtmp.Message { return video(0, frame(false, 1)) }},
		{"text of 1 MB", 100, func(i int) rtmp.Message {
			return rtmp.Message{Type: rtmp.TypeDataAMF0, ChunkStreamID: 5, StreamID: 1, Payload: []byte("\x02\x00\x0aonTextData" + strings.Repeat("x", 1<<20))}
		}},
		{"metadata that changes", 3000, func(i int) rtmp.Message {
			return rtmp.Message{Type: rtmp.TypeDataAMF0, ChunkStreamID: 5, StreamID: 1, Payload: []byte("\x02\x00\x0aonMetaData\x02\x00\x08" + fmt.Sprintf("%08d", i) + strings.Repeat("\x05", 60000))}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, liveWith("hls {\n path = \"$DIR/hls\"\n}"))
			p := r.publish("live", "cam")
			for _, m := range []rtmp.Message{video(0, avc), video(0, frame(true, 100))} {
				if err := p.WriteMessage(m); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 6 { // who stop reading
				s := r.seated("live", "cam", dialling{small: true})
				defer s.Close()
				if i%3 > 0 {
					_ = s.WriteCommand(1, map[int]string{1: "receiveVideo", 2: "receiveAudio"}[i%3], 0, nil, false)
					_ = s.Flush()
				}
			}
			bound := int64(4 * most)
			if underRace {
				bound *= 2
			}
			before, peak, grown := rss(t), int64(0), int64(0)
			for i := range c.messages {
				if p.WriteMessage(c.message(i)) != nil || i%100 == 0 && p.Flush() != nil {
					break // it may be closed for it
				}
				if i%max(c.messages/50, 1) == 0 {
					peak, grown = max(peak, r.account("live", "cam")), max(grown, rss(t)-before)
				}
			}
			_ = p.Flush()
			for range 20 { // while the server reads what is left
				peak, grown = max(peak, r.account("live", "cam")), max(grown, rss(t)-before)
				time.Sleep(50 * time.Millisecond)
			}
			t.Logf("account %d MiB, process grown by %d MiB", peak>>20, grown>>20)
			if peak > most || peak == 0 {
				t.Errorf("costs %d bytes", peak)
			}
			if grown > bound {
				t.Errorf("the process has grown by %d bytes", grown)
			}
		})
	}
}
