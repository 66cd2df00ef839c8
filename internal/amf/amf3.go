package amf

import (
	"errors"
	"fmt"
	"strconv"
)

// AMF3 markers (AMF3 §3.1). Vectors and dictionaries never reach a server.
const (
	mark3Undefined = 0x00
	mark3Null      = 0x01
	mark3False     = 0x02
	mark3True      = 0x03
	mark3Integer   = 0x04
	mark3Double    = 0x05
	mark3String    = 0x06
	mark3XMLDoc    = 0x07
	mark3Date      = 0x08
	mark3Array     = 0x09
	mark3Object    = 0x0a
	mark3XML       = 0x0b
	mark3ByteArray = 0x0c
)

// maxShared bounds the bytes of strings and property names that arrive as
// references: a short message must not become a long value.
const maxShared = 64 << 10

var (
	errTable  = errors.New("amf: AMF3 reference to nothing")
	errShared = errors.New("amf: AMF3 references add up to too much text")
	errName   = errors.New("amf: property name longer than 65535 bytes")
)

// amf3 holds the reference tables of one message.
type amf3 struct {
	strings []string
	traits  []traits
	shared  int // bytes handed out by reference so far
}

type traits struct {
	class   string
	members []string
	dynamic bool
	size    int // bytes of class and members
}

func (d *decoder) share(n int) error {
	if d.amf3.shared += n; d.amf3.shared > maxShared {
		return errShared
	}
	return nil
}

// uint29 is AMF3 §1.3.1: seven bits a byte, all eight of the fourth.
func (d *decoder) uint29() (uint32, error) {
	var n uint32
	for range 3 {
		c, err := d.byte()
		if err != nil {
			return 0, err
		}
		n = n<<7 | uint32(c&0x7f)
		if c < 0x80 {
			return n, nil
		}
	}
	c, err := d.byte()
	return n<<8 | uint32(c), err
}

func (d *decoder) text3() (string, error) {
	n, err := d.uint29()
	if err != nil {
		return "", err
	}
	if n&1 == 0 {
		if n>>1 >= uint32(len(d.amf3.strings)) {
			return "", errTable
		}
		s := d.amf3.strings[n>>1]
		return s, d.share(len(s))
	}
	p, err := d.take(int(n >> 1))
	if err != nil || len(p) == 0 { // the empty string is never sent by reference
		return "", err
	}
	s := string(p)
	if len(d.amf3.strings) < MaxElements {
		d.amf3.strings = append(d.amf3.strings, s)
	}
	return s, nil
}

func (d *decoder) name3() (string, error) {
	s, err := d.text3()
	if len(s) > 0xffff {
		return "", errName
	}
	return s, err
}

// complex3 reads the first integer of a value that may be a reference.
func (d *decoder) complex3() (n uint32, ref Value, err error) {
	n, err = d.uint29()
	if err != nil || n&1 == 1 {
		return n >> 1, nil, err
	}
	if n>>1 > 0xffff {
		return 0, nil, errTable
	}
	return 0, Reference(n >> 1), nil
}

// value3 decodes one AMF3 value that enter has counted already.
func (d *decoder) value3(depth int) (Value, error) {
	m, err := d.byte()
	if err != nil {
		return nil, err
	}
	switch m {
	case mark3Undefined:
		return Undefined{}, nil
	case mark3Null:
		return nil, nil
	case mark3False, mark3True:
		return m == mark3True, nil
	case mark3Integer:
		n, err := d.uint29()
		return float64(int32(n<<3) >> 3), err
	case mark3Double:
		return d.double()
	case mark3String:
		return d.text3()
	case mark3XMLDoc, mark3XML, mark3ByteArray:
		n, ref, err := d.complex3()
		if err != nil || ref != nil {
			return ref, err
		}
		p, err := d.take(int(n))
		if m == mark3ByteArray {
			return append(ByteArray{}, p...), err
		}
		return XML(p), err
	case mark3Date:
		_, ref, err := d.complex3()
		if err != nil || ref != nil {
			return ref, err
		}
		ms, err := d.double()
		return Date{Milliseconds: ms}, err
	case mark3Array:
		return d.array3(depth + 1)
	case mark3Object:
		return d.object3(depth + 1)
	}
	return nil, fmt.Errorf("amf: unknown AMF3 marker 0x%02x", m)
}

func (d *decoder) element3(depth int) (Value, error) {
	if err := d.enter(depth); err != nil {
		return nil, err
	}
	return d.value3(depth)
}

// dynamic3 reads name and value pairs up to the empty name.
func (d *decoder) dynamic3(depth int, ps []Property) ([]Property, error) {
	for {
		name, err := d.name3()
		if err != nil || name == "" {
			return ps, err
		}
		v, err := d.element3(depth)
		if err != nil {
			return nil, err
		}
		ps = append(ps, Property{name, v})
	}
}

// array3 is a StrictArray unless it has named members: then its dense part
// follows them under the names "0", "1", … as in an AMF0 ECMA array.
func (d *decoder) array3(depth int) (Value, error) {
	n, ref, err := d.complex3()
	if err != nil || ref != nil {
		return ref, err
	}
	ps, err := d.dynamic3(depth, nil)
	if err != nil {
		return nil, err
	}
	var dense StrictArray
	for range n {
		v, err := d.element3(depth)
		if err != nil {
			return nil, err
		}
		if ps != nil {
			ps = append(ps, Property{strconv.Itoa(len(dense)), v})
		}
		dense = append(dense, v)
	}
	if ps != nil {
		return ECMAArray(ps), nil
	}
	return dense, nil
}

func (d *decoder) object3(depth int) (Value, error) {
	n, ref, err := d.complex3()
	if err != nil || ref != nil {
		return ref, err
	}
	t, err := d.traits3(n)
	if err != nil {
		return nil, err
	}
	var ps []Property
	for _, name := range t.members {
		v, err := d.element3(depth)
		if err != nil {
			return nil, err
		}
		ps = append(ps, Property{name, v})
	}
	if t.dynamic {
		if ps, err = d.dynamic3(depth, ps); err != nil {
			return nil, err
		}
	}
	if t.class != "" {
		return TypedObject{t.class, ps}, nil
	}
	return Object(ps), nil
}

// traits3 reads or looks up what AMF3 §3.12 calls traits; n is the object's
// first integer without its lowest bit.
func (d *decoder) traits3(n uint32) (traits, error) {
	if n&1 == 0 {
		if n>>1 >= uint32(len(d.amf3.traits)) {
			return traits{}, errTable
		}
		t := d.amf3.traits[n>>1]
		return t, d.share(t.size)
	}
	if n&2 != 0 {
		return traits{}, errors.New("amf: externalizable AMF3 object")
	}
	class, err := d.name3()
	if err != nil {
		return traits{}, err
	}
	t := traits{class: class, dynamic: n&4 != 0, size: len(class)}
	for range n >> 3 {
		// Members are counted like values: each has one in every object.
		if len(t.members) >= d.elements {
			return traits{}, ErrElements
		}
		name, err := d.name3()
		if err != nil {
			return traits{}, err
		}
		t.members = append(t.members, name)
		t.size += len(name)
	}
	if len(d.amf3.traits) < MaxElements {
		d.amf3.traits = append(d.amf3.traits, t)
	}
	return t, nil
}
