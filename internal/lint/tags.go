package lint

// Where a tag may stand (RFC 8216 §4.3).
type place int

const (
	anywhere     place = iota // §4.3.1, §4.3.5
	multivariant              // §4.3.4
	inMedia                   // §4.3.3
	inSegment                 // §4.3.2: applies to a segment
)

// What follows the colon of a tag, or the equals sign of an attribute (RFC 8216 §4.2).
type valueKind int

const (
	nothing valueKind = iota
	integer
	decimal       // decimal-floating-point
	signedDecimal // signed-decimal-floating-point
	hexadecimal
	quoted
	word         // enumerated-string
	quotedOrWord // CLOSED-CAPTIONS
	resolution
	attributeList
	other // read by hand
)

var valueNames = map[valueKind]string{
	integer: "a decimal integer", decimal: "a decimal number", signedDecimal: "a decimal number", hexadecimal: "0x and hexadecimal digits",
	quoted: "a string in quotes", word: "a word without quotes", quotedOrWord: "a string in quotes or NONE", resolution: "a resolution as 1280x720",
}

// A tagSpec says what a tag looks like.
type tagSpec struct {
	clause string
	place  place
	value  valueKind
	once   bool // in a playlist
	attrs  []attrSpec
}

type attrSpec struct {
	name     string
	kind     valueKind
	required bool
	words    []string // for word; nil: any
	version  int      // the EXT-X-VERSION that it needs
}

var (
	yes   = []string{"YES"}
	yesNo = []string{"YES", "NO"}
)

// Attributes of EXT-X-KEY and EXT-X-SESSION-KEY.
var keyAttrs = []attrSpec{
	{name: "METHOD", kind: word, required: true, words: []string{"NONE", "AES-128", "SAMPLE-AES", "SAMPLE-AES-CTR", "AES-256-GCM"}},
	{name: "URI", kind: quoted},
	{name: "IV", kind: hexadecimal, version: 2},
	{name: "KEYFORMAT", kind: quoted, version: 5},
	{name: "KEYFORMATVERSIONS", kind: quoted, version: 5},
}

// Attributes of EXT-X-STREAM-INF and EXT-X-I-FRAME-STREAM-INF.
var variantAttrs = []attrSpec{
	{name: "BANDWIDTH", kind: integer, required: true},
	{name: "AVERAGE-BANDWIDTH", kind: integer},
	{name: "SCORE", kind: decimal},
	{name: "CODECS", kind: quoted},
	{name: "SUPPLEMENTAL-CODECS", kind: quoted},
	{name: "RESOLUTION", kind: resolution},
	{name: "HDCP-LEVEL", kind: word, words: []string{"NONE", "TYPE-0", "TYPE-1"}},
	{name: "ALLOWED-CPC", kind: quoted},
	{name: "VIDEO-RANGE", kind: word},
	{name: "REQ-VIDEO-LAYOUT", kind: quoted, version: 12},
	{name: "STABLE-VARIANT-ID", kind: quoted},
	{name: "VIDEO", kind: quoted},
	{name: "PATHWAY-ID", kind: quoted},
}

