package apiserver

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// resolve reads APP/NAME or NAME, where NAME may end in + for its wildcard streams. Without
// an application it is the only one that fits.
func resolve(cfg *config.Config, text string, fits func(*config.Application) bool) (app, name string, err error) {
	if strings.HasPrefix(text, "#") {
		return "", "", refusal(http.StatusBadRequest, "streams have no tags: write NAME, or NAME+ for its wildcard streams")
	}
	app, name, both := strings.Cut(text, "/")
	if !both {
		app, name = "", text
	}
	base, wildcards := strings.CutSuffix(name, "+")
	if name = value.NormalName(base); !wildcards {
		name = value.WildcardName(value.NormalName(name))
	}
	if err := value.ValidStreamName(name); err != nil {
		return "", "", refusal(http.StatusBadRequest, err.Error())
	}
	if wildcards {
		name += "+"
	}
	var found, all []string
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			a := &cfg.RTMP[i].Applications[j]
			if a.Name == "*" || both && a.Name != app {
				continue
			}
			all = append(all, a.Name)
			if a.Live && fits(a) {
				found = append(found, a.Name)
			}
		}
	}
	switch {
	case len(found) == 1, len(found) > 1 && both:
		return found[0], name, nil
	case both && len(all) == 0:
		return "", "", refusal(http.StatusNotFound, fmt.Sprintf("the configuration has no application %q", clip(app)))
	case len(found) == 0 && len(all) == 1:
		return all[0], name, nil // what it lacks is said later
	case len(found) == 0:
		return "", "", refusal(http.StatusConflict, "no application of the configuration fits: write APP/"+clip(name))
	}
	return "", "", refusal(http.StatusConflict, fmt.Sprintf("several applications fit: write APP/%s (%s)", clip(name), strings.Join(found, ", ")))
}

func takesStreams(*config.Application) bool { return true }

func hasKeys(a *config.Application) bool { return len(a.StreamKeys) > 0 || a.StreamKeysFile != "" }
