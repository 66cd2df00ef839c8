package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A Command is one call of nginx-rtmp's control module: SECTION/METHOD at the end of
// the path, and filters in the query. An empty filter matches everything.
type Command struct {
	Section string // record, drop, redirect, push, stage, title or sessions
	Method  string // start or stop; publisher, subscriber or client (both); invalidate, stop or tag

	Server   int // which rtmp block, from 0
	App      string
	Name     string
	Addr     netip.Addr // zero: any
	ClientID uint64     // 0: any; connections count from 1
	NewName  string     // of redirect; what follows a ? are its arguments
	Rec      string     // of record; empty: the recorder without a name

	Push string // of push, the label of its block; empty: all of the stream
	// Tag and Protocol, of sessions, select those with a tag, and those that watch by
	// RTMP, HLS or DASH. For tag, Tag is what they get.
	Tag, Protocol string
	// Publisher, of stage, is a client ID or the label of a stream key; empty: the
	// next in the queue.
	Publisher string
	// Title and Description, of title, are what viewers read about the stream; empty:
	// what its publisher says.
	Title, Description string
}

// An Outcome is the result of a Command.
type Outcome struct {
	Count int    // sessions dropped, redirected, stopped, tagged or asked about; pushes started or stopped
	Path  string // of the file that record opened or closed; empty: nothing to do
}

// A ControlError says why a Command is refused.
type ControlError struct {
	Status int // of HTTP, 4xx
	Reason string
}

// Error returns the reason.
func (e *ControlError) Error() string { return e.Reason }

func badCall(format string, args ...any) error {
	return &ControlError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// controlMethods returns the methods of a section; nil: no such section.
func controlMethods(section string) []string {
	switch section {
	case "record", "push":
		return []string{"start", "stop"}
	case "drop", "redirect":
		return []string{"publisher", "subscriber", "client"}
	case "sessions":
		return []string{"invalidate", "stop", "tag"}
	case "stage", "title":
		return []string{""}
	}
	return nil
}

// Control returns the handler of a control location whose allow lists sections; do
// executes a Command. It answers like nginx-rtmp: the count, the file of a recorder, or
// 204 if there was nothing to record. Where nginx-rtmp answers 500, it answers 4xx with
// the reason and does nothing.
//
// A duplicate or empty argument is refused: the script meant one stream, and an empty
// name would match all of them.
func Control(allow []string, do func(Command) (Outcome, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			h.Set("Allow", "GET, POST") // HEAD acts at nginx-rtmp; here it does not
			http.Error(w, "control is called with GET or POST", http.StatusMethodNotAllowed)
			return
		}
		cmd, err := parseCommand(r, allow)
		var out Outcome
		if err == nil {
			out, err = do(cmd)
		}
		var bad *ControlError
		switch {
		case errors.As(err, &bad):
			http.Error(w, bad.Reason, bad.Status)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case cmd.Section == "record" && out.Path == "":
			w.WriteHeader(http.StatusNoContent)
		default:
			h.Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(w, out.text(cmd.Section))
		}
	})
}

func (o Outcome) text(section string) string {
	if section == "record" {
		return o.Path
	}
	return strconv.Itoa(o.Count)
}

