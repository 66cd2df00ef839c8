package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astits"
)

// A stream's frames, as one reader counted them.
type frames struct{ video, audio int }

// checkTS has ffprobe and go-astits read the fragments of a stream and fails the
// test unless both count want frames. A negative count is not checked.
func checkTS(t *testing.T, playlist string, fragments [][]byte, want frames) {
	t.Helper()
	keep(t, "playlist.m3u8", []byte(playlist))
	if len(fragments) == 0 {
		t.Fatalf("the playlist names no fragment:\n%s", playlist)
	}
	checkPlaylist(t, playlist)
	whole := bytes.Join(fragments, nil)
	keep(t, "whole.ts", whole)
	for reader, got := range map[string]frames{"ffprobe": probe(t, whole), "go-astits": demux(t, whole)} {
		if want.video >= 0 && got.video != want.video || want.audio >= 0 && got.audio != want.audio {
			t.Errorf("%s: got %+v, want %+v", reader, got, want)
		}
	}
	var sum frames
	for i, f := range fragments {
		got := probe(t, f)
		if got == (frames{}) {
			t.Errorf("ffprobe finds nothing in fragment %d (%d bytes)", i, len(f))
		}
		sum.video += got.video
		sum.audio += got.audio
	}
	if want.video >= 0 && sum.video != want.video {
		t.Errorf("ffprobe, fragment by fragment: got %d video frames, want %d", sum.video, want.video)
	}
}

// checkPlaylist holds the playlist of a stream without incidents against
// RFC 8216 §4.3.3.1 (no EXTINF rounds above TARGETDURATION).
func checkPlaylist(t *testing.T, playlist string) {
	t.Helper()
	target := 0
	for line := range strings.Lines(playlist) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "#EXT-X-TARGETDURATION:"); ok {
			target, _ = strconv.Atoi(v)
		}
		if v, ok := strings.CutPrefix(line, "#EXTINF:"); ok {
			d, err := strconv.ParseFloat(strings.TrimSuffix(v, ","), 64)
			if err != nil || d <= 0 || int(d+0.5) > target {
				t.Errorf("%s with a target duration of %d", line, target)
			}
		}
		if line == "#EXT-X-DISCONTINUITY" {
			t.Error("a discontinuity in a stream without one")
		}
	}
}

// probe counts a TS file's packets with ffprobe.
func probe(t *testing.T, ts []byte) frames {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.ts")
	if err := os.WriteFile(path, ts, 0o600); err != nil {
		t.Fatal(err)
	}
	return probeFile(t, path)
}

func probeFile(t *testing.T, path string) (f frames) {
	t.Helper()
	cmd := command(t, time.Minute, "ffprobe", "-v", "error", "-count_packets",
		"-show_entries", "stream=codec_type,nb_read_packets", "-of", "json", path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	var v struct {
		Programs []json.RawMessage
		Streams  []struct {
			Type    string `json:"codec_type"`
			Packets string `json:"nb_read_packets"`
		}
	}
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	for _, s := range v.Streams {
		n, _ := strconv.Atoi(s.Packets) // absent: none
		switch s.Type {
		case "video":
			f.video += n
		case "audio":
			f.audio += n
		}
	}
	return f
}

// demux reads ts with go-astits: continuity counters without a gap, a PCR at
// least every 100 ms that never runs back (ISO 13818-1 §2.7.2) and never passes
// a DTS, decoding times that rise on each PID.
func demux(t *testing.T, ts []byte) (f frames) {
	t.Helper()
	checkPackets(t, ts)
	video := map[uint16]bool{}
	dts := map[uint16]int64{}
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts))
	for {
		data, err := d.NextData()
		if errors.Is(err, astits.ErrNoMorePackets) {
			return f
		}
		if err != nil {
			t.Errorf("go-astits: %v", err)
			return f
		}
		if data.PMT != nil {
			for _, es := range data.PMT.ElementaryStreams {
				video[es.ElementaryPID] = es.StreamType.IsVideo()
			}
		}
		if data.PES == nil {
			continue
		}
		h := data.PES.Header.OptionalHeader
		if h == nil || h.PTS == nil {
			t.Errorf("PID %d: a PES packet without a PTS", data.PID)
			continue
		}
		at := h.PTS.Base
		if h.DTS != nil {
			at = h.DTS.Base
		}
		if last, ok := dts[data.PID]; ok && at <= last {
			t.Errorf("PID %d: DTS %d after %d", data.PID, at, last)
		}
		dts[data.PID] = at
		if pcr := data.FirstPacket.AdaptationField; pcr != nil && pcr.HasPCR && pcr.PCR.Base > at {
			t.Errorf("PID %d: PCR %d is past the DTS %d beside it", data.PID, pcr.PCR.Base, at)
		}
		if video[data.PID] {
			f.video++
		} else {
			f.audio += adtsFrames(t, data.PES.Data)
		}
	}
}

// checkPackets looks at the transport packets alone.
func checkPackets(t *testing.T, ts []byte) {
	t.Helper()
	if len(ts)%188 != 0 {
		t.Errorf("%d bytes are not whole TS packets", len(ts))
	}
	counters := map[uint16]uint8{}
	pcr := int64(-1)
	d := astits.NewDemuxer(context.Background(), bytes.NewReader(ts))
	for {
		p, err := d.NextPacket()
		if errors.Is(err, astits.ErrNoMorePackets) {
			break
		}
		if err != nil {
			t.Errorf("go-astits: %v", err)
			return
		}
		pid, cc := p.Header.PID, p.Header.ContinuityCounter
		if last, ok := counters[pid]; ok && p.Header.HasPayload && cc != (last+1)&0x0f {
			t.Errorf("PID %d: continuity counter %d after %d", pid, cc, last)
		}
		counters[pid] = cc
		if p.AdaptationField == nil || !p.AdaptationField.HasPCR {
			continue
		}
		now := p.AdaptationField.PCR.Base
		if pcr >= 0 && (now <= pcr || now-pcr > 9000) {
			t.Errorf("PCR %d after %d (90 kHz): it must rise, by at most 100 ms", now, pcr)
		}
		pcr = now
	}
	if pcr < 0 {
		t.Error("no PCR at all")
	}
}

// adtsFrames counts the AAC frames of a PES payload (ISO 14496-3 §1.A.2).
func adtsFrames(t *testing.T, b []byte) (n int) {
	t.Helper()
	for len(b) >= 7 {
		size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
		if b[0] != 0xff || b[1]&0xf0 != 0xf0 || size < 7 || size > len(b) {
			t.Errorf("an ADTS header reads % x with %d bytes left", b[:7], len(b))
			return n
		}
		b = b[size:]
		n++
	}
	return n
}
