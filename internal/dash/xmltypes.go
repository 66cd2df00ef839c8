package dash

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A duration is an xs:duration without years and months: PT1H2M3.5S.
type duration time.Duration

// MarshalXMLAttr implements xml.MarshalerAttr.
func (d duration) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: d.String()}, nil
}

// String is d in seconds, to the millisecond.
func (d duration) String() string {
	ms := int64(time.Duration(d).Round(time.Millisecond) / time.Millisecond)
	s := strconv.FormatInt(ms/1000, 10)
	if rest := ms % 1000; rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%03d", rest), "0")
	}
	return "PT" + s + "S"
}

var errDuration = errors.New("not a duration")

// UnmarshalXMLAttr implements xml.UnmarshalerAttr.
func (d *duration) UnmarshalXMLAttr(attr xml.Attr) error {
	rest, ok := strings.CutPrefix(attr.Value, "PT")
	if !ok {
		return fmt.Errorf("%w: %.50q", errDuration, attr.Value)
	}
	var sum time.Duration
	for _, unit := range [...]struct {
		letter string
		is     time.Duration
	}{{"H", time.Hour}, {"M", time.Minute}, {"S", time.Second}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		v, err := strconv.ParseFloat(number, 64)
		if v *= float64(unit.is); err != nil || !(v >= 0 && v <= maxDuration) {
			return fmt.Errorf("%w: %.50q", errDuration, attr.Value)
		}
		sum, rest = sum+time.Duration(v), after
	}
	if rest != "" || attr.Value == "PT" {
		return fmt.Errorf("%w: %.50q", errDuration, attr.Value)
	}
	*d = duration(sum.Round(time.Millisecond))
	return nil
}

// maxDuration is over 90 years: three of them do not overflow.
const maxDuration = float64(1<<63-1) / 3

// seconds3 is a number of seconds, to the millisecond.
type seconds3 float64

// MarshalXMLAttr implements xml.MarshalerAttr.
func (s seconds3) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: strconv.FormatFloat(math.Round(float64(s)*1000)/1000, 'f', -1, 64)}, nil
}

// An instant is an xs:dateTime with milliseconds, in UTC.
type instant struct{ time.Time }

// MarshalXMLAttr implements xml.MarshalerAttr.
func (t instant) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: t.UTC().Format("2006-01-02T15:04:05.000Z")}, nil
}

// UnmarshalXMLAttr implements xml.UnmarshalerAttr.
func (t *instant) UnmarshalXMLAttr(attr xml.Attr) error {
	v, err := time.Parse(time.RFC3339Nano, attr.Value)
	if t.Time = v.UTC().Truncate(time.Millisecond); err == nil && (t.Year() < 1970 || t.Year() > 9000) {
		err = errors.New("not a date of ours")
	}
	return err
}
