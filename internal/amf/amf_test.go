package amf

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// vectors drive decoding, encoding and the fuzzer's seeds. wire is AMF0 as we
// encode it.
var vectors = []struct {
	name  string
	wire  string
	value Value
}{
	{"number", "\x00\x3f\xf0\x00\x00\x00\x00\x00\x00", 1.0},
	{"negative number", "\x00\xc0\x00\x00\x00\x00\x00\x00\x00", -2.0},
	{"infinity", "\x00\x7f\xf0\x00\x00\x00\x00\x00\x00", math.Inf(1)},
	{"true", "\x01\x01", true},
	{"false", "\x01\x00", false},
	{"string", "\x02\x00\x07connect", "connect"},
	{"empty string", "\x02\x00\x00", ""},
	{"string of invalid UTF-8", "\x02\x00\x02\xff\x00", "\xff\x00"},
	{"null", "\x05", nil},
	{"undefined", "\x06", Undefined{}},
	{"reference", "\x07\x01\x02", Reference(0x102)},
	{"date", "\x0b\x42\x77\x39\x4f\xb8\x00\x00\x00\xff\xc4", Date{1595932377088, -60}},
	{"xml", "\x0f\x00\x00\x00\x04<a/>", XML("<a/>")},
	{"long string", "\x0c\x00\x01\x00\x00" + strings.Repeat("x", 65536), strings.Repeat("x", 65536)},
	{"empty object", "\x03\x00\x00\x09", Object(nil)},
	{
		"object in order", "\x03\x00\x01b\x05\x00\x01a\x01\x01\x00\x00\x09",
		Object{{"b", nil}, {"a", true}},
	},
	{"property with an empty name", "\x03\x00\x00\x05\x00\x00\x09", Object{{"", nil}}},
	{
		"object within an object", "\x03\x00\x01o\x03\x00\x01x\x06\x00\x00\x09\x00\x00\x09",
		Object{{"o", Object{{"x", Undefined{}}}}},
	},
	{
		"ECMA array", "\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00\x00\x00\x09",
		ECMAArray{{"width", 1280.0}},
	},
	{
		"strict array", "\x0a\x00\x00\x00\x02\x02\x00\x04hvc1\x02\x00\x04av01",
		StrictArray{"hvc1", "av01"},
	},
	{"empty strict array", "\x0a\x00\x00\x00\x00", StrictArray(nil)},
	{
		"typed object", "\x10\x00\x01C\x00\x01a\x05\x00\x00\x09",
		TypedObject{"C", Object{{"a", nil}}},
	},
	{"AMF3 byte array", "\x11\x0c\x07\x01\x02\x03", ByteArray{1, 2, 3}},
	{"AMF3 byte array of 128", "\x11\x0c\x82\x01" + strings.Repeat("a", 128), ByteArray(strings.Repeat("a", 128))},
}

func TestDecodeAndAppend(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			got, rest, err := Decode([]byte(v.wire + "rest"))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, v.value) {
				t.Errorf("decoded %#v, want %#v", got, v.value)
			}
			if string(rest) != "rest" {
				t.Errorf("%q is left, want \"rest\"", rest)
			}
			if got := Append([]byte("x"), v.value); string(got) != "x"+v.wire {
				t.Errorf("encoded % x, want % x", got[1:], v.wire)
			}
		})
	}
}

