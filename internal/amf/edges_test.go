package amf

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// containers is one of each kind of value that holds others: what stands before
// and behind the value inside it.
var containers = []struct {
	name          string
	before, after string
	amf3          bool
}{
	{"object", "\x03\x00\x01a", "\x00\x00\x09", false},
	{"ECMA array", "\x08\x00\x00\x00\x01\x00\x01a", "\x00\x00\x09", false},
	{"strict array", "\x0a\x00\x00\x00\x01", "", false},
	{"typed object", "\x10\x00\x01C\x00\x01a", "\x00\x00\x09", false},
	{"AMF3 dense array", "\x09\x03\x01", "", true},
	{"AMF3 array with names", "\x09\x01\x03a", "\x01", true},
	{"AMF3 dynamic object", "\x0a\x0b\x01\x03a", "\x01", true},
	{"AMF3 sealed object", "\x0a\x13\x01\x03a", "", true},
}

func TestEveryContainerMayBe32Deep(t *testing.T) {
	for _, c := range containers {
		t.Run(c.name, func(t *testing.T) {
			for depth, want := range map[int]error{31: nil, 32: nil, 33: ErrDepth} {
				inner, start := "\x05", ""
				if c.amf3 {
					inner, start = "\x01", "\x11"
				}
				wire := start + strings.Repeat(c.before, depth) + inner + strings.Repeat(c.after, depth)
				if v, rest, err := Decode([]byte(wire)); !errors.Is(err, want) || err == nil && len(rest) > 0 {
					t.Errorf("%d in each other: %v, %d bytes left, want %v", depth, err, len(rest), want)
				} else if err == nil && levels(v) != depth {
					t.Errorf("%d in each other: %d come out", depth, levels(v))
				}
			}
		})
	}
	// AMF3 inside AMF0: both count.
	wire := strings.Repeat("\x0a\x00\x00\x00\x01", 30) + "\x11" + strings.Repeat("\x09\x03\x01", 3) + "\x01"
	if _, _, err := Decode([]byte(wire)); !errors.Is(err, ErrDepth) {
		t.Errorf("3 AMF3 arrays within 30 of AMF0: %v", err)
	}
}

// levels is how many containers are in each other, each with one value.
func levels(v Value) int {
	if o, ok := AsObject(v); ok && len(o) == 1 {
		return 1 + levels(o[0].Value)
	}
	if a, ok := v.(StrictArray); ok && len(a) == 1 {
		return 1 + levels(a[0])
	}
	return 0
}

// A value that is cut anywhere is refused, and one that fills the message
// exactly is not.
func TestACutValueIsRefused(t *testing.T) {
	for _, v := range append(vectors[:len(vectors):len(vectors)], foreign...) {
		got, rest, err := Decode([]byte(v.wire))
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(got, v.value) {
			t.Errorf("%s alone: %#v, %d bytes left, %v", v.name, got, len(rest), err)
		}
		for n := range min(len(v.wire), 200) {
			if v.wire[0] == markECMAArray && v.name != "ECMA array that counts wrong" && n >= len(strings.TrimSuffix(v.wire, "\x00\x00\x09")) {
				continue // the end marker may be missing, see below
			}
			if got, _, err := Decode([]byte(v.wire[:n])); !errors.Is(err, ErrShort) {
				t.Errorf("%s cut behind %d bytes: %#v, %v", v.name, n, got, err)
			}
		}
	}
}

