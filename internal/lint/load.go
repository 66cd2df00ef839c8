package lint

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A loader loads the segments of one playlist. It belongs to the goroutine of
// loadSegments.
type loader struct {
	f    *follower
	base *url.URL // of what the playlist names

	key     keyTag // whose value is secret
	secret  []byte
	initURI string // of the segment's EXT-X-MAP
	initKey byteRange

	parts partChecker
	sums  []sum // of the newest segments
	first bool  // headers of a segment were looked at
}

// sum is what a segment had in it.
type sum struct {
	s    *segment
	hash [sha256.Size]byte
}

const maxSums = 200

// loadSegments loads what is queued until the queue is closed or the run ends.
func (f *follower) loadSegments(ctx context.Context) {
	for j := range f.jobs {
		if !f.sleep(ctx, 0) {
			continue
		}
		if j.part != nil {
			f.load.part(ctx, j)
		} else {
			f.load.segment(ctx, j)
		}
	}
}

// segment loads one segment and has it checked.
func (l *loader) segment(ctx context.Context, j job) {
	f := l.f
	select {
	case f.media <- struct{}{}:
		defer func() { <-f.media }()
	case <-ctx.Done():
		return
	}
	l.base = j.base
	r := l.get(ctx, j.s.uri, j.s.bytes, j.s)
	if r == nil {
		f.segs.lose()
		return
	}
	f.segments.Add(1)
	if !l.first {
		l.first = true
		f.add(inLine(j.s, checkSegmentHTTP(r, !j.of.ended))...)
	}
	if r.tooLong {
		f.note(fmt.Sprintf("%s: segment %d has more than %d bytes and was not examined", f.url.Redacted(), j.s.number, maxSegment))
		f.segs.lose()
		return
	}
	if len(l.sums) < maxSums {
		l.sums = append(l.sums, sum{j.s, sha256.Sum256(r.body)})
	}
	if !l.map_(ctx, j.s) {
		f.segs.lose()
		return
	}
	body, ok := l.decrypt(ctx, j.s.key, j.s, r.body)
	if !ok {
		f.segs.lose()
		return
	}
	f.add(f.segs.check(j.of, j.s, body)...)
	f.add(l.parts.whole(j.s, &f.segs)...)
}

// inLine puts faults of a resource in the line of the segment that names it.
func inLine(s *segment, faults []fault) []fault {
	for i := range faults {
		faults[i].line, faults[i].text = s.line, s.uri
	}
	return faults
}

// get loads a resource that s needs; nil: it can't be had.
func (l *loader) get(ctx context.Context, uri string, part byteRange, s *segment) *response {
	f := l.f
	u, err := resolve(l.base, uri)
	if err != nil {
		f.add(fault{rule: "uri", line: s.line, text: uri, says: err.Error()})
		return nil
	}
	r, err := f.fetch.get(ctx, request{url: u, bytes: part, limit: maxSegment})
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		f.add(fault{rule: "segment-unavailable", line: s.line, text: uri, says: fmt.Sprintf("segment %d: %v", s.number, err)})
		return nil
	case r.status != http.StatusOK && r.status != http.StatusPartialContent:
		f.add(fault{rule: "segment-unavailable", line: s.line, text: uri, says: fmt.Sprintf("segment %d: %d %s", s.number, r.status, http.StatusText(r.status))})
		return nil
	case part.length > 0 && r.status == http.StatusOK:
		f.add(fault{rule: "byterange-ignored", line: s.line, text: uri, says: "the answer to a Range is 200, not 206"})
		if uint64(len(r.body)) < part.offset+part.length {
			return nil
		}
		r.body = r.body[part.offset : part.offset+part.length]
	}
	return r
}

