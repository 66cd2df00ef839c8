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

// appendEscaped is the encoding of arguments of nginx 1.22 (ngx_escape_uri with
// NGX_ESCAPE_ARGS): control characters, space, what is not ASCII and these are
// percent-encoded; / : = , and the rest stay.
func appendEscaped(b []byte, c byte) []byte {
	if c <= ' ' || c >= 0x7f || strings.IndexByte("\"#%&+;<>?\\^`{|}", c) >= 0 {
		return append(b, '%', upperHex[c>>4], upperHex[c&15])
	}
	return append(b, c)
}

// sessionFields are names that no argument may have, whatever the call: scripts
// read them from every call. stream is there only after a rename, and must not
// come from the client before; key is a secret.
const sessionFields = " app flashver swfurl tcurl pageurl addr clientid stream key "

// cleanArgs are the caller's own arguments as they may be sent: without those
// that a script could take for one of fields, and without bytes that would end
// an argument, a line or the request. What remains decodes to what it was.
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
				b = append(b, c) // encoded by the client already
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

// fieldName is the name of one argument as the most generous parser reads it:
// decoded, in small letters, without white space around it, and no further than
// a NUL or the [ of PHP's arrays.
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