func TestAnECMAArrayMayEndWithItsMessage(t *testing.T) {
	const one, two = "\x00\x01a\x05", "\x00\x01b\x05"
	for _, c := range []struct {
		name, wire string
		want       Value
		err        error
	}{
		{"no members", "\x08\x00\x00\x00\x00", ECMAArray(nil), nil},
		{"as many as declared", "\x08\x00\x00\x00\x02" + one + two, ECMAArray{{"a", nil}, {"b", nil}}, nil},
		{"more than declared", "\x08\x00\x00\x00\x01" + one + two, ECMAArray{{"a", nil}, {"b", nil}}, nil},
		{"fewer than declared", "\x08\x00\x00\x00\x03" + one + two, nil, ErrShort},
		{"an object", "\x03" + one, nil, ErrShort},
		{"a typed object", "\x10\x00\x01C" + one, nil, ErrShort},
		{"a property cut within its value", "\x08\x00\x00\x00\x01\x00\x01a\x01", nil, ErrShort},
	} {
		got, _, err := Decode([]byte(c.wire))
		if !errors.Is(err, c.err) || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, %v, want %#v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

// The table of AMF3 §1.3.1.
var integers = []struct {
	n    uint32
	wire string
}{
	{0, "\x00"},
	{0x7f, "\x7f"},
	{0x80, "\x81\x00"},
	{0x3fff, "\xff\x7f"},
	{0x4000, "\x81\x80\x00"},
	{0x1fffff, "\xff\xff\x7f"},
	{0x200000, "\x80\xc0\x80\x00"},
	{0xfffffff, "\xbf\xff\xff\xff"},
	{0x10000000, "\xc0\x80\x80\x00"},
	{0x1fffffff, "\xff\xff\xff\xff"},
}

func TestAMF3Integers(t *testing.T) {
	for _, c := range integers {
		want := float64(c.n)
		if c.n >= 0x10000000 { // 29 bits with a sign (AMF3 §3.6)
			want -= 0x20000000
		}
		if got, rest, err := Decode([]byte("\x11\x04" + c.wire)); err != nil || got != want || len(rest) > 0 {
			t.Errorf("% x is %v, %v, want %v", c.wire, got, err, want)
		}
	}
}

// A byte array's length is a U29 with the value bit below it.
func TestByteArraysOfEveryLengthOfLength(t *testing.T) {
	for n, head := range map[int]string{
		0: "\x01", 0x3f: "\x7f", 0x40: "\x81\x01", 0x1fff: "\xff\x7f", 0x2000: "\x81\x80\x01", 0xfffff: "\xff\xff\x7f", 0x100000: "\x80\xc0\x80\x01",
	} {
		wire := "\x11\x0c" + head + strings.Repeat("b", n)
		if got := Append(nil, ByteArray(strings.Repeat("b", n))); string(got) != wire {
			t.Errorf("%d bytes begin with % x, want % x", n, got[:min(len(got), 6)], wire[:2+len(head)])
		}
		if got, _, err := Decode([]byte(wire)); err != nil || len(got.(ByteArray)) != n {
			t.Errorf("%d bytes come back as %d, %v", n, len(got.(ByteArray)), err)
		}
	}
}

// AMF3 §3.8 to §3.14: any of these may be an index of one that came before.
func TestAMF3ReferencesStandForThemselves(t *testing.T) {
	for marker, kind := range map[string]string{"\x07": "XML document", "\x08": "date", "\x09": "array", "\x0a": "object", "\x0b": "XML", "\x0c": "byte array"} {
		for wire, want := range map[string]Value{"\x00": Reference(0), "\x06": Reference(3), "\x87\xff\x7e": Reference(0xffff)} {
			got, rest, err := Decode([]byte("\x11" + marker + wire + "next"))
			if err != nil || got != want || string(rest) != "next" {
				t.Errorf("%s %x: %#v, %q left, %v, want %#v", kind, wire, got, rest, err, want)
			}
		}
		if got, _, err := Decode([]byte("\x11" + marker + "\x88\x80\x00")); !errors.Is(err, errTable) {
			t.Errorf("%s 65536 by reference: %#v, %v", kind, got, err)
		}
	}
}

func TestAMF3StringReferences(t *testing.T) {
	for _, c := range []struct {
		name, wire string
		want       Value
		err        error
	}{
		{"the first and the last", "\x09\x0b\x01\x06\x03a\x06\x03b\x06\x03c\x06\x00\x06\x04", StrictArray{"a", "b", "c", "a", "c"}, nil},
		{"the one behind the last", "\x09\x09\x01\x06\x03a\x06\x03b\x06\x03c\x06\x06", nil, errTable},
		{"the empty string has no place", "\x09\x09\x01\x06\x01\x06\x03b\x06\x00\x06\x01", StrictArray{"", "b", "b", ""}, nil},
		{"names have one", "\x09\x03\x03k\x03\x01\x06\x00", ECMAArray{{"k", true}, {"0", "k"}}, nil},
		{"classes and members have one", "\x09\x07\x01\x0a\x13\x03C\x03m\x03\x06\x00\x06\x02", StrictArray{TypedObject{"C", Object{{"m", true}}}, "C", "m"}, nil},
		{"the second of two traits", "\x09\x07\x01\x0a\x13\x01\x03m\x03\x0a\x13\x01\x03n\x03\x0a\x05\x02", StrictArray{Object{{"m", true}}, Object{{"n", true}}, Object{{"n", false}}}, nil},
		{"the traits behind the last", "\x09\x07\x01\x0a\x13\x01\x03m\x03\x0a\x13\x01\x03n\x03\x0a\x09\x02", nil, errTable},
		{"dynamic traits by reference", "\x09\x05\x01\x0a\x0b\x01\x01\x0a\x01\x03k\x03\x01", StrictArray{Object(nil), Object{{"k", true}}}, nil},
		{"sealed and dynamic members", "\x0a\x1b\x03C\x03m\x02\x03k\x03\x01", TypedObject{"C", Object{{"m", false}, {"k", true}}}, nil},
	} {
		got, rest, err := Decode([]byte("\x11" + c.wire))
		if !errors.Is(err, c.err) || err == nil && (!reflect.DeepEqual(got, c.want) || len(rest) > 0) {
			t.Errorf("%s: %#v, %d left, %v, want %#v, %v", c.name, got, len(rest), err, c.want, c.err)
		}
	}
}

// text3 is an AMF3 string of n bytes without its marker.
func text3(n int) string {
	return string(appendUint29(nil, uint32(n)<<1|1)) + strings.Repeat("x", n)
}

// What comes by reference adds up to at most 64 KiB in a message.
func TestAMF3ReferencesAddUp(t *testing.T) {
	const limit = 64 << 10
	for _, c := range []struct {
		name, wire string
		err        error
	}{
		{"64 KiB of text", "\x09\x05\x01\x06" + text3(limit) + "\x06\x00", nil},
		{"a byte more", "\x09\x05\x01\x06" + text3(limit+1) + "\x06\x00", errShared},
		{"twice 32 KiB", "\x09\x07\x01\x06" + text3(limit/2) + "\x06\x00\x06\x00", nil},
		{"three times", "\x09\x09\x01\x06" + text3(limit/2) + "\x06\x00\x06\x00\x06\x00", errShared},
		{"64 KiB of traits", "\x09\x05\x01\x0a\x13" + text3(limit/2) + text3(limit/2) + "\x03\x0a\x01\x03", nil},
		{"a byte more of traits", "\x09\x05\x01\x0a\x13" + text3(limit/2) + text3(limit/2+1) + "\x03\x0a\x01\x03", errShared},
		{"a name of 65535 bytes", "\x0a\x0b\x01" + text3(0xffff) + "\x03\x01", nil},
		{"a name of 65536 bytes", "\x0a\x0b\x01" + text3(0x10000) + "\x03\x01", errName},
		{"a class of 65536 bytes", "\x0a\x03" + text3(0x10000), errName},
		{"a member of 65536 bytes", "\x0a\x13\x01" + text3(0x10000) + "\x03", errName},
		{"a name in an array of 65536 bytes", "\x09\x01" + text3(0x10000) + "\x03\x01", errName},
	} {
		if _, _, err := Decode([]byte("\x11" + c.wire)); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.name, err, c.err)
		}
	}
}

