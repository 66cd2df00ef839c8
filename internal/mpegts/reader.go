package mpegts

// A Stream is an elementary stream that a PMT lists.
type Stream struct {
	PID  uint16
	Type byte // stream_type, ISO 13818-1 table 2-34
	// Format is the format_identifier of a registration_descriptor; empty: none.
	Format string
}

// Stream types that players of HLS know.
const (
	TypeMPEG1Audio = typeMPEG1Audio
	TypeMPEG2Audio = typeMPEG2Audio
	TypePrivate    = 0x06
	TypeADTS       = typeADTS
	TypeMetadata   = 0x15 // ID3 tags
	TypeH264       = typeH264
	TypeHEVC       = typeHEVC
	TypeAC3        = typeAC3
	TypeEAC3       = typeEAC3
)

// A PES is one PES packet. It is valid until the function that it was given to returns.
type PES struct {
	PID      uint16
	Packet   int // number of the transport packet that it begins in
	HasPTS   bool
	PTS, DTS int64 // ticks of 90 kHz, 33 bits; the DTS is the PTS where there is none
	Random   bool  // random_access_indicator
	Data     []byte
}

// A Jump is a continuity counter that does not follow the one before.
type Jump struct {
	Packet    int
	PID       uint16
	Got, Want uint8
	First     bool // of the PID in this call: the counter before is from the call before
}

// A Summary says what a run of transport packets was.
type Summary struct {
	Packets  int
	Lost     int    // bytes that are no part of a packet
	PAT, PMT int    // number of the first packet with one; -1: none
	Programs int    // of the last PAT
	Map      uint16 // PID of the first program's PMT
	BadCRC   int    // tables whose CRC_32 is wrong
	Streams  []Stream
	Jumps    []Jump // the first maxJumps
	Clock    bool   // there is a program_clock_reference
}

const (
	maxPES     = 8 << 20 // bytes that are kept of one
	maxPIDs    = 64
	maxSection = 1024 + 3 // §2.4.4.3, §2.4.4.8
	maxJumps   = 8
	maxStreams = 64
)

// A Reader takes transport streams apart: the opposite of a Muxer. It remembers the
// continuity counters from call to call. It belongs to one goroutine.
type Reader struct {
	counters map[uint16]uint8
}

// Forget has the next packets begin anew, as behind a discontinuity.
func (r *Reader) Forget() { r.counters = nil }

// A reading is one call of Read.
type reading struct {
	*Reader
	Summary
	each  func(*PES)
	seen  map[uint16]bool
	pes   map[uint16]*assembly // of the PIDs that the PMT lists
	parts map[uint16][]byte    // sections that are not complete
}

// An assembly is a PES packet whose end has not come.
type assembly struct {
	packet int
	random bool
	open   bool
	b      []byte
}

// Read reads the packets in b, which begins with a packet, and calls each for every PES
// packet of the streams in the PMT. A PES packet ends where the next begins or b ends.
func (r *Reader) Read(b []byte, each func(*PES)) Summary {
	if r.counters == nil {
		r.counters = make(map[uint16]uint8)
	}
	g := &reading{
		Reader: r, Summary: Summary{PAT: -1, PMT: -1}, each: each,
		seen: make(map[uint16]bool), pes: make(map[uint16]*assembly), parts: make(map[uint16][]byte),
	}
	for len(b) >= packetSize {
		if b[0] != 0x47 {
			n := resync(b)
			g.Lost += n
			b = b[n:]
			continue
		}
		g.packet(b[:packetSize])
		g.Packets++
		b = b[packetSize:]
	}
	g.Lost += len(b)
	for _, s := range g.Streams {
		g.finish(s.PID)
	}
	return g.Summary
}

// resync is where the next packet begins: a sync byte with another one a packet behind.
func resync(b []byte) int {
	for i := 1; i+packetSize < len(b); i++ {
		if b[i] == 0x47 && b[i+packetSize] == 0x47 {
			return i
		}
	}
	return len(b)
}

// packet reads one packet (§2.4.3.2):
//
//	0x47 error(1) start(1) priority(1) PID(13) scrambling(2) control(2) counter(4)
//	[length(8) [flags(8) …]] payload
func (g *reading) packet(b []byte) {
	pid := uint16(b[1]&0x1f)<<8 | uint16(b[2])
	start, control := b[1]&0x40 != 0, b[3]>>4&3
	body := b[4:]
	var flags byte
	if control&2 != 0 {
		n := int(body[0])
		if n > len(body)-1 {
			return
		}
		if n > 0 {
			flags = body[1]
		}
		body = body[1+n:]
	}
	g.Clock = g.Clock || flags&flagPCR != 0
	if pid == 0x1fff {
		return
	}
	g.count(pid, b[3]&0xf, control&1 != 0, flags&flagDiscontinuity != 0)
	if control&1 == 0 || b[1]&0x80 != 0 || len(body) == 0 {
		return
	}
	switch a := g.pes[pid]; {
	case pid == pidPAT:
		if g.PAT < 0 {
			g.PAT = g.Packets
		}
		g.section(pid, body, start)
	case pid == g.Map && pid != 0:
		if g.PMT < 0 {
			g.PMT = g.Packets
		}
		g.section(pid, body, start)
	case a != nil && start:
		g.finish(pid)
		*a = assembly{packet: g.Packets, random: flags&flagRandomAccess != 0, open: true, b: append(a.b[:0], body...)}
	case a != nil && a.open && len(a.b)+len(body) <= maxPES:
		a.b = append(a.b, body...)
	}
}

