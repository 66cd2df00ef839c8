package hls

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A pesPacket is one PES packet of a fragment (ISO/IEC 13818-1 §2.4.3.6).
type pesPacket struct {
	kind     media.Kind
	pts, dts int64 // ticks of 90 kHz since the start of the stream
	length   int   // PES_packet_length: what follows that field; 0 says nothing
	data     []byte
}

// lead is the tick of what is decoded at 0: mpegts.StartOffset, 1.7 s.
const lead = 153000

// pesPackets are the PES packets of a fragment in the order in which they begin.
func pesPackets(t testing.TB, ts []byte) []pesPacket {
	t.Helper()
	var out []pesPacket
	newest := make(map[int]int) // PID to index in out
	for ; len(ts) >= 188; ts = ts[188:] {
		pid := int(ts[1]&0x1f)<<8 | int(ts[2])
		if pid != 0x100 && pid != 0x101 || ts[3]&0x10 == 0 { // another's, or without payload
			continue
		}
		b := ts[4:188]
		if ts[3]&0x20 != 0 {
			b = b[1+int(b[0]):]
		}
		if ts[1]&0x40 == 0 {
			out[newest[pid]].data = append(out[newest[pid]].data, b...)
			continue
		}
		if !bytes.HasPrefix(b, []byte{0, 0, 1}) {
			t.Fatal("a PES packet without its start code")
		}
		stamp := func(at []byte) int64 {
			return int64(at[0]>>1&7)<<30 | int64(at[1])<<22 | int64(at[2]>>1)<<15 | int64(at[3])<<7 | int64(at[4]>>1) - lead
		}
		p := pesPacket{kind: media.Video, length: int(b[4])<<8 | int(b[5]), pts: stamp(b[9:])}
		if pid == 0x101 {
			p.kind = media.Audio
		}
		p.dts = p.pts
		if b[7]&0x40 != 0 {
			p.dts = stamp(b[14:])
		}
		p.data = bytes.Clone(b[9+int(b[8]):])
		newest[pid] = len(out)
		out = append(out, p)
	}
	return out
}

// ticks of 90 kHz in d, to the nearest.
func ticks(d time.Duration) int64 { return int64(math.Round(float64(d) * 9 / 100000)) }

// adtsFrames is how many AAC frames there are, by their own lengths (ISO/IEC 14496-3
// §1.A.2.2.1: aac_frame_length).
func adtsFrames(t testing.TB, b []byte) (n int) {
	t.Helper()
	for ; len(b) > 0; n++ {
		if len(b) < 7 || b[0] != 0xff || b[1]&0xf6 != 0xf0 {
			t.Fatalf("no ADTS header at frame %d", n)
		}
		size := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5]>>5)
		if size < 7 || size > len(b) {
			t.Fatalf("ADTS frame %d of %d bytes, %d are left", n, size, len(b))
		}
		b = b[size:]
	}
	return n
}
