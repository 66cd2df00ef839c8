package viewtoken

import (
	"net/url"
	"strings"
)

// Parameter is what the token is called in a URL that rtmpd writes.
const Parameter = "token"

// parameters are what it may be called: MistServer has tkn and jwt.
var parameters = [...]string{Parameter, "tkn", "jwt"}

// FromQuery returns the token in the query of a URL; empty: there is none. Which of
// several different ones a proxy or a player means is not known, so that is an error.
// Where nothing is escaped it allocates nothing.
func FromQuery(query string) (token string, err error) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, text, _ := strings.Cut(pair, "=")
		if !isParameter(name) || text == "" {
			continue
		}
		if strings.ContainsAny(text, "%+") {
			if text, err = url.QueryUnescape(text); err != nil {
				return "", ErrForm
			}
		}
		if token != "" && token != text {
			return "", ErrSeveral
		}
		token = text
	}
	return token, nil
}

// isParameter reports whether a name, as it stands in a query, is that of a token.
func isParameter(name string) bool {
	if strings.ContainsAny(name, "%+") {
		plain, err := url.QueryUnescape(name)
		if err != nil {
			return false
		}
		name = plain
	}
	for _, p := range parameters {
		if name == p {
			return true
		}
	}
	return false
}

// WithoutToken returns a query without the token.
func WithoutToken(query string) string {
	var out strings.Builder
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if name, _, _ := strings.Cut(pair, "="); isParameter(name) {
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('&')
		}
		out.WriteString(pair)
	}
	return out.String()
}
