//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"
)

// The kinds of frames a checker tells apart.
const (
	kindVideo = iota
	kindAudio
)

// A checker follows the frames one client receives: each must be whole and the
// successor of the one before it. One goroutine feeds it, any may read counts.
type checker struct {
	table   *crc32.Table
	stream  uint32
	started [2]bool
	next    [2]uint64

	gaps    atomic.Int64 // frames missed
	damaged atomic.Int64 // frames with a wrong checksum, of another stream or out of order
}

// frame checks b, which ends where a frame ends and may begin before it.
func (c *checker) frame(kind int, b []byte) (stamp, bool) {
	s, ok := openStamp(b, c.table)
	if !ok || s.stream != c.stream || c.started[kind] && s.sequence < c.next[kind] {
		c.damaged.Add(1)
		return s, false
	}
	if c.started[kind] {
		c.gaps.Add(int64(s.sequence - c.next[kind]))
	}
	c.started[kind], c.next[kind] = true, s.sequence+1
	return s, true
}

// forget lets the next frames have any number: the client skipped some itself.
func (c *checker) forget() { c.started = [2]bool{} }

// A recorder collects durations while a window is open.
type recorder struct {
	mu     sync.Mutex
	open   bool
	values []time.Duration
}

func (r *recorder) add(d time.Duration) {
	r.mu.Lock()
	if r.open {
		r.values = append(r.values, d)
	}
	r.mu.Unlock()
}

// begin opens the window with nothing in it.
func (r *recorder) begin() {
	r.mu.Lock()
	r.open, r.values = true, r.values[:0]
	r.mu.Unlock()
}

// end closes the window and returns what it saw, valid until the next begin.
func (r *recorder) end() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = false
	return r.values
}

const tsPacket = 188

// checkSegment feeds every frame of an MPEG-TS segment of H.264 and ADTS AAC to
// c and returns when the newest was sent. Streams are told apart by the PES
// stream_id (ISO 13818-1 §2.4.3.7): 0xe0 is video, 0xc0 audio.
func checkSegment(segment []byte, c *checker) (newest time.Duration, err error) {
	if len(segment) == 0 || len(segment)%tsPacket != 0 {
		return 0, fmt.Errorf("segment of %d bytes is not whole packets", len(segment))
	}
	pes := map[uint16][]byte{}
	finish := func(b []byte) error {
		sent, err := checkPES(b, c)
		newest = max(newest, sent)
		return err
	}
	for at := 0; at < len(segment); at += tsPacket {
		p := segment[at : at+tsPacket]
		if p[0] != 0x47 {
			return 0, fmt.Errorf("no sync byte at %d", at)
		}
		pid := binary.BigEndian.Uint16(p[1:]) & 0x1fff
		body := p[4:]
		if p[3]&0x20 != 0 { // adaptation field
			if int(body[0])+1 > len(body) {
				return 0, fmt.Errorf("adaptation field at %d is too long", at)
			}
			body = body[body[0]+1:]
		}
		if p[3]&0x10 == 0 {
			continue
		}
		if p[1]&0x40 != 0 { // a unit starts here
			if err := finish(pes[pid]); err != nil {
				return 0, err
			}
			pes[pid] = nil
			if len(body) < 4 || body[0] != 0 || body[1] != 0 || body[2] != 1 {
				continue // PSI
			}
			pes[pid] = append(make([]byte, 0, 64<<10), body...)
		} else if pes[pid] != nil {
			pes[pid] = append(pes[pid], body...)
		}
	}
	for _, b := range pes {
		if err := finish(b); err != nil {
			return 0, err
		}
	}
	return newest, nil
}

// checkPES feeds the frames of one PES packet to c.
func checkPES(b []byte, c *checker) (newest time.Duration, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(b) < 9 || len(b) < 9+int(b[8]) {
		return 0, errors.New("PES header is short")
	}
	data := b[9+int(b[8]):]
	switch b[3] {
	case 0xe0:
		s, _ := c.frame(kindVideo, data)
		return s.sent, nil
	case 0xc0:
		for len(data) > 0 {
			if len(data) < 7 || data[0] != 0xff || data[1]&0xf0 != 0xf0 {
				return 0, errors.New("PES packet holds something else than ADTS frames")
			}
			n := int(binary.BigEndian.Uint32(data[3:])>>13) & 0x1fff // ISO 14496-3 §1.A.2.2.1
			if n < 7 || n > len(data) {
				return 0, fmt.Errorf("ADTS frame of %d bytes in %d", n, len(data))
			}
			s, _ := c.frame(kindAudio, data[:n])
			newest = max(newest, s.sent)
			data = data[n:]
		}
	}
	return newest, nil
}