// parseCommand reads a call. It ignores unknown arguments, as nginx-rtmp does: pages add
// one to defeat caches.
func parseCommand(r *http.Request, allow []string) (Command, error) {
	var c Command
	segments := strings.Split(r.URL.Path, "/")
	if n := len(segments); n >= 2 {
		c.Section, c.Method = segments[n-2], segments[n-1]
		if c.Method == "stage" || c.Method == "title" {
			c.Section, c.Method = c.Method, ""
		}
	}
	methods := controlMethods(c.Section)
	switch {
	case methods == nil || !slices.Contains(allow, c.Section):
		return c, &ControlError{http.StatusNotFound, "no such call: a path ends in one of " + calls(allow)}
	case !slices.Contains(methods, c.Method) && methods[0] == "":
		return c, badCall("%s has no %q: it stands alone", c.Section, c.Method)
	case !slices.Contains(methods, c.Method):
		return c, badCall("%s has no %q: it has %s", c.Section, c.Method, strings.Join(methods, ", "))
	case r.ContentLength != 0:
		return c, badCall("the arguments stand in the query of the URL, not in a body")
	}
	args, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return c, badCall("the query can't be read: %v", err)
	}
	for _, name := range []string{"srv", "app", "name", "addr", "clientid", "newname", "rec", "push", "publisher", "title", "description", "tag", "protocol"} {
		values := args[name]
		switch {
		case len(values) > 1:
			return c, badCall("%s is there %d times", name, len(values))
		case len(values) == 1 && values[0] == "" && name != "title" && name != "description":
			return c, badCall("%s is empty: leave it out to mean all", name)
		case len(values) == 1:
			if err := c.set(name, values[0]); err != nil {
				return c, err
			}
		}
	}
	switch {
	case c.Section == "sessions" && c.Method == "stop" && c.App == "" && c.Name == "" && c.ClientID == 0 && c.Tag == "":
		return c, badCall("stop needs app, name, clientid or tag: which sessions?")
	case c.Section == "sessions" && c.Method == "tag" && (c.Tag == "" || c.ClientID == 0):
		return c, badCall("tag needs clientid and tag: which session, and what?")
	case c.Section == "redirect" && c.NewName == "":
		return c, badCall("newname is missing: where to?")
	case (c.Section == "stage" || c.Section == "title") && (c.App == "" || c.Name == ""):
		return c, badCall("%s needs app and name: which stream?", c.Section)
	}
	return c, nil
}

// set stores one argument.
func (c *Command) set(name, text string) (err error) {
	switch name {
	case "srv":
		if c.Server, err = strconv.Atoi(text); err != nil || c.Server < 0 {
			return badCall("srv is the number of an rtmp block, from 0 on")
		}
	case "app":
		c.App = value.NormalName(text)
	case "name":
		c.Name = value.NormalName(text)
	case "addr":
		if c.Addr, err = netip.ParseAddr(text); err != nil {
			return badCall("addr is an IP address without a port")
		}
		c.Addr = c.Addr.Unmap()
	case "clientid":
		if c.ClientID, err = strconv.ParseUint(text, 10, 64); err != nil || c.ClientID == 0 {
			return badCall("clientid is a number, the id that stat shows")
		}
	case "newname":
		c.NewName = value.NormalName(text)
	case "rec":
		c.Rec = text
	case "push":
		c.Push = text
	case "tag":
		if c.Tag = text; len(text) > viewers.MaxTag || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("[]", r) }) {
			return badCall("a tag has at most %d bytes, and no [ or ]", viewers.MaxTag)
		}
	case "protocol":
		if c.Protocol = strings.ToUpper(text); c.Protocol != "RTMP" && viewers.ProtocolNamed(text) == 0 {
			return badCall("protocol is RTMP, %s", strings.Join(viewers.AllProtocols.Names(), ", "))
		}
	case "publisher":
		c.Publisher = text
	case "title":
		c.Title, err = viewersText(name, text, MaxTitle, "")
	case "description":
		c.Description, err = viewersText(name, text, MaxDescription, "\n")
	}
	return err
}

// MaxTitle and MaxDescription bound what viewers read about a stream, in bytes.
const (
	MaxTitle       = 256
	MaxDescription = 1024
)

// viewersText returns a text for viewers without blanks around it. Of control characters
// it may have those of allowed.
func viewersText(name, text string, most int, allowed string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	switch {
	case len(text) > most:
		return "", badCall("%s is longer than %d bytes", name, most)
	case !utf8.ValidString(text):
		return "", badCall("%s is not UTF-8", name)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }):
		return "", badCall("%s holds a control character", name)
	}
	return text, nil
}

// calls lists the calls that allow permits.
func calls(allow []string) string {
	var out []string
	for _, section := range []string{"record", "drop", "redirect", "push", "stage", "title"} {
		if slices.Contains(allow, section) {
			for _, method := range controlMethods(section) {
				out = append(out, strings.TrimSuffix("/"+section+"/"+method, "/"))
			}
		}
	}
	return strings.Join(out, " ")
}