// Everything that is decoded, and encoded otherwise than it came.
var foreign = []struct {
	name  string
	wire  string
	value Value
}{
	{"long string that is short", "\x0c\x00\x00\x00\x02ab", "ab"},
	{"unsupported", "\x0d", Undefined{}},
	{"true that is not 1", "\x01\x07", true},
	{"ECMA array that counts wrong", "\x08\x00\x00\xff\xff\x00\x01a\x05\x00\x00\x09", ECMAArray{{"a", nil}}},
	{"ECMA array without its end", "\x08\x00\x00\x00\x01\x00\x01a\x05", ECMAArray{{"a", nil}}},
	{"AMF3 undefined", "\x11\x00", Undefined{}},
	{"AMF3 null", "\x11\x01", nil},
	{"AMF3 false", "\x11\x02", false},
	{"AMF3 true", "\x11\x03", true},
	{"AMF3 integer", "\x11\x04\x81\x00", 128.0},
	{"AMF3 integer of four bytes", "\x11\x04\xbf\xff\xff\xff", 268435455.0},
	{"AMF3 negative integer", "\x11\x04\xff\xff\xff\xff", -1.0},
	{"AMF3 double", "\x11\x05\x3f\xf0\x00\x00\x00\x00\x00\x00", 1.0},
	{"AMF3 string", "\x11\x06\x07abc", "abc"},
	{"AMF3 XML document", "\x11\x07\x09<a/>", XML("<a/>")},
	{"AMF3 XML", "\x11\x0b\x09<a/>", XML("<a/>")},
	{"AMF3 date", "\x11\x08\x01\x42\x77\x39\x4f\xb8\x00\x00\x00", Date{1595932377088, 0}},
	{"AMF3 array with a string by reference", "\x11\x09\x05\x01\x06\x03a\x06\x00", StrictArray{"a", "a"}},
	{"AMF3 array with names", "\x11\x09\x03\x03k\x03\x01\x02", ECMAArray{{"k", true}, {"0", false}}},
	{"AMF3 empty array", "\x11\x09\x01\x01", StrictArray(nil)},
	{"AMF3 dynamic object", "\x11\x0a\x0b\x01\x03a\x04\x01\x01", Object{{"a", 1.0}}},
	{"AMF3 sealed object with a class", "\x11\x0a\x13\x03C\x03m\x03", TypedObject{"C", Object{{"m", true}}}},
	{
		"AMF3 traits by reference", "\x11\x09\x05\x01\x0a\x13\x01\x03m\x03\x0a\x01\x02",
		StrictArray{Object{{"m", true}}, Object{{"m", false}}},
	},
	{"AMF3 object by reference", "\x11\x09\x03\x01\x0a\x00", StrictArray{Reference(0)}},
}

func TestDecodeForeignForms(t *testing.T) {
	for _, v := range foreign {
		t.Run(v.name, func(t *testing.T) {
			got, rest, err := Decode([]byte(v.wire))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, v.value) {
				t.Errorf("decoded %#v, want %#v", got, v.value)
			}
			if len(rest) > 0 {
				t.Errorf("% x is left", rest)
			}
		})
	}
}

func TestAppendTakesIntegers(t *testing.T) {
	want := Append(nil, 7.0)
	for _, v := range []Value{7, int64(7), uint32(7)} {
		if got := Append(nil, v); !bytes.Equal(got, want) {
			t.Errorf("%T: % x, want % x", v, got, want)
		}
	}
}

// nested is n objects, each the only property of the one around it.
func nested(n int) []byte {
	return append(bytes.Repeat([]byte("\x03\x00\x01a"), n), append([]byte{0x05}, bytes.Repeat([]byte{0, 0, 9}, n)...)...)
}

func TestDecodeRefuses(t *testing.T) {
	manyNulls := func(n int) string {
		return "\x0a" + string([]byte{0, 0, byte(n >> 8), byte(n)}) + strings.Repeat("\x05", n)
	}
	cases := []struct {
		name string
		wire string
		want error // nil: any
	}{
		{"nothing", "", ErrShort},
		{"half a number", "\x00\x3f", ErrShort},
		{"a string longer than the rest", "\x02\x00\x05abc", ErrShort},
		{"a long string of 4 GiB", "\x0c\xff\xff\xff\xffabc", ErrShort},
		{"an object without its end", "\x03\x00\x01a\x05", ErrShort},
		{"an object's end alone", "\x09", nil},
		{"a movie clip", "\x04", nil},
		{"a record set", "\x0e", nil},
		{"a marker of the future", "\x12", nil},
		{"a strict array of 2^31 elements in 9 bytes", "\x0a\x80\x00\x00\x00\x05\x05\x05\x05", ErrShort},
		{"a strict array of 2^31-1 elements in 5 bytes", "\x0a\x7f\xff\xff\xff", ErrShort},
		{"33 objects in each other", string(nested(33)), ErrDepth},
		{"10 MB of objects in each other", string(nested(10 << 20 / 7)), ErrDepth},
		{"10 MB of strict arrays in each other", strings.Repeat("\x0a\x00\x00\x00\x01", 2<<20), ErrDepth},
		{"10 MB of AMF3 arrays in each other", "\x11" + strings.Repeat("\x09\x03\x01", 10<<20/3), ErrDepth},
		{"4096 values in an array", manyNulls(4096), ErrElements},
		{"an AMF3 string by a reference to nothing", "\x11\x06\x02", errTable},
		{"an AMF3 string longer than the rest", "\x11\x06\xff\xff\xff\xffabc", ErrShort},
		{"AMF3 traits by a reference to nothing", "\x11\x0a\x01", errTable},
		{"AMF3 traits with 2^26 members", "\x11\x0a\xff\xff\xff\xf3\x01", nil},
		{"an externalizable AMF3 object", "\x11\x0a\x07\x03C", nil},
		{"an AMF3 vector", "\x11\x0d\x03\x00", nil},
		{"an AMF3 dictionary", "\x11\x11\x03\x00", nil},
		{"an AMF3 string of 60 KB twice by reference", "\x11\x09\x07\x01\x06\x87\xa9\x41" + strings.Repeat("x", 60000)[:60000] + "\x06\x00\x06\x00", errShared},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v, _, err := Decode([]byte(c.wire))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("decoded %#v, want an error", v)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			// The input is copied once by the conversion above.
			if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(c.wire))+1<<20 {
				t.Errorf("decoding %d bytes allocated %d", len(c.wire), grown)
			}
		})
	}
	if _, _, err := Decode([]byte(manyNulls(4095))); err != nil {
		t.Errorf("4095 values in an array: %v", err)
	}
	if _, _, err := Decode(nested(32)); err != nil {
		t.Errorf("32 objects in each other: %v", err)
	}
}