// The tables hold as many strings as a message holds values.
func TestTheTableOfStringsIsBounded(t *testing.T) {
	wire := "\x11\x09\x01"
	for i := range 2100 { // a name and a text each: 4200 strings
		name, text := fmt.Sprintf("n%04d", i), fmt.Sprintf("t%04d", i)
		wire += string(appendUint29(nil, uint32(len(name))<<1|1)) + name + "\x06" + string(appendUint29(nil, uint32(len(text))<<1|1)) + text
	}
	reference := func(n uint32) string { return wire + "\x03r\x06" + string(appendUint29(nil, n<<1)) + "\x01" }
	v, _, err := Decode([]byte(reference(4095)))
	if o, _ := AsObject(v); err != nil || o.Get("r") != "t2047" {
		t.Errorf("the last of 4096 strings is %v, %v", o.Get("r"), err)
	}
	if _, _, err := Decode([]byte(reference(4096))); !errors.Is(err, errTable) {
		t.Errorf("a string beyond 4096: %v", err)
	}
}

func TestMembersCountAsValues(t *testing.T) {
	const object = "\x11\x0a\x33\x01\x03a\x03b\x03c"
	if vs, err := DecodeAll([]byte(object+"\x03\x03\x03"), 4); err != nil || len(vs) != 1 {
		t.Errorf("an object of three members: %v, %v", vs, err)
	}
	if _, err := DecodeAll([]byte(object+"\x03\x03\x03"), 3); !errors.Is(err, ErrElements) {
		t.Errorf("four values where three may be: %v", err)
	}
	if _, err := DecodeAll([]byte(object), 3); !errors.Is(err, ErrElements) {
		t.Errorf("more members than values may be: %v", err)
	}
}

