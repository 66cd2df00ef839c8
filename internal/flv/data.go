package flv

import (
	"fmt"
	"strings"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Data takes the payload of an AMF0 data message (behind the format byte in one
// of type 15) and makes it a packet of Kind media.Data: onTextData, onCuePoint,
// onFI. Its time is that of the newest audio or video, since encoders give
// these messages any timestamp; a @setDataFrame in front is taken off.
//
// A nil packet without an error is what is meant for the server and not for
// players: onMetaData (see ParseMetadata), @clearDataFrame. Errors wrap
// ErrMalformed.
func (d *Demuxer) Data(timestamp uint32, payload []byte) (*media.Packet, error) {
	name, rest, err := scriptName(payload)
	if err == nil && name == "@setDataFrame" {
		payload = rest
		name, _, err = scriptName(payload)
	}
	if err != nil {
		return nil, fmt.Errorf("data: name: %w: %w", ErrMalformed, err)
	}
	if name == "onMetaData" || strings.HasPrefix(name, "@") {
		return nil, nil
	}
	if d.data == nil {
		d.data = &media.Track{Kind: media.Data}
	}
	at, stamp := d.clock.newest(timestamp)
	payload = payload[:len(payload):len(payload)]
	return &media.Packet{Track: d.data, DTS: at, Epoch: d.epoch, Timestamp: stamp, Tag: payload, Data: payload}, nil
}
