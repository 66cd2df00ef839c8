package accesslog

import (
	"net/url"
	"strings"
)

// MaskURI hides the secrets in the query of a URL.
func MaskURI(uri string) string {
	i := strings.IndexByte(uri, '?')
	if i < 0 {
		return uri
	}
	masked := MaskQuery(uri[i+1:])
	if masked == uri[i+1:] {
		return uri
	}
	return uri[:i+1] + masked
}

// MaskQuery replaces the values of token=, tkn=, jwt=, key=, secret= and passphrase= by ***.
func MaskQuery(q string) string {
	if !strings.ContainsAny(q, "tTkKsSjJpP%") || !strings.Contains(q, "=") {
		return q
	}
	var out strings.Builder
	for i := 0; i < len(q); {
		end := strings.IndexAny(q[i:], "&;")
		if end < 0 {
			end = len(q)
		} else {
			end += i
		}
		pair := q[i:end]
		if name, _, ok := strings.Cut(pair, "="); ok && secretName(name) {
			pair = name + "=***"
		}
		out.WriteString(pair)
		if end < len(q) {
			out.WriteByte(q[end])
		}
		i = end + 1
	}
	return out.String()
}

func secretName(name string) bool {
	if n, err := url.QueryUnescape(name); err == nil {
		name = n
	}
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "token", "tkn", "jwt", "key", "secret", "access_token", "password", "passphrase":
		return true
	}
	return false
}
