package flv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A sent is one message of a synthetic publisher: when it was due by a right
// clock, and the timestamp it got.
type sent struct {
	kind media.Kind
	due  int64 // ms
	ts   int64 // ms, before it is cut to 32 bits
}

// sends makes seconds of 25 pictures a second and of AAC of 44.1 kHz, in the
// order of their time.
func sends(seconds int64) []sent {
	var out []sent
	for t := int64(0); t < seconds*1000; t += 40 {
		out = append(out, sent{media.Video, t, t})
	}
	for n := int64(0); n*1024*10/441 < seconds*1000; n++ {
		t := n * 1024 * 10 / 441
		out = append(out, sent{media.Audio, t, t})
	}
	slices.SortStableFunc(out, func(a, b sent) int { return int(a.due - b.due) })
	return out
}

// placed is a message with the position that the clock gave it.
type placed struct {
	sent
	dts   int64 // ms after base
	stamp uint32
}

var testTracks = [2]*media.Track{
	{Kind: media.Video, Codec: media.CodecH264},
	{Kind: media.Audio, Codec: media.CodecAAC, SampleRate: 44100, FrameSamples: 1024},
}

const testBase = 7 * time.Second

// play has a clock take messages that arrive speed times as fast as they are
// due, in batches of 100 ms.
func play(msgs []sent, speed int64) ([]placed, *clock) {
	c := &clock{base: testBase}
	var out []placed
	for _, m := range msgs {
		at := (m.due/speed + 99) / 100 * 100
		c.arrived(time.Duration(at) * time.Millisecond)
		dts, stamp := c.dts(testTracks[m.kind], uint32(m.ts))
		out = append(out, placed{m, (dts - testBase).Milliseconds(), stamp})
	}
	return out, c
}

func only(msgs []sent, kind media.Kind) []sent {
	return slices.DeleteFunc(msgs, func(m sent) bool { return m.kind != kind })
}

func kindName(k media.Kind) string { return [2]string{"video", "audio"}[k] }

func TestTimestampsThatAreRightStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, begin := range []int64{0, 90000, 1<<24 - 3000, 1<<31 - 3000, 1<<32 - 3000, 1<<32 - 1} {
		for _, speed := range []int64{1, 8} {
			for _, skew := range []int64{0, 500, 900, -500, -900} {
				msgs := sends(10)
				for i := range msgs {
					msgs[i].ts += begin
					if msgs[i].kind == media.Audio {
						msgs[i].ts += skew
					}
				}
				out, c := play(msgs, speed)
				for _, p := range out {
					if want := p.ts - msgs[0].ts; p.dts != want || p.stamp != uint32(p.ts) {
						t.Fatalf("from %d, audio %d ms ahead, speed %d: %s at %d became %d with timestamp %d, want %d, %d",
							begin, skew, speed, kindName(p.kind), p.due, p.dts, p.stamp, want, uint32(p.ts))
					}
				}
				if c.repairs != (Repairs{}) {
					t.Errorf("from %d, audio %d ms ahead: repaired %+v", begin, skew, c.repairs)
				}
			}
		}
	}
}

func TestAnOutlierIsPlacedBetweenItsNeighbours(t *testing.T) {
	t.Parallel()
	for _, off := range []int64{37600000, -9800000, 11000, -11000, 1500, -1500, 1 << 31, 1<<31 - 200000, 1<<32 - 5000, -150000} {
		for _, kind := range []media.Kind{media.Video, media.Audio} {
			for _, speed := range []int64{1, 8} {
				for _, alone := range []bool{false, true} {
					for _, every := range []int{0, 60, 2} {
						name := fmt.Sprintf("%s off by %d ms, every %d, speed %d, alone %t", kindName(kind), off, every, speed, alone)
						if alone && (every == 2 || off == 1500 || off == -1500) {
							continue // nothing speaks against them
						}
						msgs := sends(12)
						if alone {
							msgs = only(msgs, kind)
						}
						n := 0
						for i := range msgs {
							msgs[i].ts += 100000
							if msgs[i].kind != kind {
								continue
							}
							if n++; n == 150 || every > 0 && n > 50 && n%every == 0 {
								msgs[i].ts += off
							}
						}
						out, _ := play(msgs, speed)
						for _, p := range out {
							want := p.due
							if d := p.dts - want; d < -250 || d > 250 {
								t.Fatalf("%s: %s at %d became %d", name, kindName(p.kind), p.due, p.dts)
							}
							if p.ts == p.due+100000 && p.dts != want {
								t.Fatalf("%s: a good packet of %s at %d became %d", name, kindName(p.kind), p.due, p.dts)
							}
							if p.stamp != uint32(p.dts+100000) {
								t.Fatalf("%s: timestamp %d of a packet at %d", name, p.stamp, p.dts)
							}
						}
					}
				}
			}
		}
	}
}

