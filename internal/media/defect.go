package media

// Defects is the set of violations of specifications in a publisher's bit stream. RTMP players get it as sent; a packet's Data and Track have it mended
// where that can be done.
type Defects uint16

// The defects. The header ones go when a sound header comes; the others stay.
const (
	// NoVideoHeader, NoAudioHeader: frames come without a header that says how they
	// are coded.
	NoVideoHeader Defects = 1 << iota
	NoAudioHeader
	// BadVideoHeader, BadAudioHeader: a sequence header could not be decoded.
	BadVideoHeader
	BadAudioHeader
	// SetsInFrames: the parameter sets had to be taken from the frames, since
	// no sequence header has them. Mended.
	SetsInFrames
	// StartCodes: start codes (Annex B) where NAL unit lengths belong. Mended.
	StartCodes
	// BrokenUnits: NAL unit lengths that run past the end of the message.
	BrokenUnits
	// ADTSFrames: AAC frames with ADTS headers. Mended.
	ADTSFrames
	// BrokenADTS: ADTS frames that can't be taken apart. Only those before them are
	// heard.
	BrokenADTS
	// Dropped: messages that became no packet; a broken body, an unknown type.
	Dropped

	// AllDefects are all of them.
	AllDefects = Dropped<<1 - 1
)

// NoHeader is NoVideoHeader or NoAudioHeader.
func NoHeader(k Kind) Defects { return NoVideoHeader << k }

// BadHeader is BadVideoHeader or BadAudioHeader.
func BadHeader(k Kind) Defects { return BadVideoHeader << k }
