// Package relay sends a stream to another server (push), and takes one from there
// (pull), over RTMP and RTMPS.
package relay

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A target is a stream on another server.
//
//	rtmp://HOST[:PORT]/APP/NAME[?QUERY]
//	rtmp://HOST[:PORT]/APP…              and the key
type target struct {
	dial    string // rtmp[s]://host[:port]
	app     string
	name    string // of the stream over there; may be a secret
	tcURL   string
	shown   string   // the whole without secrets
	secrets []string // that the other side may repeat in its answers
}

// newTarget resolves what r says for the stream called stream of the application
// app. expand returns what a placeholder stands for.
func newTarget(r *config.Remote, app, stream string, expand func(name string) string) (target, error) {
	scheme, rest, _ := strings.Cut(r.URL.Reveal(), "://")
	authority, path, _ := strings.Cut(rest, "/")
	authority = value.Template(authority).Expand(expand)
	path = strings.Trim(value.Template(path).Expand(expand), "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		return target{}, errors.New("the url has a user and a password, which RTMP servers of today do not ask for: put what the server calls the key into key")
	}
	t := target{dial: scheme + "://" + authority}
	u, err := url.Parse(t.dial)
	if err != nil || u.Host != authority || u.Hostname() == "" { // a placeholder may hold anything
		return target{}, fmt.Errorf("%q is no address of a server", authority)
	}
	t.app, t.name = split(path, r.App, r.Key != "")
	switch {
	case r.Key != "":
		t.name = r.Key.Reveal()
	case r.PlayPath != "":
		t.name = r.PlayPath
	case t.name == "":
		t.name = stream
	}
	if r.App != "" {
		t.app = r.App
	}
	if t.app == "" {
		t.app = app
	}
	t.tcURL = value.Template(r.TCURL.Reveal()).Expand(expand)
	if t.tcURL == "" {
		t.tcURL = t.dial + "/" + t.app
	}
	t.hideSecrets(stream)
	return t, nil
}

// split takes the application and the name of the stream out of the path of a URL.
// With a key, all of it is the application. Otherwise app, or the first segment, is
// the application and the rest is the name, with its query, as at nginx-rtmp.
func split(path, app string, key bool) (string, string) {
	path, query, asked := strings.Cut(path, "?")
	path = strings.TrimSuffix(path, "/")
	if asked {
		query = "?" + query
	}
	if key {
		return path + query, ""
	}
	first, name, _ := strings.Cut(path, "/")
	if app != "" {
		if rest, ok := strings.CutPrefix(path, app); ok && (rest == "" || rest[0] == '/') {
			first, name = app, strings.TrimPrefix(rest, "/")
		}
	}
	if name == "" {
		return first + query, ""
	}
	// MistServer's users end a name that has a query in one more "?".
	return first, name + strings.TrimSuffix(query, "?")
}

// hideSecrets sets what the log and stat show. The name over there is a secret
// unless it is the public name here; so is every query.
func (t *target) hideSecrets(stream string) {
	app, query, asked := strings.Cut(t.app, "?")
	t.shown = t.dial + "/" + app + "/"
	if asked && query != "" {
		t.secrets = append(t.secrets, query)
	}
	if t.name == stream {
		t.shown += stream
		return
	}
	t.shown += value.Hidden
	t.secrets = append(t.secrets, t.name)
	if name, query, asked := strings.Cut(t.name, "?"); asked {
		t.secrets = append(t.secrets, name, query)
	}
}

// hide takes the secrets out of what the other side said.
func (t *target) hide(text string) string {
	for _, s := range t.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, value.Hidden)
		}
	}
	return text
}

// A hidden error is one without the secrets of its target.
type hiddenError struct {
	text  string
	cause error
}

func (e *hiddenError) Error() string { return e.text }
func (e *hiddenError) Unwrap() error { return e.cause }

func (t *target) hideIn(err error) error {
	if text := err.Error(); t.hide(text) != text {
		return &hiddenError{t.hide(text), err}
	}
	return err
}