func TestAJumpAheadIsFollowedAndOneBackIsNot(t *testing.T) {
	t.Parallel()
	for _, off := range []int64{30000, 3600000, -50000, -3600000, 1 << 30} {
		for _, speed := range []int64{1, 8} {
			for _, keep := range []int{0, 1, 2} { // both, video, audio
				msgs := sends(20)
				if keep > 0 {
					msgs = only(msgs, media.Kind(keep-1))
				}
				for i := range msgs {
					if msgs[i].due > 8000 {
						msgs[i].ts += off
					}
				}
				out, _ := play(msgs, speed)
				name := fmt.Sprintf("jump of %d, speed %d, tracks %d", off, speed, keep)
				var last [2]int64
				var rel []int64
				for _, p := range out {
					if p.dts < last[p.kind] {
						t.Fatalf("%s: %s goes back from %d to %d", name, kindName(p.kind), last[p.kind], p.dts)
					}
					if d := p.dts - last[p.kind]; off < 0 && d > 300 {
						t.Fatalf("%s: %s leaps from %d to %d", name, kindName(p.kind), last[p.kind], p.dts)
					}
					last[p.kind] = p.dts
					if p.due > 10000 {
						rel = append(rel, p.dts-p.due)
						if off > 0 && p.dts != p.due+off {
							t.Fatalf("%s: %s at %d is at %d, want %d", name, kindName(p.kind), p.due, p.dts, p.due+off)
						}
					}
				}
				if slices.Max(rel) != slices.Min(rel) {
					t.Errorf("%s: the tracks are no longer as sent: off by %d to %d", name, slices.Min(rel), slices.Max(rel))
				}
			}
		}
	}
}

func TestTracksThatCountFromDifferentZerosAreAligned(t *testing.T) {
	t.Parallel()
	for _, ahead := range []int64{1100, 2000, 9000, 3600000, -1100, -4000, -9000, -3600000, 1 << 31} {
		for _, first := range []media.Kind{media.Video, media.Audio} {
			for _, speed := range []int64{1, 8} {
				msgs := sends(10)
				if first == media.Audio {
					msgs[0], msgs[1] = msgs[1], msgs[0]
				}
				for i := range msgs {
					msgs[i].ts += 50000
					if msgs[i].kind == media.Audio {
						msgs[i].ts += ahead
					}
				}
				out, c := play(msgs, speed)
				for _, p := range out {
					if d := p.dts - p.due; d < -100 || d > 100 {
						t.Fatalf("audio %d ahead, %s first, speed %d: %s at %d became %d", ahead, kindName(first), speed, kindName(p.kind), p.due, p.dts)
					}
					if p.kind == media.Video && p.stamp != uint32(p.ts) {
						t.Fatalf("audio %d ahead, %s first: video at %d has timestamp %d", ahead, kindName(first), p.ts, p.stamp)
					}
				}
				want := time.Duration(int32(ahead)) * time.Millisecond
				if d := c.repairs.Offset - want; ahead != 1<<31 && (d < -100*time.Millisecond || d > 100*time.Millisecond) {
					t.Errorf("audio %d ahead: reported as %v", ahead, c.repairs.Offset)
				}
			}
		}
	}
}

