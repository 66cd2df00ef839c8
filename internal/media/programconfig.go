package media

// Syntactic elements of a raw data block (ISO 14496-3 table 4.85).
const (
	idSCE = 0
	idCPE = 1
	idLFE = 3
	idPCE = 5
)

// A programConfig is a program_config_element (ISO 14496-3 §4.4.1.1) without
// its comment:
//
//	tag(4) objectType(2) rateIndex(4) front(4) side(4) back(4) lfe(2) assoc(3) coupling(4)
//	mono(1) [4] stereo(1) [4] matrix(1) [3]
//	{ pair(1) tag(4) }… of front, side, back  { tag(4) }… of lfe, assoc
//	{ independent(1) tag(4) }… of coupling  align commentBytes(8) comment
type programConfig struct {
	bits     []byte  // one bit a byte, up to the alignment
	elements []uint8 // idSCE, idCPE, idLFE in the element's order
	tags     []uint8 // of elements
	counts   [4]int  // front, side, back, lfe
	others   int     // associated data and coupling elements
	channels int
}

// parseProgramConfig reads one, and to its end. Errors stick in r.
func parseProgramConfig(r *bitReader) (p programConfig) {
	begin := r.pos
	u := r.u
	u(10)
	for i, n := range [4]int{4, 4, 4, 2} {
		p.counts[i] = int(u(n))
	}
	assoc, coupling := int(u(3)), int(u(4))
	p.others = assoc + coupling
	for _, n := range [3]int{4, 4, 3} { // mono, stereo and matrix mixdown
		if r.flag() {
			u(n)
		}
	}
	add := func(id, tag uint32) {
		p.elements, p.tags = append(p.elements, uint8(id)), append(p.tags, uint8(tag))
	}
	for range p.counts[0] + p.counts[1] + p.counts[2] {
		pair := u(1)
		p.channels += 1 + int(pair)
		add(pair, u(4)) // idSCE or idCPE
	}
	for range p.counts[3] {
		p.channels++
		add(idLFE, u(4))
	}
	u(4 * assoc)
	for range coupling {
		u(5)
	}
	if r.err == nil {
		again := bitReader{b: r.b, pos: begin}
		for again.pos < r.pos {
			p.bits = append(p.bits, byte(again.u(1)))
		}
	}
	u((8 - r.pos%8) % 8)
	for range u(8) {
		u(8)
	}
	return p
}

// element is p as it stands at the beginning of a raw data block, without
// comment.
func (p *programConfig) element() []byte {
	out := make([]byte, (3+len(p.bits)+7)/8+1) // the last one is the length of the comment
	out[0] = idPCE << 5
	for i, bit := range p.bits {
		out[(3+i)/8] |= bit << (7 - (3+i)%8)
	}
	return out
}

// standard is the channel configuration whose elements are those of p, in that
// order; 0: there is none. Side and surround channels count as rear ones, which
// is where table 1.19 has them: 5.1 with side speakers is 5.1.
func (p *programConfig) standard() uint8 {
	if p.others > 0 {
		return 0
	}
	next := [4]uint8{} // instance tags must count up as without a PCE
	for i, id := range p.elements {
		if p.tags[i] != next[id] {
			return 0
		}
		next[id]++
	}
	front, rear := p.counts[0], p.counts[1]+p.counts[2]
	for config, want := range [8]struct {
		elements    string
		front, rear int
	}{
		1: {"s", 1, 0}, 2: {"p", 1, 0}, 3: {"sp", 2, 0}, 4: {"sps", 2, 1},
		5: {"spp", 2, 1}, 6: {"sppl", 2, 1}, 7: {"spppl", 3, 1},
	} {
		if front != want.front || rear != want.rear || len(p.elements) != len(want.elements) || config == 0 {
			continue
		}
		same := true
		for i, id := range p.elements {
			same = same && "sp-l"[id] == want.elements[i]
		}
		if same {
			return uint8(config)
		}
	}
	return 0
}

// readProgramConfig reads the program config at r into t: as a standard channel
// configuration where there is one, since browsers know no other.
func readProgramConfig(r *bitReader, t *Track) {
	p := parseProgramConfig(r)
	if r.err != nil {
		return
	}
	t.Channels = p.channels
	if t.ChannelConfig = p.standard(); t.ChannelConfig == 0 && p.channels > 0 {
		t.ProgramConfig = p.element()
	}
}

// HasProgramConfig reports whether a raw data block begins with one.
func HasProgramConfig(raw []byte) bool { return len(raw) > 0 && raw[0]>>5 == idPCE }

// appendProgramConfig appends the program config that raw begins with, if any,
// to config, whose 13 bits so far are an AudioSpecificConfig without the
// GASpecificConfig.
func appendProgramConfig(config, raw []byte) []byte {
	if !HasProgramConfig(raw) {
		return config
	}
	r := bitReader{b: raw, pos: 3}
	p := parseProgramConfig(&r)
	if r.err != nil {
		return config
	}
	// GASpecificConfig: frameLength(1) dependsOnCore(1) extension(1), all 0: the
	// element begins at a byte.
	out := make([]byte, (len(p.bits)+7)/8+1)
	for i, bit := range p.bits {
		out[i/8] |= bit << (7 - i%8)
	}
	return append(config, out...)
}
