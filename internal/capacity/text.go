package capacity

import (
	"fmt"
	"math"
	"time"
)

// Sentences say what a Plan takes, for people. measured says whether c is of the machine
// at hand.
func Sentences(p Plan, c *Constants, measured bool) []string {
	n := c.Need(p)
	watch := fmt.Sprintf("%d viewers over HTTP", p.Viewers)
	if p.Players > 0 {
		watch += fmt.Sprintf(" and %d players over RTMP", p.Players)
	}
	out := []string{
		fmt.Sprintf("%d streams of %.4g Mb/s with %s take:", p.Streams, p.Mbps, watch),
		fmt.Sprintf("CPU: %s of the %d cores of %s; plan for %s, a third is for peaks.", percent(n.Cores), c.Cores, c.Machine, coresText(atLeastOne(n.Cores/headroom))),
		fmt.Sprintf("Memory: %s, with two GOPs of %s of each stream.", Size(n.Memory), short(p.Keyframe)),
		fmt.Sprintf("Bandwidth: %s in and %s out.", Rate(n.In), Rate(n.Out)),
	}
	disk := fmt.Sprintf("Storage: %s for the fragments of HLS, written at %s.", Size(n.Disk), Rate(n.DiskRate))
	if p.Recorded > 0 {
		disk = fmt.Sprintf("Storage: %s for %s of recordings of each stream and for the fragments of HLS, written at %s.", Size(n.Disk), short(p.Recorded), Rate(n.DiskRate))
	}
	out = append(out, disk)
	if n.MoreViewers >= 0 {
		out = append(out, fmt.Sprintf("The cores have room for %d viewers more: look at the network first.", n.MoreViewers))
	} else {
		out = append(out, fmt.Sprintf("That is more than these cores can take, by %d viewers.", -n.MoreViewers))
	}
	if measured {
		out = append(out, fmt.Sprintf("The figures were measured on %s by rtmpd bench.", c.Measured.UTC().Format(time.DateOnly)))
	} else {
		out = append(out, "The figures are those of rtmpd's own test machine: rtmpd bench measures yours.")
	}
	m := MistServer(p)
	return append(out, fmt.Sprintf("MistServer's formulas say %.0f MB of memory, a CPU mark of %.0f, and %.0f Mb/s.", m.Memory, m.CPUMark, m.Bandwidth))
}

func coresText(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprintf("%d cores", n)
}

func atLeastOne(x float64) int { return max(int(math.Ceil(x)), 1) }

func percent(cores float64) string {
	if cores < 0.01 {
		return "less than 1 % of one"
	}
	return fmt.Sprintf("%.0f %% of one", cores*100)
}

// short writes a duration without what is zero.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%.4g s", d.Seconds())
}

// Size writes a number of bytes.
func Size(n int64) string {
	switch {
	case n >= 1e12:
		return fmt.Sprintf("%.1f TB", float64(n)/1e12)
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

// Rate writes a bit rate in Mb/s.
func Rate(mbps float64) string {
	if mbps >= 1e4 {
		return fmt.Sprintf("%.1f Gb/s", mbps/1000)
	}
	return fmt.Sprintf("%.4g Mb/s", mbps)
}
