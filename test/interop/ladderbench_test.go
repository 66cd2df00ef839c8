//go:build latency

package interop

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ladderRates are the bit rates of a ladder of four as streamers send it, in kb/s.
var ladderRates = []int{6000, 3000, 1200, 600}

// TestLadderCost measures what CPU the server needs for a publisher of four renditions, as
// HLS of fragmented MP4, with low latency and without, and with DASH of the same segments.
// Run it where nothing else runs. The segments are in memory, where there is a place for
// that: what a disk's file system adds is its own (an ext4 without a journal more than
// doubles it).
func TestLadderCost(t *testing.T) {
	const memory = "/dev/shm"
	if _, err := os.Stat(memory); err == nil {
		t.Setenv("TMPDIR", memory)
	}
	const streams, seconds = 8, 20
	tags, _ := ladderTags(t, seconds)
	for i := range tags {
		tags[i].body = padded(tags[i])
	}
	for _, c := range []struct {
		name, hls, dash string
		goal            float64 // per cent of a core; 0: none
	}{
		{"plain", `fragment = "2s"`, "", 0.5},
		{"plain with DASH", `fragment = "2s"`, `fragment = "2s"`, 0.5},
		{"low latency", "fragment = \"1s\"\n      low_latency = true", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &server{dir: shortDir(t)}
			text := strings.Replace(s.paged(t, ""), `fragment = "2s"`, c.hls+"\n      format = \"fmp4\"", 1)
			if c.dash != "" {
				text = strings.Replace(text, "    hls {\n", "    dash {\n      path = \""+s.dir+"/www/live\"\n      "+c.dash+"\n    }\n    hls {\n", 1)
			}
			s.run(t, text)
			found, err := exec.Command("pgrep", "-f", "^[^ ]*rtmpd run -c "+filepath.Join(s.dir, "rtmpd.hcl")).Output()
			if err != nil {
				t.Fatal(err)
			}
			pid := strings.Fields(string(found))[0]
			var all sync.WaitGroup
			begun := time.Now()
			for i := range streams {
				all.Go(func() {
					if err := sendInTime(t.Context(), s, fmt.Sprint("test", i), tags, begun.Add(time.Duration(i)*37*time.Millisecond)); err != nil {
						t.Error(err)
					}
				})
			}
			time.Sleep(5 * time.Second)
			before := cpuOf(t, pid)
			time.Sleep((seconds - 8) * time.Second)
			used := cpuOf(t, pid) - before
			all.Wait()
			percent := 100 * used.Seconds() / (seconds - 8) / streams
			t.Logf("%.2f %% of a core for each of %d publishers of %d kb/s (goal: %.1f)", percent, streams, ladderRates, c.goal)
			if c.goal > 0 && percent > c.goal {
				t.Error("the goal is missed")
			}
		})
	}
}

// padded is the body of a tag with a filler NAL unit (H.264 §7.3.2.7) that makes up its bit
// rate, at 25 pictures a second.
func padded(tag sentTag) []byte {
	body, id := tag.body, 0
	if tag.kind != tagVideo || body[1]&0x0f != 1 {
		return body
	}
	if body[0]&0x80 != 0 { // Enhanced RTMP v2: the track stands behind the FourCC
		id = int(body[6])
	}
	lacks := ladderRates[id]*1000/8/25 - len(body) - 4
	if lacks < 2 {
		return body
	}
	body = binary.BigEndian.AppendUint32(body[:len(body):len(body)], uint32(lacks))
	filler := make([]byte, lacks)
	for i := range filler {
		filler[i] = 0xff
	}
	filler[0], filler[lacks-1] = 12, 0x80
	return append(body, filler...)
}

// cpuOf is what CPU a process has used (proc(5): utime and stime, in 1/100 s).
func cpuOf(t *testing.T, pid string) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
