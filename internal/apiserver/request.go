package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// maxBody bounds the body of a request and the command in a query.
const maxBody = 64 << 10

// maxCommands bounds the commands of one request.
const maxCommands = 64

var errTooLong = refusal(http.StatusRequestEntityTooLarge, fmt.Sprintf("a request has at most %d bytes", maxBody))

// readBody reads the body of a request.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLong
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case len(b) > maxBody:
		return nil, errTooLong
	case err != nil:
		return nil, refusal(http.StatusBadRequest, "the body can't be read")
	}
	return b, nil
}

// readCommands reads the commands of a request: the body as JSON; or command, of the form
// in the body or of the query.
func readCommands(r *http.Request) (map[string]json.RawMessage, error) {
	text := []byte(nil)
	if r.Method == http.MethodPost {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))) // without a byte order mark
		switch {
		// curl -d sends JSON as a form, too. A form never begins with a brace.
		case len(trimmed) > 0 && trimmed[0] == '{':
			text = trimmed
		case len(trimmed) == 0:
		case err == nil && kind == "application/x-www-form-urlencoded" || kind == "":
			form, err := url.ParseQuery(string(body))
			if err != nil || !form.Has("command") {
				return nil, refusal(http.StatusBadRequest, "the body is neither JSON nor a form with command=JSON")
			}
			text = []byte(form.Get("command"))
		default:
			return nil, refusal(http.StatusUnsupportedMediaType, "the body is JSON, or a form with command=JSON")
		}
	}
	query := r.URL.Query()
	if query.Has("callback") || query.Has("jsonp") {
		return nil, refusal(http.StatusBadRequest, "there is no JSONP: it would let the pages of any site read the answer; call this from a page of this site, or from a server")
	}
	if text == nil {
		text = []byte(query.Get("command"))
	}
	return parseCommands(text)
}

// parseCommands reads an object of commands. An empty text is none.
func parseCommands(text []byte) (map[string]json.RawMessage, error) {
	commands := make(map[string]json.RawMessage)
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return commands, nil
	}
	if !utf8.Valid(text) {
		return nil, refusal(http.StatusBadRequest, "the commands are not UTF-8")
	}
	if err := json.Unmarshal(text, &commands); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("the commands are no JSON, at byte %d: %v", syntax.Offset, err))
		}
		return nil, refusal(http.StatusBadRequest, `the commands are an object: {"active_streams":true}`)
	}
	if len(commands) > maxCommands {
		return nil, refusal(http.StatusBadRequest, fmt.Sprintf("a request has at most %d commands", maxCommands))
	}
	return commands, nil
}

// texts reads "a" or ["a", "b"].
func texts(arg json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(arg, &one) == nil {
		return []string{one}, nil
	}
	var list []string
	if err := json.Unmarshal(arg, &list); err != nil {
		return nil, refusal(http.StatusBadRequest, `write "NAME" or ["NAME", "NAME"]`)
	}
	return list, nil
}

// each reads an object, or a list of them, and calls f with each as it stands. It returns
// whether it was a list.
func each(arg json.RawMessage, f func(json.RawMessage) error) (list bool, err error) {
	var all []json.RawMessage
	if json.Unmarshal(arg, &all) != nil || len(all) > 0 && bytes.TrimSpace(all[0])[0] != '{' {
		return false, f(arg)
	}
	for _, one := range all {
		if err := f(one); err != nil {
			return true, err
		}
	}
	return true, nil
}
