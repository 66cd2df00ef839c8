package progressive

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// maxEvent bounds a message that becomes an event: the texts of publishers are short.
const maxEvent = 64 << 10

// Event makes a line of JSON of an AMF0 data message: its name and what follows, as a list
// if that is not one value. at is the time of the media it came with. nil: it can't be
// read.
func Event(at time.Duration, payload []byte) []byte {
	if len(payload) == 0 || len(payload) > maxEvent {
		return nil
	}
	values, err := amf.DecodeAll(payload, amf.MaxElements)
	if err != nil || len(values) == 0 {
		return nil
	}
	name, ok := values[0].(string)
	if !ok {
		return nil
	}
	b := strconv.AppendInt([]byte(`{"time":`), at.Milliseconds(), 10)
	b = appendText(append(b, `,"type":`...), name)
	b = append(b, `,"data":`...)
	if len(values) == 2 {
		b = appendValue(b, values[1])
	} else {
		b = appendValue(b, amf.StrictArray(values[1:]))
	}
	return append(b, "}\n"...)
}

// appendText appends a JSON string. What is not UTF-8 is replaced.
func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string has none
		return append(b, `""`...)
	}
	return append(b, text...)
}

// appendValue appends what JSON has for an AMF value: dates as text (RFC 3339), byte
// arrays in base64; undefined, references and what is no finite number as null.
func appendValue(b []byte, v amf.Value) []byte {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...)
		}
		text, _ := json.Marshal(v) // finite
		return append(b, text...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendText(b, v)
	case amf.XML:
		return appendText(b, string(v))
	case amf.ByteArray:
		return appendText(b, base64.StdEncoding.EncodeToString(v))
	case amf.Date:
		if ms := v.Milliseconds; math.Abs(ms) < 253402300800000 { // year 10000
			return appendText(b, v.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}
	case amf.Object:
		return appendObject(b, v)
	case amf.ECMAArray:
		return appendObject(b, amf.Object(v))
	case amf.TypedObject:
		return appendObject(b, v.Object)
	case amf.StrictArray:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// appendObject appends an object. Of a name that is there twice the last one counts, as in
// AMF.
func appendObject(b []byte, o amf.Object) []byte {
	last := make(map[string]int, len(o))
	for i := range o {
		last[o[i].Name] = i
	}
	b = append(b, '{')
	first := true
	for i := range o {
		if last[o[i].Name] != i {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendText(b, o[i].Name), ':')
		b = appendValue(b, o[i].Value)
	}
	return append(b, '}')
}
