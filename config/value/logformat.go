package value

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// HTTPLogFormat is a line of the HTTP access log: "combined", "json", or text
// with variables.
type HTTPLogFormat string

// Decode reads a string.
func (f *HTTPLogFormat) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = checkLogFormat(s, httpLogVariables, "combined", "json")
	}
	*f = HTTPLogFormat(s)
	return err
}

// Encode is the string.
func (f *HTTPLogFormat) Encode() cty.Value { return encodeString(*f) }

// Kind is "http log".
func (f *HTTPLogFormat) Kind() string { return "http log" }

// Example is a short line.
func (f *HTTPLogFormat) Example() string { return `"$remote_addr $request"` }

// StandIn is a line of its own.
func (f *HTTPLogFormat) StandIn(int, Context) cty.Value { return hiddenFormat }

// RTMPLogFormat is a line of the RTMP access log: "combined", or text with
// variables.
type RTMPLogFormat string

// Decode reads a string.
func (f *RTMPLogFormat) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = checkLogFormat(s, rtmpLogVariables, "combined")
	}
	*f = RTMPLogFormat(s)
	return err
}

// Encode is the string.
func (f *RTMPLogFormat) Encode() cty.Value { return encodeString(*f) }

// Kind is "rtmp log".
func (f *RTMPLogFormat) Kind() string { return "rtmp log" }

// Example is a short line.
func (f *RTMPLogFormat) Example() string { return `"$remote_addr $command $name"` }

// StandIn is a line of its own.
func (f *RTMPLogFormat) StandIn(int, Context) cty.Value { return hiddenFormat }

var hiddenFormat = cty.StringVal("$remote_addr " + Hidden)

// What access_log_format of http and of rtmp may name; a final * stands for the
// name of a header.
const (
	httpLogVariables = "remote_addr remote_user time_local time_iso8601 msec request request_method request_uri uri document_uri args query_string " +
		"status body_bytes_sent request_time host http_host http_referer http_user_agent scheme server_protocol http_* sent_http_*"
	rtmpLogVariables = "connection remote_addr app flashver swfurl tcurl pageurl command name args bytes_sent bytes_received " +
		"time_local msec session_time session_readable_time"
	secretVariables = " http_authorization http_proxy_authorization http_cookie sent_http_set_cookie "
)

// logVariable finds $name and ${name}; an open brace is a variable without a name.
var logVariable = regexp.MustCompile(`\$(?:\{([A-Za-z0-9_]*)\}|([A-Za-z0-9_]*))`)

// checkLogFormat wants variables that are known, or one of the named formats.
func checkLogFormat(s, known string, named ...string) error {
	if slices.Contains(named, s) {
		return nil
	}
	if s == "" {
		return errors.New("the format is empty")
	}
	if CheckHeaderValue(s) != nil {
		return errors.New("a log line holds no control characters")
	}
	names := strings.Fields(known)
	found := logVariable.FindAllStringSubmatch(s, -1)
	for _, m := range found {
		name := m[1] + m[2]
		if strings.Contains(secretVariables, " "+name+" ") {
			return fmt.Errorf("$%s would write secrets", name)
		}
		if !slices.ContainsFunc(names, func(n string) bool {
			header, ok := strings.CutSuffix(n, "*")
			return n == name || ok && len(name) > len(header) && strings.HasPrefix(name, header)
		}) {
			hint := Nearest(name, names)
			if hint != "" {
				hint = "; did you mean $" + hint + "?"
			}
			return fmt.Errorf("there is no variable $%s%s", name, hint)
		}
	}
	if len(found) > 0 {
		return nil
	}
	return fmt.Errorf("a format is \"%s\" or holds variables, like \"$remote_addr $time_local\"", strings.Join(named, "\", \""))
}
