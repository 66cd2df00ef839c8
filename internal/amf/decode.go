package amf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// AMF0 markers (AMF0 §2.1).
const (
	markNumber      = 0x00
	markBoolean     = 0x01
	markString      = 0x02
	markObject      = 0x03
	markNull        = 0x05
	markUndefined   = 0x06
	markReference   = 0x07
	markECMAArray   = 0x08
	markObjectEnd   = 0x09
	markStrictArray = 0x0a
	markDate        = 0x0b
	markLongString  = 0x0c
	markUnsupported = 0x0d
	markXML         = 0x0f
	markTypedObject = 0x10
	markAMF3        = 0x11
)

// Errors that a caller can tell apart.
var (
	ErrShort    = errors.New("amf: value ends early")
	ErrDepth    = errors.New("amf: nested deeper than 32")
	ErrElements = errors.New("amf: too many values")
)

// Decode decodes the first value of b and returns what comes after it. Nothing
// in the value aliases b.
func Decode(b []byte) (v Value, rest []byte, err error) {
	d := decoder{b: b, elements: MaxElements}
	v, err = d.value(0)
	return v, d.b, err
}

// DecodeAll decodes b to its end: the body of a command or data message.
// maxElements bounds the values in all of it; it is at most MaxElements.
func DecodeAll(b []byte, maxElements int) ([]Value, error) {
	d := decoder{b: b, elements: min(maxElements, MaxElements)}
	var vs []Value
	for len(d.b) > 0 {
		v, err := d.value(0)
		if err != nil {
			return vs, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// A decoder eats b from the front.
type decoder struct {
	b        []byte
	elements int   // values that may still come
	amf3     *amf3 // tables; nil until the first AMF3 value
}

// take returns the next n bytes, aliasing b.
func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b) {
		return nil, ErrShort
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p, nil
}

func (d *decoder) byte() (byte, error) {
	if len(d.b) == 0 {
		return 0, ErrShort
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c, nil
}

func (d *decoder) uint16() (uint16, error) {
	p, err := d.take(2)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(p), nil
}

func (d *decoder) uint32() (uint32, error) {
	p, err := d.take(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(p), nil
}

func (d *decoder) double() (float64, error) {
	p, err := d.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(p)), nil
}

// text is a string with a 16-bit length.
func (d *decoder) text() (string, error) {
	n, err := d.uint16()
	if err != nil {
		return "", err
	}
	p, err := d.take(int(n))
	return string(p), err
}

// longText is a string with a 32-bit length.
func (d *decoder) longText() (string, error) {
	n, err := d.uint32()
	if err != nil {
		return "", err
	}
	if uint64(n) > uint64(len(d.b)) {
		return "", ErrShort
	}
	p, err := d.take(int(n))
	return string(p), err
}

// enter counts one value; depth is that of the containers around it.
func (d *decoder) enter(depth int) error {
	if depth > MaxDepth {
		return ErrDepth
	}
	if d.elements--; d.elements < 0 {
		return ErrElements
	}
	return nil
}

func (d *decoder) value(depth int) (Value, error) {
	if err := d.enter(depth); err != nil {
		return nil, err
	}
	m, err := d.byte()
	if err != nil {
		return nil, err
	}
	switch m {
	case markNumber:
		return d.double()
	case markBoolean:
		c, err := d.byte()
		return c != 0, err
	case markString:
		return d.text()
	case markLongString:
		return d.longText()
	case markXML:
		s, err := d.longText()
		return XML(s), err
	case markNull:
		return nil, nil
	case markUndefined, markUnsupported:
		return Undefined{}, nil
	case markReference:
		n, err := d.uint16()
		return Reference(n), err
	case markDate:
		ms, err := d.double()
		if err != nil {
			return nil, err
		}
		zone, err := d.uint16()
		return Date{ms, int16(zone)}, err
	case markObject:
		o, err := d.properties(depth+1, -1)
		return Object(o), err
	case markECMAArray:
		n, err := d.uint32()
		if err != nil {
			return nil, err
		}
		a, err := d.properties(depth+1, int64(n))
		return ECMAArray(a), err
	case markStrictArray:
		return d.strictArray(depth + 1)
	case markTypedObject:
		class, err := d.text()
		if err != nil {
			return nil, err
		}
		o, err := d.properties(depth+1, -1)
		return TypedObject{class, o}, err
	case markAMF3:
		if d.amf3 == nil {
			d.amf3 = &amf3{}
		}
		return d.value3(depth)
	}
	return nil, fmt.Errorf("amf: unknown AMF0 marker 0x%02x", m)
}

// properties reads name and value pairs up to the end marker. declared is an
// ECMA array's own count, -1 for objects: some encoders leave the end marker
// out behind that many at the end of a message.
func (d *decoder) properties(depth int, declared int64) ([]Property, error) {
	var ps []Property
	for {
		if declared >= 0 && int64(len(ps)) >= declared && len(d.b) == 0 {
			return ps, nil
		}
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		if name == "" && len(d.b) > 0 && d.b[0] == markObjectEnd {
			d.b = d.b[1:]
			return ps, nil
		}
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		ps = append(ps, Property{name, v})
	}
}

// strictArray grows as elements arrive: the count on the wire is a claim.
func (d *decoder) strictArray(depth int) (Value, error) {
	n, err := d.uint32()
	if err != nil {
		return nil, err
	}
	if uint64(n) > uint64(len(d.b)) { // an element has at least its marker
		return nil, ErrShort
	}
	var a StrictArray
	for range n {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, nil
}
