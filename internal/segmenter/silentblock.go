package segmenter

// silent are raw data blocks of AAC without sound, by channel configuration: those that
// ADTS has room for.
var silent = silentBlocks(
	nil,
	[]syntaxElement{sce},
	[]syntaxElement{cpe},
	[]syntaxElement{sce, cpe},
	[]syntaxElement{sce, cpe, sce},
	[]syntaxElement{sce, cpe, cpe},
	[]syntaxElement{sce, cpe, cpe, lfe},
	[]syntaxElement{sce, cpe, cpe, cpe, lfe},
)

// A syntaxElement is an id_syn_ele of ISO 14496-3, table 4.85.
type syntaxElement uint8

const (
	sce syntaxElement = 0 // one channel
	cpe syntaxElement = 1 // two
	lfe syntaxElement = 3 // low frequencies
	end syntaxElement = 7
)

// silentBlocks makes a raw_data_block of each list of elements (ISO 14496-3, 4.4.2.1).
// No channel has a scale factor band, so none has a spectrum.
func silentBlocks(lists ...[]syntaxElement) (blocks [][]byte) {
	for _, elements := range lists {
		var b bits
		var tags [end]uint32
		for _, e := range elements {
			b.put(3, uint32(e))
			b.put(4, tags[e]) // element_instance_tag
			tags[e]++
			if e == cpe {
				b.put(1, 1)  // common_window
				b.put(11, 0) // ics_info: long windows, max_sfb 0, no prediction
				b.put(2, 0)  // ms_mask_present
				b.put(11, 0) // global_gain; no pulses, noise shaping or gain control
				b.put(11, 0) // the other channel
				continue
			}
			b.put(8, 0)  // global_gain
			b.put(11, 0) // ics_info
			b.put(3, 0)  // no pulses, noise shaping or gain control
		}
		b.put(3, uint32(end))
		blocks = append(blocks, b.bytes)
	}
	return blocks
}

// bits are written from the highest bit of each byte on.
type bits struct {
	bytes []byte
	n     int
}

// put appends the lowest count bits of v.
func (b *bits) put(count int, v uint32) {
	for i := count - 1; i >= 0; i-- {
		if b.n%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[b.n/8] |= byte(v>>i&1) << (7 - b.n%8)
		b.n++
	}
}
