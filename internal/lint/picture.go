package lint

import (
	"bytes"

	"github.com/rtmpd/rtmpd/internal/media"
)

// pictureUnits is what the NAL units of one picture say.
type pictureUnits struct {
	key      bool // decoding may begin here
	captions bool
	slices   bool
}

// add takes one unit (ITU-T H.264 §7.3.1, H.265 §7.3.1.2).
func (p *pictureUnits) add(c media.Codec, n []byte) {
	if c == media.CodecHEVC {
		t := n[0] >> 1 & 0x3f
		if t < 32 {
			p.key = p.key || !p.slices && t >= 16 && t <= 23
			p.slices = true
		}
		if t == 39 && len(n) > 2 { // prefix SEI
			p.sei(n[2:])
		}
		return
	}
	switch t := n[0] & 0x1f; t {
	case 1, 2, 5:
		p.key = p.key || !p.slices && t == 5
		p.slices = true
	case 6:
		p.sei(n[1:])
	}
}

// captionsPayload begins the user data of ATSC A/53 captions: country code, provider
// code, user identifier and user_data_type_code (ATSC A/53 part 4 §6.2.3).
var captionsPayload = []byte{0xb5, 0, 0x31, 'G', 'A', '9', '4', 3}

const (
	seiUserData      = 4
	seiRecoveryPoint = 6
)

// sei reads the messages of an SEI unit (H.264 §7.3.2.3.1).
func (p *pictureUnits) sei(b []byte) {
	for len(b) > 2 {
		kind, size := 0, 0
		for len(b) > 0 && b[0] == 0xff {
			kind, b = kind+255, b[1:]
		}
		if len(b) == 0 {
			return
		}
		kind, b = kind+int(b[0]), b[1:]
		for len(b) > 0 && b[0] == 0xff {
			size, b = size+255, b[1:]
		}
		if len(b) == 0 {
			return
		}
		size, b = size+int(b[0]), b[1:]
		body := b[:min(size, len(b))]
		switch kind {
		case seiUserData:
			if rest, ok := bytes.CutPrefix(body, captionsPayload); ok {
				p.captions = p.captions || hasCaptions(rest)
			}
		case seiRecoveryPoint:
			// recovery_frame_cnt ue(v) is 0: the picture is right at once.
			p.key = p.key || len(body) > 0 && body[0]&0x80 != 0
		}
		b = b[len(body):]
	}
}

// hasCaptions reads cc_data (CTA-708 §4.4): encoders send it without captions too.
//
//	…(1) process(1) …(1) count(5) …(8) { …(5) valid(1) type(2) data(8) data(8) }…
func hasCaptions(b []byte) bool {
	if len(b) < 2 || b[0]&0x40 == 0 {
		return false
	}
	count := int(b[0] & 0x1f)
	for b = b[2:]; count > 0 && len(b) >= 3; count, b = count-1, b[3:] {
		if b[0]&4 != 0 && (b[1]&0x7f != 0 || b[2]&0x7f != 0) {
			return true
		}
	}
	return false
}
