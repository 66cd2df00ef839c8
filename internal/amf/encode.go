package amf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Append appends v to dst as AMF0; a ByteArray goes behind the AMF3 marker.
// It takes whatever Decode returns, and Go's integers as numbers. Any other
// type is the caller's mistake and panics. Names beyond 65535 bytes are cut.
func Append(dst []byte, v Value) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, markNull)
	case Undefined:
		return append(dst, markUndefined)
	case float64:
		return appendNumber(append(dst, markNumber), v)
	case int:
		return appendNumber(append(dst, markNumber), float64(v))
	case uint32:
		return appendNumber(append(dst, markNumber), float64(v))
	case int64:
		return appendNumber(append(dst, markNumber), float64(v))
	case bool:
		if v {
			return append(dst, markBoolean, 1)
		}
		return append(dst, markBoolean, 0)
	case string:
		if len(v) > 0xffff {
			return appendLong(append(dst, markLongString), v)
		}
		return appendText(append(dst, markString), v)
	case XML:
		return appendLong(append(dst, markXML), string(v))
	case Date:
		dst = appendNumber(append(dst, markDate), v.Milliseconds)
		return binary.BigEndian.AppendUint16(dst, uint16(v.Zone))
	case Reference:
		return binary.BigEndian.AppendUint16(append(dst, markReference), uint16(v))
	case Object:
		return appendProperties(append(dst, markObject), v)
	case TypedObject:
		return appendProperties(appendText(append(dst, markTypedObject), v.Class), v.Object)
	case ECMAArray:
		dst = binary.BigEndian.AppendUint32(append(dst, markECMAArray), uint32(len(v)))
		return appendProperties(dst, v)
	case StrictArray:
		dst = binary.BigEndian.AppendUint32(append(dst, markStrictArray), uint32(len(v)))
		for _, e := range v {
			dst = Append(dst, e)
		}
		return dst
	case ByteArray:
		dst = appendUint29(append(dst, markAMF3, mark3ByteArray), uint32(len(v))<<1|1)
		return append(dst, v...)
	}
	panic(fmt.Sprintf("amf: no encoding for %T", v))
}

func appendNumber(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
}

func appendText(dst []byte, s string) []byte {
	s = s[:min(len(s), 0xffff)]
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func appendLong(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendProperties(dst []byte, ps []Property) []byte {
	for _, p := range ps {
		dst = Append(appendText(dst, p.Name), p.Value)
	}
	return append(dst, 0, 0, markObjectEnd)
}

func appendUint29(dst []byte, n uint32) []byte {
	switch {
	case n < 1<<7:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, byte(n>>7)|0x80, byte(n)&0x7f)
	case n < 1<<21:
		return append(dst, byte(n>>14)|0x80, byte(n>>7)|0x80, byte(n)&0x7f)
	}
	return append(dst, byte(n>>22)|0x80, byte(n>>15)|0x80, byte(n>>8)|0x80, byte(n))
}