func TestAudioThatBeginsLateIsNotMoved(t *testing.T) {
	t.Parallel()
	for _, late := range []int64{500, 2500, 8000, 30000} {
		msgs := slices.DeleteFunc(sends(40), func(m sent) bool { return m.kind == media.Audio && m.due < late })
		out, c := play(msgs, 1)
		for _, p := range out {
			if p.dts != p.due {
				t.Fatalf("late by %d: %s at %d became %d", late, kindName(p.kind), p.due, p.dts)
			}
		}
		if c.repairs != (Repairs{}) {
			t.Errorf("late by %d: %+v", late, c.repairs)
		}
	}
	// The pictures come out of the encoder two seconds later than the sound.
	msgs := sends(10)
	for i := range msgs {
		if msgs[i].kind == media.Video {
			msgs[i].due += 2000
		}
	}
	slices.SortStableFunc(msgs, func(a, b sent) int { return int(a.due - b.due) })
	out, _ := play(msgs, 1)
	for _, p := range out {
		if p.dts != p.ts {
			t.Fatalf("%s with timestamp %d became %d", kindName(p.kind), p.ts, p.dts)
		}
	}
}

func TestADriftAndASlipAreFollowed(t *testing.T) {
	t.Parallel()
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		for name, ts := range map[string]func(due int64) int64{
			"5 % fast": func(due int64) int64 { return due * 105 / 100 },
			"5 % slow": func(due int64) int64 { return due * 95 / 100 },
			"a slip of 600 ms": func(due int64) int64 {
				if due > 9000 {
					due += 600
				}
				return due
			},
			"a slip of 5 s": func(due int64) int64 {
				if due > 9000 {
					due += 5000
				}
				return due
			},
			"a slip back by 600 ms": func(due int64) int64 {
				if due > 9000 {
					due -= 600
				}
				return due
			},
		} {
			msgs := sends(30)
			for i := range msgs {
				if msgs[i].kind == kind {
					msgs[i].ts = ts(msgs[i].due)
				}
			}
			out, _ := play(msgs, 1)
			for _, p := range out {
				if p.due > 11000 && p.dts != p.ts {
					t.Fatalf("%s, %s: %s at %d, sent as %d, became %d", kindName(kind), name, kindName(p.kind), p.due, p.ts, p.dts)
				}
			}
		}
	}
}

func TestTimestampsThatStandStill(t *testing.T) {
	t.Parallel()
	for _, kind := range []media.Kind{media.Video, media.Audio} {
		for _, alone := range []bool{false, true} {
			for name, ts := range map[string]func(due int64) int64{
				"always 0": func(int64) int64 { return 0 },
				"for 3 s": func(due int64) int64 {
					if due > 5000 && due < 8000 {
						return 5000
					}
					return due
				},
				"for 3 s and go on from there": func(due int64) int64 {
					if due > 5000 && due < 8000 {
						return 5000
					} else if due >= 8000 {
						return due - 3000
					}
					return due
				},
			} {
				msgs := sends(15)
				if alone {
					msgs = only(msgs, kind)
				}
				for i := range msgs {
					if msgs[i].kind == kind {
						msgs[i].ts = ts(msgs[i].due)
					}
				}
				for _, speed := range []int64{1, 8} {
					if alone && speed > 1 {
						continue // there is nothing to tell the time by
					}
					out, _ := play(msgs, speed)
					var last [2]int64
					for _, p := range out {
						if d := p.dts - p.due; d < -400 || d > 400 {
							t.Fatalf("%s, %s, alone %t, speed %d: %s at %d became %d", kindName(kind), name, alone, speed, kindName(p.kind), p.due, p.dts)
						}
						if p.dts < last[p.kind]-slack {
							t.Fatalf("%s, %s, alone %t: %s goes back from %d to %d", kindName(kind), name, alone, kindName(p.kind), last[p.kind], p.dts)
						}
						last[p.kind] = p.dts
					}
				}
			}
		}
	}
}

