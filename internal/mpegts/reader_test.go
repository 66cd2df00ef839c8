package mpegts

import (
	"bytes"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
)

// What the Muxer writes the Reader reads, as astits does.
func TestReaderReadsWhatAstitsReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		packets []*media.Packet
		streams int
	}{
		{"H.264 and AAC", readFLV(t, "h264_aac.flv"), 2},
		{"HEVC", readHEVC(t), 1},
	} {
		ts := muxAll(c.packets, 8)
		want := parse(t, ts)
		var got []pes
		var r Reader
		s := r.Read(ts, func(p *PES) {
			if !p.HasPTS {
				t.Errorf("%s: packet %d has no PTS", c.name, p.Packet)
			}
			got = append(got, pes{pid: p.PID, pts: p.PTS, dts: p.DTS, data: bytes.Clone(p.Data)})
		})
		if s.Packets != len(ts)/packetSize || s.Lost != 0 || s.PAT != 0 || s.PMT != 1 || s.Programs != 1 || s.BadCRC != 0 || len(s.Jumps) != 0 || !s.Clock {
			t.Errorf("%s: %+v", c.name, s)
		}
		if len(s.Streams) != c.streams {
			t.Errorf("%s: %d streams, want %d", c.name, len(s.Streams), c.streams)
		}
		for _, stream := range s.Streams {
			var ours []pes
			for _, p := range got {
				if p.pid == stream.PID {
					ours = append(ours, p)
				}
			}
			theirs := want.of(stream.PID)
			if len(ours) != len(theirs) {
				t.Fatalf("%s: PID %#x: %d PES packets, astits finds %d", c.name, stream.PID, len(ours), len(theirs))
			}
			for i := range ours {
				if ours[i].pts != theirs[i].pts || ours[i].dts != theirs[i].dts || !bytes.Equal(ours[i].data, theirs[i].data) {
					t.Fatalf("%s: PID %#x: PES packet %d differs", c.name, stream.PID, i)
				}
			}
		}
	}
}

func TestReaderFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	ts := muxAll(readFLV(t, "h264_aac.flv"), 8)
	half := len(ts) / packetSize / 2 * packetSize
	var r Reader
	if s := r.Read(ts[:half], func(*PES) {}); len(s.Jumps) > 0 {
		t.Errorf("the first half: %+v", s.Jumps)
	}
	if s := r.Read(ts[half:], func(*PES) {}); len(s.Jumps) > 0 {
		t.Errorf("the second half goes on: %+v", s.Jumps)
	}
	r.Forget()
	if s := r.Read(ts[:half], func(*PES) {}); len(s.Jumps) > 0 {
		t.Errorf("after a discontinuity: %+v", s.Jumps)
	}
	if s := r.Read(ts[:half], func(*PES) {}); len(s.Jumps) == 0 || !s.Jumps[0].First {
		t.Errorf("the same again: %+v", s.Jumps)
	}
	without := append(bytes.Clone(ts[:20*packetSize]), ts[23*packetSize:]...)
	r.Forget()
	if s := r.Read(without, func(*PES) {}); len(s.Jumps) == 0 || s.Jumps[0].First || s.Jumps[0].Packet < 20 {
		t.Errorf("without three packets: %+v", s.Jumps)
	}
	r.Forget()
	garbage := append([]byte("garbage"), ts...)
	if s := r.Read(garbage, func(*PES) {}); s.Lost != len("garbage") || s.Packets != len(ts)/packetSize {
		t.Errorf("garbage before: %d bytes lost, %d packets", s.Lost, s.Packets)
	}
	r.Forget()
	broken := bytes.Clone(ts)
	broken[packetSize+20] ^= 1 // in the PMT
	if s := r.Read(broken[:2*packetSize], func(*PES) {}); s.BadCRC != 1 || len(s.Streams) != 0 {
		t.Errorf("a broken PMT: %d bad, %d streams", s.BadCRC, len(s.Streams))
	}
}

// Whatever comes, the Reader hands over no more than it was given.
func FuzzReader(f *testing.F) {
	ts := muxAll(readFLV(f, "h264_aac.flv")[:12], 8)
	f.Add(ts[:min(len(ts), 40*packetSize)])
	f.Add(ts[:2*packetSize])
	f.Add(append([]byte{0x47, 0x40}, bytes.Repeat([]byte{0}, 400)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		var r Reader
		total := 0
		s := r.Read(b, func(p *PES) {
			total += len(p.Data)
			if p.PTS < 0 || p.PTS >= 1<<33 || p.DTS < 0 || p.DTS >= 1<<33 {
				t.Errorf("PTS %d, DTS %d", p.PTS, p.DTS)
			}
		})
		if total > len(b) || s.Packets*packetSize+s.Lost != len(b) || len(s.Jumps) > maxJumps || len(s.Streams) > maxStreams {
			t.Errorf("%d bytes of payload, %d packets and %d bytes lost of %d bytes", total, s.Packets, s.Lost, len(b))
		}
	})
}
