package rtmp

import (
	"encoding/binary"

	"github.com/rtmpd/rtmpd/internal/gather"
)

// appendMessage appends m in chunks of at most chunkSize bytes. The first chunk
// is of type 0, so what comes before on the same chunk stream does not matter;
// type 3 chunks repeat the extended timestamp, as ffmpeg and librtmp want it
// (RTMP 1.0 §5.3.1.3).
func appendMessage(dst []byte, m Message, chunkSize int) []byte {
	dst = appendMessageHeader(dst, m)
	for rest := m.Payload; ; {
		n := min(len(rest), chunkSize)
		dst = append(dst, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			return dst
		}
		dst = appendChunkHeader(dst, m)
	}
}

// shareMessage is appendMessage without the copy of the payload.
func shareMessage(b *gather.Batch, m Message, chunkSize int) {
	b.Own = appendMessageHeader(b.Own, m)
	for rest := m.Payload; ; {
		n := min(len(rest), chunkSize)
		b.Append(rest[:n])
		if rest = rest[n:]; len(rest) == 0 {
			return
		}
		b.Own = appendChunkHeader(b.Own, m)
	}
}

// appendMessageHeader appends the header of m's first chunk.
func appendMessageHeader(dst []byte, m Message) []byte {
	dst = appendBasicHeader(dst, 0, m.ChunkStreamID)
	dst = appendUint24(dst, min(m.Timestamp, extended))
	dst = appendUint24(dst, uint32(len(m.Payload)))
	dst = append(dst, byte(m.Type))
	dst = binary.LittleEndian.AppendUint32(dst, m.StreamID)
	return appendExtended(dst, m)
}

// appendChunkHeader appends the header of one of m's further chunks.
func appendChunkHeader(dst []byte, m Message) []byte {
	return appendExtended(appendBasicHeader(dst, 3, m.ChunkStreamID), m)
}

func appendExtended(dst []byte, m Message) []byte {
	if m.Timestamp >= extended {
		dst = binary.BigEndian.AppendUint32(dst, m.Timestamp)
	}
	return dst
}

// appendBasicHeader appends the one to three bytes that say format and csid,
// 2 to 65599.
func appendBasicHeader(dst []byte, format byte, csid uint32) []byte {
	switch {
	case csid < 64:
		return append(dst, format<<6|byte(csid))
	case csid < 64+256:
		return append(dst, format<<6, byte(csid-64))
	}
	return append(dst, format<<6|1, byte(csid-64), byte((csid-64)>>8))
}

func appendUint24(dst []byte, n uint32) []byte {
	return append(dst, byte(n>>16), byte(n>>8), byte(n))
}

// chunkedSize is about how many bytes appendMessage appends for n bytes of
// payload.
func chunkedSize(n, chunkSize int) int {
	return n + 18 + n/chunkSize*7
}
