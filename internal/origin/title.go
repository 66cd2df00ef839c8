package origin

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
)

// A title is what viewers read about a stream.
type title struct{ title, description string }

// maxTitles bounds the titles of an application that an operator has set. They are kept
// while nobody publishes, too, and until the server stops.
const maxTitles = 1000

// entitle gives a stream another title and description, or takes those back that it was
// given.
func (og *Origin) entitle(v *Service, c api.Command) (api.Outcome, error) {
	a := v.Application(c.App)
	if a == nil {
		return api.Outcome{}, &api.ControlError{Status: http.StatusNotFound, Reason: fmt.Sprintf("there is no application %q", c.App)}
	}
	if err := value.ValidStreamName(c.Name); err != nil {
		return api.Outcome{}, &api.ControlError{Status: http.StatusBadRequest, Reason: err.Error()}
	}
	if !a.entitle(c.Name, title{c.Title, c.Description}) {
		return api.Outcome{}, &api.ControlError{Status: http.StatusConflict, Reason: fmt.Sprintf("%d streams of the application have titles: take one back, with neither title nor description", maxTitles)}
	}
	og.Log.Info("control", zap.String("call", "title"), zap.String("app", c.App), zap.String("stream", c.Name), zap.String("title", c.Title))
	return api.Outcome{Count: 1}, nil
}

func (a *Application) entitle(name string, t title) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case t == title{}:
		delete(a.titles, name)
		return true
	case len(a.titles) >= maxTitles && a.titles[name] == title{}:
		return false
	case a.titles == nil:
		a.titles = make(map[string]title)
	}
	a.titles[name] = t
	return true
}

// described is what a publisher's metadata says, as read once.
type described struct {
	from *live.Metadata
	title
	frameRate float64
}

// description reads the publisher's metadata.
func (st *Stream) description() described {
	now := st.live.Metadata()
	if d := st.described.Load(); d != nil && d.from == now {
		return *d
	}
	d := described{from: now}
	if now != nil {
		if m, ok, err := flv.ParseMetadata(now.Raw); ok && err == nil {
			d.title = title{printable(m.Title, ""), printable(m.Description, "\n")}
			d.frameRate = m.FrameRate
		}
	}
	st.described.Store(&d)
	return d
}

// printable replaces control characters but those of allowed by blanks.
func printable(s, allowed string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune(allowed, r) {
			return ' '
		}
		return r
	}, s))
}