// map_ loads the EXT-X-MAP of s, if it is another than before.
func (l *loader) map_(ctx context.Context, s *segment) bool {
	f := l.f
	if s.init == nil {
		l.initURI, f.segs.section = "", nil
		return true
	}
	if s.init.uri == l.initURI && s.init.bytes.offset == l.initKey.offset && s.init.bytes.length == l.initKey.length {
		return true
	}
	r := l.get(ctx, s.init.uri, s.init.bytes, s)
	if r == nil {
		return false
	}
	body, ok := l.decrypt(ctx, s.init.key, s, r.body)
	if !ok {
		return false
	}
	l.initURI, l.initKey = s.init.uri, s.init.bytes
	f.segs.section = nil
	if isMP4(body) {
		f.add(f.segs.takeInit(s, body)...)
	}
	return true
}

// decrypt takes the encryption of whole segments off (RFC 8216 §4.3.2.4, §5.2).
func (l *loader) decrypt(ctx context.Context, k *keyTag, s *segment, body []byte) ([]byte, bool) {
	f := l.f
	if k == nil {
		return body, true
	}
	if k.method != "AES-128" || k.format != "" && k.format != "identity" {
		f.note(fmt.Sprintf("%s: segments with METHOD=%s are not examined", f.url.Redacted(), k.method))
		return nil, false
	}
	if keyOf(k) != keyOf(&l.key) {
		secret := l.fetchKey(ctx, k)
		if secret == nil {
			return nil, false
		}
		l.key, l.secret = *k, secret
	}
	iv := make([]byte, aes.BlockSize)
	if k.iv != "" {
		digits := strings.Repeat("0", max(0, 34-len(k.iv))) + k.iv[2:]
		if _, err := hex.Decode(iv, []byte(digits[:32])); err != nil {
			return nil, false // said when the playlist was read
		}
	} else {
		binary.BigEndian.PutUint64(iv[8:], s.number)
	}
	if len(body) == 0 || len(body)%aes.BlockSize != 0 {
		f.add(fault{rule: "encryption", line: s.line, text: s.uri, says: fmt.Sprintf("segment %d has %d bytes, which is no whole number of blocks", s.number, len(body))})
		return nil, false
	}
	block, err := aes.NewCipher(l.secret)
	if err != nil {
		return nil, false
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(body, body)
	pad := int(body[len(body)-1])
	if pad == 0 || pad > aes.BlockSize {
		f.add(fault{rule: "encryption", line: s.line, text: s.uri, says: fmt.Sprintf("segment %d does not end in the padding of PKCS 7 when it is decrypted with this key and IV", s.number)})
		return nil, false
	}
	return body[:len(body)-pad], true
}

// fetchKey loads a key: 16 bytes (RFC 8216 §5.1).
func (l *loader) fetchKey(ctx context.Context, k *keyTag) []byte {
	f := l.f
	bad := func(format string, args ...any) {
		f.add(fault{rule: "key-file", line: k.line, text: k.uri, says: fmt.Sprintf(format, args...)})
	}
	u, err := resolve(l.base, k.uri)
	if err != nil {
		bad("%v", err)
		return nil
	}
	r, err := f.fetch.get(ctx, request{url: u, limit: maxKey})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		bad("%v", err)
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		f.note(f.url.Redacted() + ": the key needs credentials, encrypted segments are not examined")
	case r.status != http.StatusOK:
		bad("%d %s", r.status, http.StatusText(r.status))
	case len(r.body) != aes.BlockSize:
		bad("a key has 16 bytes, this has %d", len(r.body))
	default:
		return r.body
	}
	return nil
}

// again loads two segments that are still in the playlist once more: they do not change.
func (l *loader) again(ctx context.Context) {
	f := l.f
	if f.last == nil {
		return
	}
	asked := 0
	for _, old := range l.sums {
		if old.s.number < f.last.sequence || asked == 2 {
			continue
		}
		asked++
		u, err := resolve(l.base, old.s.uri)
		if err != nil {
			continue
		}
		r, err := f.fetch.get(ctx, request{url: u, bytes: old.s.bytes, limit: maxSegment})
		if err != nil || r.status != http.StatusOK && r.status != http.StatusPartialContent {
			continue
		}
		if sha256.Sum256(r.body) != old.hash {
			f.add(fault{rule: "segment-rewritten", line: old.s.line, text: old.s.uri, says: fmt.Sprintf("segment %d is not what it was before", old.s.number)})
		}
	}
}
