package mp4

import (
	"fmt"

	"github.com/rtmpd/rtmpd/internal/media"
)

// AppendAVIF appends an AVIF picture (AV1 Image File Format 1.1): data is a keyframe of
// t, which is coded in AV1. Browsers show it as an image.
//
//	ftyp meta(hdlr pitm iloc iinf(infe) iprp(ipco(ispe pixi av1C) ipma)) mdat
func AppendAVIF(b []byte, t *media.Track, data []byte) ([]byte, error) {
	if t.Codec != media.CodecAV1 || len(t.Config) < 4 {
		return b, fmt.Errorf("mp4: no AVIF of %s", t.CodecName())
	}
	// §2.1: the item has a sequence header.
	var lead []byte
	width, height, has := media.FrameSize(t.Codec, data)
	if !has {
		lead, width, height = t.Config[4:], t.Width, t.Height
	}
	if width <= 0 || height <= 0 {
		return b, fmt.Errorf("mp4: AVIF: the size of the picture is not known")
	}
	start := len(b)
	b = AppendFileType(b, "avif", "avif", "mif1", "miaf")
	b, meta := openFull(b, "meta", 0, 0)
	b, at := openFull(b, "hdlr", 0, 0)
	b = append(zeros(b, 4), "pict"...)
	b = zeros(b, 13) // reserved, an empty name
	shut(b, at, 0)
	b, at = openFull(b, "pitm", 0, 0)
	b = be.AppendUint16(b, 1)
	shut(b, at, 0)
	b, at = openFull(b, "iloc", 0, 0)
	b = append(b, 0x44, 0)    // offsets and lengths have 4 bytes, there is no base
	b = be.AppendUint16(b, 1) // items
	b = be.AppendUint16(b, 1) // the item's number
	b = be.AppendUint16(b, 0) // in this file
	b = be.AppendUint16(b, 1) // extents
	place := len(b)
	b = be.AppendUint32(b, 0)
	b = be.AppendUint32(b, uint32(len(lead)+len(data)))
	shut(b, at, 0)
	b, at = openFull(b, "iinf", 0, 0)
	b = be.AppendUint16(b, 1)
	b, entry := openFull(b, "infe", 2, 0)
	b = be.AppendUint16(b, 1)
	b = be.AppendUint16(b, 0) // not protected
	b = append(b, "av01\x00"...)
	shut(b, entry, 0)
	shut(b, at, 0)
	b = appendAVIFProperties(b, t, width, height)
	shut(b, meta, 0)
	be.PutUint32(b[place:], uint32(len(b)-start+boxHeader))
	b, at = open(b, "mdat")
	b = append(append(b, lead...), data...)
	shut(b, at, 0)
	return b, nil
}

// appendAVIFProperties appends iprp (ISO 23008-12 §9.3): what the item is like.
func appendAVIFProperties(b []byte, t *media.Track, width, height int) []byte {
	b, iprp := open(b, "iprp")
	b, ipco := open(b, "ipco")
	b, at := openFull(b, "ispe", 0, 0)
	b = be.AppendUint32(b, uint32(width))
	b = be.AppendUint32(b, uint32(height))
	shut(b, at, 0)
	depth, channels := byte(8), byte(3)
	if t.Config[2]&0x40 != 0 { // high_bitdepth
		if depth = 10; t.Config[2]&0x20 != 0 { // twelve_bit
			depth = 12
		}
	}
	if t.Config[2]&0x10 != 0 { // monochrome
		channels = 1
	}
	b, at = openFull(b, "pixi", 0, 0)
	b = append(b, channels)
	for range channels {
		b = append(b, depth)
	}
	shut(b, at, 0)
	b, at = open(b, "av1C")
	b = append(b, t.Config...)
	shut(b, at, 0)
	shut(b, ipco, 0)
	b, at = openFull(b, "ipma", 0, 0)
	b = be.AppendUint32(b, 1) // entries
	b = be.AppendUint16(b, 1) // the item
	b = append(b, 3, 1, 2, 0x80|3)
	shut(b, at, 0)
	shut(b, iprp, 0)
	return b
}
