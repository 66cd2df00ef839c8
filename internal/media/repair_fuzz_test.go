package media

import (
	"bytes"
	"testing"
)

// FuzzRepairUnits: what comes out is whole units, of bounded size, and mending
// it again changes nothing.
func FuzzRepairUnits(f *testing.F) {
	f.Add(unhex("00000001 6742 000001 68ce 00000001 6588"), 4)
	f.Add(unhex("00000006 00000001 6588 00000002 41e0"), 4)
	f.Add(unhex("0008 000001 6588 000001"), 2)
	f.Add(unhex("00000002 6588"), 4)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		size = 1 << (uint(size) % 3)
		out, mended := RepairUnits(b, size)
		if !mended {
			if !bytes.Equal(out, b) {
				t.Fatal("changed without a word")
			}
			return
		}
		if len(out) > 2*len(b)+4 {
			t.Errorf("%d bytes became %d", len(b), len(out))
		}
		for n, err := range NALUs(out, size) {
			if err != nil {
				t.Errorf("%x: %v", out, err)
			} else if startCode(n) > 0 {
				t.Errorf("a start code in %x", n)
			}
		}
	})
}

// A repaired record can be parsed, except for its SPS.
func FuzzRepairRecord(f *testing.F) {
	f.Add(unhex("00000001 6742c00dda05067e7c0440000003004000000f03c50aa8 00000001 68ce3c80"), false)
	f.Add(unhex("0142c00dffe1001b 00000001 6742c00dda05067e7c0440000003004000000f03c50aa8 010008 00000001 68ce3c80"), false)
	f.Add(append(unhex("00000001"), unhex(hevcSPSMain10)...), true)
	f.Fuzz(func(t *testing.T, b []byte, hevc bool) {
		c := CodecH264
		if hevc {
			c = CodecHEVC
		}
		out, mended := RepairRecord(c, b)
		if !mended {
			return
		}
		tr, _ := ParseConfig(c, out)
		if len(tr.SPS) == 0 || len(out) > 2*maxConfig {
			t.Errorf("%x became %x", b, out)
		}
		for _, list := range [][][]byte{tr.VPS, tr.SPS, tr.PPS} {
			for _, set := range list {
				if startCode(set) > 0 {
					t.Errorf("a start code in %x", set)
				}
			}
		}
	})
}

// A removed ADTS header gives a valid configuration.
func FuzzADTS(f *testing.F) {
	f.Add(unhex("fff15080012 0fc2100"))
	f.Add(unhex("fff05000015ffc aabb a0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, ok := ParseADTS(b)
		if !ok {
			return
		}
		if len(raw) == 0 || len(raw) >= len(b) {
			t.Fatalf("%d bytes of %d", len(raw), len(b))
		}
		tr, err := ParseAACConfig(ADTSConfig(b, raw))
		if err != nil {
			return
		}
		checkTrack(t, tr)
		_, _ = ADTSHeader(&tr, len(tr.ProgramConfig)+len(raw))
	})
}