func TestDecodeAllNeverTakesMoreThanMaxElements(t *testing.T) {
	for _, n := range []int{MaxElements, MaxElements + 1} {
		vs, err := DecodeAll([]byte(strings.Repeat("\x05", n)), 1<<20)
		if len(vs) != MaxElements || (err == nil) != (n == MaxElements) {
			t.Errorf("%d values: %d, %v", n, len(vs), err)
		}
	}
}

func TestAppendCutsLongNames(t *testing.T) {
	long := strings.Repeat("n", 70000)
	for _, v := range []Value{Object{{long, nil}}, ECMAArray{{long, nil}}, TypedObject{long, Object{{"a", nil}}}} {
		got, rest, err := Decode(Append(nil, v))
		if err != nil || len(rest) > 0 {
			t.Fatalf("%T: %v, %d left", v, err, len(rest))
		}
		name := ""
		if o, ok := got.(TypedObject); ok {
			name = o.Class
		} else if o, ok := AsObject(got); ok {
			name = o[0].Name
		}
		if name != long[:65535] {
			t.Errorf("%T: a name of %d bytes", v, len(name))
		}
	}
	for n, marker := range map[int]byte{0xffff: 0x02, 0x10000: 0x0c} { // AMF0 §2.4, §2.14
		if got := Append(nil, long[:n])[0]; got != marker {
			t.Errorf("a string of %d bytes has marker %#x, want %#x", n, got, marker)
		}
	}
}

func TestDateIsAMoment(t *testing.T) {
	got := Date{Milliseconds: 1595932377088}.Time()
	if want := time.Date(2020, 7, 28, 10, 32, 57, 88e6, time.UTC); !got.Equal(want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// DecodeAll bounds each value as Decode does.
func TestDecodeAllHasTheSameBounds(t *testing.T) {
	for depth, want := range map[int]error{32: nil, 33: ErrDepth} {
		vs, err := DecodeAll(append([]byte("\x05"), nested(depth)...), MaxElements)
		if !errors.Is(err, want) || err == nil && len(vs) != 2 {
			t.Errorf("%d objects in each other behind a null: %d values, %v", depth, len(vs), err)
		}
	}
}