func TestStillPicturesAndPausesAreNoOutliers(t *testing.T) {
	t.Parallel()
	for _, still := range []int64{500, 1500, 5000, 12000} {
		for _, moving := range []int64{0, 3000} {
			for _, alone := range []bool{false, true} {
				for _, speed := range []int64{1, 8} {
					msgs := slices.DeleteFunc(sends(60), func(m sent) bool {
						if m.kind == media.Audio {
							return alone
						}
						in := m.due % (moving + still)
						return in > moving && in >= 40
					})
					out, c := play(msgs, speed)
					for _, p := range out {
						if p.dts != p.due {
							t.Fatalf("still for %d ms, moving for %d, alone %t, speed %d: %s at %d became %d", still, moving, alone, speed, kindName(p.kind), p.due, p.dts)
						}
					}
					if c.repairs.Outliers > 0 {
						t.Errorf("still for %d ms: %+v", still, c.repairs)
					}
				}
			}
		}
	}
	// Both pause; and then the network holds up what was sent.
	msgs := slices.DeleteFunc(sends(60), func(m sent) bool { return m.due > 20000 && m.due < 27000 })
	out, _ := play(msgs, 1)
	for _, p := range out {
		if p.dts != p.due {
			t.Fatalf("a pause: %s at %d became %d", kindName(p.kind), p.due, p.dts)
		}
	}
	for i := range msgs {
		msgs[i].ts = msgs[i].due
		if msgs[i].due > 40000 && msgs[i].due < 45000 {
			msgs[i].due = 45000
		}
	}
	out, _ = play(msgs, 1)
	for _, p := range out {
		if p.dts != p.ts {
			t.Fatalf("a stall: %s at %d became %d", kindName(p.kind), p.ts, p.dts)
		}
	}
}

// Whatever comes, a track's time goes on at about the pace of arrival, and does
// not go back by more than a few seconds.
func TestTheClockStandsAnything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		msgs := sends(30)
		var shift [2]int64
		for i := range msgs {
			m := &msgs[i]
			switch r.IntN(400) {
			case 0:
				shift[m.kind] += r.Int64N(20000) - 10000
			case 1:
				shift[0] -= r.Int64N(1 << 32)
				shift[1] = shift[0]
			}
			m.ts += shift[m.kind]
			if r.IntN(50) == 0 {
				m.ts = r.Int64N(1 << 32)
			}
		}
		out, c := play(msgs, 1+r.Int64N(8))
		var last [2]int64
		for _, p := range out {
			if p.dts < last[p.kind]-4*maxSkew {
				t.Fatalf("seed %d: %s goes back from %d to %d", seed, kindName(p.kind), last[p.kind], p.dts)
			}
			last[p.kind] = p.dts
		}
		if c.repairs.Outliers == 0 {
			t.Errorf("seed %d: no outlier in %d messages", seed, len(msgs))
		}
	}
}

func TestClockNeverOverflows(t *testing.T) {
	t.Parallel()
	clk := clock{base: 100 * 365 * 24 * time.Hour}
	ts := uint32(0)
	for i := range 50000 { // 10000 times 24 days are 680 years
		if i%5 == 0 {
			ts += 1<<31 - 1
		}
		ts += 200
		if dts, _ := clk.dts(testTracks[media.Video], ts); dts < clk.base || dts > 210*365*24*time.Hour {
			t.Fatalf("DTS %v", dts)
		}
	}
	// A hundred days in steps of a frame wrap twice.
	clk = clock{}
	ts = math.MaxUint32 - 1000
	for range 3 {
		for range 100 {
			clk.dts(testTracks[media.Video], ts)
			ts += 40
		}
		clk.tracks[0].raw += 1<<32 - 8000 // as if it had counted nearly to the end
		ts += 1<<32 - 8000
	}
	if got, _ := clk.dts(testTracks[media.Video], ts); got != 300*40*time.Millisecond {
		t.Errorf("after three wraps: %v", got)
	}
}

func TestHeadersDoNotStartTheClock(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(time.Minute, 0)
	if _, err := d.Video(0, unhex(avcStart)); err != nil {
		t.Fatal(err)
	}
	p, err := d.Video(90000, unhex(avcKey))
	if err != nil || p.DTS != time.Minute || p.Timestamp != 90000 {
		t.Errorf("got %+v, %v, want DTS 1m0s", p, err)
	}
}
