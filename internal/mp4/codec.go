package mp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Supports says whether MP4 can carry t, as far as it is known: H.264, HEVC, AV1,
// VP9, AAC, MP3, Opus, FLAC, AC-3, E-AC-3.
func Supports(t *media.Track) bool {
	if t == nil || !t.HasHeader() {
		return false
	}
	switch t.Codec {
	case media.CodecH264, media.CodecHEVC, media.CodecAV1, media.CodecOpus:
		return len(t.Config) > 0
	case media.CodecVP9:
		return len(t.Config) >= 8
	case media.CodecFLAC:
		return streamInfo(t.Config) != nil && t.SampleRate > 0
	case media.CodecAAC, media.CodecMP3, media.CodecAC3, media.CodecEAC3:
		return t.SampleRate > 0
	}
	return false
}

// videoTimescale holds RTMP's milliseconds, and the 90 kHz of transport streams.
const videoTimescale = 90000

// Timescale is the ticks of a second in a track of t: of sound its sample rate,
// so that the duration of a frame is a whole number.
func Timescale(t *media.Track) uint32 {
	if t.Kind == media.Audio && t.SampleRate > 0 {
		return uint32(t.SampleRate)
	}
	return videoTimescale
}

// FrameSamples is how many samples the frame data of t holds; 0: nobody knows.
func FrameSamples(t *media.Track, data []byte) int64 {
	switch t.Codec {
	case media.CodecOpus:
		return opus.PacketDuration2(data)
	case media.CodecFLAC:
		return flacSamples(data)
	}
	return int64(t.FrameSamples)
}

// flacSamples is the block size in the header of a FLAC frame (RFC 9639 §9.1); 0: it can't
// be read.
//
//	sync(15) strategy(1) size(4) rate(4) channels(4) depth(3) reserved(1) number(8…56) [size-1(8, 16)]
func flacSamples(b []byte) int64 {
	if len(b) < 5 || b[0] != 0xff || b[1]&0xfe != 0xf8 {
		return 0
	}
	code := b[2] >> 4
	number := max(bits.LeadingZeros8(^b[4]), 1) // bytes of a number as UTF-8 codes it
	rest := b[min(4+number, len(b)):]
	switch {
	case code == 1:
		return 192
	case code >= 2 && code <= 5:
		return 576 << (code - 2)
	case code == 6 && len(rest) >= 1:
		return int64(rest[0]) + 1
	case code == 7 && len(rest) >= 2:
		return int64(be.Uint16(rest)) + 1
	case code >= 8:
		return 256 << (code - 8)
	}
	return 0
}

// appendSampleEntry appends the sample entry of t (§8.5.2). frame is a frame of
// it, of video a keyframe: it tells what the header of some codecs does not.
func appendSampleEntry(b []byte, t *media.Track, frame []byte) ([]byte, error) {
	if t.Kind == media.Video {
		return appendVisualEntry(b, t, frame)
	}
	return appendAudioEntry(b, t, frame)
}

func appendVisualEntry(b []byte, t *media.Track, frame []byte) ([]byte, error) {
	kind, config := "", ""
	switch t.Codec {
	case media.CodecH264:
		kind, config = "avc1", "avcC"
	case media.CodecHEVC:
		kind, config = "hvc1", "hvcC"
	case media.CodecAV1:
		kind, config = "av01", "av1C"
	case media.CodecVP9:
		kind, config = "vp09", "vpcC"
	default:
		return b, fmt.Errorf("mp4: no place for %s", t.CodecName())
	}
	width, height := t.Width, t.Height
	if width == 0 {
		width, height, _ = media.FrameSize(t.Codec, frame)
	}
	b, at := open(b, kind)
	b = append(zeros(b, 6), 0, 1) // data_reference_index
	b = zeros(b, 16)
	b = be.AppendUint16(b, uint16(width))
	b = be.AppendUint16(b, uint16(height))
	b = be.AppendUint32(b, 72<<16) // dots an inch
	b = be.AppendUint32(b, 72<<16)
	b = append(zeros(b, 4), 0, 1)   // frames in a sample
	b = append(zeros(b, 32), 0, 24) // compressorname, depth
	b = be.AppendUint16(b, 0xffff)  // pre_defined = -1
	b, inner := open(b, config)
	if t.Codec == media.CodecVP9 && be.Uint32(t.Config) != 1<<24 {
		b = be.AppendUint32(b, 1<<24) // it is a FullBox of version 1
	}
	b = append(b, t.Config...)
	shut(b, inner, 0)
	shut(b, at, 0)
	return b, nil
}

func appendAudioEntry(b []byte, t *media.Track, frame []byte) ([]byte, error) {
	kind := "mp4a"
	switch t.Codec {
	case media.CodecOpus:
		kind = "Opus"
	case media.CodecFLAC:
		kind = "fLaC"
	case media.CodecAC3:
		kind = "ac-3"
	case media.CodecEAC3:
		kind = "ec-3"
	}
	channels := t.Channels
	if channels == 0 {
		channels = 2
	}
	b, at := open(b, kind)
	b = append(zeros(b, 6), 0, 1)
	b = zeros(b, 8)
	b = be.AppendUint16(b, uint16(channels))
	b = be.AppendUint16(b, 16) // bits a sample
	b = zeros(b, 4)
	rate := uint32(t.SampleRate)
	if rate > 0xffff {
		rate = 0 // does not fit; the codec's own box says it
	}
	b = be.AppendUint32(b, rate<<16)
	b, err := appendAudioConfig(b, t, frame)
	shut(b, at, 0)
	return b, err
}

