package hooks

import (
	"net/url"
	"strconv"
	"strings"
)

// A form is the fields of one call, in nginx-rtmp's order and encoding.
type form struct {
	b      []byte
	fields []string // the names used so far
}

func newForm() *form { return &form{b: make([]byte, 0, 512)} }

func (f *form) add(name, value string) {
	if len(f.b) > 0 {
		f.b = append(f.b, '&')
	}
	f.b = append(f.b, name...)
	f.b = append(f.b, '=')
	for i := range len(value) {
		f.b = appendEscaped(f.b, value[i])
	}
	f.fields = append(f.fields, name)
}

func (f *form) number(name string, v uint64) { f.add(name, strconv.FormatUint(v, 10)) }

const upperHex = "0123456789ABCDEF"

// appendEscaped encodes a byte as nginx 1.22 does (ngx_escape_uri with
// NGX_ESCAPE_ARGS): it percent-encodes control characters, space, non-ASCII bytes
// and the listed ones; / : = , and the rest stay.
func appendEscaped(b []byte, c byte) []byte {
	if c <= ' ' || c >= 0x7f || strings.IndexByte("\"#%&+;<>?\\^`{|}", c) >= 0 {
		return append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
	return append(b, c)
}

// sessionFields are names that an argument may not have in any call, because scripts
// read these fields from every call. stream is sent only after a rename, so that a
// client must not set it; key is a secret.
const sessionFields = " app flashver swfurl tcurl pageurl addr clientid stream key "

// cleanArgs returns the client's arguments in a form that is safe to send: without
// those that a script could take for one of fields, and with the bytes escaped that
// would end an argument, a line or the request. The rest decodes to the same values.
func cleanArgs(args string, fields []string) string {
	if args == "" {
		return ""
	}
	taken := func(name string) bool {
		if strings.Contains(sessionFields, " "+name+" ") {
			return true
		}
		for _, f := range fields {
			if f == name {
				return true
			}
		}
		return false
	}
	b := make([]byte, 0, len(args)+16)
	for part := range strings.SplitSeq(args, "&") {
		if part == "" || taken(fieldName(part)) {
			continue
		}
		if len(b) > 0 {
			b = append(b, '&')
		}
		for i := range len(part) {
			switch c := part[i]; {
			case c == '+', c == '%' && isHex(part, i+1) && isHex(part, i+2):
				b = append(b, c) // the client encoded it
			default:
				b = appendEscaped(b, c)
			}
		}
	}
	return string(b)
}

func isHex(s string, i int) bool {
	return i < len(s) && ('0' <= s[i] && s[i] <= '9' || 'a' <= s[i]|0x20 && s[i]|0x20 <= 'f')
}

// fieldName returns the name of an argument as the most lenient parser reads it:
// decoded, in lower case, trimmed, and cut at a NUL or at the [ of a PHP array.
func fieldName(part string) string {
	name, _, _ := strings.Cut(part, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	if i := strings.IndexAny(name, "\x00["); i >= 0 {
		name = name[:i]
	}
	return strings.ToLower(strings.TrimSpace(name))
}