func TestDecodeAllCountsEveryValue(t *testing.T) {
	b := bytes.Repeat([]byte{0x05}, 10)
	if vs, err := DecodeAll(b, 10); err != nil || len(vs) != 10 {
		t.Errorf("%d values, %v, want 10", len(vs), err)
	}
	if vs, err := DecodeAll(b, 9); !errors.Is(err, ErrElements) || len(vs) != 9 {
		t.Errorf("%d values, %v, want 9 and ErrElements", len(vs), err)
	}
}

func TestGet(t *testing.T) {
	o := Object{{"a", 1.0}, {"b", "x"}, {"a", 2.0}}
	if got := o.Get("a"); got != 1.0 {
		t.Errorf("a is %v, want the first, 1", got)
	}
	if got := ECMAArray(o).Get("b"); got != "x" {
		t.Errorf("b is %v, want x", got)
	}
	if got := o.Get("c"); got != nil {
		t.Errorf("c is %v, want nil", got)
	}
	for _, v := range []Value{o, ECMAArray(o), TypedObject{"C", o}} {
		if got, ok := AsObject(v); !ok || !reflect.DeepEqual(got, o) {
			t.Errorf("%T as an object: %v, %v", v, got, ok)
		}
	}
	if _, ok := AsObject("x"); ok {
		t.Error("a string passes for an object")
	}
}

func TestDecodeDoesNotAliasItsInput(t *testing.T) {
	for _, v := range append(vectors[:len(vectors):len(vectors)], foreign...) {
		b := []byte(v.wire)
		got, _, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] = 0xaa
		}
		if !reflect.DeepEqual(got, v.value) {
			t.Errorf("%s: changed with its input to %#v", v.name, got)
		}
	}
}

// FuzzDecode: no panic, a bounded number of bytes, and what was decoded
// survives encoding.
func FuzzDecode(f *testing.F) {
	for _, v := range append(vectors[:len(vectors):len(vectors)], foreign...) {
		if len(v.wire) < 1000 {
			f.Add([]byte(v.wire))
		}
	}
	f.Add(nested(33))
	f.Add([]byte("\x02\x00\x07connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x03\x00\x03app\x02\x00\x04live\x00\x00\x09"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		vs, err := DecodeAll(b, MaxElements)
		if err != nil {
			return
		}
		var wire []byte
		for _, v := range vs {
			wire = Append(wire, v)
		}
		// A byte makes at most a number of nine and its name in an ECMA array.
		if limit := 40*len(b) + 2*maxShared; len(wire) > limit {
			t.Fatalf("%d bytes became %d", len(b), len(wire))
		}
		again, err := DecodeAll(wire, MaxElements)
		if err != nil {
			t.Fatalf("encoded % x: %v", wire, err)
		}
		var second []byte
		for _, v := range again {
			second = Append(second, v)
		}
		if !bytes.Equal(wire, second) {
			t.Fatalf("% x came back as % x", wire, second)
		}
	})
}
