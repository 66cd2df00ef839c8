package mpegts

import "github.com/rtmpd/rtmpd/internal/media"

// Stream types (ISO 13818-1 table 2-34; AC-3 and E-AC-3: ATSC A/52, as HLS has
// them).
const (
	typeMPEG1Audio = 0x03
	typeMPEG2Audio = 0x04
	typeADTS       = 0x0f
	typeH264       = 0x1b
	typeHEVC       = 0x24
	typeAC3        = 0x81
	typeEAC3       = 0x87
)

func streamType(t *media.Track) byte {
	switch t.Codec {
	case media.CodecH264:
		return typeH264
	case media.CodecHEVC:
		return typeHEVC
	case media.CodecAC3:
		return typeAC3
	case media.CodecEAC3:
		return typeEAC3
	case media.CodecMP3:
		// The half sample rates are MPEG-2's.
		if t.SampleRate > 0 && t.SampleRate < 32000 {
			return typeMPEG2Audio
		}
		return typeMPEG1Audio
	}
	return typeADTS
}

// registration is the format_identifier of a registration_descriptor (§2.6.8).
func registration(t *media.Track) string {
	switch t.Codec {
	case media.CodecAC3:
		return "AC-3"
	case media.CodecEAC3:
		return "EAC3"
	}
	return ""
}

// section completes a PSI section, given from its table_id to before its
// CRC_32 with a section_length yet to be filled in, and makes it a packet.
func section(pid uint16, s []byte) (packet [packetSize]byte) {
	length := len(s) - 3 + 4 // §2.4.4.5: what follows the length, CRC_32 included
	s[1] = 0xb0 | byte(length>>8)
	s[2] = byte(length)
	sum := crc32(s)
	b := append(packet[:0], 0x47, 0x40|byte(pid>>8), byte(pid), 0x10, 0 /* pointer_field */)
	b = append(b, s...)
	b = append(b, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	appendStuffing(b, packetSize-len(b))
	return packet
}

// writePAT: table 0, transport stream 1, program 1 has its map in pidPMT
// (§2.4.4.3).
func (m *Muxer) writePAT() {
	m.pat = section(pidPAT, []byte{
		0x00, 0, 0, 0x00, 0x01, 0xc1, 0, 0,
		0x00, 0x01, 0xe0 | pidPMT>>8, pidPMT & 0xff,
	})
}

// writePMT: table 2, program 1, with exactly the streams there are (§2.4.4.8).
func (m *Muxer) writePMT() {
	s := make([]byte, 0, packetSize)
	s = append(
		s,
		0x02, 0, 0, 0x00, 0x01, 0xc1|m.version<<1, 0, 0,
		0xe0|byte(m.pcrPID>>8), byte(m.pcrPID), 0xf0, 0x00,
	)
	if m.video != nil {
		s = appendStream(s, pidVideo, m.video)
	}
	if m.audio != nil {
		s = appendStream(s, pidAudio, m.audio)
	}
	m.pmt = section(pidPMT, s)
}

func appendStream(s []byte, pid uint16, t *media.Track) []byte {
	id := registration(t)
	descriptors := 0
	if id != "" {
		descriptors = 2 + len(id)
	}
	s = append(s, streamType(t), 0xe0|byte(pid>>8), byte(pid), 0xf0, byte(descriptors))
	if id != "" {
		s = append(s, 0x05, byte(len(id)))
		s = append(s, id...)
	}
	return s
}

// crc32 is the CRC of §2.4.4 annex A: polynomial 0x04c11db7, all ones to begin
// with, not reflected (hash/crc32 has only the reflected kind). Tables are
// written when tracks change, so it need not be fast.
func crc32(b []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range b {
		sum ^= uint32(c) << 24
		for range 8 {
			high := sum >> 31
			sum = sum<<1 ^ high*0x04c11db7
		}
	}
	return sum
}
