package mediatest

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

var marker = regexp.MustCompile(`<[VA](\d{7})>`)

// Markers are the serial numbers of the packets in a fragment, per kind.
func Markers(t testing.TB, ts []byte) (video, audio []int) {
	t.Helper()
	if len(ts)%188 != 0 || len(ts) == 0 {
		t.Fatalf("fragment of %d bytes is no whole number of TS packets", len(ts))
	}
	streams := make(map[int][]byte)
	for ; len(ts) > 0; ts = ts[188:] {
		if ts[0] != 0x47 {
			t.Fatalf("no sync byte")
		}
		pid := int(ts[1]&0x1f)<<8 | int(ts[2])
		payload := ts[4:188]
		if ts[3]&0x20 != 0 {
			payload = payload[1+int(payload[0]):]
		}
		streams[pid] = append(streams[pid], payload...)
	}
	for _, m := range marker.FindAllSubmatch(slices.Concat(streams[0x100], streams[0x101]), -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		if m[0][1] == 'V' {
			video = append(video, n)
		} else {
			audio = append(audio, n)
		}
	}
	return video, audio
}

// DecodeTimes are the DTS of a fragment's PES packets (PTS where that is all
// there is) in order, by PID.
func DecodeTimes(ts []byte) map[int][]time.Duration {
	times := make(map[int][]time.Duration)
	for ; len(ts) >= 188; ts = ts[188:] {
		pid := int(ts[1]&0x1f)<<8 | int(ts[2])
		if ts[1]&0x40 == 0 || pid < 0x100 || pid > 0x101 {
			continue
		}
		b := ts[4:188]
		if ts[3]&0x20 != 0 {
			b = b[1+int(b[0]):]
		}
		at := b[9:]
		if b[7]&0x40 != 0 {
			at = b[14:]
		}
		v := int64(at[0]>>1&7)<<30 | int64(at[1])<<22 | int64(at[2]>>1)<<15 | int64(at[3])<<7 | int64(at[4]>>1)
		times[pid] = append(times[pid], time.Duration(v)*time.Second/90000)
	}
	return times
}

// PictureTimes are PTS and DTS of a transport stream's pictures, in ticks.
func PictureTimes(ts []byte) (pts, dts []int64) {
	for ; len(ts) >= 188; ts = ts[188:] {
		if ts[1]&0x40 == 0 || int(ts[1]&0x1f)<<8|int(ts[2]) != 0x100 {
			continue
		}
		b := ts[4:188]
		if ts[3]&0x20 != 0 {
			b = b[1+int(b[0]):]
		}
		read := func(b []byte) int64 {
			return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
		}
		at := read(b[9:])
		pts = append(pts, at)
		if b[7]&0x40 != 0 {
			at = read(b[14:])
		}
		dts = append(dts, at)
	}
	return pts, dts
}