// count checks a continuity counter (§2.4.3.3): it rises by one with each payload; a
// packet may come twice.
func (g *reading) count(pid uint16, counter uint8, payload, discontinuity bool) {
	last, known := g.counters[pid]
	if !known && len(g.counters) >= maxPIDs {
		return
	}
	g.counters[pid] = counter
	first := !g.seen[pid]
	g.seen[pid] = true
	want := last
	if payload {
		want = (last + 1) & 0xf
	}
	if !known || discontinuity || counter == want || counter == last && !first {
		return
	}
	if len(g.Jumps) < maxJumps {
		g.Jumps = append(g.Jumps, Jump{Packet: g.Packets, PID: pid, Got: counter, Want: want, First: first})
	}
}

// section gathers PAT and PMT (§2.4.4): a pointer, then sections one after the other.
func (g *reading) section(pid uint16, body []byte, start bool) {
	part := g.parts[pid]
	if start {
		n := int(body[0]) + 1
		if n > len(body) {
			return
		}
		part, body = part[:0], body[n:]
	} else if len(part) == 0 {
		return
	}
	part = append(part, body...)
	for len(part) >= 3 && part[0] != 0xff {
		size := 3 + int(part[1]&0xf)<<8 + int(part[2])
		if size > maxSection {
			part = part[:0]
			break
		}
		if size > len(part) {
			break
		}
		g.table(pid, part[:size])
		part = append(part[:0], part[size:]...)
	}
	if len(part) > 0 && part[0] == 0xff {
		part = part[:0]
	}
	g.parts[pid] = part
}

// table reads a complete section.
func (g *reading) table(pid uint16, s []byte) {
	if len(s) < 12 || crc32(s) != 0 {
		g.BadCRC++
		return
	}
	body := s[8 : len(s)-4]
	switch {
	case pid == pidPAT && s[0] == 0:
		g.Programs = 0
		for ; len(body) >= 4; body = body[4:] {
			if number := int(body[0])<<8 | int(body[1]); number == 0 {
				continue
			}
			if g.Programs++; g.Programs == 1 {
				g.Map = uint16(body[2]&0x1f)<<8 | uint16(body[3])
			}
		}
	case s[0] == 2 && len(body) >= 4:
		skip := 4 + int(body[2]&0xf)<<8 + int(body[3])
		if skip <= len(body) {
			g.streams(body[skip:])
		}
	}
}

// streams reads the list in a PMT (§2.4.4.8). A second PMT adds to the first.
func (g *reading) streams(b []byte) {
	for len(b) >= 5 {
		s := Stream{Type: b[0], PID: uint16(b[1]&0x1f)<<8 | uint16(b[2])}
		n := int(b[3]&0xf)<<8 + int(b[4])
		if b = b[5:]; n > len(b) {
			return
		}
		for d := b[:n]; len(d) >= 2 && int(d[1]) <= len(d)-2; d = d[2+int(d[1]):] {
			if d[0] == 0x05 && d[1] >= 4 {
				s.Format = string(d[2:6])
			}
		}
		b = b[n:]
		if g.pes[s.PID] == nil && len(g.Streams) < maxStreams {
			g.pes[s.PID] = &assembly{}
			g.Streams = append(g.Streams, s)
		}
	}
}

// finish hands over the PES packet of a PID.
func (g *reading) finish(pid uint16) {
	a := g.pes[pid]
	if !a.open {
		return
	}
	a.open = false
	p := PES{PID: pid, Packet: a.packet, Random: a.random}
	if p.read(a.b) {
		g.each(&p)
	}
}

// read reads the header of a PES packet (see pesHeader).
func (p *PES) read(b []byte) bool {
	if len(b) < 9 || b[0] != 0 || b[1] != 0 || b[2] != 1 || b[6]>>6 != 2 {
		return false
	}
	n := 9 + int(b[8])
	if n > len(b) {
		return false
	}
	header := b[9:n]
	if b[7]&0x80 != 0 && len(header) >= 5 {
		p.HasPTS, p.PTS = true, timestamp(header)
		p.DTS = p.PTS
		if b[7]&0x40 != 0 && len(header) >= 10 {
			p.DTS = timestamp(header[5:])
		}
	}
	p.Data = b[n:]
	if length := int(b[4])<<8 | int(b[5]); length > 0 && 6+length >= n && 6+length < len(b) {
		p.Data = b[n : 6+length]
	}
	return true
}

// timestamp is the opposite of putTimestamp.
func timestamp(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
}