// tagSpecs are the tags of RFC 8216 and of its second edition, rfc8216bis.
var tagSpecs = map[string]tagSpec{
	"EXTM3U":                     {clause: "RFC 8216 §4.3.1.1", once: true},
	"EXT-X-VERSION":              {clause: "RFC 8216 §4.3.1.2", value: integer, once: true},
	"EXT-X-INDEPENDENT-SEGMENTS": {clause: "RFC 8216 §4.3.5.1", once: true},
	"EXT-X-START": {clause: "RFC 8216 §4.3.5.2", value: attributeList, once: true, attrs: []attrSpec{
		{name: "TIME-OFFSET", kind: signedDecimal, required: true}, {name: "PRECISE", kind: word, words: yesNo},
	}},
	"EXT-X-DEFINE": {clause: "rfc8216bis §4.4.2.3", value: attributeList, attrs: []attrSpec{
		{name: "NAME", kind: quoted, version: 8},
		{name: "VALUE", kind: quoted, version: 8},
		{name: "IMPORT", kind: quoted, version: 8},
		{name: "QUERYPARAM", kind: quoted, version: 11},
	}},

	"EXT-X-TARGETDURATION":         {clause: "RFC 8216 §4.3.3.1", place: inMedia, value: integer, once: true},
	"EXT-X-MEDIA-SEQUENCE":         {clause: "RFC 8216 §4.3.3.2", place: inMedia, value: integer, once: true},
	"EXT-X-DISCONTINUITY-SEQUENCE": {clause: "RFC 8216 §4.3.3.3", place: inMedia, value: integer, once: true},
	"EXT-X-ENDLIST":                {clause: "RFC 8216 §4.3.3.4", place: inMedia, once: true},
	"EXT-X-PLAYLIST-TYPE":          {clause: "RFC 8216 §4.3.3.5", place: inMedia, value: other, once: true},
	"EXT-X-I-FRAMES-ONLY":          {clause: "RFC 8216 §4.3.3.6", place: inMedia, once: true},
	"EXT-X-PART-INF": {clause: "rfc8216bis §4.4.3.7", place: inMedia, value: attributeList, once: true, attrs: []attrSpec{
		{name: "PART-TARGET", kind: decimal, required: true},
	}},
	"EXT-X-SERVER-CONTROL": {clause: "rfc8216bis §4.4.3.8", place: inMedia, value: attributeList, once: true, attrs: []attrSpec{
		{name: "CAN-SKIP-UNTIL", kind: decimal},
		{name: "CAN-SKIP-DATERANGES", kind: word, words: yes},
		{name: "HOLD-BACK", kind: decimal},
		{name: "PART-HOLD-BACK", kind: decimal},
		{name: "CAN-BLOCK-RELOAD", kind: word, words: yes},
	}},

	"EXTINF":              {clause: "RFC 8216 §4.3.2.1", place: inSegment, value: other},
	"EXT-X-BYTERANGE":     {clause: "RFC 8216 §4.3.2.2", place: inSegment, value: other},
	"EXT-X-DISCONTINUITY": {clause: "RFC 8216 §4.3.2.3", place: inSegment},
	"EXT-X-KEY":           {clause: "RFC 8216 §4.3.2.4", place: inSegment, value: attributeList, attrs: keyAttrs},
	"EXT-X-MAP": {clause: "RFC 8216 §4.3.2.5", place: inSegment, value: attributeList, attrs: []attrSpec{
		{name: "URI", kind: quoted, required: true}, {name: "BYTERANGE", kind: quoted},
	}},
	"EXT-X-PROGRAM-DATE-TIME": {clause: "RFC 8216 §4.3.2.6", place: inSegment, value: other},
	"EXT-X-GAP":               {clause: "rfc8216bis §4.4.4.7", place: inSegment},
	"EXT-X-BITRATE":           {clause: "rfc8216bis §4.4.4.8", place: inSegment, value: integer},
	"EXT-X-PART": {clause: "rfc8216bis §4.4.4.9", place: inSegment, value: attributeList, attrs: []attrSpec{
		{name: "URI", kind: quoted, required: true},
		{name: "DURATION", kind: decimal, required: true},
		{name: "INDEPENDENT", kind: word, words: yes},
		{name: "BYTERANGE", kind: quoted},
		{name: "GAP", kind: word, words: yes},
	}},

	"EXT-X-DATERANGE": {clause: "RFC 8216 §4.3.2.7", place: inMedia, value: attributeList, attrs: []attrSpec{
		{name: "ID", kind: quoted, required: true},
		{name: "CLASS", kind: quoted},
		{name: "START-DATE", kind: quoted},
		{name: "END-DATE", kind: quoted},
		{name: "DURATION", kind: decimal},
		{name: "PLANNED-DURATION", kind: decimal},
		{name: "SCTE35-CMD", kind: hexadecimal},
		{name: "SCTE35-OUT", kind: hexadecimal},
		{name: "SCTE35-IN", kind: hexadecimal},
		{name: "END-ON-NEXT", kind: word, words: yes},
	}},
	"EXT-X-SKIP": {clause: "rfc8216bis §4.4.5.2", place: inMedia, value: attributeList, once: true, attrs: []attrSpec{
		{name: "SKIPPED-SEGMENTS", kind: integer, required: true, version: 9},
		{name: "RECENTLY-REMOVED-DATERANGES", kind: quoted, version: 10},
	}},
	"EXT-X-PRELOAD-HINT": {clause: "rfc8216bis §4.4.5.3", place: inMedia, value: attributeList, attrs: []attrSpec{
		{name: "TYPE", kind: word, required: true, words: []string{"PART", "MAP"}},
		{name: "URI", kind: quoted, required: true},
		{name: "BYTERANGE-START", kind: integer},
		{name: "BYTERANGE-LENGTH", kind: integer},
	}},
	"EXT-X-RENDITION-REPORT": {clause: "rfc8216bis §4.4.5.4", place: inMedia, value: attributeList, attrs: []attrSpec{
		{name: "URI", kind: quoted, required: true},
		{name: "LAST-MSN", kind: integer},
		{name: "LAST-PART", kind: integer},
	}},

	"EXT-X-MEDIA": {clause: "RFC 8216 §4.3.4.1", place: multivariant, value: attributeList, attrs: []attrSpec{
		{name: "TYPE", kind: word, required: true, words: []string{"AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"}},
		{name: "URI", kind: quoted},
		{name: "GROUP-ID", kind: quoted, required: true},
		{name: "LANGUAGE", kind: quoted},
		{name: "ASSOC-LANGUAGE", kind: quoted},
		{name: "NAME", kind: quoted, required: true},
		{name: "STABLE-RENDITION-ID", kind: quoted},
		{name: "DEFAULT", kind: word, words: yesNo},
		{name: "AUTOSELECT", kind: word, words: yesNo},
		{name: "FORCED", kind: word, words: yesNo},
		{name: "INSTREAM-ID", kind: quoted},
		{name: "BIT-DEPTH", kind: integer},
		{name: "SAMPLE-RATE", kind: integer},
		{name: "CHARACTERISTICS", kind: quoted},
		{name: "CHANNELS", kind: quoted},
	}},
	"EXT-X-STREAM-INF": {clause: "RFC 8216 §4.3.4.2", place: multivariant, value: attributeList, attrs: append([]attrSpec{
		{name: "FRAME-RATE", kind: decimal},
		{name: "AUDIO", kind: quoted},
		{name: "SUBTITLES", kind: quoted},
		{name: "CLOSED-CAPTIONS", kind: quotedOrWord, words: []string{"NONE"}},
	}, variantAttrs...)},
	"EXT-X-I-FRAME-STREAM-INF": {clause: "RFC 8216 §4.3.4.3", place: multivariant, value: attributeList, attrs: append([]attrSpec{
		{name: "URI", kind: quoted, required: true},
	}, variantAttrs...)},
	"EXT-X-SESSION-DATA": {clause: "RFC 8216 §4.3.4.4", place: multivariant, value: attributeList, attrs: []attrSpec{
		{name: "DATA-ID", kind: quoted, required: true},
		{name: "VALUE", kind: quoted},
		{name: "URI", kind: quoted},
		{name: "FORMAT", kind: word, words: []string{"JSON", "RAW"}},
		{name: "LANGUAGE", kind: quoted},
	}},
	"EXT-X-SESSION-KEY": {clause: "RFC 8216 §4.3.4.5", place: multivariant, value: attributeList, attrs: keyAttrs},
	"EXT-X-CONTENT-STEERING": {clause: "rfc8216bis §4.4.6.6", place: multivariant, value: attributeList, once: true, attrs: []attrSpec{
		{name: "SERVER-URI", kind: quoted, required: true}, {name: "PATHWAY-ID", kind: quoted},
	}},
}
