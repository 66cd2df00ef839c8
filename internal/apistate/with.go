package apistate

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/rtmpd/rtmpd/config"
)

// With returns a configuration with what the state adds to it. cfg is not changed. A state
// never takes anything from the configuration: what both say is the configuration's.
func (s *State) With(cfg *config.Config) *config.Config {
	if s.Empty() || !Wanted(cfg) {
		return cfg
	}
	out := *cfg
	out.RTMP = slices.Clone(cfg.RTMP)
	for i := range out.RTMP {
		out.RTMP[i].Applications = slices.Clone(out.RTMP[i].Applications)
		for j := range out.RTMP[i].Applications {
			app := &out.RTMP[i].Applications[j]
			s.addTo(app)
			app.Streams = slices.Clone(app.Streams)
			for k := range app.Streams {
				rule := *app.Streams[k].Application
				s.addPushes(&rule, app.Name)
				rule.StreamKeys = app.StreamKeys
				app.Streams[k].Application = &rule
			}
		}
	}
	return &out
}

// Wanted reports whether a configuration has an api location. Without one the state has no
// effect: nobody could see it or take it back.
func Wanted(cfg *config.Config) bool {
	for i := range cfg.HTTP {
		if slices.ContainsFunc(cfg.HTTP[i].Locations, func(l config.Location) bool { return l.API != nil }) {
			return true
		}
	}
	return false
}

func (s *State) addTo(app *config.Application) {
	s.addPushes(app, app.Name)
	var more []config.StreamKey
	for _, k := range s.Keys {
		if k.App != app.Name || WhyNoKey(app, k) != "" {
			continue
		}
		if sum, err := hex.DecodeString(k.SHA256); err == nil {
			more = append(more, config.StreamKey{Holder: "api " + k.SHA256[:16], Stream: k.Stream, SHA256: sum})
		}
	}
	if len(more) > 0 {
		app.StreamKeys = slices.Concat(app.StreamKeys, more)
	}
}

func (s *State) addPushes(app *config.Application, name string) {
	var more []config.Push
	for i := range s.Pushes {
		if p := &s.Pushes[i]; p.App == name && WhyNoPush(app, p) == "" {
			more = append(more, p.Block(s.Wait))
		}
	}
	if len(more) > 0 {
		app.Pushes = slices.Concat(app.Pushes, more)
	}
}

// WhyNoKey says why a key has no effect in an application; empty: it has.
func WhyNoKey(app *config.Application, k Key) string {
	if len(app.StreamKeys) == 0 && app.StreamKeysFile == "" {
		return fmt.Sprintf("application %q has neither stream_key nor stream_keys_file, so anybody may publish: its first key would shut all others out. Give it one in the configuration first", app.Name)
	}
	for _, list := range [][]config.StreamKey{app.StreamKeys, app.FileKeys} {
		for _, own := range list {
			sum := hex.EncodeToString(own.SHA256)
			if own.Secret != "" {
				sum = HashOf(own.Secret.Reveal())
			}
			if sum == k.SHA256 {
				return fmt.Sprintf("the configuration has this key, for %q: what it says counts", own.Stream)
			}
		}
	}
	return ""
}

// WhyNoPush says why a push has no effect in an application; empty: it has.
func WhyNoPush(app *config.Application, p *Push) string {
	for _, own := range app.Pushes {
		if own.Remote.URL == p.Target && slices.Equal(own.Remote.Streams, p.patterns()) || own.Remote.URL == p.Target && len(own.Remote.Streams) == 0 {
			return fmt.Sprintf("the configuration has this target, as push %q: what it says counts", own.Name)
		}
	}
	return ""
}

// Application returns the application of a name that is in a configuration, or nil.
func Application(cfg *config.Config, name string) *config.Application {
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			if a := &cfg.RTMP[i].Applications[j]; a.Name == name && name != "*" {
				return a
			}
		}
	}
	return nil
}

// Lines say what the API has changed and what of it has an effect with a configuration. No
// secret is in them; shown makes the text of a target.
func (s *State) Lines(cfg *config.Config, shown func(*Push) string) (out []string) {
	add := func(what, app, why string) {
		switch {
		case !Wanted(cfg):
			why = "without effect: there is no api location"
		case Application(cfg, app) == nil:
			why = fmt.Sprintf("without effect: there is no application %q", app)
		case why != "":
			why = "without effect: " + why
		default:
			why = "in force"
		}
		out = append(out, "by the API: "+what+" ("+why+")")
	}
	for i := range s.Pushes {
		p, why := &s.Pushes[i], ""
		if app := Application(cfg, p.App); app != nil {
			why = WhyNoPush(app, p)
		}
		add(fmt.Sprintf("push %s of %s/%s to %s", p.ID, p.App, p.Streams, shown(p)), p.App, why)
	}
	for _, k := range s.Keys {
		why := ""
		if app := Application(cfg, k.App); app != nil {
			why = WhyNoKey(app, k)
		}
		add(fmt.Sprintf("stream key %s of %s/%s", k.SHA256[:16], k.App, k.Stream), k.App, why)
	}
	if s.Wait > 0 {
		out = append(out, fmt.Sprintf("by the API: its pushes wait %d s after a failure", s.Wait))
	}
	return out
}