func appendAudioConfig(b []byte, t *media.Track, frame []byte) ([]byte, error) {
	switch t.Codec {
	case media.CodecAAC:
		return appendESDS(b, 0x40, t.Config), nil
	case media.CodecMP3:
		object := byte(0x6b) // ISO 11172-3
		if t.SampleRate < 32000 {
			object = 0x69 // ISO 13818-3
		}
		return appendESDS(b, object, nil), nil
	case media.CodecOpus:
		return appendOpus(b, t.Config), nil
	case media.CodecFLAC:
		b, at := openFull(b, "dfLa", 0, 0)
		b = append(b, 0x80, 0, 0, 34) // the last metadata block, STREAMINFO
		b = append(b, streamInfo(t.Config)...)
		shut(b, at, 0)
		return b, nil
	case media.CodecAC3:
		return appendAC3(b, frame)
	case media.CodecEAC3:
		return appendEAC3(b, t, frame)
	}
	return b, fmt.Errorf("mp4: no place for %s", t.CodecName())
}

// appendESDS appends the descriptors of ISO 14496-1 §7.2.6: ES, DecoderConfig,
// DecoderSpecificInfo, SLConfig.
func appendESDS(b []byte, object byte, config []byte) []byte {
	b, at := openFull(b, "esds", 0, 0)
	specific := 0
	if len(config) > 0 {
		specific = 5 + len(config)
	}
	b = appendDescriptor(b, 3, 3+5+13+specific+5+1)
	b = append(b, 0, 0, 0) // ES_ID, no flags
	b = appendDescriptor(b, 4, 13+specific)
	b = append(b, object, 0x15) // audio stream
	b = zeros(b, 11)            // buffer size, bit rates: unknown
	if specific > 0 {
		b = appendDescriptor(b, 5, len(config))
		b = append(b, config...)
	}
	b = appendDescriptor(b, 6, 1)
	b = append(b, 2)
	shut(b, at, 0)
	return b
}

// appendDescriptor appends tag and length, which takes four bytes.
func appendDescriptor(b []byte, tag byte, n int) []byte {
	return append(b, tag, byte(n>>21)|0x80, byte(n>>14)|0x80, byte(n>>7)|0x80, byte(n)&0x7f)
}

// appendOpus appends dOps: an OpusHead, big-endian and without its magic (Opus in
// ISOBMFF §4.3.2).
func appendOpus(b, head []byte) []byte {
	b, at := open(b, "dOps")
	b = append(b, 0, head[9])
	b = be.AppendUint16(b, binary.LittleEndian.Uint16(head[10:]))
	b = be.AppendUint32(b, binary.LittleEndian.Uint32(head[12:]))
	b = be.AppendUint16(b, binary.LittleEndian.Uint16(head[16:]))
	b = append(b, head[18])
	if head[18] != 0 {
		b = append(b, head[19:21+int(head[9])]...)
	}
	shut(b, at, 0)
	return b
}

// streamInfo is the STREAMINFO in a FLAC header, nil if there is none.
func streamInfo(config []byte) []byte {
	config = bytes.TrimPrefix(config, []byte("fLaC"))
	if len(config) >= 38 && be.Uint32(config)&0x7fffffff == 34 {
		config = config[4:]
	}
	if len(config) < 34 {
		return nil
	}
	return config[:34]
}

// appendAC3 appends dac3 (ETSI TS 102 366 §F.4):
//
//	fscod(2) bsid(5) bsmod(3) acmod(3) lfeon(1) bit_rate_code(5) reserved(5)
func appendAC3(b, frame []byte) ([]byte, error) {
	var s ac3.SyncInfo
	if err := s.Unmarshal(frame); err != nil {
		return b, fmt.Errorf("mp4: AC-3: %w", err)
	}
	var i ac3.BSI
	if err := i.Unmarshal(frame[5:]); err != nil {
		return b, fmt.Errorf("mp4: AC-3: %w", err)
	}
	v := uint32(frame[4]>>6)<<22 | uint32(i.Bsid)<<17 | uint32(i.Bsmod)<<14 | uint32(i.Acmod)<<11 | flag(i.LfeOn)<<10 | uint32(frame[4]&0x3f)>>1<<5
	b, at := open(b, "dac3")
	b = append(b, byte(v>>16), byte(v>>8), byte(v))
	shut(b, at, 0)
	return b, nil
}

// appendEAC3 appends dec3 with one independent substream (ETSI TS 102 366 §F.6):
//
//	data_rate(13) num_ind_sub(3)=0 | fscod(2) bsid(5) reserved(1) |
//	asvc(1)=0 bsmod(3)=0 acmod(3) lfeon(1) | reserved(3) num_dep_sub(4)=0 reserved(1)
func appendEAC3(b []byte, t *media.Track, frame []byte) ([]byte, error) {
	var s eac3.SyncInfo
	if err := s.Unmarshal(frame); err != nil {
		return b, fmt.Errorf("mp4: E-AC-3: %w", err)
	}
	kbits := 0
	if t.FrameSamples > 0 {
		kbits = len(frame) * 8 * t.SampleRate / t.FrameSamples / 1000
	}
	b, at := open(b, "dec3")
	b = be.AppendUint16(b, uint16(min(kbits, 1<<13-1)<<3))
	b = append(b, s.Fscod<<6|s.Bsid<<1, s.Acmod<<1|byte(flag(s.Lfeon)), 0)
	shut(b, at, 0)
	return b, nil
}

func flag(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}
