// Package amf is AMF0, and the part of AMF3 that reaches RTMP servers: values
// behind the switch marker 0x11 inside AMF0. Both decode to the same Go types.
//
// A decoded Value is one of
//
//	float64 bool string nil       number, boolean, (long) string, null
//	Undefined                     undefined and unsupported
//	Object ECMAArray StrictArray  anonymous object, associative and dense array
//	TypedObject                   object with a class name
//	Date Reference XML ByteArray
//
// What the decoder costs is bounded whatever the input says: depth, number of
// values, and no allocation by a declared length. References are not followed,
// so a value is a tree and never larger than the bytes it came from, twice over.
package amf

import "time"

// Value is any of the types that the package comment lists. Append takes Go's
// integers too and writes them as numbers.
type Value = any

// Limits of a decoded message, all its values together.
const (
	MaxDepth    = 32   // objects and arrays within each other
	MaxElements = 4096 // values, property values and array elements included
)

// Undefined is the undefined value; null is nil.
type Undefined struct{}

// Property is one named value of an object.
type Property struct {
	Name  string // at most 65535 bytes
	Value Value
}

// Object is an anonymous object. The properties keep their order.
type Object []Property

// ECMAArray is an associative array: an object to all but its marker.
type ECMAArray []Property

// StrictArray is a dense array.
type StrictArray []Value

// TypedObject is an object with a class name.
type TypedObject struct {
	Class string // at most 65535 bytes
	Object
}

// Date is a moment in milliseconds since 1970 in UTC, with the time zone field
// that AMF0 reserves (minutes; zero from everybody).
type Date struct {
	Milliseconds float64
	Zone         int16
}

// Time is the moment as a time.Time.
func (d Date) Time() time.Time { return time.UnixMilli(int64(d.Milliseconds)) }

// Reference stands for an object that came earlier in the message. It is not
// followed.
type Reference uint16

// XML is an XML document.
type XML string

// ByteArray is AMF3's byte array.
type ByteArray []byte

// Get returns the value of the first property called name, nil if there is
// none.
func (o Object) Get(name string) Value {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return nil
}

// Get returns the value of the first property called name, nil if there is
// none.
func (a ECMAArray) Get(name string) Value { return Object(a).Get(name) }

// AsObject returns the properties of v if it has any kind of them: Object,
// ECMAArray or TypedObject. It aliases v.
func AsObject(v Value) (Object, bool) {
	switch v := v.(type) {
	case Object:
		return v, true
	case ECMAArray:
		return Object(v), true
	case TypedObject:
		return v.Object, true
	}
	return nil, false
}
