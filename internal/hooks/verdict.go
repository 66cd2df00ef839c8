package hooks

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// A Verdict is a hook's yes.
type Verdict struct {
	// Name is what the stream (of on_connect: the application) is to be called
	// from here on; empty: as before. It has passed value.ValidStreamName.
	Name string
}

// NameOr is the verdict's name, else name.
func (v Verdict) NameOr(name string) string {
	if v.Name != "" {
		return v.Name
	}
	return name
}

// A Refusal is a hook's no, or that it gave no answer, which counts as one.
type Refusal struct {
	Hook   Hook
	Status int    // of the answer; 0: there was none
	Reason string // for the client: no address, no URL
	Err    error  // why there was no answer
}

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

// Unwrap is why there was no answer.
func (r *Refusal) Unwrap() error { return r.Err }

// An answer is what decides of a hook's response: its body is of no interest.
type answer struct {
	status   int
	location string
}

// unavailable says that a gateway answered in the hook's place, which has not got
// the call.
func (a answer) unavailable() bool {
	return a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable
}

// gatewayError is why an answer is none of the hook's own; nil if it may be.
func (a answer) gatewayError() error {
	if a.unavailable() || a.status == http.StatusGatewayTimeout {
		return fmt.Errorf("its gateway answers %s", statusText(a.status))
	}
	return nil
}

// judge reads an answer as nginx-rtmp does: 2xx is a yes, 3xx too, with another
// name if it has a Location, and everything else a no. For an update, where no
// name can change any more, a 3xx is a yes unless strict.
func (a answer) judge(h Hook, strict bool) (Verdict, error) {
	no := func(format string, args ...any) (Verdict, error) {
		return Verdict{}, &Refusal{Hook: h, Status: a.status, Reason: fmt.Sprintf(format, args...)}
	}
	switch a.status / 100 {
	case 2:
		return Verdict{}, nil
	case 3:
		if h == OnUpdate && strict {
			return no("refused by %s: %s", h, statusText(a.status))
		}
		if a.location == "" || h == OnUpdate {
			return Verdict{}, nil
		}
	default:
		return no("refused by %s: %s", h, statusText(a.status))
	}
	if isRelay(a.location) {
		return no("%s redirects to another server: relay is not built yet", h)
	}
	name := value.NormalName(nameIn(a.location))
	if err := value.ValidStreamName(name); err != nil {
		return no("%s redirects to what is no name: %s", h, err)
	}
	return Verdict{Name: name}, nil
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("status %d", status)
}

// isRelay says whether a Location is another RTMP server's stream.
func isRelay(location string) bool {
	scheme, _, ok := strings.Cut(location, "://")
	return ok && (strings.EqualFold(scheme, "rtmp") || strings.EqualFold(scheme, "rtmps"))
}

// nameIn is the name that a Location means: itself, or of a path or URL (web
// servers and frameworks make one of what a script says) the last segment. The
// result is still to be checked.
func nameIn(location string) string {
	if i := strings.IndexAny(location, "?#"); i >= 0 {
		location = location[:i]
	}
	scheme, _, ok := strings.Cut(location, "://")
	absolute := ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
	if absolute || strings.HasPrefix(location, "/") {
		location = strings.TrimRight(location, "/")
		location = location[strings.LastIndexByte(location, '/')+1:]
	}
	if plain, err := url.PathUnescape(location); err == nil {
		location = plain
	}
	return location
}
