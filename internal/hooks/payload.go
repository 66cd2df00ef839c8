package hooks

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// A payload is what a trigger tells its handlers. The fields are MistServer's lines in
// its order; in JSON they have names.
type payload struct {
	app     string
	fields  []field
	newline bool // MistServer ends this one with a newline
	uuid    string
	at      time.Time
}

// A field is one line of a payload.
type field struct {
	name string
	line string
	json any  // what JSON has in its place; nil: the line
	only bool // it is in JSON alone
	raw  bool // the line is JSON: it holds no control characters
}

// text is a field that is a string in both formats.
func text(name, s string) field { return field{name: name, line: s} }

// object is a field that is JSON in both formats.
func object(name string, v any) field {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte("null")
	}
	return field{name: name, line: string(b), json: json.RawMessage(b), raw: true}
}

// trigger makes the event of a trigger.
func trigger(h Hook, app string, fields ...field) Event {
	return Event{Hook: h, payload: payload{app: app, fields: fields, uuid: newUUID(), at: time.Now()}}
}

// newUUID is a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// lines is the payload as MistServer sends it. What a client said of itself makes no
// line of its own.
func (p *payload) lines() []byte {
	var b bytes.Buffer
	first := true
	for _, f := range p.fields {
		if f.only {
			continue
		}
		if !first {
			b.WriteByte('\n')
		}
		first = false
		if !f.raw {
			f.line = cleanValue(f.line)
		}
		b.WriteString(f.line)
	}
	if p.newline {
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// object is the payload as one JSON object: the trigger, then the fields.
func (p *payload) object(h Hook) []byte {
	var b bytes.Buffer
	member := func(name string, v any) {
		key, _ := json.Marshal(name)
		value, err := json.Marshal(v)
		if err != nil {
			value = []byte("null")
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('{')
	member("trigger", h.String())
	member("uuid", p.uuid)
	member("time", p.at.UnixMilli())
	if p.app != "" {
		member("app", p.app)
	}
	for _, f := range p.fields {
		if f.json != nil {
			member(f.name, f.json)
			continue
		}
		member(f.name, strings.ToValidUTF8(f.line, "\uFFFD"))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// size estimates the memory of a waiting payload, in bytes.
func (p *payload) size() (n int) {
	for _, f := range p.fields {
		n += len(f.name) + len(f.line) + 64
	}
	return n
}
