package live

import (
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A model keeps all packets and computes from them what a stream should hold.
type model struct {
	o       Options
	all     []*media.Packet
	sizes   []int64 // of memory
	headers media.HeaderLedger
	when    []time.Duration
	tail    int
	closed  bool
	cursors []*modelCursor
}

type modelCursor struct {
	real    *Cursor
	next    int
	pending bool // waits for a keyframe
	began   bool
	skipped uint64
}

// clock returns the media time at each packet: of audio or video, whichever is ahead,
// in steps of at most a second.
func (m *model) clock() (when []time.Duration) {
	var at time.Duration
	var last, came [2]time.Duration
	var known [2]bool
	for _, p := range m.all {
		if k := p.Track.Kind; k <= media.Audio {
			step := p.DTS - last[k]
			switch {
			case !known[k] || step < -time.Second:
				last[k], came[k], known[k] = p.DTS, at, true
			case step > time.Second:
				last[k], came[k] = p.DTS, max(came[k]+time.Second, at)
			case step > 0:
				last[k], came[k] = p.DTS, came[k]+step
			}
			at = max(at, came[k])
		}
		when = append(when, at)
	}
	return when
}

// state returns where the present publisher began, whether it sends video, and its
// newest keyframe, -1 if none.
func (m *model) state() (began int, video bool, key int) {
	key = -1
	var seen time.Duration
	for i, p := range m.all {
		if video && m.when[i]-seen > 30*time.Second || i > 0 && p.Epoch != m.all[i-1].Epoch {
			video, key = false, -1
		}
		if i > 0 && p.Epoch != m.all[i-1].Epoch {
			began = i
		}
		if p.Track.Kind == media.Video {
			video, seen = true, m.when[i]
			if p.Keyframe {
				key = i
			}
		}
	}
	return began, video, key
}

// keep returns the first packet kept for new cursors, and the keyframe held.
func (m *model) keep() (from, key int) {
	began, video, key := m.state()
	switch {
	case key >= m.tail:
		return key, key
	case video:
		return len(m.all), -1
	}
	for from = max(began, m.tail); from < len(m.all) && m.when[len(m.all)-1]-m.when[from] > 2*time.Second; from++ {
	}
	return from, -1
}

func (m *model) bytes() (n int64) {
	for _, size := range m.sizes[m.tail:] {
		n += size
	}
	return n
}

func (m *model) write(p *media.Packet) {
	if m.closed {
		return
	}
	m.all = append(m.all, p)
	m.sizes = append(m.sizes, int64(len(p.Tag))+packetOverhead+m.headers.Charge(p))
	m.when = m.clock()
	newest := len(m.all) - 1
	_, video, key := m.state()
	if key == newest || !video {
		for _, c := range m.cursors {
			if c.pending {
				c.pending = false
				m.skip(c, newest)
				c.began = true
			}
		}
	}
	for m.bytes() > m.o.MaxBytes && m.tail < newest {
		m.tail++
	}
	for from, _ := m.keep(); m.tail < from && m.when[newest]-m.when[m.tail] > m.o.Headroom; {
		m.tail++
	}
	m.release()
}

func (m *model) release() {
	from, _ := m.keep()
	for _, c := range m.cursors {
		if !c.pending && c.next >= m.tail {
			from = min(from, c.next)
		}
	}
	m.tail = max(m.tail, from)
}

func (m *model) skip(c *modelCursor, to int) {
	if c.began {
		c.skipped += uint64(to - c.next)
	}
	c.next = to
}

func (m *model) open(start Start) *modelCursor {
	c := &modelCursor{began: true}
	_, video, _ := m.state()
	_, key := m.keep()
	switch {
	case start == FromOldest:
		c.next = m.tail
	case start == FromNext:
		c.next = len(m.all)
	case key >= 0:
		c.next = key
	case !video && m.tail < len(m.all):
		c.next = len(m.all) - 1
	default:
		c.next, c.pending, c.began = len(m.all), true, false
	}
	m.cursors = append(m.cursors, c)
	return c
}

func (m *model) read(c *modelCursor, n int) (got []*media.Packet, skipped uint64, eof bool) {
	if !c.pending && c.next < m.tail {
		began, video, _ := m.state()
		_, key := m.keep()
		switch {
		case key >= 0:
			m.skip(c, key)
		case !video:
			m.skip(c, max(m.tail, began))
		default:
			c.pending = true
		}
	}
	if !c.pending {
		got = m.all[c.next:min(len(m.all), c.next+n)]
		c.next += len(got)
	}
	if len(got) == 0 {
		if !m.closed {
			return nil, 0, false
		}
		if c.pending {
			c.pending = false
			m.skip(c, len(m.all))
			c.began = true
		}
		eof = true
	}
	skipped, c.skipped = c.skipped, 0
	m.release()
	return got, skipped, eof
}

// play runs one stream and its model by a script, two bytes a step, and
// compares after each.
func play(t *testing.T, script []byte) {
	o := Options{MaxBytes: 40 * (packetOverhead + 100), Headroom: 800 * time.Millisecond}
	s, m := NewStream("app", "name", o), &model{o: o}
	f := newFeed()
	write := func(p *media.Packet, arg byte) {
		p.Tag = make([]byte, int(arg)*5)
		switch {
		case arg == 255:
			p.DTS += time.Hour
		case arg == 254:
			p.DTS -= time.Minute
		case arg > 245:
			p.DTS += 900 * time.Millisecond
		}
		f.dts = p.DTS
		s.Write(p)
		m.write(p)
	}
	for step := 0; step+1 < len(script); step += 2 {
		op, arg := script[step], script[step+1]
		which := 0
		if len(m.cursors) > 0 {
			which = int(arg) % len(m.cursors)
		}
		switch op % 16 {
		case 0, 1, 2, 3:
			write(f.inter(), arg)
		case 4, 5, 6:
			write(f.sound(), arg)
		case 7:
			write(f.key(), arg)
		case 8, 9, 10, 11:
			if len(m.cursors) == 0 {
				continue
			}
			c := m.cursors[which]
			buf := make([]*media.Packet, 1+op/16)
			look := c.real.TryNext
			if op/16%2 == 0 {
				look = func(buf []*media.Packet) (int, uint64, error) { return poll(c.real, buf) }
			}
			n, skipped, err := look(buf)
			got, wantSkipped, eof := m.read(c, len(buf))
			if !slices.Equal(buf[:n], got) || skipped != wantSkipped || (err == io.EOF) != eof {
				t.Fatalf("step %d: cursor %d read %d packets, skipped %d, %v; want %d, %d, end %v",
					step, which, n, skipped, err, len(got), wantSkipped, eof)
			}
		case 12:
			if len(m.cursors) < 8 {
				c := m.open(Start(arg % 3))
				c.real = s.Cursor(Start(arg%3), arg&4 != 0)
			}
		case 13:
			if len(m.cursors) > 0 {
				m.cursors[which].real.Close()
				m.cursors = slices.Delete(m.cursors, which, which+1)
				m.release()
			}
		case 14:
			if len(m.cursors) > 0 && len(m.cursors) < 8 {
				c := *m.cursors[which]
				c.real = c.real.Clone()
				m.cursors = append(m.cursors, &c)
			}
		case 15:
			switch {
			case arg == 0:
				s.Close()
				m.closed = true
			case arg < 32:
				f.epoch++
			}
		}
		compare(t, step, s, m)
	}
}

func compare(t *testing.T, step int, s *Stream, m *model) {
	t.Helper()
	r := &s.ring
	if int(r.tail) != m.tail || int(r.head) != len(m.all) || r.bytes != m.bytes() {
		t.Fatalf("step %d: holds %d to %d, %d bytes; want %d to %d, %d bytes",
			step, r.tail, r.head, r.bytes, m.tail, len(m.all), m.bytes())
	}
	held, cursors, positioned, pending := 0, 0, 0, 0
	for _, slot := range r.slots {
		if slot.packet != nil {
			held++
		}
		cursors += int(slot.cursors)
	}
	for _, c := range m.cursors {
		switch {
		case c.pending:
			pending++
		case c.next >= m.tail:
			positioned++
		}
	}
	if held != len(m.all)-m.tail || cursors != positioned || len(s.pending) != pending || len(s.waiting) != 0 {
		t.Fatalf("step %d: %d packets in slots, want %d; %d cursors hold, want %d; %d pending, want %d; %d waiting",
			step, held, len(m.all)-m.tail, cursors, positioned, len(s.pending), pending, len(s.waiting))
	}
	if r.bytes > s.maxBytes && held > 1 {
		t.Fatalf("step %d: %d bytes held", step, r.bytes)
	}
}

func TestStreamBehavesLikeItsModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 600)
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		if seed%3 > 0 { // audio only, or hardly any keyframes
			for i := 0; i < len(script); i += 2 {
				if op := script[i] % 16; op == 7 || seed%3 == 1 && op < 4 {
					script[i] = 5
				}
			}
		}
		play(t, script)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte{12, 0, 7, 9, 0, 9, 0, 9, 7, 9, 24, 0, 12, 2, 15, 0, 8, 0, 8, 1})
	f.Add([]byte{12, 1, 4, 9, 4, 250, 4, 250, 4, 250, 8, 0, 14, 0, 13, 0, 15, 9, 7, 200, 7, 255, 7, 254})
	f.Fuzz(func(t *testing.T, script []byte) {
		fuzztime.Bound(t)
		play(t, script[:min(len(script), 1000)])
	})
}
