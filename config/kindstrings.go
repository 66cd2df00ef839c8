package config

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

const maxString = 4096 // bytes of one string; URLs and commands are shorter

// fromString makes the value of a field whose kind is written as one string.
func (a *attrSchema) fromString(s string, c convContext) (any, error) {
	if len(s) > maxString {
		return nil, fmt.Errorf("this is longer than %d bytes", maxString)
	}
	var err error
	switch a.kind {
	case "word":
		err = a.word(s)
	case "path":
		if a.vars != "" {
			err = Template(s).check(a.vars)
		}
		if err == nil {
			s, err = c.absolute(s)
		}
	case "template_path":
		if err = Template(s).check(a.vars); err == nil {
			s, err = c.absolute(s)
		}
	case "template":
		err = Template(s).check(cmp.Or(a.vars, placeholders))
	case "url":
		err = checkURL(s, "http", "https")
	case "directory_url":
		err = checkDirectory(s)
	case "email":
		err = checkEmail(s)
	case "rtmp_url":
		if err = Template(s).check(placeholders); err == nil {
			err = checkURL(s, "rtmp", "rtmps")
		}
	case "target":
		if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
			err = checkURL(s, "http", "https")
		}
	case "base":
		err = checkBase(s)
	case "name":
		err = ValidStreamName(s)
	case "header":
		err = headerValue(s)
	case "resolution":
		if !regexp.MustCompile(`^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$`).MatchString(s) {
			err = fmt.Errorf("%q is not a resolution: write \"1280x720\"", s)
		}
	case "http_log":
		err = checkLogFormat(s, httpLogVariables, "combined", "json")
	case "rtmp_log":
		err = checkLogFormat(s, rtmpLogVariables, "combined")
	case "time":
		return toTime(s)
	case "sha256":
		return toSHA256(s)
	case "tls_version":
		switch s {
		case "1.2":
			return uint16(tls.VersionTLS12), nil
		case "1.3":
			return uint16(tls.VersionTLS13), nil
		}
		return nil, fmt.Errorf("%q is none of \"1.2\", \"1.3\"", s)
	case "string", "secret":
		if strings.ContainsRune(s, 0) {
			err = errors.New("this holds a NUL byte")
		}
	default:
		panic("config: no kind " + a.kind + " for " + a.name)
	}
	if err != nil {
		return nil, err
	}
	return reflect.ValueOf(s).Convert(a.typ).Interface(), nil
}

// headerValue wants field-value of RFC 9110 §5.5: no control bytes.
func headerValue(s string) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return errors.New("this holds a character that can't stand in an HTTP header")
		}
	}
	return nil
}

// headerName wants a token of RFC 9110 §5.6.2.
func headerName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// checkURL wants an absolute URL. The error never shows it: it may hold a password.
func checkURL(s string, schemes ...string) error {
	write := fmt.Errorf("this is a URL: write \"%s://HOST/…\"", strings.Join(schemes, "://HOST/…\" or \""))
	u, err := url.Parse(strings.ReplaceAll(s, "$", "x"))
	if err != nil || u.Host == "" || u.Hostname() == "" || strings.ContainsAny(s, " \t\r\n") {
		return write
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return nil
		}
	}
	return write
}

// checkBase wants what may stand before a file's name in a playlist.
func checkBase(s string) error {
	if _, err := url.Parse(s); err != nil || strings.ContainsAny(s, " \t\r\n\"") {
		return errors.New("this stands before a file name in playlists: write \"https://HOST/…/\" or \"/…/\"")
	}
	return nil
}

func toTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if _, err := time.Parse(time.DateOnly, s); err == nil {
			return t, fmt.Errorf("%q is a date without a time: write \"%sT00:00:00Z\"", s, s)
		}
		return t, fmt.Errorf("%q is not a time of RFC 3339: write \"2031-12-24T18:00:00Z\"", s)
	}
	return t.UTC(), nil
}

func toSHA256(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "sha256:"))
	if err != nil || len(b) != sha256.Size {
		return nil, errors.New("this is the SHA-256 of a secret, 64 hex digits: rtmpd key hash prints it")
	}
	return b, nil
}

// bcryptForm is what htpasswd -B and friends print.
func bcryptForm(s string) error {
	if !regexp.MustCompile(`^\$2[abxy]\$(0[4-9]|1[0-9])\$[./A-Za-z0-9]{53}$`).MatchString(s) {
		return errors.New("a password stands here as its bcrypt hash: htpasswd -nbB USER PASSWORD prints it")
	}
	return nil
}

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
const logVariable = `\$(?:\{([A-Za-z0-9_]*)\}|([A-Za-z0-9_]*))`

// checkLogFormat wants variables that are known, or one of the named formats.
func checkLogFormat(s, known string, named ...string) error {
	if slices.Contains(named, s) {
		return nil
	}
	if s == "" {
		return errors.New("the format is empty")
	}
	if headerValue(s) != nil {
		return errors.New("a log line holds no control characters")
	}
	names := strings.Fields(known)
	found := regexp.MustCompile(logVariable).FindAllStringSubmatch(s, -1)
	for _, m := range found {
		name := m[1] + m[2]
		if strings.Contains(secretVariables, " "+name+" ") {
			return fmt.Errorf("$%s would write secrets", name)
		}
		if !slices.ContainsFunc(names, func(n string) bool {
			header, ok := strings.CutSuffix(n, "*")
			return n == name || ok && len(name) > len(header) && strings.HasPrefix(name, header)
		}) {
			hint := didYouMean(name, names)
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
