package http1

import (
	"net/netip"
	"strings"
)

// ValidHost reports whether s is a name or address with an optional port. It can then
// stand in a URL, a header or a page without escaping.
func ValidHost(s string) bool {
	if s == "" || len(s) > 255+6 {
		return false
	}
	name := s
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		name = s[:i]
		port := s[i+1:]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	if strings.HasPrefix(name, "[") {
		a, err := netip.ParseAddr(strings.TrimSuffix(name[1:], "]"))
		return err == nil && strings.HasSuffix(name, "]") && a.Is6() && a.Zone() == ""
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return name != ""
}
