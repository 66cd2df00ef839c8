package hooks

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A Verdict is a hook's yes.
type Verdict struct {
	// Name is the new name of the stream (for on_connect: of the application); empty:
	// unchanged. It has passed value.ValidStreamName.
	Name string
	// Relay is where the stream is pushed to (on_publish), or pulled from (on_play),
	// beside what the configuration says; empty: nowhere. It holds no placeholder.
	Relay value.RTMPURL
}

// NameOr returns the verdict's name, or name if it has none.
func (v Verdict) NameOr(name string) string {
	if v.Name != "" {
		return v.Name
	}
	return name
}

// A Refusal is a hook's no. A hook that does not answer refuses, too.
type Refusal struct {
	Hook   Hook
	Status int    // of the response; 0: there was none
	Reason string // for the client: without address and URL
	Err    error  // why there was no response
}

// Error returns the reason.
func (r *Refusal) Error() string { return r.Reason }

// Unwrap returns why there was no response.
func (r *Refusal) Unwrap() error { return r.Err }

// An answer is the part of a hook's response that decides: its body is ignored.
type answer struct {
	status   int
	location string
}

// unavailable reports that a gateway answered instead of the hook, which did not
// receive the call.
func (a answer) unavailable() bool {
	return a.status == http.StatusBadGateway || a.status == http.StatusServiceUnavailable
}

// gatewayError returns an error if a gateway answered instead of the hook.
func (a answer) gatewayError() error {
	if a.unavailable() || a.status == http.StatusGatewayTimeout {
		return fmt.Errorf("its gateway answers %s", statusText(a.status))
	}
	return nil
}

// verdict interprets an answer as nginx-rtmp does: 2xx is a yes; 3xx is a yes, with a
// new name if it has a Location, or a relay if that names an RTMP server; everything
// else is a no. on_update cannot rename: a 3xx is a yes, or a no if strict.
func (a answer) verdict(h Hook, n *config.Notify) (Verdict, error) {
	no := func(format string, args ...any) (Verdict, error) {
		return Verdict{}, &Refusal{Hook: h, Status: a.status, Reason: fmt.Sprintf(format, args...)}
	}
	switch a.status / 100 {
	case 2:
		return Verdict{}, nil
	case 3:
		if h == OnUpdate && n.UpdateStrict {
			return no("refused by %s: %s", h, statusText(a.status))
		}
		if a.location == "" || h == OnUpdate {
			return Verdict{}, nil
		}
	default:
		return no("refused by %s: %s", h, statusText(a.status))
	}
	if isRelay(a.location) {
		return a.relay(h, n)
	}
	name := value.NormalName(nameIn(a.location))
	if err := value.ValidStreamName(name); err != nil {
		return no("%s redirects to what is no name: %s", h, err)
	}
	return Verdict{Name: name}, nil
}

// relay interprets a Location that names a stream on an RTMP server.
func (a answer) relay(h Hook, n *config.Notify) (v Verdict, err error) {
	if h != OnPublish && h != OnPlay {
		return v, &Refusal{Hook: h, Status: a.status, Reason: fmt.Sprintf("%s redirects to another server, which only on_publish and on_play can do", h)}
	}
	if v.Relay, err = relayURL(a.location); err != nil {
		return v, &Refusal{Hook: h, Status: a.status, Reason: fmt.Sprintf("%s redirects to another server by a wrong URL: %s", h, err)}
	}
	if n.RelayRedirect {
		v.Name = sharedName(a.location)
	}
	return v, nil
}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("status %d", status)
}

// nameIn returns the name in a Location: the last segment of a path or URL, because
// web servers and frameworks turn what a script wrote into one; otherwise all of it.
// The caller must validate the name.
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
