package lint

import (
	"bytes"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// id3Owner is the owner of the PRIV frame with the timestamp (RFC 8216 §3.4).
const id3Owner = "com.apple.streaming.transportStreamTimestamp\x00"

// packedAudio reads a segment of audio frames behind an ID3 tag:
//
//	"ID3" version(16) flags(8) size(4 × 7 bits) frames… audio…
func (c *segmentChecker) packedAudio(s *segment, body []byte) contents {
	if len(body) < 10 {
		c.fault("segment-format", s, "an ID3 tag that is cut off")
		return contents{}
	}
	size := 10 + int(body[6]&0x7f)<<21 + int(body[7]&0x7f)<<14 + int(body[8]&0x7f)<<7 + int(body[9]&0x7f)
	if size > len(body) {
		c.fault("segment-format", s, "an ID3 tag of %d bytes in a segment of %d", size, len(body))
		return contents{}
	}
	t := &trackContents{kind: media.Audio, wrap: tsWrap}
	found := contents{container: "packed audio", tracks: []*trackContents{t}}
	i := bytes.Index(body[:size], []byte(id3Owner))
	if i < 0 || i+len(id3Owner)+8 > size {
		c.fault("packed-audio", s, "its ID3 tag has no PRIV frame with the timestamp")
		return contents{}
	}
	var at int64
	for _, b := range body[i+len(id3Owner):][:8] {
		at = at<<8 | int64(b)
	}
	start := tsTime(at & (1<<33 - 1))
	audio := body[size:]
	t.codec, t.name = media.CodecMP3, "mp4a.40.34"
	if media.IsADTS(audio) {
		t.codec, t.name = media.CodecAAC, "mp4a.40.2"
		track, err := media.ParseConfig(media.CodecAAC, media.ADTSConfig(audio, audio[media.ADTSHeaderSize:]))
		if err == nil {
			t.about, t.name = &track, track.CodecString
		}
		for n := time.Duration(0); media.IsADTS(audio); n++ {
			step := int(audio[3]&3)<<11 | int(audio[4])<<3 | int(audio[5])>>5
			if step < media.ADTSHeaderSize || step > len(audio) {
				break
			}
			at := start
			if t.about != nil {
				at += n * t.about.FrameDuration()
			}
			t.put(at, at)
			audio = audio[step:]
		}
		return found
	}
	t.put(start, start)
	return found
}

// webVTT reads a segment of subtitles (RFC 8216 §3.5).
func (c *segmentChecker) webVTT(s *segment, body []byte) contents {
	if !bytes.Contains(body, []byte("X-TIMESTAMP-MAP=")) {
		c.fault("webvtt", s, "it has no X-TIMESTAMP-MAP")
	}
	return contents{container: "WebVTT"}
}
